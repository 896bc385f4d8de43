"""Messages held against what their senders have filed (R04, R06, R11, R12)."""

from collections.abc import Callable
from datetime import date, datetime

import pytest

from gateway.domain.filings import (
    Approval,
    Filing,
    PortScope,
    Signature,
    Template,
    TemplateKind,
)
from gateway.domain.policy import Enforcement
from gateway.domain.sender import BindLimits, BindType, Port, Purpose, Rate, Sender, SenderState
from gateway.filter.facts import TextFacts
from gateway.policy.check import Evidence
from gateway.policy.checks.other_province import OtherProvince
from gateway.policy.checks.public_interest import PublicInterest
from gateway.policy.checks.signature_switch import SignatureSwitch
from gateway.policy.checks.unknown_signature import UnknownSignature
from gateway.policy.checks.unknown_template import UnknownTemplate
from gateway.policy.filings import Filings, template_of
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.places import ProvinceTable
from gateway.policy.rule_stages import RuleStages
from gateway.policy.submission import Account, Submission
from tests.policy.conftest import ask_of, rule

Submit = Callable[..., Submission]

FUJIAN, GUANGDONG = "13805910000", "13802000000"
PROVINCES = ProvinceTable([(1380591, "福建"), (1380200, "广东")])
ACCOUNT = Account(
    Sender(
        system_id="sp1",
        password="",
        name="sp1",
        state=SenderState.ACTIVE,
        binds=BindLimits(8, frozenset(BindType), ()),
        ports=(
            Port("1069000001", 2, Purpose.SERVICE),
            Port("10621234"),
            Port("10690009", 0, Purpose.PUBLIC_INTEREST),
        ),
        rate=Rate(10, 5),
        window=100,
    )
)


def knowing(*filings: Filing) -> Knowledge:
    known = Knowledge(filings=Filings(), provinces=PROVINCES)
    known.filings.replace("sp1", filings)
    return known


def submitted(
    text: str | None = None, source: str = "1069000001", destination: str = FUJIAN
) -> Submission:
    one = Submission(ACCOUNT, source.encode(), destination.encode())
    one.msisdn = int(f"86{destination}")
    one.facts = None if text is None else TextFacts((), (text,))
    return one


def said(evidence: Evidence | None) -> str:
    return "" if evidence is None else evidence.text


@pytest.mark.parametrize(
    ("source", "destination", "is_foreign"),
    [
        ("10621234", FUJIAN, False),
        ("10621234", GUANGDONG, True),
        ("10621234", "13999990000", False),
        ("1069000001", GUANGDONG, False),
        ("95588", GUANGDONG, False),
    ],
)
def test_r04_a_provincial_port_writes_to_its_own_province(
    source: str, destination: str, *, is_foreign: bool
) -> None:
    ask = ask_of(OtherProvince(), knowing(PortScope("sp1", "10621234", "福建")))

    assert (ask(submitted("您好", source, destination), 0.0) is not None) is is_foreign


def test_r04_without_a_subscriber_there_is_no_other_province() -> None:
    ask = ask_of(OtherProvince(), knowing(PortScope("sp1", "10621234", "福建")))
    one = submitted("您好", "10621234", GUANGDONG)
    one.msisdn = None

    assert ask(one, 0.0) is None


@pytest.mark.parametrize(
    ("text", "source", "is_switched"),
    [
        ("【贷款王】低息", "106900000112", True),
        ("【腾讯云】您好", "106900000112", False),
        ("您好", "106900000112", False),
        ("【腾讯云】您好", "106900000113", True),
        ("【商城】您好", "106900000113", False),
        (None, "106900000112", False),
    ],
)
def test_r06_a_sub_port_bears_the_signature_it_is_bound_to(
    text: str | None, source: str, *, is_switched: bool
) -> None:
    known = knowing(Signature("sp1", "腾讯云", ("106900000112",)), Signature("sp1", "商城"))
    ask = ask_of(SignatureSwitch(), known)

    assert (ask(submitted(text, source), 0.0) is not None) is is_switched


def test_r06_where_nothing_is_bound_nothing_is_switched() -> None:
    ask = ask_of(SignatureSwitch(), knowing(Signature("sp1", "商城")))

    assert ask(submitted("【贷款王】低息"), 0.0) is None


@pytest.mark.parametrize(
    ("text", "against"),
    [
        ("【商城】您的验证码1234", ""),
        ("您的验证码1234【商城】", ""),
        ("【商诚】您的验证码1234", "the signature was not filed"),
        ("您的验证码1234", "the text bears no signature"),
        (None, ""),
    ],
)
def test_r12_the_signature_of_a_text_must_be_filed(text: str | None, against: str) -> None:
    known = knowing(Signature("sp1", "商城"))
    ask = ask_of(UnknownSignature(), known)

    assert said(ask(submitted(text), 0.0)) == against


@pytest.mark.parametrize(
    ("text", "against"),
    [
        ("【商城】您的验证码1234", ""),
        ("【商城】您的验证码http://x", "the text is of no template on file"),
        ("【商城】全场五折", "the text is of no template on file"),
        (None, ""),
    ],
)
def test_r12_a_text_must_be_of_a_filed_template(text: str | None, against: str) -> None:
    known = knowing(Template("sp1", "T1", TemplateKind.VERIFICATION, "您的验证码{1}", 6))
    ask = ask_of(UnknownTemplate())
    one = submitted(text)
    template_of(known.filings, one)

    assert said(ask(one, 0.0)) == against
    assert one.template == ("" if against or text is None else "T1")


def test_r12_of_several_readings_the_one_that_people_see_must_be_of_a_template() -> None:
    known = knowing(Template("sp1", "T1", TemplateKind.VERIFICATION, "您的验证码{1}", 6))
    ask = ask_of(UnknownTemplate())
    one = submitted()
    one.facts = TextFacts((), ("全场五折", "您的验证码1234"))
    template_of(known.filings, one)

    assert ask(one, 0.0) is not None


def test_r12_what_another_text_of_a_message_was_of_is_forgotten() -> None:
    known = knowing(Template("sp1", "T1", TemplateKind.VERIFICATION, "您的验证码{1}", 6))
    one = submitted("您的验证码1234")
    template_of(known.filings, one)

    one.facts = TextFacts((), ("全场五折",))
    template_of(known.filings, one)

    assert one.template == ""


def test_r12_without_a_text_or_a_template_nothing_is_of_a_template() -> None:
    known = knowing()
    empty = submitted()
    empty.facts = TextFacts((), ())

    assert template_of(known.filings, submitted()) is None
    assert template_of(known.filings, empty) is None
    assert template_of(known.filings, submitted("您的验证码1234")) is None


def test_a_template_that_is_filed_later_counts_at_once() -> None:
    known = knowing(Template("sp1", "T1", TemplateKind.SERVICE, "您的包裹{1}已到"))
    before = template_of(known.filings, submitted("您的验证码1234"))

    known.filings.replace("sp1", [Template("sp1", "T2", TemplateKind.SERVICE, "您的验证码{1}")])

    assert before is None
    found = template_of(known.filings, submitted("您的验证码1234"))
    assert found is not None
    assert found.id == "T2"


@pytest.mark.parametrize(
    ("source", "when", "is_approved"),
    [
        ("10690009", "2013-09-30T03:00:00+08:00", True),
        ("10690009", "2014-01-01T00:00:00+08:00", False),
        ("1069000001", "2013-09-30T03:00:00+08:00", False),
        ("95588", "2013-09-30T03:00:00+08:00", False),
    ],
)
def test_r11_an_approved_port_is_exempt_while_its_approval_holds(
    source: str, when: str, *, is_approved: bool
) -> None:
    approval = Approval("sp1", "10690009", "应急〔2013〕1号", date(2013, 1, 1), date(2013, 12, 31))
    enforced = rule("R11", PublicInterest(frozenset({"R40"})), mode=Enforcement.ENFORCE)
    stages = RuleStages((enforced,), knowing(approval), RuleLocale())

    at = datetime.fromisoformat(when).timestamp()

    assert stages.is_exempt(submitted("台风红色预警，请避险", source), at) is is_approved
