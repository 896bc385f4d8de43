"""What is taken into the registry, what that changes, and what is refused."""

from dataclasses import replace
from datetime import date

import pytest

from gateway.domain import filings
from gateway.domain.filings import (
    Filing,
    Licence,
    PortScope,
    Signature,
    Template,
    TemplateKind,
)
from gateway.stores import Stores
from gateway.systems.filings.service import FilingDifference, FilingRefusedError, compare, file_all

LICENCE = Licence("shop", "粤B2-20200001", date(2027, 3, 31))
SIGNATURE = Signature("shop", "示例商城", ("1069000112",))
SCOPE = PortScope("bank", "10621234", "福建")


async def test_what_was_not_on_file_is_added(stores: Stores) -> None:
    difference = await file_all(stores.filings, [LICENCE, SCOPE])

    assert difference == FilingDifference(added=(LICENCE, SCOPE))
    assert await stores.filings.all_filings() == (LICENCE, SCOPE)


async def test_what_reads_otherwise_is_changed_and_the_rest_stays(stores: Stores) -> None:
    longer = replace(LICENCE, valid_until=date(2030, 3, 31))
    await file_all(stores.filings, [LICENCE, SIGNATURE, SCOPE])

    difference = await file_all(stores.filings, [longer, SIGNATURE])

    assert difference == FilingDifference(changed=((LICENCE, longer),), unchanged=(SIGNATURE,))
    assert await stores.filings.all_filings() == (longer, SIGNATURE, SCOPE)


async def test_filing_the_same_again_writes_nothing(stores: Stores) -> None:
    await file_all(stores.filings, [LICENCE])
    before = await stores.changes.latest()

    await file_all(stores.filings, [LICENCE])

    assert await stores.changes.latest() == before


async def test_comparing_files_nothing(stores: Stores) -> None:
    difference = await compare(stores.filings, [LICENCE])

    assert difference.new == (LICENCE,)
    assert await stores.filings.all_filings() == ()


@pytest.mark.parametrize(
    ("filing", "problem"),
    [
        (Signature("shop", "客服通知"), "shop: names nobody"),
        (
            Signature("shop", "别家", ("1069000112",)),
            "1069000112 belongs to the signature 示例商城",
        ),
        (Template("shop", "T1", TemplateKind.SERVICE, "{1}{2}好的"), "beside each other"),
    ],
)
async def test_of_what_is_refused_in_part_nothing_is_filed(
    stores: Stores, filing: Filing, problem: str
) -> None:
    await file_all(stores.filings, [SIGNATURE])

    with pytest.raises(FilingRefusedError, match=problem):
        await file_all(stores.filings, [LICENCE, filing])

    assert await stores.filings.all_filings() == (SIGNATURE,)


async def test_all_that_is_wrong_is_said_at_once(stores: Stores) -> None:
    with pytest.raises(FilingRefusedError) as refused:
        await file_all(stores.filings, [Signature("shop", "通知"), Signature("bank", "行")])

    assert [said.partition(":")[0] for said in refused.value.problems] == ["shop", "bank"]


async def test_an_sp_may_file_so_much_and_no_more(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filings, "MAX_PER_SENDER", 2)
    names = [Signature("shop", f"示例{number}店") for number in range(3)]
    await file_all(stores.filings, names[:2])

    with pytest.raises(FilingRefusedError, match="shop: more than 2 of the kind signature"):
        await file_all(stores.filings, names[2:])
