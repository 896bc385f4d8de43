"""Requests for consent among all that is judged: what they are spared, and what not (R23)."""

from datetime import datetime, time

import pytest

from gateway.domain.categories import TrafficClass
from gateway.domain.consent import EVERY_SENDER, Answer
from gateway.domain.filings import Template, TemplateKind
from gateway.domain.policy import Clock, CountDimension, Enforcement, Limit
from gateway.domain.verdict import Action, Reason
from gateway.filter.facts import TextFacts
from gateway.policy.bundle import Rule
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.too_often import TooOften
from gateway.policy.engine import explain, judge_again, judge_due
from gateway.policy.findings import ASKED, UNKNOWN, is_asking, status_of
from gateway.policy.hours import Window, WindowSet
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Account, Submission
from tests.policy.conftest import (
    ADVERT,
    CODES,
    MARKETING,
    NEWS,
    NUMBER,
    SERVICE,
    World,
    rule,
    sender,
    why,
)

TEXT = "春晓书店想每月给您发两条新书短信，为期一年，回复Y同意，回复N拒绝"
REQUEST = f"【春晓书店】{TEXT}"
ASKS = Template("sp1", "T1", TemplateKind.CONSENT_REQUEST, TEXT)
R20, R21 = rule("R20", NoConsent()), rule("R21", OptOut())
R40 = rule("R40", OutsideWindow(WindowSet((Window(time(8), time(21)),))), action=Action.DEFER)
R42 = rule("R42", TooOften((Limit((CountDimension.DESTINATION,), 1, Clock.DAY),)))
NIGHT, NOON = (
    datetime.fromisoformat(f"2013-09-30T{hour}:00:00+08:00").timestamp() for hour in ("05", "12")
)


def asking(*rules: Rule, filed: Template = ASKS) -> World:
    known = Knowledge()
    known.filings.replace("sp1", (filed,))
    return World(R20, R21, *rules, knowledge=known)


def is_asked(one: Submission) -> bool:
    return one.verdict is not None and is_asking(one.verdict)


def test_r23_a_request_for_consent_needs_none_but_the_store_must_be_asked() -> None:
    world = asking()

    assert is_asked(world.judge(REQUEST))
    assert world.reason(ADVERT) is NoConsent.reason


def test_r23_what_is_no_request_waits_for_nothing() -> None:
    world = asking()
    world.knowledge.consent.apply(NUMBER, "sp1", Answer.AGREED)

    assert world.judge(ADVERT).verdict is None
    assert world.judge(NEWS, SERVICE).verdict is None


@pytest.mark.parametrize("scope", ["sp1", EVERY_SENDER])
def test_r23_after_a_refusal_nobody_is_asked_again(scope: str) -> None:
    world = asking()
    world.knowledge.consent.apply(NUMBER, scope, Answer.REFUSED)

    assert world.reason(REQUEST) is Reason.OPTED_OUT


def test_r23_while_the_store_cannot_be_read_nobody_is_asked() -> None:
    world = asking()
    world.knowledge.consent.is_current = False

    assert world.reason(REQUEST) is Reason.CONSENT_UNCHECKED


def test_r23_more_than_what_was_filed_is_no_request() -> None:
    world = asking()

    assert world.reason(f"{REQUEST}。今日全场八折") is NoConsent.reason


def test_r23_a_part_that_looks_like_a_request_is_none() -> None:
    world = asking()
    one = world.message()
    world.rules.judge_address(one, 0.0)

    world.rules.judge_text(one, TextFacts((), (REQUEST,), is_whole=False), 0.0)

    assert why(one) is NoConsent.reason


def test_r23_only_its_own_sender_may_ask_with_a_template() -> None:
    assert asking().judge(REQUEST, system_id="sp2").verdict is not None
    assert why(asking().judge(REQUEST, system_id="sp2")) is NoConsent.reason


def test_r40_a_request_at_night_waits_for_the_day_and_is_asked_about_then() -> None:
    world = asking(R40)

    waiting = world.judge(REQUEST, at=NIGHT)
    leaving = world.message()
    judge_due(world.rules, leaving, world.rules.scan.judge_texts((REQUEST,)), 0.0, NOON)

    assert not is_asked(waiting)
    assert why(waiting) is OutsideWindow.reason
    assert is_asked(leaving)


def test_r61_a_request_that_a_person_released_is_asked_about_as_any_other() -> None:
    world = asking()
    released, late = world.message(), world.message()

    judge_again(world.rules, released, world.rules.scan.judge_texts((REQUEST,)), 0.0, NOON)
    world.knowledge.consent.apply(NUMBER, "sp1", Answer.REFUSED)
    judge_again(world.rules, late, world.rules.scan.judge_texts((REQUEST,)), 0.0, NOON)

    assert is_asked(released)
    assert why(late) is Reason.OPTED_OUT


def test_r42_a_request_counts_and_one_that_is_refused_does_not() -> None:
    world = asking(R42)
    first = world.judge(REQUEST, at=NOON)

    assert world.reason(REQUEST, at=NOON) is TooOften.reason
    world.rules.uncount(first, NOON)

    assert is_asked(world.judge(REQUEST, at=NOON))


def test_r42_what_a_rule_on_trial_did_not_count_is_not_taken_back() -> None:
    one_a_day = TooOften((Limit((CountDimension.SENDER,), 1, Clock.DAY),))
    world = asking(rule("R43", one_a_day, mode=Enforcement.SHADOW))
    _, over = [world.judge(REQUEST, to=NUMBER + n, at=NOON) for n in range(2)]

    world.rules.uncount(over, NOON)

    third = world.judge(REQUEST, to=NUMBER + 2, at=NOON)
    assert [found.rule for found in third.findings] == ["R43", "R23"]


def test_a_request_can_be_explained_before_it_is_sent() -> None:
    world = asking()

    verdict = explain(world.rules, world.message(), (REQUEST,), 0.0, NOON)

    assert is_asking(verdict)


def test_what_the_store_says_has_a_status_that_nobody_tries_again_but_for_its_silence() -> None:
    assert (ASKED.reason, status_of(ASKED, {})) == (Reason.CONSENT_ASKED, "ESME_RSUBMITFAIL")
    assert status_of(UNKNOWN, {}) == "ESME_RMSGQFUL"


@pytest.mark.parametrize(
    ("kind", "source", "traffic"),
    [
        (TemplateKind.COMMERCIAL, SERVICE, TrafficClass.COMMERCIAL),
        (TemplateKind.CONSENT_REQUEST, SERVICE, TrafficClass.COMMERCIAL),
        (TemplateKind.VERIFICATION, SERVICE, TrafficClass.VERIFICATION),
        (TemplateKind.SERVICE, SERVICE, TrafficClass.SERVICE),
        (TemplateKind.PUBLIC_INTEREST, SERVICE, TrafficClass.SERVICE),
        (TemplateKind.SERVICE, CODES, TrafficClass.VERIFICATION),
        (TemplateKind.SERVICE, MARKETING, TrafficClass.COMMERCIAL),
        (TemplateKind.SERVICE, b"95588", TrafficClass.SERVICE),
    ],
)
def test_r10_a_message_is_of_the_class_that_its_template_declares_or_a_stronger_one(
    kind: TemplateKind, source: bytes, traffic: TrafficClass
) -> None:
    world = asking(filed=Template("sp1", "T1", kind, "您的包裹已放入{1}号柜"))
    one = world.message(source)
    world.rules.judge_address(one, 0.0)
    one.verdict = None

    world.rules.judge_rules(one, world.rules.scan.judge_texts((NEWS,)), 0.0)

    assert one.traffic is traffic


def test_r10_a_template_filed_as_service_makes_no_advert_a_service() -> None:
    world = asking(filed=Template("sp1", "T1", TemplateKind.SERVICE, "会员日全场{1}，拒收请回复R"))

    assert world.reason(ADVERT, SERVICE) is NoConsent.reason


def test_what_stands_against_a_request_is_a_verdict_with_the_status_of_its_sp() -> None:
    world = asking()
    account = Account(sender(statuses={"CONSENT_ASKED": "ESME_RINVDSTADR"}))

    verdict = world.rules.verdict_of(account, ASKED)

    assert (verdict.action, verdict.status) == (Action.REJECT, "ESME_RINVDSTADR")
    assert verdict.deciding is ASKED
