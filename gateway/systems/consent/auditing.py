"""What comes of one item of an audit: a proof counts from now on, its lack may take back (R26)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.domain.audit import AuditItem, ConsentAudit, ItemState
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.ports.audits import ConsentAudits
from gateway.ports.consent import ConsentStore

CHANNEL = "audit"


class Outcome(StrEnum):
    """How an answer to an item ended."""

    NOTED = "noted"
    AGREED = "agreed"
    REVOKED = "revoked"
    OVERTAKEN = "overtaken"  # the subscriber has spoken meanwhile: that stands
    ANSWERED_BEFORE = "answered_before"


@dataclass(frozen=True, slots=True)
class Shown:
    """What the SP could show for an item: evidence, or why there is none."""

    is_proven: bool
    note: str
    by: str
    at: datetime
    revokes: bool = False


class AuditDesk:
    """Notes what was shown, and lets the subscriber's answer follow from it."""

    def __init__(self, audits: ConsentAudits, consent: ConsentStore) -> None:
        self._audits = audits
        self._consent = consent

    async def answer(self, audit: ConsentAudit, item: AuditItem, shown: Shown) -> Outcome:
        """Settle one item; may be repeated after StoreUnavailable.

        The answer is of the day that the SP asserts, so that what the subscriber has said
        since holds over it, whichever comes first. The item is noted last: one that is noted
        has taken effect.
        """
        if item.state is not ItemState.OPEN:
            return Outcome.ANSWERED_BEFORE
        outcome = await self._take_effect(audit, item, shown)
        state = ItemState.PROVEN if shown.is_proven else ItemState.UNPROVEN
        is_first = await self._audits.answer(
            audit.number, item.item, state=state, note=shown.note, by=shown.by, at=shown.at
        )
        return outcome if is_first else Outcome.ANSWERED_BEFORE

    async def _take_effect(self, audit: ConsentAudit, item: AuditItem, shown: Shown) -> Outcome:
        if not (shown.is_proven or shown.revokes):
            return Outcome.NOTED
        said = Answer.AGREED if shown.is_proven else Answer.REFUSED
        asserted = await self._consent.answer_of(item.msisdn, audit.system_id)
        given = ConsentAnswer(
            item.msisdn,
            audit.system_id,
            said,
            item.since,
            CHANNEL,
            shown.note if shown.is_proven else f"audit {audit.number} item {item.item}: not proven",
            # What proves an agreement does not prolong it.
            asserted.until if shown.is_proven and asserted is not None else None,
        )
        await self._consent.record([given])
        kept = await self._consent.answer_of(item.msisdn, audit.system_id)
        if kept is None or (kept.answer, kept.since) != (said, item.since):
            return Outcome.OVERTAKEN
        return Outcome.AGREED if shown.is_proven else Outcome.REVOKED
