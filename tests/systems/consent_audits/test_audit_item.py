"""What an SP can prove counts from now on; what it cannot may be taken back (R26)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.consent.sql import ConsentStore
from gateway.systems.consent_audits.model import (
    AuditItem,
    AuditOutcome,
    AuditTally,
    ItemProof,
    ItemState,
    NewConsentAudit,
)
from gateway.systems.consent_audits.service import AuditDesk
from gateway.systems.consent_audits.sql import ConsentAudits

MSISDN = 8613800138000
NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
ASSERTED_ON = NOON - timedelta(days=30)
LATER = NOON - timedelta(days=1)


@dataclass
class Office:
    """An audit of one asserted answer, and what answers it."""

    audits: ConsentAudits
    consent: ConsentStore
    desk: AuditDesk

    async def settle(self, shown: ItemProof) -> AuditOutcome:
        audit, item = await self.audits.get(1), await self.audits.item_of(1, 1)
        assert audit is not None
        assert item is not None
        return await self.desk.answer(audit, item, shown)

    async def on_record(self) -> tuple[Answer, datetime, str]:
        kept = await self.consent.answer_of(MSISDN, "sp1")
        assert kept is not None
        return kept.answer, kept.since, kept.channel

    async def note(self) -> tuple[ItemState, str, str]:
        item = await self.audits.item_of(1, 1)
        assert item is not None
        return item.state, item.note, item.answered_by


def said(answer: Answer, since: datetime, channel: str) -> ConsentAnswer:
    return ConsentAnswer(MSISDN, "sp1", answer, since, channel, "message 7")


@pytest.fixture
async def office(stores: Stores) -> Office:
    consent, audits = stores.consent, stores.consent_audits
    await consent.record([ConsentAnswer(MSISDN, "sp1", Answer.ASSERTED, ASSERTED_ON, "import")])
    item = AuditItem(1, MSISDN, ASSERTED_ON, "import")
    await audits.keep(NewConsentAudit("sp1", NOON, "lin", 7, 1, 1), [item])
    return Office(audits, consent, AuditDesk(audits, consent))


def proven(note: str = "form 117") -> ItemProof:
    return ItemProof(is_proven=True, note=note, by="wu", at=NOON)


def unproven(*, revokes: bool) -> ItemProof:
    return ItemProof(is_proven=False, note="no form", by="wu", at=NOON, revokes=revokes)


async def test_r26_what_is_proven_counts_as_agreed_as_of_the_day_it_was_given(
    office: Office,
) -> None:
    assert await office.settle(proven()) is AuditOutcome.AGREED

    assert await office.on_record() == (Answer.AGREED, ASSERTED_ON, "audit")
    kept = await office.consent.answer_of(MSISDN, "sp1")
    assert kept is not None
    assert kept.evidence == "form 117"
    assert await office.note() == (ItemState.PROVEN, "form 117", "wu")


async def test_r20_what_proves_an_agreement_does_not_prolong_it(office: Office) -> None:
    until = NOON + timedelta(days=30)
    [asserted] = await office.consent.answers_of({MSISDN})
    for_a_time = replace(asserted, since=asserted.since + timedelta(days=1), until=until)
    await office.consent.record([for_a_time])
    item = AuditItem(1, MSISDN, for_a_time.since, "import")
    audit = await office.audits.get(1)
    assert audit is not None

    await office.desk.answer(audit, item, proven())

    [kept] = await office.consent.answers_of({MSISDN})
    assert (kept.answer, kept.until) == (Answer.AGREED, until)


async def test_r26_what_is_not_proven_stays_asserted_and_counts_in_the_share(
    office: Office,
) -> None:
    assert await office.settle(unproven(revokes=False)) is AuditOutcome.NOTED

    assert await office.on_record() == (Answer.ASSERTED, ASSERTED_ON, "import")
    audit = await office.audits.get(1)
    assert audit is not None
    assert audit.tally == AuditTally(unproven=1)


async def test_r26_what_is_not_proven_can_be_taken_back(office: Office) -> None:
    assert await office.settle(unproven(revokes=True)) is AuditOutcome.REVOKED

    assert await office.on_record() == (Answer.REFUSED, ASSERTED_ON, "audit")
    assert await office.note() == (ItemState.UNPROVEN, "no form", "wu")


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (Answer.REFUSED, proven()),
        (Answer.AGREED, unproven(revokes=True)),
    ],
)
async def test_r26_what_the_subscriber_has_said_since_stands(
    office: Office, answer: Answer, shown: ItemProof
) -> None:
    await office.consent.record([said(answer, LATER, "mo")])

    assert await office.settle(shown) is AuditOutcome.OVERTAKEN

    assert await office.on_record() == (answer, LATER, "mo")


async def test_a_refusal_after_the_audit_holds_over_its_proof(office: Office) -> None:
    await office.settle(proven())

    await office.consent.record([said(Answer.REFUSED, LATER, "mo")])

    assert await office.on_record() == (Answer.REFUSED, LATER, "mo")


async def test_r26_an_item_is_answered_once(office: Office) -> None:
    await office.settle(unproven(revokes=False))

    assert await office.settle(proven()) is AuditOutcome.ANSWERED_BEFORE

    assert await office.on_record() == (Answer.ASSERTED, ASSERTED_ON, "import")


async def test_who_answers_at_the_same_moment_as_another_hears_so(office: Office) -> None:
    audit, item = await office.audits.get(1), await office.audits.item_of(1, 1)
    assert audit is not None
    assert item is not None
    await office.settle(unproven(revokes=False))

    outcome = await office.desk.answer(audit, item, unproven(revokes=False))

    assert outcome is AuditOutcome.ANSWERED_BEFORE


async def test_an_item_that_could_not_be_noted_can_be_answered_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_named: object) -> Callable[[], None]:
        raise StoreUnavailable("no disk")

    with monkeypatch.context() as patch:
        patch.setattr(office.audits, "answer", refuse)
        with pytest.raises(StoreUnavailable):
            await office.settle(proven())

    assert await office.settle(proven()) is AuditOutcome.AGREED
    assert (await office.note())[0] is ItemState.PROVEN
