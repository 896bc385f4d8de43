"""The numbers that may send nothing for a while."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.suspension import NewSuspension
from gateway.policy import knowledge
from gateway.policy.knowledge import SuspendedSources

NUMBER = 8613900000001
NOON = datetime(2026, 9, 30, 12, tzinfo=UTC)
AT = NOON.timestamp()
HOUR = 3600.0
DAY = 24 * HOUR


def found(msisdn: int = NUMBER) -> NewSuspension:
    return NewSuspension(msisdn, "sp1", "R43", NOON, NOON + timedelta(hours=1))


@pytest.fixture
def sources() -> SuspendedSources:
    return SuspendedSources()


def test_what_is_found_holds_at_once_until_its_time_is_over(sources: SuspendedSources) -> None:
    sources.suspend(found())

    assert sources.is_suspended(NUMBER, AT + HOUR - 1)
    assert not sources.is_suspended(NUMBER, AT + HOUR)
    assert not sources.is_suspended(NUMBER + 1, AT)
    assert sources.found == {NUMBER: found()}


def test_a_number_is_not_suspended_twice_at_once(sources: SuspendedSources) -> None:
    sources.suspend(found())

    assert not sources.may_be_suspended(NUMBER, AT)
    assert sources.may_be_suspended(NUMBER, AT + HOUR)


def test_what_the_store_says_holds_but_over_what_was_found_and_is_not_kept(
    sources: SuspendedSources,
) -> None:
    sources.suspend(found())

    sources.load([(NUMBER, 0.0, AT), (NUMBER + 1, AT + HOUR, 0.0)])
    unkept = sources.is_suspended(NUMBER, AT)
    del sources.found[NUMBER]
    sources.load([(NUMBER, 0.0, AT), (NUMBER + 1, 0.0, 0.0)])

    assert unkept
    assert not sources.is_suspended(NUMBER, AT)
    assert not sources.is_suspended(NUMBER + 1, AT)


def test_once_it_is_lifted_a_number_is_spared_until_its_caps_begin_anew(
    sources: SuspendedSources,
) -> None:
    sources.load([(NUMBER, 0.0, AT)])

    assert not sources.may_be_suspended(NUMBER, AT + DAY - 1)
    assert sources.may_be_suspended(NUMBER, AT + DAY)


def test_a_fresh_load_takes_the_place_of_all_but_what_is_not_kept_yet(
    sources: SuspendedSources,
) -> None:
    sources.load([(NUMBER + 1, AT + HOUR, AT)])
    sources.suspend(found())
    fresh = SuspendedSources()
    fresh.load([(NUMBER + 2, AT + HOUR, 0.0)])

    sources.replace(fresh)

    assert sources.until.keys() == {NUMBER, NUMBER + 2}
    assert sources.may_be_suspended(NUMBER + 1, AT)


def test_what_is_over_is_forgotten(sources: SuspendedSources) -> None:
    sources.load([(NUMBER, AT + HOUR, AT), (NUMBER + 1, AT + 2 * HOUR, AT + HOUR)])

    sources.forget(AT + DAY)

    assert sources.until == {}
    assert sources.spared == {NUMBER + 1: AT + HOUR + DAY}


def test_what_nobody_keeps_is_bounded_and_holds_all_the_same(
    sources: SuspendedSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knowledge, "_MAX_FOUND", 2)

    for nth in range(3):
        sources.suspend(found(NUMBER + nth))

    assert sources.found.keys() == {NUMBER, NUMBER + 1}
    assert sources.is_suspended(NUMBER + 2, AT)
