"""Promise 5: an SMSC that stalls for one SP costs memory within bounds, and nobody else's time."""

import asyncio
import statistics
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from simulators.esme import UNANSWERED, RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus
from tests.promises.deployment import Account, Deployment, seeded, source_of, tell
from tests.promises.ledger import Ledger, settle
from tests.real_time import eventually

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]

pytestmark = pytest.mark.slow

PUMPED = 30_000
SAMPLES, SERIES = 1_000, 5
GROWTH_OCTETS = 50 << 20
# Of a p99 on a machine that others use too: what a stall costs otherwise is seconds.
FACTOR = 20

# What stops the messages: the SP's window; the SMSC's socket, which does not hold so many long
# ones; or nothing, so that all of them are under way.
PADDING = "请到店自取。" * 18
STOPS = pytest.mark.parametrize(
    ("window", "padding"),
    [(200, PADDING), (PUMPED, PADDING), (PUMPED, "")],
    ids=["window_full", "socket_full", "all_under_way"],
)


@STOPS
async def test_a_stalled_smsc_is_felt_by_its_own_sp_alone(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach, window: int, padding: str
) -> None:
    deployment = await deploy(
        Account("sp1", window=window),
        Account("sp2"),
        timers={"response_s": 100},
        limits={"window": window},
    )
    await deployment.start()
    stuck, light = await attach(deployment, "sp1"), await attach(deployment, "sp2")
    pumped, beside = _ledger(1, padding), _ledger(2, padding)
    before_s = await _p99_s(light, beside)
    rss_octets = deployment.running.rss_octets()
    _stall(smsc, is_stalled=True)

    async with asyncio.TaskGroup() as group:
        texts = pumped.texts(PUMPED)
        flood = group.create_task(
            stuck.submit_many(texts, PUMPED, source=source_of("sp1"), within_s=100)
        )
        during_s = await _p99_s(light, beside)
        grown = deployment.running.rss_octets() - rss_octets
        in_flight = await deployment.metric("smsward_in_flight", system_id="sp1")
        _stall(smsc, is_stalled=False)
    pumped.enter(texts, flood.result())

    tell(
        f"stall ({window=}): {in_flight:.0f} in flight, memory {grown / 2**20:+.1f} MiB,"
        f" p99 beside it {before_s * 1e3:.1f} -> {during_s * 1e3:.1f} ms,"
        f" afterwards {len(pumped.accepted())} of {PUMPED} accepted"
    )
    assert 0 < in_flight <= window
    assert grown < GROWTH_OCTETS
    assert during_s < FACTOR * before_s
    assert len(beside.accepted()) == 2 * SAMPLES
    assert len(pumped.accepted()) == PUMPED
    assert settle(pumped, [r for r in smsc.journal if r.system_id == "sp1"], []).at_smsc == PUMPED
    assert stuck.strays == []
    assert deployment.faults() == []


@STOPS
async def test_what_a_stalled_smsc_does_not_answer_fails_once(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach, window: int, padding: str
) -> None:
    deployment = await deploy(
        Account("sp1", window=window), timers={"response_s": 1.5}, limits={"window": window}
    )
    await deployment.start()
    stuck = await attach(deployment, "sp1")
    pumped = _ledger(3, padding)
    _stall(smsc, is_stalled=True)

    async def has_failed() -> bool:
        timeouts = await deployment.metric("smsward_timeouts_total")
        losses = await deployment.metric("smsward_link_losses_total")
        return timeouts + losses > 0

    async with asyncio.TaskGroup() as group:
        texts = pumped.texts(PUMPED)
        flood = group.create_task(
            stuck.submit_many(texts, PUMPED, source=source_of("sp1"), within_s=100)
        )
        await eventually(has_failed)
        _stall(smsc, is_stalled=False)
    pumped.enter(texts, flood.result())
    await deployment.drain()
    await smsc.until(lambda: not smsc.sessions)

    statuses = Counter(answer.command_status for answer in pumped.answers.values())
    balance = settle(pumped, smsc.journal, [])
    tell(f"stall past response_s ({window=}): {balance}")
    assert statuses[UNANSWERED] == 0
    assert statuses.keys() <= {0, CommandStatus.ESME_RSYSERR, CommandStatus.ESME_RMSGQFUL}
    assert statuses[CommandStatus.ESME_RSYSERR] > 0
    assert balance.at_smsc == statuses[0]
    assert stuck.strays == []
    assert deployment.faults() == []


def _ledger(seed: int, padding: str) -> Ledger:
    return Ledger(seeded(seed), weights=(1, 0, 0), padding=padding)


def _stall(smsc: SimulatedSmsc, *, is_stalled: bool) -> None:
    for session in smsc.sessions:
        if session.system_id == "sp1":
            session.stall(is_stalled=is_stalled)


async def _p99_s(esme: RawEsme, ledger: Ledger) -> float:
    """Return the median p99 of a few series: one hiccup of a shared machine is no stall."""
    return statistics.median([await _p99_of_series_s(esme, ledger) for _ in range(SERIES)])


async def _p99_of_series_s(esme: RawEsme, ledger: Ledger) -> float:
    loop, times = asyncio.get_running_loop(), []
    for text in ledger.texts(SAMPLES // SERIES):
        begun = loop.time()
        ledger.enter([text], [await esme.submit(source_of("sp2"), "13800138000", text)])
        times.append(loop.time() - begun)
    return sorted(times)[len(times) * 99 // 100]
