"""Whole deployments: settings and policies as files, the gateway in this process or its own."""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from subprocess import CompletedProcess
from types import FrameType

import httpx
import orjson
import pytest

from gateway.app import followers
from gateway.app.gateway import Gateway, TakeOver
from gateway.app.run import run
from gateway.cli.application import run_line
from gateway.runtime.logging import configure_logging
from gateway.session import stranger_limits
from gateway.settings.bundles.bundle import load_bundle
from gateway.settings.gateway import load_gateway
from gateway.settings.senders import load_senders
from gateway.systems.consent import follower
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from tests import real_time

LogLines = list[dict[str, object]]
# Writes the files of a deployment, some otherwise, and returns config and policies.
Deploy = Callable[..., tuple[Path, Path]]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Command = Callable[..., Awaitable[CompletedProcess[str]]]
Told = Callable[..., Awaitable[dict[str, object]]]
# What happens while `run` runs: gets the address SPs bind at.
Story = Callable[[tuple[str, int]], Awaitable[None]]

WITHIN_S = 60.0
FAULTS = {"task.failed", "tick.failed", "loop.failed", "log.unlisted", "library.warned"}

GATEWAY = """\
version: 1
node: {{carrier: cmcc, province: 福建, role: origin}}
listeners:
  - {{name: plain, address: "127.0.0.1:0"}}
smscs:
  - {{name: main, address: "127.0.0.1:{smsc}", mode: transparent, tls: null}}
timers: {{reconnect_max_s: 0.1, drain_s: 5}}
store: {{url: "sqlite:///{root}/var/smsward.db"}}
records: {{directory: {root}/var/cdr}}
metrics: {{address: "127.0.0.1:{metrics}"}}
webhooks: {{networks: ["127.0.0.0/8"]}}
learning: {{starter: false}}
"""
SENDERS = """\
version: 1
allow_plain_passwords: true
senders:
  - system_id: sp1
    password: "plain:secret"
    name: 示例商城
    ports: [{number: "10690001", extension_digits: 4, purpose: marketing}]
    rate: {per_s: 100000, burst: 100000}
    window: 200
  - system_id: sp2
    password: "plain:secret"
    ports: [{number: "10690002", purpose: verification}]
"""
FRAUD = """\
version: 1
id: K-FRAUD
category: fraud
action: reject
words: [代开发票]
"""
REFUSED = """\
version: 1
rules:
  - id: R21
    check: opt_out
    title: {zh: 拒收, en: Refusal}
    article: test
    mode: enforce
"""
LOAN = """\
version: 1
id: K-LOAN
category: loan
action: quarantine
words: [低息贷款]
"""

_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2)

_CHILD = """\
import sys
from pathlib import Path
from gateway.app.run import run
from gateway.runtime.logging import configure_logging
configure_logging(json=True)
sys.exit(run(Path(sys.argv[1]), Path(sys.argv[2])))
"""


@pytest.fixture
def log() -> Iterator[LogLines]:
    """Collect what is logged, as a machine would read it; faults of ours must not be in it."""
    lines: LogLines = []
    configure_logging(json=True, strict=True, sink=lambda line: lines.append(orjson.loads(line)))
    yield lines
    assert [line for line in lines if line["event"] in FAULTS] == []


@pytest.fixture
async def smsc() -> AsyncIterator[SimulatedSmsc]:
    """An SMSC without a fault, on the test's own loop."""
    async with SimulatedSmsc(behaviour=Behaviour(seed=7)) as running:
        yield running


@pytest.fixture
def free_port() -> int:
    """A port for probes that was free a moment ago."""
    return _free_port()


@pytest.fixture
def free_smsc_port() -> int:
    """A port for an SMSC that was free a moment ago."""
    return _free_port()


def _free_port() -> int:
    # Of those that no system gives to whoever asks for any: another test would have it by now.
    while True:
        port = random.randrange(12_000, 30_000)  # noqa: S311 - no secret hangs on it
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@pytest.fixture
def deploy(tmp_path: Path, free_port: int) -> Deploy:
    """Write a deployment; `files` adds to it or replaces what is usual, None leaves it out."""

    def write(
        smsc_port: int = 1, files: Mapping[str, str | None] | None = None
    ) -> tuple[Path, Path]:
        usual = {
            "config/gateway.yaml": GATEWAY.format(smsc=smsc_port, root=tmp_path, metrics=free_port),
            "config/senders.yaml": SENDERS,
            "policies/bundle.yaml": "version: 1\nname: test\n",
            "policies/rules/consent.yaml": REFUSED,
            "policies/content.yaml": "version: 1\n",
            "policies/keywords/fraud.yaml": FRAUD,
            "policies/keywords/loan.yaml": LOAN,
        }
        for name, text in {**usual, **(files or {})}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                path.write_text(text, encoding="utf-8")
        return tmp_path / "config", tmp_path / "policies"

    return write


@pytest.fixture
async def start(
    deploy: Deploy,
    smsc: SimulatedSmsc,
    monkeypatch: pytest.MonkeyPatch,
    log: LogLines,  # noqa: ARG001 - every gateway is watched for faults of its own
) -> AsyncIterator[Start]:
    """Deploy and start a gateway on the test's own loop."""
    monkeypatch.setattr(followers, "_EVERY_S", 0.01)
    # A busy machine may let this process stand still for a second: no reason to refuse adverts.
    monkeypatch.setattr(follower, "_CURRENT_S", 10 * WITHIN_S)
    monkeypatch.setattr(stranger_limits, "FIRST_DELAY_S", 0.0)
    running: list[Gateway] = []

    async def begin(
        files: Mapping[str, str | None] | None = None, take_over: TakeOver | None = None
    ) -> Gateway:
        config, policies = deploy(smsc.port, files)
        gateway = Gateway(
            load_gateway(config / "gateway.yaml"),
            load_senders(config / "senders.yaml"),
            load_bundle(policies),
            config=config,
            policies=policies,
        )
        running.append(gateway)
        assert await gateway.start(take_over)
        return gateway

    yield begin
    for gateway in reversed(running):  # the end of one cancels every task of the loop
        await gateway.stop()


@pytest.fixture
async def attach() -> AsyncIterator[Attach]:
    """Connect to an address, or to a gateway's listener, and bind; closed in the end."""
    esmes: list[RawEsme] = []

    async def connect_and_bind(
        where: Gateway | tuple[str, int], system_id: str = "sp1", kind: str = "trx"
    ) -> RawEsme:
        address = where.addresses["plain"] if isinstance(where, Gateway) else where
        esme = await RawEsme.connect(*address)
        esmes.append(esme)
        assert await esme.bind(system_id, "secret", kind) == 0
        return esme

    yield connect_and_bind
    for esme in esmes:
        await esme.__aexit__(None, None, None)


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Wait for a condition inside the gateway, which tells nobody when it changes."""

    return real_time.until


@pytest.fixture
def told(log: LogLines) -> Told:
    """Wait for a line of the log, from wherever it comes; `past` of its kind are known already."""

    async def wait(event: str, past: int = 0) -> dict[str, object]:
        async def look() -> dict[str, object] | None:
            lines = [line for line in list(log) if line["event"] == event]
            return lines[past] if len(lines) > past else None

        return await real_time.poll(look)

    return wait


@pytest.fixture
def run_here(
    log: LogLines, free_port: int, told: Told
) -> Callable[[tuple[Path, Path], Story], int]:
    """Call `run` in this thread, where signals arrive, and tell a story to it from another."""

    def call(directories: tuple[Path, Path], story: Story) -> int:
        failures: list[BaseException] = []
        is_over = threading.Event()

        async def narrate() -> None:
            opened = await told("listener.opened")
            async with httpx.AsyncClient(trust_env=False) as client:
                # Answered by the gateway's loop, which takes signals by then.
                await client.get(f"http://127.0.0.1:{free_port}/livez")
            host, _, port = str(opened["address"]).rpartition(":")
            async with asyncio.timeout(2 * WITHIN_S):
                await story((host, int(port)))

        def narrator() -> None:
            try:
                asyncio.run(narrate())
            except BaseException as error:  # noqa: BLE001 - told to the test below
                failures.append(error)
            finally:
                while not is_over.is_set():  # one that comes before anybody listens is lost
                    os.kill(os.getpid(), signal.SIGTERM)
                    is_over.wait(WITHIN_S)

        def nothing(_number: int, _frame: FrameType | None) -> None:
            """Keep a signal that comes too early from ending the tests."""

        before = {n: signal.signal(n, nothing) for n in _SIGNALS}
        thread = threading.Thread(target=narrator)
        thread.start()
        try:
            code = run(*directories)
        finally:
            is_over.set()
            thread.join()
            for number, handler in before.items():
                signal.signal(number, handler)
        assert failures == []
        assert "gateway.stopped" in [line["event"] for line in log]
        return code

    return call


@pytest.fixture
async def launch() -> AsyncIterator[Callable[[Path, Path], Awaitable[asyncio.subprocess.Process]]]:
    """Run a gateway as a process of its own; its log is its standard error."""
    children: list[asyncio.subprocess.Process] = []

    async def begin(config: Path, policies: Path) -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _CHILD,
            str(config),
            str(policies),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        children.append(child)
        return child

    yield begin
    for child in children:
        if child.returncode is None:
            child.kill()
        await child.wait()


@pytest.fixture
def line_of() -> Callable[[asyncio.subprocess.Process, str], Awaitable[dict[str, object]]]:
    """Read a child's log up to the next line of a kind."""

    async def read(child: asyncio.subprocess.Process, event: str) -> dict[str, object]:
        assert child.stderr is not None
        async with asyncio.timeout(2 * WITHIN_S):
            while line := await child.stderr.readline():
                if line.startswith(b"{") and orjson.loads(line)["event"] == event:
                    return dict(orjson.loads(line))
        raise AssertionError(f"the gateway ended before it told of {event}")

    return read


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Run one command line in a thread, while the gateway runs on the test's own loop."""

    async def call(*arguments: str) -> CompletedProcess[str]:
        capsys.readouterr()
        line = (*arguments, "--config", str(tmp_path / "config"))
        code = await asyncio.to_thread(run_line, line)
        said = capsys.readouterr()
        return CompletedProcess(line, code, said.out, said.err)

    return call


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two self-signed certificates for localhost: gateway and other, .pem and .key."""
    directory = tmp_path_factory.mktemp("tls")
    for name in ("gateway", "other"):
        subprocess.run(  # noqa: S603 - the openssl of this machine, wherever it is
            [
                *("openssl", "req", "-x509", "-newkey", "ec"),
                *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
                *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
                *("-keyout", str(directory / f"{name}.key")),
                *("-out", str(directory / f"{name}.pem")),
            ],
            check=True,
            capture_output=True,
        )
    return directory
