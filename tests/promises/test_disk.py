"""A full or missing disk: what must be kept is refused, and nothing passes unseen."""

import shutil
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus
from tests.promises.deployment import Account, Deployment, seeded, source_of, tell
from tests.promises.ledger import LISTS, Kind, Ledger, kind_of, settle
from tests.real_time import eventually

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]

pytestmark = pytest.mark.slow

# Rows that may wait for a disk, and half as much again for the answers to what is on its way.
RECORDS_KEPT = 200_000
MESSAGES = 130_000
WINDOW = 1_000
GROWTH_OCTETS = 300 << 20


async def test_with_a_full_disk_flagged_messages_are_refused_and_clean_ones_pass(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    deployment = await deploy(Account("sp1"))
    deployment.write_policies(LISTS)
    await deployment.start()
    esme = await attach(deployment)
    ledger = Ledger(seeded(70), weights=(60, 10, 30))
    await _submit(esme, ledger, 200)
    ready = ledger.accepted().copy()

    deployment.running.limit_files(4096)
    await _submit(esme, ledger, 2_000)
    full = [ledger.answers[text] for text in list(ledger.answers)[200:]]
    kinds = [kind_of(text) for text in list(ledger.answers)[200:]]
    health = await deployment.metric("smsward_records_failing")
    deployment.running.limit_files(None)
    before = len(ledger.answers)
    await eventually(lambda: _is_held(esme, ledger))
    await _submit(esme, ledger, 200)

    await _until_written(deployment)
    assert await deployment.drain() == 0
    heard = Counter(
        (kind, CommandStatus(answer.command_status))
        for kind, answer in zip(kinds, full, strict=True)
    )
    balance = settle(ledger, smsc.journal, await deployment.held())
    decisions = sum(record["kind"] == "decision" for record in deployment.records())
    tell(f"full disk: {len(ready)} accepted before; while full {dict(heard)}; {balance}")
    assert heard.keys() == {
        (Kind.CLEAN, CommandStatus.ESME_ROK),
        (Kind.BANNED, CommandStatus.ESME_RSUBMITFAIL),
        (Kind.HELD, CommandStatus.ESME_RMSGQFUL),
    }
    assert health == 1
    assert len(deployment.running.events("store.failed")) == 1
    assert len(deployment.running.events("store.recovered")) == 1
    after = list(ledger.answers)[before + 1 :]
    assert any(kind_of(text) is Kind.HELD and ledger.answers[text].is_ok for text in after)
    assert decisions == len(ledger.answers)
    assert deployment.faults() == []


async def test_without_a_place_for_records_memory_is_bounded_and_then_all_is_refused(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    deployment = await deploy(Account("sp1", window=WINDOW))
    deployment.write_policies(LISTS)
    await deployment.start()
    esme = await attach(deployment)
    ledger = Ledger(seeded(71), weights=(1, 0, 0))
    await _submit(esme, ledger, 1_000)
    rss_octets = deployment.running.rss_octets()
    await _take_away_records(deployment)

    texts = ledger.texts(MESSAGES)
    answers = await esme.submit_many(texts, WINDOW, source=source_of("sp1"), within_s=120)
    ledger.enter(texts, answers)
    pending = await deployment.metric("smsward_records_pending")
    grown = deployment.running.rss_octets() - rss_octets

    statuses = Counter(answer.command_status for answer in answers)
    balance = settle(ledger, smsc.journal, [])
    tell(
        f"no place for records: {balance}; {pending:.0f} rows wait, memory {grown / 2**20:+.1f} MiB"
    )
    assert statuses.keys() == {0, CommandStatus.ESME_RMSGQFUL}
    # Two rows a message; at the end a window of them has only the first.
    assert statuses[0] >= RECORDS_KEPT // 2 - WINDOW
    assert balance.in_doubt_refused == balance.in_doubt_unanswered == 0
    assert RECORDS_KEPT < pending <= RECORDS_KEPT * 3 // 2
    assert grown < GROWTH_OCTETS
    assert deployment.running.events("tick.failed") == []


async def _take_away_records(deployment: Deployment) -> None:
    """Remove the records while none are being written, and put a file in their place."""
    await _until_written(deployment)
    directory = deployment.directory / "var" / "cdr"
    shutil.rmtree(directory)
    directory.write_bytes(b"")


async def _until_written(deployment: Deployment) -> None:
    async def is_written() -> bool:
        return not await deployment.metric("smsward_records_pending")

    await eventually(is_written)


async def _is_held(esme: RawEsme, ledger: Ledger) -> bool:
    text = ledger.text(Kind.HELD)
    answer = await esme.submit(source_of("sp1"), "13800138000", text)
    ledger.enter([text], [answer])
    return answer.is_ok


async def _submit(esme: RawEsme, ledger: Ledger, count: int) -> None:
    texts = ledger.texts(count)
    ledger.enter(texts, await esme.submit_many(texts, 50, source=source_of("sp1")))
