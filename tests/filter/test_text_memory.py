"""What is remembered of texts, and how it is forgotten."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.facts import TextFacts
from gateway.filter.scan import CodedText, TextMemory

NOTHING = TextFacts((), ("您好",))


def text(number: int, octets: int = 4) -> CodedText:
    return 8, number.to_bytes(octets, "big")


def kept(memory: TextMemory) -> int:
    return len(memory.young) + len(memory._old)  # asking for them would keep them


def left_over(memory: TextMemory) -> int:
    """Return how many texts of memories out of use are not forgotten yet."""
    return sum(map(len, memory._leaving))


def fill(memory: TextMemory, numbers: range, at_once: int = 10) -> list[int]:
    """Remember texts as ticks do; return after each how many there are."""
    counts = []
    for first in range(numbers.start, numbers.stop, at_once):
        for number in range(first, first + at_once):
            memory.keep(text(number), NOTHING)
        memory.thin_out()
        counts.append(kept(memory))
    return counts


def test_what_is_asked_for_again_stays_and_the_rest_goes() -> None:
    memory = TextMemory(8, 10**6)
    memory.keep(text(0), NOTHING)

    for number in range(1, 100):
        memory.keep(text(number), NOTHING)
        memory.thin_out()
        assert (memory.young.get(text(0)) or memory.recall(text(0))) is NOTHING

    assert memory.recall(text(1)) is None
    assert kept(memory) <= 8


def test_an_old_generation_is_forgotten_little_by_little_and_before_the_next() -> None:
    memory = TextMemory(20_000, 10**9)
    fill(memory, range(10_000))

    counts = fill(memory, range(10_000, 40_000))

    lost = [before + 10 - after for before, after in pairwise(counts)]
    assert 0 < max(lost) <= 1_100
    assert max(counts) <= 20_000


@given(
    sizes=st.lists(st.integers(1, 900), max_size=60),
    entries=st.integers(0, 40),
    octets=st.integers(0, 60_000),
)
def test_memory_is_bounded_in_texts_and_octets(sizes: list[int], entries: int, octets: int) -> None:
    memory = TextMemory(entries, octets, 100)

    for number, size in enumerate(sizes):
        memory.keep((8, bytes([number]) * size), NOTHING)
        memory.thin_out()
        held = [*memory.young, *memory._old]
        assert len(held) <= max(2, entries)
        assert sum(1_000 + 4 * len(one) for _, one in held) <= octets


def test_a_memory_out_of_use_is_forgotten_little_by_little_by_the_next() -> None:
    first, second, third = (TextMemory(10_000, 10**9) for _ in range(3))
    fill(first, range(7_000))
    fill(second, range(3_000))
    second.let_go(first.give_up())

    third.let_go(second.give_up())

    assert kept(first) == kept(second) == 0
    counts = [left_over(third)]
    while counts[-1]:
        third.thin_out()
        counts.append(left_over(third))
    lost = [before - after for before, after in pairwise(counts)]
    assert (counts[0], max(lost), sum(lost)) == (10_000, 1_000, 10_000)


def test_what_is_left_over_of_another_memory_is_forgotten_with_all() -> None:
    first, second = TextMemory(100, 10**9), TextMemory(100, 10**9)
    fill(first, range(70))
    second.let_go(first.give_up())

    second.forget()

    assert left_over(second) == 0


def test_all_is_forgotten_at_once_where_that_is_asked_for() -> None:
    memory = TextMemory(10, 10**6)
    fill(memory, range(20), at_once=1)

    memory.forget()

    assert kept(memory) == 0
    assert memory.recall(text(19)) is None
