"""Suspensions are kept as soon as they can be, and lifted when their number asks for it."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.suspension import SUBSCRIBER, Lift, NewSuspension, SuspensionTerms
from gateway.policy.checks.source_suspension import Suspender
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import SuspendedSources
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.suspensions.service import SuspensionDesk

NUMBER = 8613900000001
NOON = datetime(2026, 9, 30, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TERMS = SuspensionTerms(3, ("HF",), "已暂停", "已恢复", "不能恢复")


def found(msisdn: int = NUMBER, since: datetime = NOON, rule: str = "R43") -> NewSuspension:
    return NewSuspension(msisdn, "sp1", rule, since, since + 3 * DAY)


@pytest.fixture
def sources() -> SuspendedSources:
    return SuspendedSources()


@pytest.fixture
def desk(stores: Stores, sources: SuspendedSources) -> SuspensionDesk:
    return SuspensionDesk(stores.suspensions, sources)


@pytest.fixture
def suspenders(sources: SuspendedSources) -> dict[str, Suspender]:
    return {"R43": Suspender("R43", TERMS, RuleLocale(), sources, is_enforced=True)}


async def test_what_is_found_here_is_kept_once(
    stores: Stores, sources: SuspendedSources, desk: SuspensionDesk
) -> None:
    sources.suspend(found())

    first = await desk.keep()
    second = await desk.keep()

    assert (first, second) == ([found()], [])
    active = await stores.suspensions.active_of(NUMBER)
    assert active is not None
    assert (active.rule, active.until) == ("R43", NOON + 3 * DAY)
    assert sources.is_suspended(NUMBER, NOON.timestamp())


async def test_what_can_not_be_kept_holds_and_is_kept_later(
    stores: Stores,
    sources: SuspendedSources,
    desk: SuspensionDesk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_args: object) -> bool:
        raise StoreUnavailable("no disk")

    sources.suspend(found())
    with monkeypatch.context() as patch:
        patch.setattr(stores.suspensions, "suspend", fail)
        with pytest.raises(StoreUnavailable):
            await desk.keep()
    held = sources.is_suspended(NUMBER, NOON.timestamp())

    kept = await desk.keep()

    assert held
    assert kept == [found()]


async def test_what_another_process_kept_before_is_no_news_and_holds_as_it_was_kept(
    stores: Stores, sources: SuspendedSources, desk: SuspensionDesk
) -> None:
    await stores.suspensions.suspend(found(since=NOON - HOUR))
    sources.suspend(found())

    assert await desk.keep() == []
    assert sources.until[NUMBER] == (NOON - HOUR + 3 * DAY).timestamp()


async def test_r43_hf_lifts_it_here_and_on_record(
    stores: Stores,
    sources: SuspendedSources,
    desk: SuspensionDesk,
    suspenders: dict[str, Suspender],
) -> None:
    sources.suspend(found())
    await desk.keep()

    answer = await desk.restore(NUMBER, suspenders, NOON + HOUR)

    assert answer == "已恢复"
    assert not sources.is_suspended(NUMBER, (NOON + HOUR).timestamp())
    (kept,) = await stores.suspensions.listed()
    assert (kept.lifted_at, kept.lifted_by) == (NOON + HOUR, SUBSCRIBER)


async def test_r43_hf_lifts_what_is_not_even_kept_yet(
    stores: Stores,
    sources: SuspendedSources,
    desk: SuspensionDesk,
    suspenders: dict[str, Suspender],
) -> None:
    sources.suspend(found())

    assert await desk.restore(NUMBER, suspenders, NOON + HOUR) == "已恢复"
    assert sources.found == {}
    assert await stores.suspensions.active_of(NUMBER) is None


async def test_r43_a_second_hf_within_the_month_lifts_nothing(
    sources: SuspendedSources, desk: SuspensionDesk, suspenders: dict[str, Suspender]
) -> None:
    sources.suspend(found())
    await desk.restore(NUMBER, suspenders, NOON + HOUR)
    sources.suspend(found(since=NOON + 20 * DAY))
    within = await desk.restore(NUMBER, suspenders, NOON + 20 * DAY + HOUR)
    still = sources.is_suspended(NUMBER, (NOON + 20 * DAY + HOUR).timestamp())
    await desk.end_due(NOON + 23 * DAY)
    sources.suspend(found(since=NOON + 40 * DAY))

    after = await desk.restore(NUMBER, suspenders, NOON + 40 * DAY)

    assert (within, still, after) == ("不能恢复", True, "已恢复")


async def test_what_a_clerk_suspended_only_a_clerk_lifts(
    stores: Stores,
    sources: SuspendedSources,
    desk: SuspensionDesk,
    suspenders: dict[str, Suspender],
) -> None:
    await stores.suspensions.suspend(found(rule=""))

    assert await desk.restore(NUMBER, suspenders, NOON + HOUR) == "不能恢复"
    assert sources.is_suspended(NUMBER, (NOON + HOUR).timestamp())


async def test_who_was_restored_meanwhile_is_told_so(
    stores: Stores,
    sources: SuspendedSources,
    desk: SuspensionDesk,
    suspenders: dict[str, Suspender],
) -> None:
    await stores.suspensions.suspend(found())
    sources.load([(NUMBER, (NOON + DAY).timestamp(), 0.0)])
    await stores.suspensions.lift(1, Lift(NOON, "li"))

    assert await desk.restore(NUMBER, suspenders, NOON + HOUR) == "已恢复"
    assert not sources.is_suspended(NUMBER, (NOON + HOUR).timestamp())


async def test_without_a_rule_that_suspends_there_is_no_answer(
    stores: Stores, desk: SuspensionDesk
) -> None:
    await stores.suspensions.suspend(found())

    assert await desk.restore(NUMBER, {}, NOON + HOUR) is None
    assert await stores.suspensions.active_of(NUMBER) is not None


async def test_what_is_over_is_ended_on_record_and_forgotten_here(
    stores: Stores, sources: SuspendedSources, desk: SuspensionDesk
) -> None:
    sources.suspend(found())
    await desk.keep()

    early = await desk.end_due(NOON + DAY)
    ended = await desk.end_due(NOON + 3 * DAY)

    assert (early, ended) == (0, 1)
    assert sources.until == {}
    assert await stores.suspensions.active_of(NUMBER) is None
