"""What is refused at filing, and what is not (R12)."""

from dataclasses import replace
from datetime import date

import pytest

from gateway.domain import filings
from gateway.domain.filings import (
    Approval,
    Filing,
    Licence,
    PortScope,
    Signature,
    Template,
    TemplateKind,
    clashes_in,
    pieces_of,
    problems_of,
)

LICENCE = Licence("shop", "粤B2-20200001", date(2027, 3, 31))
SCOPE = PortScope("shop", "10621234", "福建")
APPROVAL = Approval("shop", "10690009", "应急〔2026〕1号", date(2026, 1, 1), date(2026, 12, 31))


def signed(name: str, *sources: str) -> Signature:
    return Signature("shop", name, sources)


def template(text: str, max_variable: int = 20) -> Template:
    return Template("shop", "T1", TemplateKind.SERVICE, text, max_variable)


@pytest.mark.parametrize(
    "filing",
    [
        LICENCE,
        SCOPE,
        APPROVAL,
        replace(APPROVAL, valid_until=APPROVAL.valid_from),
        signed("商城"),
        signed("A" * 32),
        signed("示例商城", "1069000112", "10690001121"),
        signed("通知书打印店"),
        template("您的验证码{1}，{2}分钟内有效。"),
        template("您好，欢迎光临"),
        template("{1}先生您好"),
        template("详见 www.shop.cn/vip 单号{1}"),
        template("第一行\n第二行{1}"),
        template("区间{1}-{2}公里"),
    ],
)
def test_what_is_sound_may_be_filed(filing: Filing) -> None:
    assert problems_of(filing) == ()


@pytest.mark.parametrize("name", ["客服通知", "通知", "提醒", "温馨提示", "短信", "SMS", "ＳＭＳ"])
def test_r12_a_name_that_names_nobody_is_refused_at_filing(name: str) -> None:
    (problem,) = problems_of(signed(name))

    assert problem.startswith("names nobody")


@pytest.mark.parametrize(
    ("filing", "problem"),
    [
        (signed("商"), "2 to 32"),
        (signed("商" * 33), "2 to 32"),
        (signed("商【城"), "brackets"),
        (signed("商\u200b城"), "not shown"),
        (signed(" 商城"), "blanks"),
        (signed("商城", "1069-1"), "digits"),
        (signed("商城", ""), "digits"),
        (signed("商城", "1" * 21), "digits"),
        (signed("商城", *(str(number) for number in range(101))), "more than 100 sources"),
        (template("{1}{2}是验证码"), "beside each other"),
        (template("订单{1} \n{2}已到"), "beside each other"),
        (template("订单http://shop.cn/{1}"), "link"),
        (template("订单www.shop.cn{1}"), "link"),
        (template("订单{1}www.shop.cn"), "link"),
        (template("订单{1}.com"), "link"),
        (template("订单ＷＷＷ．ｓｈｏｐ．ｃｎ／{1}"), "link"),
        (template("订单" + "，".join(f"{{{n}}}" for n in range(1, 12))), "more than 10 variables"),
        (template("{1}"), "letters of its own"),
        (template("{1}，好"), "letters of its own"),
        (template("！！{1}，。"), "letters of its own"),
        (template(""), "letters of its own"),
        (template("订单{2}号"), "number its variables"),
        (template("订单{1}号{1}"), "number its variables"),
        (template("订单{号码}"), "brace"),
        (template("订单{1}}"), "brace"),
        (template("【商城】订单{1}"), "filed on their own"),
        (template("订单\u200b{1}"), "control character"),
        (template("订" * 501), "longer than 500"),
        (template("订单{1}", 0), "1 to 64"),
        (template("订单{1}", 65), "1 to 64"),
        (replace(template("订单"), id=" "), "1 to 64 characters"),
        (replace(LICENCE, number=""), "1 to 64 characters"),
        (replace(LICENCE, valid_until=date(1999, 12, 31)), "between 2000 and 2200"),
        (replace(SCOPE, port="1069-1"), "digits"),
        (replace(SCOPE, province="福\n建"), "can be shown"),
        (replace(APPROVAL, port=""), "digits"),
        (replace(APPROVAL, reference="x" * 65), "1 to 64 characters"),
        (replace(APPROVAL, valid_from=date(1, 1, 1)), "between 2000 and 2200"),
        (replace(APPROVAL, valid_until=date(2025, 12, 31)), "before it begins"),
    ],
)
def test_r12_what_cannot_be_filed_is_told_why(filing: Filing, problem: str) -> None:
    assert [said for said in problems_of(filing) if problem in said]


def test_all_that_is_wrong_with_a_filing_is_told() -> None:
    assert len(problems_of(template("{1}{3}"))) == 3


def test_a_template_falls_into_what_stays_and_what_changes() -> None:
    assert pieces_of("您的{1}验证码{2}") == ("您的", "验证码", "")
    assert pieces_of("您好") == ("您好",)


def test_r06_a_sub_port_cannot_be_bound_to_two_signatures() -> None:
    clashes = clashes_in([signed("腾云", "1069000112"), signed("贷王", "1069000112"), SCOPE])

    assert clashes == ("1069000112 belongs to the signature 腾云 already",)


def test_an_extension_may_have_a_signature_of_its_own() -> None:
    assert clashes_in([signed("腾云", "1069000112"), signed("贷王", "10690001121")]) == ()


def test_more_than_so_many_of_a_kind_cannot_be_filed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filings, "MAX_PER_SENDER", 2)
    names = [signed(f"示例{number}店") for number in range(3)]

    clashes = clashes_in([*names, SCOPE])

    assert clashes == ("more than 2 of the kind signature",)
