"""A sample of asserted answers is drawn at random, and again with the same seed."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.systems.consent_audits.service import AuditSample, draw

FIRST = 8613800138000
NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)


def unheeded(_count: int) -> None:
    """Watch no progress."""


async def asserted(count: int, batch: int = 7) -> AsyncIterator[list[ConsentAnswer]]:
    for start in range(0, count, batch):
        yield [
            ConsentAnswer(FIRST + at, "sp1", Answer.ASSERTED, NOON, "import")
            for at in range(start, min(start + batch, count))
        ]


def numbers(sample: AuditSample) -> list[int]:
    return [item.msisdn - FIRST for item in sample.items]


async def test_r26_a_sample_has_its_size_and_no_number_twice() -> None:
    sample = await draw(asserted(1000), 50, 7, unheeded)

    drawn = numbers(sample)
    assert sample.population == 1000
    assert len(set(drawn)) == 50
    assert drawn == sorted(drawn)
    assert [item.item for item in sample.items] == list(range(1, 51))
    assert (sample.items[0].since, sample.items[0].channel) == (NOON, "import")


async def test_r26_the_same_seed_draws_the_same_however_the_answers_come() -> None:
    first = await draw(asserted(1000), 50, 7, unheeded)
    again = await draw(asserted(1000, batch=1000), 50, 7, unheeded)
    other = await draw(asserted(1000), 50, 8, unheeded)

    assert numbers(again) == numbers(first)
    assert numbers(other) != numbers(first)


async def test_a_seed_draws_the_same_in_every_version() -> None:
    """Or nobody could check an audit later."""
    assert numbers(await draw(asserted(100), 5, 2025, unheeded)) == [2, 7, 19, 23, 91]


async def test_r26_of_fewer_answers_all_are_drawn() -> None:
    assert numbers(await draw(asserted(3), 50, 7, unheeded)) == [0, 1, 2]
    assert await draw(asserted(0), 50, 7, unheeded) == AuditSample((), 0)


async def test_r26_every_answer_is_as_likely_as_any_other() -> None:
    """Of 2000 draws of 10 out of 40 each comes 500 times; 5 sigma are about 97."""
    counts: Counter[int] = Counter()

    for seed in range(2000):
        counts.update(numbers(await draw(asserted(40), 10, seed, unheeded)))

    assert set(counts) == set(range(40))
    assert all(abs(count - 500) < 100 for count in counts.values())


async def test_it_tells_how_many_it_has_seen() -> None:
    seen: list[int] = []

    await draw(asserted(10), 5, 7, seen.append)

    assert seen == [7, 3]


@given(st.integers(0, 200), st.integers(1, 60), st.integers(0, 2**63 - 1))
async def test_whatever_is_asked_for_a_sample_is_of_those_that_there_are(
    count: int, size: int, seed: int
) -> None:
    sample = await draw(asserted(count), size, seed, unheeded)

    assert sample.population == count
    assert len(sample.items) == min(count, size)
    assert set(numbers(sample)) <= set(range(count))
