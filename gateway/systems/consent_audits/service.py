"""Settle one item of an audit: a proof makes an agreement, no proof may revoke consent (R26)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.domain.audit import AuditItem, ConsentAudit, ItemState
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.ports.audits import ConsentAudits
from gateway.ports.consent import ConsentStore

CHANNEL = "audit"


class AuditOutcome(StrEnum):
    """The result of an answer to an item."""

    NOTED = "noted"
    AGREED = "agreed"
    REVOKED = "revoked"
    OVERTAKEN = "overtaken"  # the subscriber has answered meanwhile: that answer holds
    ANSWERED_BEFORE = "answered_before"


@dataclass(frozen=True, slots=True)
class ItemProof:
    """What the SP showed for an item: evidence, or the reason why it has no evidence."""

    is_proven: bool
    note: str
    by: str
    at: datetime
    revokes: bool = False


class AuditDesk:
    """Notes what the SP showed, and records the subscriber's answer that follows."""

    def __init__(self, audits: ConsentAudits, consent: ConsentStore) -> None:
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
        await self._consent.record([given])
        kept = await self._consent.answer_of(item.msisdn, audit.system_id)
        if kept is None or (kept.answer, kept.since) != (said, item.since):
            return AuditOutcome.OVERTAKEN
        return AuditOutcome.AGREED if shown.is_proven else AuditOutcome.REVOKED
