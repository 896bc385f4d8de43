"""Drawing a sample of asserted answers at random, for an audit (抽查, R26)."""

import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from gateway.domain.audit import AuditItem
from gateway.domain.consent import ConsentAnswer


@dataclass(frozen=True, slots=True)
class AuditSample:
    """What was drawn, by number, and out of how many."""

    items: tuple[AuditItem, ...]
    population: int


async def draw(
    answers: AsyncIterator[list[ConsentAnswer]],
    size: int,
    seed: int,
    seen: Callable[[int], None],
) -> AuditSample:
    """Draw at most `size` of the answers, each as likely as any other; tell `seen` how many came.

    One pass that keeps no more than the sample (reservoir sampling: J. S. Vitter, ACM
    Transactions on Mathematical Software 11, 1985, 37-57, algorithm R). The same `seed` draws
    the same from the same answers in the same order.
    """
    # No secret depends on it: whoever has the seed is to draw the same.
    chance = random.Random(seed)  # noqa: S311 - see above
    drawn: list[ConsentAnswer] = []
    population = 0
    async for batch in answers:
        for answer in batch:
            population += 1
            if len(drawn) < size:
                drawn.append(answer)
                continue
            # random() alone gives the same numbers in every version of Python.
            place = int(chance.random() * population)
            if place < size:
                drawn[place] = answer
        seen(len(batch))
    drawn.sort(key=lambda answer: answer.msisdn)
    items = tuple(
        AuditItem(number, answer.msisdn, answer.since, answer.channel)
        for number, answer in enumerate(drawn, start=1)
    )
    return AuditSample(items, population)
