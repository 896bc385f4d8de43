"""Counters that no peer can make grow for ever."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.runtime.snapshot import BoundedCounter, Histogram


def test_a_peer_that_invents_keys_cannot_fill_the_memory() -> None:
    tally: BoundedCounter[int] = BoundedCounter(-1, maximum=10)

    for command_id in range(100_000):
        tally.add(command_id, 2)

    counts = tally.counts()
    assert len(counts) == 11
    assert counts[-1] == 2 * (100_000 - 10)
    assert sum(counts.values()) == 200_000


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 5))), st.integers(1, 10))
def test_a_tally_counts_everything_once(adds: list[tuple[int, int]], maximum: int) -> None:
    tally: BoundedCounter[int] = BoundedCounter(-1, maximum)

    for key, count in adds:
        tally.add(key, count)

    assert sum(tally.counts().values()) == sum(count for _, count in adds)


def test_counts_are_a_copy() -> None:
    tally: BoundedCounter[str] = BoundedCounter("other")
    tally.add("a")

    tally.counts()["a"] = 99

    assert tally.counts() == {"a": 1}


@given(st.lists(st.integers(0, 2**40), max_size=30))
def test_every_observation_lies_in_its_bucket(values: list[int]) -> None:
    histogram = Histogram()

    for observed in values:
        histogram.observe(observed)

    assert sum(histogram.buckets) == len(values)
    assert histogram.total == sum(values)
    for bits in range(31):
        assert sum(histogram.buckets[: bits + 1]) == sum(v <= (1 << bits) - 1 for v in values)
