"""The contract of gateway.systems.filings.sql, and what the tables look like."""

from dataclasses import fields, replace
from datetime import date

import pytest

from gateway.domain.filings import (
    KEYS,
    Approval,
    Filing,
    Licence,
    PortScope,
    Signature,
    Template,
    TemplateKind,
)
from gateway.storage.change_feed import ChangeKind
from gateway.stores import Stores
from gateway.systems.filings.sql import TABLES

pytestmark = pytest.mark.every_store

LICENCE = Licence("shop", "粤B2-20200001", date(2027, 3, 31))
SIGNATURE = Signature("shop", "示例商城", ("1069000111", "1069000112"))
TEMPLATE = Template("shop", "T1", TemplateKind.VERIFICATION, "您的验证码{1}", 8)
SCOPE = PortScope("shop", "10621234", "福建")
APPROVAL = Approval("shop", "10690009", "气象〔2026〕1号", date(2026, 1, 1), date(2026, 12, 31))
EVERY_KIND: tuple[Filing, ...] = (LICENCE, SIGNATURE, TEMPLATE, SCOPE, APPROVAL)
OTHERS = Licence("bank", "闽B2-20210002", date(2026, 6, 30))


async def test_what_is_filed_comes_back_as_it_was_by_key(stores: Stores) -> None:
    await stores.filings.put((*reversed(EVERY_KIND), OTHERS))

    assert await stores.filings.of("shop") == EVERY_KIND
    assert await stores.filings.all_filings() == (OTHERS, *EVERY_KIND)


async def test_an_sp_that_filed_nothing_has_filed_nothing(stores: Stores) -> None:
    assert await stores.filings.of("shop") == ()
    assert await stores.filings.all_filings() == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (LICENCE, replace(LICENCE, number="粤B2-20270009", valid_until=date(2030, 3, 31))),
        (SIGNATURE, replace(SIGNATURE, sources=())),
        (TEMPLATE, replace(TEMPLATE, text="验证码{1}请勿告诉他人", max_variable=6)),
        (SCOPE, replace(SCOPE, province="广东")),
        (APPROVAL, replace(APPROVAL, valid_until=date(2027, 12, 31))),
    ],
)
async def test_a_filing_takes_the_place_of_the_one_before(
    stores: Stores, before: Filing, after: Filing
) -> None:
    await stores.filings.put([before])

    await stores.filings.put([after])

    assert await stores.filings.of("shop") == (after,)


async def test_of_two_with_one_key_in_one_call_the_later_holds(stores: Stores) -> None:
    await stores.filings.put([SCOPE, replace(SCOPE, province="广东")])

    assert await stores.filings.of("shop") == (replace(SCOPE, province="广东"),)


async def test_filings_with_other_keys_stand_side_by_side(stores: Stores) -> None:
    each = (
        SIGNATURE,
        replace(SIGNATURE, name="示例会员", sources=()),
        TEMPLATE,
        replace(TEMPLATE, id="T2"),
        SCOPE,
        replace(SCOPE, port="10621235"),
        APPROVAL,
        replace(APPROVAL, reference="气象〔2027〕1号"),
    )

    await stores.filings.put(each)

    assert set(await stores.filings.of("shop")) == set(each)


@pytest.mark.parametrize("filing", EVERY_KIND)
async def test_what_is_removed_is_gone_and_counted_once(stores: Stores, filing: Filing) -> None:
    await stores.filings.put(EVERY_KIND)

    removed = [await stores.filings.remove([filing]) for _ in range(2)]

    assert removed == [1, 0]
    assert await stores.filings.of("shop") == tuple(one for one in EVERY_KIND if one != filing)


async def test_removing_asks_for_the_key_alone(stores: Stores) -> None:
    await stores.filings.put([SIGNATURE])

    assert await stores.filings.remove([replace(SIGNATURE, sources=())]) == 1


async def test_every_sp_concerned_is_told_of_in_one_change(stores: Stores) -> None:
    await stores.filings.put((*EVERY_KIND, OTHERS))
    await stores.filings.remove([LICENCE])

    changes = await stores.changes.changes(after=0)

    assert [change.kind for change in changes] == [ChangeKind.FILINGS] * 3
    assert sorted(change.key for change in changes[:2]) == ["bank", "shop"]
    assert changes[2].key == "shop"


async def test_nothing_put_or_removed_is_no_change(stores: Stores) -> None:
    await stores.filings.put([])

    assert await stores.filings.remove([]) == 0
    assert await stores.changes.latest() == 0


@pytest.mark.parametrize("kind", KEYS)
def test_there_is_a_column_for_each_field_of_a_filing(kind: type[Filing]) -> None:
    assert TABLES[kind].c.keys() == [field.name for field in fields(kind)]


@pytest.mark.parametrize("kind", KEYS)
def test_the_primary_key_is_what_names_a_filing(kind: type[Filing]) -> None:
    assert tuple(TABLES[kind].primary_key.c.keys()) == KEYS[kind]
