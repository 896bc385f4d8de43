"""Rules whose scenario needs the whole: an SP, an SMSC, the command line, the records."""

import asyncio
import json
import subprocess
import sys
from base64 import b64decode
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.app.gateway import Gateway
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Deploy = Callable[..., tuple[Path, Path]]

SOURCE, CODES, DESTINATION = "10690001", "10690002", "13800138000"
RINVSRCADR = 0x0A  # the simulators know it by no name
ADVERT = "周末大促，满99减20，拒收请回复R"


async def command(*arguments: str) -> str:
    """Run a command of smsward in a process of its own, as a clerk does; return what it prints."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "gateway", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("source", ["", "10690099", "95588"])
async def test_r02_nobody_sends_from_a_source_that_is_not_its_own(
    start: Start, attach: Attach, smsc: SimulatedSmsc, source: str
) -> None:
    esme = await attach(await start())

    borrowed = await esme.submit(source, DESTINATION, "您好")
    owned = await esme.submit(f"{SOURCE}12", DESTINATION, "您好")

    assert borrowed.command_status == RINVSRCADR
    assert owned.is_ok
    assert [entry.source for entry in smsc.journal] == [f"{SOURCE}12"]


async def test_r36_a_refusal_that_a_clerk_notes_counts_like_one_by_sms(
    start: Start, attach: Attach, smsc: SimulatedSmsc, tmp_path: Path
) -> None:
    gateway = await start()
    adverts, codes = await attach(gateway), await attach(gateway, "sp2")
    config = ("--config", str(tmp_path / "config"))
    scope = ("--system-id", "sp1", "--channel", "hall", "--evidence", "form 117, clerk 0451")

    await command("consent", "refuse", *scope, DESTINATION, *config)
    async with asyncio.timeout(60):
        while (answer := await adverts.submit(SOURCE, DESTINATION, ADVERT)).is_ok:
            pass
    passed = len(smsc.journal)
    code = await codes.submit(CODES, DESTINATION, "验证码482913，5分钟内有效")
    ledger = json.loads(await command("consent", "show", DESTINATION, "--json", *config))

    assert answer.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert code.is_ok
    assert len(smsc.journal) == passed + 1
    [row] = ledger["answers"]
    assert (row["system_id"], row["answer"]) == ("sp1", "refused")
    assert (row["channel"], row["evidence"]) == ("hall", "form 117, clerk 0451")


async def test_r60_prohibited_content_is_stopped_and_kept_as_evidence(
    start: Start, attach: Attach, deploy: Deploy, smsc: SimulatedSmsc, tmp_path: Path
) -> None:
    config, _ = deploy(smsc.port)
    settings = (config / "gateway.yaml").read_text(encoding="utf-8")
    settings = settings.replace("/var/cdr}", "/var/cdr, texts: true}")
    gateway = await start({"config/gateway.yaml": settings})
    esme = await attach(gateway)
    text = "代\u200b开 发 票，联系我"

    answer = await esme.submit(SOURCE, DESTINATION, text)
    await gateway.stop()

    assert answer.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert smsc.journal == []
    (path,) = (tmp_path / "var/cdr").iterdir()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    [decision] = [line for line in lines if line["kind"] == "decision"]
    assert (decision["source"], decision["destination"]) == (SOURCE, DESTINATION)
    assert (decision["reason"], decision["rule"]) == ("CONTENT", "K-FRAUD")
    assert decision["at"].endswith("Z") or "+00:00" in decision["at"]
    [said] = [line for line in lines if line["kind"] == "text"]
    assert said["id"] == decision["text"]
    assert b64decode(said["octets"]).decode("utf-16-be") == text
