"""Suspended numbers at hand as the store has them."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.suspension import Lift, NewSuspension
from gateway.policy.knowledge import SuspendedSources
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.suspensions.service import SuspensionsFollower

NUMBER = 8613900000001
NOON = datetime(2026, 9, 30, 12, tzinfo=UTC)
AT = NOON.timestamp()
DAY = timedelta(days=1)


def found(msisdn: int = NUMBER) -> NewSuspension:
    return NewSuspension(msisdn, "sp1", "R43", NOON, NOON + 3 * DAY)


@pytest.fixture
def sources() -> SuspendedSources:
    return SuspendedSources()


@pytest.fixture
def follower(stores: Stores, sources: SuspendedSources) -> SuspensionsFollower:
    return SuspensionsFollower(stores.suspensions, stores.changes, sources, lambda: NOON)


async def test_what_is_on_record_holds_from_the_start(
    stores: Stores, sources: SuspendedSources, follower: SuspensionsFollower
) -> None:
    await stores.suspensions.suspend(found())
    await stores.suspensions.suspend(found(NUMBER + 1))
    await stores.suspensions.lift(2, Lift(NOON, "li"))

    loaded = await follower.load()

    assert loaded == 1
    assert sources.is_suspended(NUMBER, AT)
    assert not sources.may_be_suspended(NUMBER + 1, AT)  # spared, for it was lifted today
    assert await follower.catch_up() == 0


async def test_what_was_lifted_long_ago_is_not_loaded(
    stores: Stores, sources: SuspendedSources
) -> None:
    await stores.suspensions.suspend(found())
    await stores.suspensions.lift(1, Lift(NOON, "li"))
    changes = stores.changes
    follower = SuspensionsFollower(stores.suspensions, changes, sources, lambda: NOON + DAY)

    await follower.load()

    assert sources.spared == {}


async def test_what_another_process_suspends_and_lifts_is_taken_over(
    stores: Stores, sources: SuspendedSources, follower: SuspensionsFollower
) -> None:
    await follower.load()
    await stores.suspensions.suspend(found())
    await stores.consent.record([ConsentAnswer(NUMBER, "sp1", Answer.REFUSED, NOON, "mo")])

    suspended = await follower.catch_up()
    was_suspended = sources.is_suspended(NUMBER, AT)
    await stores.suspensions.lift(1, Lift(NOON, "li"))
    lifted = await follower.catch_up()

    assert (suspended, was_suspended, lifted) == (1, True, 1)
    assert not sources.is_suspended(NUMBER, AT)
    assert not sources.may_be_suspended(NUMBER, AT)


async def test_what_time_ended_is_not_at_hand_any_more(
    stores: Stores, sources: SuspendedSources, follower: SuspensionsFollower
) -> None:
    await stores.suspensions.suspend(found())
    await follower.load()

    await stores.suspensions.end_due(NOON + 3 * DAY)
    await follower.catch_up()

    assert sources.until == {}


async def test_the_numbers_are_not_current_while_the_store_fails(
    stores: Stores,
    sources: SuspendedSources,
    follower: SuspensionsFollower,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await stores.suspensions.suspend(found())
    await follower.load()

    async def fail(*_args: object) -> None:
        raise StoreUnavailable("no disk")

    with monkeypatch.context() as patch:
        patch.setattr(stores.changes, "changes", fail)
        with pytest.raises(StoreUnavailable):
            await follower.catch_up()

    assert not sources.is_current
    assert sources.is_suspended(NUMBER, AT)
    await follower.catch_up()
    assert sources.is_current
