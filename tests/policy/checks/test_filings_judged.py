"""What becomes of messages that are not as filed: action, reason and status, end to end."""

from collections.abc import Iterable
from datetime import date, datetime, time

import pytest

from gateway.domain.categories import TrafficClass
from gateway.domain.consent import EVERY_SENDER, Answer
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
from gateway.domain.verdict import Action, Reason, ReasonCode
from gateway.policy.bundle import Bundle, Rule, Title
from gateway.policy.check import Check
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.other_province import OtherProvince
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.public_interest import PublicInterest
from gateway.policy.checks.signature_switch import SignatureSwitch
from gateway.policy.checks.unknown_signature import UnknownSignature
from gateway.policy.checks.unknown_template import UnknownTemplate
from gateway.policy.hours import Window, WindowSet
from gateway.policy.knowledge import Knowledge
from gateway.policy.places import ProvinceTable
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Submission

FUJIAN, GUANGDONG = "13805910000", "13802000000"
SENDER = Sender(
    system_id="sp1",
    password="",
    name="sp1",
    state=SenderState.ACTIVE,
    binds=BindLimits(8, frozenset(BindType), ()),
    ports=(
        Port("10690001", 2, Purpose.VERIFICATION),
        Port("10621234"),
        Port("10690009", 0, Purpose.PUBLIC_INTEREST),
    ),
    rate=Rate(1000, 1000),
    window=100,
)


def rule(rule_id: str, check: Check, action: Action = Action.REJECT) -> Rule:
    return Rule(
        rule_id,
        Title("", ""),
        "",
        check,
        Enforcement.ENFORCE,
        frozenset(TrafficClass),
        action,
    )


R04 = rule("R04", OtherProvince())
R06 = rule("R06", SignatureSwitch(), Action.QUARANTINE)
R12 = (rule("R12", UnknownSignature()), rule("R12.template", UnknownTemplate()))


def rules_with(rules: Iterable[Rule], *filings: Filing) -> RuleSet:
    known = Knowledge(provinces=ProvinceTable([(1380591, "福建"), (1380200, "广东")]))
    known.filings.replace("sp1", filings)
    return RuleSet(Bundle("test", "0123456789ab", rules=tuple(rules)), [SENDER], known)


def judged(
    rules: RuleSet,
    text: str,
    source: str = "10690001",
    destination: str = FUJIAN,
    at: str = "2013-09-30T10:00:00+08:00",
) -> Submission:
    one = Submission(rules.accounts["sp1"], source.encode(), destination.encode())
    if rules.judge_address(one, 0.0):
        rules.judge_text(
            one, rules.scan.judge_texts((text,)), datetime.fromisoformat(at).timestamp()
        )
    return one


def outcome(one: Submission) -> tuple[str, ...]:
    """Return action, reason and status, () for a message that passes."""
    if one.verdict is None:
        return ()
    deciding = one.verdict.deciding
    assert deciding is not None
    return one.verdict.action, deciding.reason, one.verdict.status


def test_r03_an_extension_that_is_too_long_is_told_as_such() -> None:
    one = judged(rules_with(()), "您好", source="10690001123")

    assert outcome(one) == (Action.REJECT, Reason.EXT_TOO_LONG, "ESME_RINVSRCADR")


def test_r04_a_provincial_port_is_refused_out_of_its_province() -> None:
    rules = rules_with([R04], PortScope("sp1", "10621234", "福建"))

    away = judged(rules, "您好", "10621234", GUANGDONG)
    home = judged(rules, "您好", "10621234", FUJIAN)

    assert outcome(away) == (Action.REJECT, OtherProvince.reason, "ESME_RINVDSTADR")
    assert outcome(home) == ()


def test_r06_another_signature_on_a_bound_sub_port_is_held() -> None:
    rules = rules_with(
        [R06], Signature("sp1", "腾讯云", ("1069000112",)), Signature("sp1", "贷款王")
    )

    switched = judged(rules, "【贷款王】您的额度已到", source="1069000112")
    own = judged(rules, "【腾讯云】您的订单已到", source="1069000112")

    assert outcome(switched)[:2] == (Action.QUARANTINE, SignatureSwitch.reason)
    assert outcome(own) == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("【商诚】您的验证码1234", UnknownSignature.reason),
        ("您的验证码1234", UnknownSignature.reason),
        ("【商城】您的验证码http://x", UnknownTemplate.reason),
        ("【商城】您的验证码1234", None),
        ("您的验证码1234【商城】", None),
    ],
)
def test_r12_signature_and_text_must_be_filed(text: str, reason: ReasonCode | None) -> None:
    rules = rules_with(
        R12,
        Signature("sp1", "商城"),
        Template("sp1", "T1", TemplateKind.VERIFICATION, "您的验证码{1}", 6),
    )

    one = judged(rules, text)

    expected = () if reason is None else (Action.REJECT, reason, "ESME_RSUBMITFAIL")
    assert outcome(one) == expected


@pytest.mark.parametrize(
    ("source", "at", "passes"),
    [
        ("10690009", "2013-09-30T03:00:00+08:00", True),
        ("10690009", "2014-01-01T03:00:00+08:00", False),
        ("10690001", "2013-09-30T03:00:00+08:00", False),
    ],
)
def test_r11_a_warning_from_an_approved_port_reaches_who_refused_everything_at_night(
    source: str, at: str, *, passes: bool
) -> None:
    day = WindowSet((Window(time(8), time(21)),))
    rules = rules_with(
        [
            rule("R11", PublicInterest(frozenset({"R21", "R40"}))),
            rule("R21", OptOut()),
            rule("R40", OutsideWindow(day)),
        ],
        Approval("sp1", "10690009", "应急〔2013〕1号", date(2013, 1, 1), date(2013, 12, 31)),
    )
    rules.knowledge.consent.apply(int(f"86{FUJIAN}"), EVERY_SENDER, Answer.REFUSED)

    one = judged(rules, "市气象局发布台风红色预警，请避险", source, at=at)

    assert (one.verdict is None) is passes
