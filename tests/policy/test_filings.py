"""What an SP has filed, as the data path asks for it."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.domain.filings import (
    Approval,
    Filing,
    Licence,
    PortScope,
    Signature,
    Template,
    TemplateKind,
)
from gateway.policy.filings import Filings, SenderFilings, without_signature

SHANGHAI = ZoneInfo("Asia/Shanghai")
LICENCE = Licence("sp1", "粤B2-20080001", date(2013, 10, 31))


def filed(*filings: Filing) -> SenderFilings:
    return SenderFilings(filings, SHANGHAI)


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ("2013-10-31T00:00:00+08:00", True),
        ("2013-10-31T23:59:59.999+08:00", True),
        ("2013-11-01T00:00:00+08:00", False),
        ("2013-10-31T16:00:00+00:00", False),
    ],
)
def test_r01_a_licence_holds_through_its_last_day_on_the_clocks_of_the_carrier(
    when: str,
    holds: bool,  # noqa: FBT001 - the expectation of a table
) -> None:
    assert filed(LICENCE).is_licensed(at(when)) is holds


def test_r01_where_no_licence_is_on_file_nobody_can_tell() -> None:
    assert filed().is_licensed(0.0) is None


@pytest.mark.parametrize(
    ("name", "source", "is_filed"),
    [
        ("商城", "", True),
        ("商城", "10690001", True),
        ("商诚", "", False),
        ("ＶＩＰ会员", "", True),
        ("vip会员", "", True),
        ("VIP会员", "1069000112", True),
        ("VIP会员", "106900011207", True),
        ("VIP会员", "1069000113", False),
    ],
)
def test_r12_a_signature_counts_where_it_was_filed_for(
    name: str,
    source: str,
    is_filed: bool,  # noqa: FBT001 - the expectation of a table
) -> None:
    of_sp = filed(Signature("sp1", "商城"), Signature("sp1", "VIP会员", ("1069000112",)))

    assert of_sp.has_signature(name, source) is is_filed


def test_r06_a_sub_port_and_its_extensions_belong_to_one_signature() -> None:
    of_sp = filed(
        Signature("sp1", "腾云", ("1069000112",)),
        Signature("sp1", "贷王", ("1069000112007",)),
        Signature("sp1", "商城"),
    )

    assert of_sp.owner_of_subport("1069000112") == "腾云"
    assert of_sp.owner_of_subport("106900011299") == "腾云"
    assert of_sp.owner_of_subport("10690001120071") == "贷王"
    assert of_sp.owner_of_subport("1069000113") is None
    assert filed(Signature("sp1", "商城")).owner_of_subport("1069000112") is None


@pytest.mark.parametrize(
    ("name", "source", "is_elsewhere"),
    [
        ("腾云", "1069000112", False),
        ("商城", "1069000112", True),
        ("贷王", "1069000112", True),
        ("腾云", "1069000113", True),
        ("商城", "1069000113", False),
        ("贷王", "1069000113", False),
    ],
)
def test_r06_a_signature_is_bound_elsewhere_by_its_own_source_or_by_another_s(
    name: str,
    source: str,
    is_elsewhere: bool,  # noqa: FBT001 - the expectation of a table
) -> None:
    of_sp = filed(Signature("sp1", "腾云", ("1069000112",)), Signature("sp1", "商城"))

    assert of_sp.is_bound_elsewhere(name, source) is is_elsewhere


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("【商城】您好", "您好"),
        (" \u200b【商城】您好", "您好"),
        ("您好【商城】", "您好"),
        ("您好【商城】 ", "您好"),
        ("【商城】您好【贷王】", "您好【贷王】"),
        ("您【商城】好", "您【商城】好"),
        ("您好", "您好"),
        ("【】您好", "【】您好"),
        ("", ""),
    ],
)
def test_one_signature_is_left_out_of_a_text(text: str, rest: str) -> None:
    assert without_signature(text) == rest


def test_r12_a_text_is_looked_up_without_its_signature() -> None:
    of_sp = filed(Template("sp1", "T1", TemplateKind.VERIFICATION, "您的验证码{1}", 6))

    found = of_sp.template_of("【商城】您的验证码1234")

    assert found is not None
    assert (found.id, found.kind) == ("T1", TemplateKind.VERIFICATION)
    assert of_sp.template_of("【商城】您的验证码http://x") is None
    assert of_sp.template_of("【商城】您的验证码12【贷王】") is None


def test_an_sp_that_filed_nothing_has_nothing() -> None:
    of_sp = Filings(SHANGHAI).of("sp1")

    assert of_sp.template_of("您的验证码1234") is None
    assert not of_sp.has_templates
    assert not of_sp.has_bindings
    assert not of_sp.has_signature("商城")
    assert of_sp.province_of("10621234") is None
    assert not of_sp.approval_valid("10690001", 0.0)


def test_an_sp_that_filed_something_says_so() -> None:
    of_sp = filed(
        Signature("sp1", "商城", ("1069000112",)),
        Template("sp1", "T1", TemplateKind.SERVICE, "您的包裹{1}已到"),
    )

    assert of_sp.has_templates
    assert of_sp.has_bindings


def test_r04_a_provincial_port_has_its_province() -> None:
    of_sp = filed(PortScope("sp1", "10621234", "福建"))

    assert of_sp.province_of("10621234") == "福建"
    assert of_sp.province_of("10690001") is None


def test_r11_an_approval_holds_from_its_first_day_through_its_last() -> None:
    of_sp = filed(
        Approval("sp1", "10690009", "应急〔2013〕1号", date(2013, 1, 1), date(2013, 6, 30)),
        Approval("sp1", "10690009", "应急〔2013〕2号", date(2013, 9, 1), date(2013, 12, 31)),
    )

    def is_valid(text: str, port: str = "10690009") -> bool:
        return of_sp.approval_valid(port, at(text))

    assert not is_valid("2012-12-31T23:59:59+08:00")
    assert is_valid("2013-01-01T00:00:00+08:00")
    assert is_valid("2013-06-30T23:59:59+08:00")
    assert not is_valid("2013-07-01T00:00:00+08:00")
    assert is_valid("2013-09-02T03:00:00+08:00")
    assert not is_valid("2013-09-02T03:00:00+08:00", port="10690001")


def test_what_is_filed_counts_for_its_sp_alone() -> None:
    filings = Filings(SHANGHAI)

    filings.replace("sp1", [Signature("sp1", "商城")])

    assert filings.of("sp1").has_signature("商城")
    assert not filings.of("sp2").has_signature("商城")
    assert len(filings) == 1


def test_what_takes_its_place_is_all_that_an_sp_has_filed() -> None:
    filings = Filings(SHANGHAI)
    filings.replace_all({"sp1": [LICENCE, Signature("sp1", "商城")], "sp2": [LICENCE]})

    filings.replace("sp1", [LICENCE])
    filings.replace("sp2", [])
    filings.replace("sp3", [])

    assert not filings.of("sp1").has_signature("商城")
    assert filings.of("sp1").is_licensed(at("2013-01-01T00:00:00+08:00"))
    assert filings.of("sp2").is_licensed(0.0) is None
    assert len(filings) == 1


def test_filings_are_current_until_somebody_says_otherwise() -> None:
    filings = Filings(SHANGHAI)

    assert filings.is_current
    assert filings.zone is SHANGHAI


def test_a_clock_in_another_zone_reads_the_same_moment() -> None:
    moment = datetime(2013, 10, 31, 15, 59, 59, tzinfo=UTC).timestamp()

    assert filed(LICENCE).is_licensed(moment)
