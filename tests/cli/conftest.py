"""A deployment on disk, and the command line to use it with."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.cli.application import run_line
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.quarantine import HeldMessage
from gateway.runtime.clock import utcnow
from gateway.stores import Stores, open_store
from simulators.builders import submit_sm, ucs2

GATEWAY = """\
version: 1
listeners: [{{name: plain, address: "127.0.0.1:2775"}}]
smscs: [{{name: main, address: "127.0.0.1:2776"}}]
store: {{url: "sqlite:///{directory}/var/smsward.db"}}
records: {{directory: "{directory}/var/cdr"}}
"""
SENDERS = """\
version: 1
allow_plain_passwords: true
senders:
  - {system_id: shop, password: "plain:secret", ports: [
      {number: "10690001", extension_digits: 4, purpose: marketing},
      {number: "10690002", purpose: verification}]}
  - {system_id: gone, password: "plain:secret", state: suspended, ports: [
      {number: "10690003", purpose: service}]}
"""
BUNDLE = "version: 1\nname: test\n"
REFUSED = """\
version: 1
rules:
  - id: R21
    check: opt_out
    title: {zh: 拒收, en: Refusal}
    article: test
    mode: enforce
"""
FRAUD = "version: 1\nid: K-FRAUD\ncategory: fraud\naction: reject\nwords: [代开发票]\n"
LOAN = "version: 1\nid: K-LOAN\ncategory: loan\naction: quarantine\nwords: [黑户贷款]\n"
LURE = "version: 1\nid: K-LURE\ncategory: lure\naction: shadow\nwords: [加微信]\n"


# What a command line came to: exit code, standard output, standard error.
Cli = Callable[..., CompletedProcess[str]]
Write = Callable[[str, str], None]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]
Hold = Callable[..., HeldMessage]
Fetch = Callable[[int], HeldMessage]
Record = Callable[[int, str, Answer], None]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Return a function that runs one command line, `stdin` being what is piped into it."""

    def cli(*arguments: str, stdin: str = "") -> CompletedProcess[str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = run_line(arguments)
        captured = capsys.readouterr()
        return CompletedProcess(arguments, code, captured.out, captured.err)

    return cli


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes one file of the deployment, folders included."""

    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def deployment(tmp_path: Path, write: Write) -> Path:
    """Return the directory of a sound deployment that has not run yet: config/ and policies/."""
    write("config/gateway.yaml", GATEWAY.format(directory=tmp_path))
    write("config/senders.yaml", SENDERS)
    write("policies/bundle.yaml", BUNDLE)
    write("policies/rules/consent.yaml", REFUSED)
    for name, text in (("fraud", FRAUD), ("loan", LOAN), ("lure", LURE)):
        write(f"policies/keywords/{name}.yaml", text)
    return tmp_path


@pytest.fixture
def options(deployment: Path) -> tuple[str, ...]:
    """Return the options that name both directories."""
    return ("--config", str(deployment / "config"), "--policies", str(deployment / "policies"))


@pytest.fixture
def in_store(deployment: Path) -> InStore:
    """Return a function that lets a function work on the deployment's store."""

    def in_store(work: Callable[[Stores], Awaitable[object] | None]) -> None:
        async def open_and_work() -> None:
            stores = await open_store(f"sqlite:///{deployment}/var/smsward.db")
            try:
                outcome = work(stores)
                if outcome is not None:
                    await outcome
            finally:
                await stores.close()

        asyncio.run(open_and_work())

    return in_store


@pytest.fixture
def quarantine(cli: Cli, deployment: Path) -> Cli:
    """Return a function that calls `smsward quarantine` on the deployment's store."""

    def quarantine(*arguments: str, **given: str) -> CompletedProcess[str]:
        return cli("quarantine", *arguments, "--config", str(deployment / "config"), **given)

    return quarantine


@pytest.fixture
def hold(in_store: InStore) -> Hold:
    """Return a function that puts one message into quarantine; give what should be otherwise."""
    now = utcnow()
    usual = HeldMessage(
        message_id=8_1764072000000_01_000,
        system_id="shop",
        source="10690001",
        destination="13800138000",
        pdu=b"",
        reason="CONTENT",
        rule="K-LOAN",
        category="loan",
        evidence="黑户贷款",
        digest="0123456789ab",
        receipt_asked=True,
        held_at=now,
        expires_at=now + timedelta(days=1),
    )

    def hold(text: str = "黑户贷款，当天放款", **changes: object) -> HeldMessage:
        pdu = submit_sm("10690001", "13800138000", ucs2(text))
        held: HeldMessage = replace(usual, **{"pdu": pdu, **changes})  # type: ignore[arg-type]
        in_store(lambda stores: stores.quarantine.hold([held]))
        return held

    return hold


@pytest.fixture
def fetch(in_store: InStore) -> Fetch:
    """Return a function that reads one held message back."""

    def fetch(message_id: int) -> HeldMessage:
        found: list[HeldMessage] = []

        async def get(stores: Stores) -> None:
            held = await stores.quarantine.get(message_id)
            assert held is not None
            found.append(held)

        in_store(get)
        return found[0]

    return fetch


@pytest.fixture
def answered(in_store: InStore) -> Record:
    """Return a function that records one answer of a subscriber."""

    def answered(msisdn: int, scope: str, answer: Answer) -> None:
        given = ConsentAnswer(msisdn, scope, answer, utcnow(), "test")
        in_store(lambda stores: stores.consent.record([given]))

    return answered
