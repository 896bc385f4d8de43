"""How many numbers the SMSC did not know lately."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.knowledge import MAX_WITHIN, AnswerCounts

TEN_MINUTES = timedelta(minutes=10).total_seconds()
HOUR = MAX_WITHIN.total_seconds()
AT = 1_700_000_000.0


def test_what_was_passed_on_since_the_last_feeding_is_added() -> None:
    counts = AnswerCounts()

    counts.feed({"sp1": (100, 1), "sp2": (10, 0)}, AT)
    counts.feed({"sp1": (150, 26), "sp2": (10, 0)}, AT + 60)

    assert counts.within("sp1", TEN_MINUTES) == (150, 26)
    assert counts.within("sp1", 60) == (50, 25)
    assert counts.within("sp2", TEN_MINUTES) == (10, 0)
    assert counts.within("sp3", TEN_MINUTES) == (0, 0)


def test_what_is_older_than_the_time_asked_for_does_not_count() -> None:
    counts = AnswerCounts()

    counts.feed({"sp1": (100, 90)}, AT)
    counts.feed({"sp1": (100, 90)}, AT + TEN_MINUTES)

    assert counts.within("sp1", TEN_MINUTES) == (0, 0)
    assert counts.within("sp1", HOUR) == (100, 90)


def test_after_an_hour_a_silent_sender_takes_no_room() -> None:
    counts = AnswerCounts()

    counts.feed({"sp1": (100, 90), "sp2": (1, 0)}, AT)
    counts.feed({"sp1": (100, 90), "sp2": (2, 0)}, AT + HOUR)

    assert set(counts._steps) == {"sp2"}
    assert counts.within("sp1", HOUR) == (0, 0)
    assert counts.within("sp2", HOUR) == (1, 0)


def test_a_clock_that_is_set_back_stands_still() -> None:
    counts = AnswerCounts()

    counts.feed({"sp1": (100, 40)}, AT)
    counts.feed({"sp1": (200, 80)}, AT - 86_400)

    assert counts.within("sp1", TEN_MINUTES) == (200, 80)


def test_a_sender_that_is_taken_out_and_comes_back_is_not_counted_twice() -> None:
    counts = AnswerCounts()

    counts.feed({"sp1": (100, 40)}, AT)
    counts.feed({}, AT + 1)
    counts.feed({"sp1": (101, 40)}, AT + 2)

    assert counts.within("sp1", TEN_MINUTES) == (101, 40)


def test_each_feeding_makes_another_version() -> None:
    counts = AnswerCounts()

    counts.feed({}, AT)
    first = counts.version
    counts.feed({}, AT + 1)

    assert counts.version > first > 0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.floats(0, 7200)), max_size=60))
def test_no_window_holds_more_than_was_ever_passed_on(
    steps: list[tuple[int, int, float]],
) -> None:
    counts, passed, unknown = AnswerCounts(), 0, 0

    for more, strangers, after in steps:
        passed, unknown = passed + more + strangers, unknown + strangers
        counts.feed({"sp1": (passed, unknown)}, AT + after)

    short, long = counts.within("sp1", TEN_MINUTES), counts.within("sp1", HOUR)
    assert short[0] <= long[0] <= passed
    assert short[1] <= long[1] <= unknown
