"""A gateway is backed up while SPs send, is lost, and goes on from what was restored."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from gateway.domain.quarantine import HoldState
from gateway.runtime.clock import utcnow
from gateway.runtime.tasks import spawn
from gateway.stores import open_store
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import ActResult, QuarantineDesk
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from tests.promises.deployment import Account, Deployment, GatewayProcess, seeded, source_of, tell
from tests.promises.ledger import LISTS, Ledger, text_of
from tests.real_time import eventually

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]

pytestmark = pytest.mark.slow

_BATCH, _WINDOW = 100, 20
_FILLED_MIB = 48


async def test_what_was_accepted_before_a_backup_under_load_is_in_the_restored_store(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach, tmp_path: Path
) -> None:
    deployment = await deploy(Account("sp1"))
    deployment.write_policies(LISTS)
    await deployment.start()
    _fill(tmp_path / "var" / "smsward.db")
    ledger = Ledger(seeded(8), weights=(50, 10, 40))
    load = spawn(_send(await attach(deployment), ledger), name="load")

    async def has_begun() -> bool:
        return ledger.answered >= 3 * _BATCH

    await eventually(has_begun)
    before, began = ledger.accepted(), ledger.answered

    said = await _command(tmp_path, "backup", "backup.tar", "--policies", "policies", "--json")

    during = ledger.answered - began
    await deployment.kill()
    load.cancel()
    await asyncio.wait([load])
    assert during > 0
    (tmp_path / "var").rename(tmp_path / "lost")
    restored = await _command(tmp_path, "restore", "backup.tar", "--json")
    held = {text_of(one.pdu): one for one in await deployment.held()}
    wanted = {text for text, _ in before.items() if text.endswith(LISTS["K-HELD"].words)}
    tell(
        f"backed up {said['octets']:,} octets while {during} messages were answered:"
        f" {len(wanted)} held before it, {len(held)} in the restored store"
    )
    assert len(wanted) > _BATCH // 2
    assert wanted <= held.keys()
    assert {str(held[text].message_id) for text in wanted} == {before[text] for text in wanted}
    assert held.keys() <= ledger.answers.keys()
    assert restored["in_doubt"] == 0

    await deployment.start()
    again = await attach(deployment)
    text = min(wanted)
    await _release(deployment, held[text].message_id)

    async def has_left() -> bool:
        return text in {text_of(one.pdu) for one in smsc.journal}

    await eventually(has_left)
    more = ledger.texts(_BATCH)
    ledger.enter(more, await again.submit_many(more, _WINDOW, source=source_of("sp1")))
    fates = {text_of(one.pdu): one.state for one in await deployment.held()}
    accepted = ledger.accepted()
    assert fates[text] in {HoldState.RELEASED, HoldState.RELEASING}
    assert {one for one in more if one in accepted and one.endswith(LISTS["K-HELD"].words)} <= (
        fates.keys()
    )
    assert deployment.faults() == []


async def _send(esme: RawEsme, ledger: Ledger) -> None:
    """Send until the gateway is gone."""
    while not esme.is_lost:
        texts = ledger.texts(_BATCH)
        ledger.enter(texts, await esme.submit_many(texts, _WINDOW, source=source_of("sp1")))


async def _command(directory: Path, *words: str) -> dict[str, object]:
    """Run one command beside the gateway; return what it says to programs."""
    process = await GatewayProcess.start(directory, *words, "--config", "config")
    code = await process.ended()
    assert code == 0, bytes(process.octets).decode()
    said: dict[str, object] = json.loads(bytes(process.printed))
    return said


def _fill(store: Path) -> None:
    """Make a store so large that its copy takes a while: it holds a table that nothing reads."""
    with closing(sqlite3.connect(store, timeout=60)) as filling:
        filling.execute("CREATE TABLE filling (octets BLOB)")
        for _ in range(_FILLED_MIB):
            filling.execute("INSERT INTO filling VALUES (zeroblob(1 << 20))")
        filling.commit()


async def _release(deployment: Deployment, message_id: int) -> None:
    stores = await open_store(f"sqlite:///{deployment.directory}/var/smsward.db", deadline_s=30)
    try:
        desk = QuarantineDesk(stores.quarantine, MessageIds(worker=99))
        done = await desk.request_release(message_id, "zhao", utcnow())
    finally:
        await stores.close()
    assert isinstance(done, ActResult)
