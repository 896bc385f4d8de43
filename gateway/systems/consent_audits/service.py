"""Draw the sample of an audit, and show its items."""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.records import NewAccess
from gateway.systems.consent_audits.model import (
    AuditItem,
    AuditOutcome,
    ConsentAudit,
    ItemProof,
    ItemState,
)
from gateway.systems.consent_audits.sql import ConsentAudits


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


CHANNEL = "audit"


class AssertedConsents(Protocol):
    """Answers on record that are audited, as another system keeps them.

    Every call raises StoreUnavailable when the store does not answer, and is safe to repeat.
    """

    async def answer_of(self, msisdn: int, scope: str) -> ConsentAnswer | None:
        """Return the answer given to exactly this scope."""

    async def record(self, answers: Sequence[ConsentAnswer], staff: NewAccess | None = None) -> int:
        """Keep each answer that overrides the one on record (ConsentAnswer.holds_over).

        The audit has what `staff` did in the same commit.
        """


class AuditDesk:
    """Notes what the SP showed, and records the subscriber's answer that follows."""

    def __init__(self, audits: ConsentAudits, consent: AssertedConsents) -> None:
        self._audits = audits
        self._consent = consent

    async def answer(self, audit: ConsentAudit, item: AuditItem, shown: ItemProof) -> AuditOutcome:
        """Settle one item; may be repeated after StoreUnavailable.

        The answer has the date that the SP asserted, so that a later answer of the subscriber
        overrides it in any order of recording. The item is noted last, so a noted item has
        taken effect.
        """
        if item.state is not ItemState.OPEN:
            return AuditOutcome.ANSWERED_BEFORE
        outcome = await self._take_effect(audit, item, shown)
        state = ItemState.PROVEN if shown.is_proven else ItemState.UNPROVEN
        is_first = await self._audits.answer(
            audit.number, item.item, state=state, note=shown.note, by=shown.by, at=shown.at
        )
        return outcome if is_first else AuditOutcome.ANSWERED_BEFORE

    async def _take_effect(
        self, audit: ConsentAudit, item: AuditItem, shown: ItemProof
    ) -> AuditOutcome:
        if not (shown.is_proven or shown.revokes):
            return AuditOutcome.NOTED
        said = Answer.AGREED if shown.is_proven else Answer.REFUSED
        asserted = await self._consent.answer_of(item.msisdn, audit.system_id)
        given = ConsentAnswer(
            item.msisdn,
            audit.system_id,
            said,
            item.since,
            CHANNEL,
            shown.note if shown.is_proven else f"audit {audit.number} item {item.item}: not proven",
            # The proof of an agreement does not prolong it.
            asserted.until if shown.is_proven and asserted is not None else None,
        )
        about = f"audit {audit.number} item {item.item}, {said}"
        staff = NewAccess(shown.by, "consent audit answer", shown.note, about, shown.at)
        await self._consent.record([given], staff)
        kept = await self._consent.answer_of(item.msisdn, audit.system_id)
        if kept is None or (kept.answer, kept.since) != (said, item.since):
            return AuditOutcome.OVERTAKEN
        return AuditOutcome.AGREED if shown.is_proven else AuditOutcome.REVOKED
