"""Prohibited content from the SP that sends it to the authority that is told (R60)."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.app import followers
from gateway.app.background import last_message_id
from gateway.app.gateway import Gateway
from gateway.runtime.clock import utcnow
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import QuarantineDesk
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Told = Callable[..., Awaitable[dict[str, object]]]

SOURCE, DESTINATION = "10690001", "13800138000"
WITHIN_S = 60.0


async def command(*arguments: str, code: int = 0) -> str:
    """Run a command of smsward in a process of its own, as a clerk does; return what it prints."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "gateway", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    return done.stdout


async def test_r60_prohibited_content_queues_a_report_to_the_authority(
    start: Start, attach: Attach, smsc: SimulatedSmsc, tmp_path: Path
) -> None:
    gateway = await start()
    esme = await attach(gateway)
    config = ("--config", str(tmp_path / "config"))
    text = "代\u200b开 发 票，联系我"

    answer = await esme.submit(SOURCE, DESTINATION, text)
    async with asyncio.timeout(WITHIN_S):
        while not await gateway.stores.authority_reports.find():
            pass
    listed = json.loads(await command("reports", "list", "--json", *config))

    assert answer.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert smsc.journal == []
    [row] = listed
    assert (row["state"], row["severity"], row["recipients"]) == ("pending", "major", 1)
    assert (row["system_id"], row["source"], row["subscriber"]) == ("sp1", SOURCE, "138****8000")
    assert (row["rule"], row["category"], row["action"]) == ("K-FRAUD", "fraud", "reject")
    assert row["text_sha256"] == sha256(text.encode()).hexdigest()
    assert "text" not in row

    why = ("--unmask", "--reason", "案 2025-7")
    await command("reports", "export", str(tmp_path / "out.json"), *why, *config)
    await command("reports", "sent", str(row["number"]), "--reference", "公网安77", *config)
    [exported] = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["reports"]
    [sent] = json.loads(await command("reports", "list", "--json", *config))
    accesses = await gateway.stores.journals.accesses()
    [access] = [one for one in accesses if one.action != "policy activate"]

    assert (exported["text"], exported["subscriber"]) == (text, f"86{DESTINATION}")
    assert (sent["state"], sent["reference"]) == ("sent", "公网安77")
    assert (access.action, access.reason) == ("reports export", "案 2025-7")

    await gateway.stop()
    (path,) = (tmp_path / "var/cdr").iterdir()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    [decision] = [line for line in lines if line["kind"] == "decision"]
    assert str(decision["gateway_id"]) == row["message_id"]


async def test_an_id_that_was_only_reported_is_never_given_again(
    start: Start, attach: Attach
) -> None:
    gateway = await start()
    esme = await attach(gateway)

    await esme.submit(SOURCE, DESTINATION, "低息贷款")
    before = await last_message_id(gateway.stores)
    await esme.submit(SOURCE, DESTINATION, "代开发票")
    async with asyncio.timeout(WITHIN_S):
        while (after := await last_message_id(gateway.stores)) == before:
            pass

    assert after > before > 8 * 10**18


HELD_FRAUD = """\
version: 1
id: K-FRAUD
category: fraud
action: quarantine
words: [代开发票]
"""


async def test_r60_nothing_is_reported_of_a_message_that_a_person_has_let_go(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    told: Told,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(followers, "_REPORTS_EVERY", 1)
    gateway = await start({"policies/keywords/fraud.yaml": HELD_FRAUD})
    esme = await attach(gateway)
    config = ("--config", str(tmp_path / "config"))

    held = await esme.submit(SOURCE, DESTINATION, "税务咨询：代开发票的流程和费用")
    [pending] = json.loads(await command("reports", "list", "--json", *config))
    desk = QuarantineDesk(gateway.stores.quarantine, MessageIds(worker=99))
    await desk.request_release(int(held.message_id), "lin", utcnow())
    await smsc.received(1)
    line = await told("reports.released")
    [settled] = json.loads(await command("reports", "list", "--json", *config))
    late = await command("reports", "sent", "1", "--reference", "7", *config, code=1)

    assert (pending["state"], settled["state"]) == ("pending", "released")
    assert settled["sent_at"] is not None
    assert line["reports"] == 1
    assert "its message was released" in late
