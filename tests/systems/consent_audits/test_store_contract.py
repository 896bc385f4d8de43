"""What gateway.systems.consent_audits.model promises, on every store."""

from dataclasses import fields, replace
from datetime import datetime, timedelta

import pytest

from gateway.domain.records import NewPurge
from gateway.stores import Stores
from gateway.systems.consent_audits.model import (
    AuditItem,
    AuditTally,
    ConsentAudit,
    ItemState,
    NewConsentAudit,
)
from gateway.systems.consent_audits.sql import consent_audit_items, consent_audits

pytestmark = pytest.mark.every_store

FIRST = 8613800138000


@pytest.fixture
def audit(noon: datetime) -> NewConsentAudit:
    return NewConsentAudit("sp1", noon, "lin", 2**62 + 7, 3, 10_000_000)


@pytest.fixture
def items(noon: datetime) -> list[AuditItem]:
    since = noon - timedelta(days=30)
    return [AuditItem(at + 1, FIRST + at, since, "import") for at in range(3)]


def test_there_is_a_column_for_each_field_of_an_audit_and_of_its_items() -> None:
    audit = [field.name for field in fields(NewConsentAudit)]
    item = [field.name for field in fields(AuditItem)]

    assert [column.name for column in consent_audits.columns] == ["number", *audit]
    assert [column.name for column in consent_audit_items.columns] == ["audit", *item]


async def test_r26_a_sample_comes_back_as_it_was_drawn(
    stores: Stores, audit: NewConsentAudit, items: list[AuditItem], noon: datetime
) -> None:
    number = await stores.consent_audits.keep(audit, items)

    assert number == 1
    assert await stores.consent_audits.get(1) == ConsentAudit(
        "sp1", noon, "lin", 2**62 + 7, 3, 10_000_000, number=1, tally=AuditTally(open=3)
    )
    assert await stores.consent_audits.items_of(1) == items
    assert await stores.consent_audits.item_of(1, 3) == items[2]


async def test_what_is_not_there_is_not_found(stores: Stores) -> None:
    assert await stores.consent_audits.get(1) is None
    assert await stores.consent_audits.listed() == []
    assert await stores.consent_audits.items_of(1) == []
    assert await stores.consent_audits.item_of(1, 1) is None


async def test_r26_an_item_is_answered_once(
    stores: Stores, audit: NewConsentAudit, items: list[AuditItem], noon: datetime
) -> None:
    audits = stores.consent_audits
    await audits.keep(audit, items)
    proven, unproven = ItemState.PROVEN, ItemState.UNPROVEN

    assert await audits.answer(1, 2, state=proven, note="form 117", by="wu", at=noon)
    assert not await audits.answer(1, 2, state=unproven, note="", by="he", at=noon)
    assert await audits.answer(1, 3, state=unproven, note="", by="he", at=noon)
    assert not await audits.answer(1, 4, state=proven, note="", by="he", at=noon)
    assert not await audits.answer(2, 1, state=proven, note="", by="he", at=noon)

    assert await audits.item_of(1, 2) == replace(
        items[1], state=proven, note="form 117", answered_at=noon, answered_by="wu"
    )
    found = await audits.get(1)
    assert found is not None
    assert found.tally == AuditTally(1, 1, 1)


async def test_audits_are_listed_the_newest_first_each_with_its_own_tally(
    stores: Stores, audit: NewConsentAudit, items: list[AuditItem], noon: datetime
) -> None:
    audits = stores.consent_audits
    await audits.keep(audit, items)
    await audits.keep(replace(audit, system_id="sp2", size=0, population=0), [])
    await audits.keep(audit, items[:1])
    await audits.answer(3, 1, state=ItemState.PROVEN, note="", by="wu", at=noon)

    listed = await audits.listed()

    assert [(one.number, one.tally) for one in listed] == [
        (3, AuditTally(proven=1)),
        (2, AuditTally()),
        (1, AuditTally(open=3)),
    ]
    assert [one.number for one in await audits.listed(system_id="sp1", before=3)] == [1]
    assert [one.number for one in await audits.listed(limit=1)] == [3]


def test_an_item_prints_no_number(items: list[AuditItem]) -> None:
    assert str(FIRST) not in repr(items[0])


async def test_audits_go_with_their_items_and_stand_in_the_journal(
    stores: Stores, audit: NewConsentAudit, items: list[AuditItem], noon: datetime
) -> None:
    audits = stores.consent_audits
    for days in range(3):
        await audits.keep(replace(audit, drawn_at=noon + timedelta(days=days)), items)
    purge = NewPurge("audits", noon, noon, 0, noon, "lin")

    found = await audits.drawn_before(noon + timedelta(days=2))
    assert [one.number for one in found] == [1, 2]
    assert await audits.drawn_before(noon) == []
    later = await audits.drawn_before(noon + timedelta(days=9), after=1, limit=1)
    assert [one.number for one in later] == [2]

    assert await audits.forget([1, 3, 9], purge) == 2
    assert await audits.forget([9], purge) == 0
    assert [one.number for one in await audits.listed()] == [2]
    assert await audits.items_of(1) == []
    assert await audits.items_of(2) == items
    (noted,) = await stores.journals.purges()
    assert (noted.what, noted.count) == ("audits", 2)
    assert await audits.keep(audit, []) == 4
