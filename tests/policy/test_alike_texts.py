"""What is decided about a text is what its rules find in it, whatever was decided about others."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.filings import Signature, Template, TemplateKind
from gateway.domain.sender import Purpose
from gateway.domain.verdict import Reason
from gateway.filter.contacts import ContactKind
from gateway.policy.bundle import Rule
from gateway.policy.check import TextCheck
from gateway.policy.checks import all_checks
from gateway.policy.checks.bad_link import BadLink
from gateway.policy.checks.contact_in_text import ContactInText
from gateway.policy.checks.impostor import Impostor
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.no_sender_name import NoSenderName
from gateway.policy.checks.port_misuse import PortMisuse
from gateway.policy.checks.signature_switch import SignatureSwitch
from gateway.policy.checks.suspicious import Suspicious
from gateway.policy.checks.unknown_signature import UnknownSignature
from gateway.policy.checks.unknown_template import UnknownTemplate
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import DailyCap, Submission
from gateway.smpp.text import readings
from tests.policy.conftest import EVERYTHING, World, rule, why
from tests.policy.scorers import WordScorer

AT = datetime(2026, 3, 2, 2, tzinfo=UTC).timestamp()
RULES = tuple(
    rule(f"R{number}", check, applies_to=EVERYTHING)
    for number, check in enumerate(
        (
            BadLink(block=("evil.cn",), brands=("icbc.com.cn",), disguised=True),
            ContactInText(frozenset(ContactKind)),
            Impostor(names=("工商银行",), filed=True),
            NoOptoutHint(),
            NoSenderName(),
            NoSenderName(telephone=True),
            PortMisuse(),
            SignatureSwitch(),
            Suspicious(0.01, adverts_from=frozenset({Purpose.MARKETING})),
            UnknownSignature(),
            UnknownTemplate(),
        )
    )
)
FILED = (
    Signature("sp1", "春晓书店", ("1069000101",)),
    Signature("sp1", "山路书屋"),
    Template("sp1", "T1", TemplateKind.SERVICE, "您的包裹{1}已到"),
)
NAMES = ("", "【春晓书店】", "【山路书屋】", "【工商银行】", "【工商銀行】", "【全场八折大促】")
PIECES = (
    *("您的包裹83已到", "会员日八折", "验证码482913，5分钟内有效", "领奖", "清仓", "怪事"),
    *("见 http://shop.cn/a", "点 evil.cn/7", "上 lcbc.com.cn", "evil。cn", "加V信 abc12345"),
    *("QQ:38219944", "电话13800138000", "4008123123", "，拒收请回复R", "退订回T"),
)
SOURCES = (b"10690001", b"1069000101", b"106900010", b"10690002", b"10690003")

texts = st.builds(
    lambda name, pieces, ends: "".join((*pieces, name) if ends else (name, *pieces)),
    st.sampled_from(NAMES),
    st.lists(st.sampled_from(PIECES), max_size=4),
    st.booleans(),
)


def world(*rules: Rule) -> World:
    known = Knowledge()
    known.filings.replace("sp1", FILED)
    known.scorer = WordScorer()
    return World(*(rules or RULES), knowledge=known)


def found(one: World, source: bytes, text: str) -> tuple[object, ...]:
    """Return what all rules find in a text, as a tick asks them, and the class of the message."""
    message = one.message(source)
    (facts,) = one.rules.scan.scan([(8, text.encode("utf-16-be"))], readings)
    ruling = one.rules.rules.rule_text(message, facts, AT)
    return ruling.found, ruling.classed, ruling.template, ruling.until and ruling.until.found


WARM = world()


def test_every_check_that_need_not_see_each_text_is_among_these() -> None:
    here = {type(one.check) for one in RULES}

    texts = {one for one in all_checks() if issubclass(one, TextCheck)}
    assert here >= {one for one in texts if one.needs_text is not TextCheck.needs_text}
    assert here <= texts


@given(st.sampled_from(SOURCES), texts)
def test_a_text_is_ruled_as_if_it_were_the_first(source: bytes, text: str) -> None:
    assert found(WARM, source, text) == found(world(), source, text)


@given(source=st.sampled_from(SOURCES), text=texts, is_whole=st.booleans())
def test_a_part_of_a_text_is_ruled_as_if_it_were_the_first(
    source: bytes, text: str, *, is_whole: bool
) -> None:
    def ruled(one: World) -> tuple[object, ...]:
        message: Submission = one.message(source)
        facts = one.rules.scan.judge_texts((text,), is_whole=is_whole)
        ruling = one.rules.rules.rule_text(message, facts, AT)
        return ruling.found, ruling.classed

    assert ruled(WARM) == ruled(world())


def test_texts_that_show_the_same_share_what_is_decided() -> None:
    one = world(*(each for each in RULES if each.check != NoSenderName(telephone=True)))
    message = one.message()
    first, second, stopped = (
        one.rules.rules.rule_text(message, one.rules.scan.judge_texts((text,)), AT)
        for text in (
            "【山路书屋】会员日八折，拒收请回复R",
            "【山路书屋】新书到店八折，拒收请回复R",
            "【山路书屋】会员日八折，见 evil.cn/7 ，拒收请回复R",
        )
    )

    assert first is second
    assert first.found
    assert set(first.found) < set(stopped.found)


def test_no_more_is_kept_of_what_texts_show_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.policy.rule_stages.MAX_KEPT", 2)
    one = world()

    for number in range(5):
        found(one, SOURCES[0], f"【书屋{number}】会员日八折")
        assert len(one.rules.rules._alike) <= 2


REQUEST = "您愿意接收我们的新书信息吗？回复Y同意"


@pytest.mark.parametrize("is_whole_first", [True, False])
def test_r23_a_part_that_looks_like_a_whole_request_is_none(*, is_whole_first: bool) -> None:
    known = Knowledge()
    known.filings.replace("sp1", [Template("sp1", "T1", TemplateKind.CONSENT_REQUEST, REQUEST)])
    one = World(rule("R20", NoConsent()), knowledge=known)  # of no text
    asks = {}

    for is_whole in (is_whole_first, not is_whole_first):
        facts = one.rules.scan.judge_texts((f"【春晓书店】{REQUEST}",), is_whole=is_whole)
        asks[is_whole] = one.rules.rules.rule_text(one.message(), facts, AT).asks_consent

    assert asks == {True: True, False: False}


@pytest.mark.parametrize("asked_before", [True, False])
def test_r97_what_was_asked_without_the_cap_of_a_port_is_as_with_it(*, asked_before: bool) -> None:
    one = World(rule("R05", PortMisuse(), applies_to=EVERYTHING))
    one.rules.accounts["sp1"].limit_ports({"": DailyCap(100)})
    if asked_before:
        held = one.message(b"10690002")
        one.rules.judge_rules(held, one.rules.scan.judge_texts(("【书店】全场八折",)), AT)

    live = one.judge("【书店】会员日八折", b"10690002")

    assert why(live) is Reason.PORT_MISUSE


def test_r88_what_a_suspended_port_was_asked_does_not_count_when_it_is_reinstated() -> None:
    one = World(rule("R05", PortMisuse(), applies_to=EVERYTHING))
    account = one.rules.accounts["sp1"]
    account.suspend_ports(frozenset({"10690002"}))
    held = one.message(b"10690002")
    one.rules.judge_rules(held, one.rules.scan.judge_texts(("【书店】全场八折",)), AT)

    account.suspend_ports(frozenset())

    assert why(one.judge("【书店】会员日八折", b"10690002")) is Reason.PORT_MISUSE


def test_a_ruling_for_sources_that_are_no_more_makes_room_for_the_last() -> None:
    one = world()
    facts = one.rules.scan.judge_texts(("【山路书屋】会员日八折，拒收请回复R",))
    for number in range(30):
        one.knowledge.filings.replace("sp1", [*FILED, Signature("sp1", f"书屋{number}")])
        ruling = one.rules.rules.rule_text(one.message(), facts, AT)
        assert facts.ruling is ruling

    assert facts.rulings is not None
    assert len(facts.rulings) <= 11
