"""What names a filing, and how filings are told in order."""

from dataclasses import replace
from datetime import date

import pytest

from gateway.domain.categories import TrafficClass
from gateway.domain.filings import (
    Approval,
    Filing,
    Licence,
    PortScope,
    Signature,
    Template,
    TemplateKind,
    end_of,
    key_of,
    not_ended,
    problems_of,
)

LICENCE = Licence("shop", "粤B2-20200001", date(2027, 3, 31))
SIGNATURE = Signature("shop", "示例商城")
TEMPLATE = Template("shop", "T1", TemplateKind.SERVICE, "您的订单{1}已发货")
SCOPE = PortScope("shop", "10621234", "福建")
APPROVAL = Approval("shop", "10690009", "应急〔2026〕1号", date(2026, 1, 1), date(2026, 12, 31))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LICENCE, replace(LICENCE, number="闽B2-20270001")),
        (SIGNATURE, replace(SIGNATURE, sources=("10690001",))),
        (TEMPLATE, replace(TEMPLATE, text="您的包裹{1}已到")),
        (SCOPE, replace(SCOPE, province="广东")),
        (APPROVAL, replace(APPROVAL, valid_until=date(2027, 12, 31))),
    ],
)
def test_a_renewed_filing_is_the_same_one(one: Filing, other: Filing) -> None:
    assert one != other
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LICENCE, replace(LICENCE, system_id="bank")),
        (SIGNATURE, replace(SIGNATURE, name="示例会员")),
        (TEMPLATE, replace(TEMPLATE, id="T2")),
        (SCOPE, replace(SCOPE, port="10621235")),
        (APPROVAL, replace(APPROVAL, reference="应急〔2027〕1号")),
        (SIGNATURE, Template("shop", "示例商城", TemplateKind.SERVICE, "您好")),
    ],
)
def test_another_name_or_kind_is_another_filing(one: Filing, other: Filing) -> None:
    assert key_of(one) != key_of(other)


def test_signatures_and_templates_count_through_their_last_day() -> None:
    last = date(2026, 12, 31)
    ended: list[Filing] = [
        replace(SIGNATURE, valid_until=last),
        replace(TEMPLATE, valid_until=last),
    ]
    others: list[Filing] = [LICENCE, SIGNATURE, TEMPLATE, SCOPE, APPROVAL]

    assert not_ended([*ended, *others], last) == [*ended, *others]
    assert not_ended([*ended, *others], date(2027, 1, 1)) == others
    assert [end_of(one) for one in (ended[0], SIGNATURE, SCOPE)] == [last, None, None]


@pytest.mark.parametrize("filing", [SIGNATURE, TEMPLATE])
def test_a_last_day_lies_in_this_age(filing: Signature | Template) -> None:
    wrong = replace(filing, valid_until=date(1999, 12, 31))

    assert problems_of(wrong) == ("must lie between 2000 and 2200",)
    assert problems_of(replace(filing, valid_until=date(2027, 12, 31))) == ()


def test_filings_are_told_by_kind_then_by_sp() -> None:
    other = replace(LICENCE, system_id="bank")
    mixed: list[Filing] = [APPROVAL, SCOPE, TEMPLATE, SIGNATURE, LICENCE, other]

    ordered = sorted(mixed, key=key_of)

    assert ordered == [other, LICENCE, SIGNATURE, TEMPLATE, SCOPE, APPROVAL]


def test_every_class_of_traffic_has_its_kind_of_template() -> None:
    classes = {kind.traffic_class for kind in TemplateKind}

    assert classes == set(TrafficClass)


def test_r23_who_asks_for_consent_is_held_to_what_holds_for_advertising() -> None:
    assert TemplateKind.CONSENT_REQUEST.traffic_class is TrafficClass.COMMERCIAL
