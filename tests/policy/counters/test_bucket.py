"""The token bucket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.submission import TokenBucket


def admitted(bucket: TokenBucket, now: float, tries: int) -> int:
    return sum(bucket.take(now) for _ in range(tries))


def test_a_full_bucket_admits_its_burst_at_once() -> None:
    assert admitted(TokenBucket(10, 5), 0.0, 20) == 5


def test_a_bucket_fills_at_its_rate() -> None:
    bucket = TokenBucket(10, 5)
    admitted(bucket, 0.0, 5)

    assert [admitted(bucket, now, 5) for now in (0.05, 0.1, 0.35, 100.0)] == [0, 1, 2, 5]


def test_a_bucket_holds_no_more_than_its_burst_however_long_nobody_sends() -> None:
    bucket = TokenBucket(10, 5)
    bucket.take(0.0)

    assert admitted(bucket, 3600.0, 100) == 5


def test_a_refused_message_costs_nothing() -> None:
    bucket = TokenBucket(10, 1)
    bucket.take(0.0)

    refused = admitted(bucket, 0.0, 1000)

    assert refused == 0
    assert bucket.take(0.1)


def test_a_long_message_is_charged_whole_though_the_burst_is_shorter() -> None:
    bucket = TokenBucket(10, 2)

    assert bucket.take(0.0, 8)
    assert not bucket.take(0.6)
    assert bucket.take(0.7)


def test_a_long_message_is_charged_whole_to_a_bucket_that_is_not_full() -> None:
    bucket = TokenBucket(10, 2)
    bucket.take(0.0)

    assert bucket.take(0.0, 4)
    assert not bucket.take(0.3)
    assert bucket.take(0.4)


def test_a_clock_that_steps_back_gives_nobody_more() -> None:
    bucket = TokenBucket(10, 2)
    admitted(bucket, 10.0, 2)

    assert not bucket.take(9.0)
    assert not bucket.take(10.0)
    assert bucket.take(10.1)


@given(
    per_s=st.sampled_from([0.5, 3.0, 7.0, 500.0]),
    burst=st.integers(1, 20),
    steps=st.lists(st.tuples(st.floats(0, 2), st.integers(1, 4)), max_size=60),
)
def test_never_more_than_burst_and_rate_and_one_message_of_debt(
    per_s: float, burst: int, steps: list[tuple[float, int]]
) -> None:
    bucket, now, taken, last = TokenBucket(per_s, burst), 0.0, 0, 0

    for step, count in steps:
        now += step
        if bucket.take(now, count):
            taken, last = taken + count, count

    assert taken <= burst + per_s * now + max(0, last - 1) + 1e-6


@pytest.mark.parametrize("per_s", [3, 7, 11, 1 / 3, 499])
def test_a_sender_exactly_at_its_rate_is_never_refused(per_s: float) -> None:
    bucket = TokenBucket(per_s, 1)

    assert all(bucket.take(1000 + n / per_s) for n in range(500))


@given(
    st.lists(st.tuples(st.floats(0, 2), st.lists(st.integers(1, 4), min_size=1, max_size=9))),
    st.integers(1, 12),
)
def test_what_is_taken_together_is_what_would_be_taken_one_by_one(
    ticks: list[tuple[float, list[int]]], burst: int
) -> None:
    together, each = TokenBucket(10, burst), TokenBucket(10, burst)
    now = 0.0
    for passed, counts in ticks:
        now += passed
        before = each.due_at
        taken = [each.take(now, count) for count in counts]

        if together.take_all(now, sum(counts)):
            assert all(taken)
        else:
            assert together.due_at == pytest.approx(before)
            assert [together.take(now, count) for count in counts] == taken
        assert together.due_at == pytest.approx(each.due_at)


def test_as_many_as_the_burst_are_taken_together_and_no_more() -> None:
    bucket = TokenBucket(10, 5)

    assert not bucket.take_all(0.0, 6)
    assert bucket.take_all(0.0, 5)
    assert not bucket.take_all(0.0, 1)


def test_a_message_that_proves_dear_is_charged_after_it_was_admitted() -> None:
    bucket = TokenBucket(10, 5)
    bucket.take(0.0)

    bucket.charge(50)

    assert not bucket.has_one(0.0)
    assert not bucket.has_one(4.5)
    assert bucket.has_one(5.0)
    assert admitted(bucket, 5.0, 10) == 4
