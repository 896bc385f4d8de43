from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.records import is_purgeable, last_purgeable, purge_from

months = st.integers(0, 120)
days = st.dates(date(1990, 1, 1), date(2100, 1, 1))
moments = st.datetimes(datetime(2010, 1, 1), datetime(2090, 1, 1))  # noqa: DTZ001 - drawn bare

VECTORS = [
    ("T01", "2013-09-30", 5, "2014-02-28"),
    ("T03", "2015-09-30", 5, "2016-02-29"),
    # Near misses: the same day exists, a year turns, a month's end that is no February.
    ("an ordinary day", "2013-09-15", 5, "2014-02-15"),
    ("the year's last day", "2013-12-31", 6, "2014-06-30"),
    ("over two turns of the year", "2013-12-01", 13, "2015-01-01"),
    ("December to December", "2013-12-31", 12, "2014-12-31"),
    ("no month at all", "2013-09-30", 0, "2013-09-30"),
]


@pytest.mark.parametrize(
    ("recorded", "kept", "until"), [v[1:] for v in VECTORS], ids=next(zip(*VECTORS, strict=True))
)
def test_r70_months_are_calendar_months_clamped_to_their_end(
    recorded: str, kept: int, until: str
) -> None:
    assert purge_from(date.fromisoformat(recorded), kept) == date.fromisoformat(until)


@pytest.mark.parametrize(
    ("at", "may_go"),
    [
        ("2014-02-27T23:59:59", False),
        ("2014-02-28T23:59:58", False),
        ("2014-02-28T23:59:59", True),
        ("2014-03-01T00:00:00", True),
    ],
)
def test_r70_a_record_of_september_30_may_go_at_the_end_of_february(
    at: str, *, may_go: bool
) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)

    assert is_purgeable(date(2013, 9, 30), 5, moment) is may_go


def test_r71_a_subscription_that_ended_is_readable_for_five_months_more() -> None:
    cancelled = date(2014, 6, 30)

    assert not is_purgeable(cancelled, 5, datetime(2014, 11, 29, 23, 59, 59, tzinfo=UTC))
    assert is_purgeable(cancelled, 5, datetime(2014, 12, 1, tzinfo=UTC))


@given(months, moments)
def test_the_last_day_that_may_go_may_go_and_the_next_may_not(kept: int, at: datetime) -> None:
    day = last_purgeable(kept, at)

    assert is_purgeable(day, kept, at)
    assert not is_purgeable(date.fromordinal(day.toordinal() + 1), kept, at)


@given(days, days, months)
def test_what_was_recorded_later_is_never_purged_earlier(one: date, other: date, kept: int) -> None:
    first, second = sorted((one, other))

    assert first <= purge_from(first, kept) <= purge_from(second, kept)
