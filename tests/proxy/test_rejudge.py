"""Held messages judged at the moment they leave."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Protocol

import pytest

from gateway.dataplane.plane import Plane
from gateway.domain.categories import TrafficClass
from gateway.domain.consent import Answer
from gateway.domain.held_findings import OverruledFindings, rule_line
from gateway.domain.policy import ROLLING_DAY, CountDimension, Enforcement, Limit
from gateway.domain.quarantine import HeldMessage
from gateway.domain.sender import Sender
from gateway.domain.verdict import Action, Finding, Reason, Verdict
from gateway.filter.facts import TextFacts
from gateway.filter.scan import ContentScan
from gateway.policy.bundle import Bundle, Rule, Title
from gateway.policy.check import Check
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.too_often import TooOften
from gateway.policy.hours import Window, WindowSet
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.proxy.rejudge import (
    found_against,
    grounds_of,
    judge_leaving,
    outranked,
    stands_besides,
)
from simulators import builders

BuildSender = Callable[..., Sender]


class Wall(Protocol):
    """The clock of the gateway."""

    def set(self, moment: str) -> None: ...


PORT, DESTINATION = "10690001", "13800138000"
EVENING = datetime(2025, 11, 25, 13, tzinfo=UTC)
ADVERT, LOAN = "【示例商城】五折，回T退订", "【示例商城】低息贷款，回T退订"
ONCE_A_DAY = TooOften((Limit((CountDimension.DESTINATION,), 1, ROLLING_DAY),))


def rule(rule_id: str, check: Check, action: Action = Action.REJECT) -> Rule:
    return Rule(rule_id, Title("", ""), "[PR]", check, Enforcement.ENFORCE, action=action)


HOURS = rule("R40", OutsideWindow(WindowSet((Window(time(8), time(21)),))), Action.DEFER)


@pytest.fixture
def plane(bundle: Bundle, sender: BuildSender, wall: Wall) -> Plane:
    """A plane whose clock shows nine in the morning."""
    wall.set("2025-11-26T09:00:00+08:00")
    rules = (*bundle.rules, HOURS, rule("R30", NoOptoutHint()), rule("R42", ONCE_A_DAY))
    compiled = RuleSet(replace(bundle, rules=rules), [sender()], Knowledge())
    return Plane(compiled, 64 * 1024, 100, 10, int)


def held(
    pdu: bytes, *, is_reviewed: bool = False, joined: str = "", overruled: str = ""
) -> HeldMessage:
    return HeldMessage(
        message_id=8_1764072000000_01_000,
        system_id="sp1",
        source=PORT,
        destination=DESTINATION,
        pdu=pdu,
        reason="OUTSIDE_WINDOW",
        rule="R40",
        category="",
        evidence="",
        digest="0123456789ab",
        receipt_asked=True,
        held_at=EVENING,
        expires_at=EVENING + timedelta(days=2),
        joined=joined,
        is_reviewed=is_reviewed,
        overruled=overruled,
    )


def reviewed(pdu: bytes) -> HeldMessage:
    """Return a message that K-LOAN held, and a person let go."""
    return held(pdu, is_reviewed=True, overruled=rule_line("K-LOAN"))


def advert(text: str = ADVERT, *, schedule: str = "", validity: str = "") -> bytes:
    octets = builders.ucs2(text)
    return builders.submit_sm(PORT, DESTINATION, octets, schedule=schedule, validity=validity)


def part(number: int, text: str) -> bytes:
    octets = bytes((5, 0, 3, 7, 2, number)) + builders.ucs2(text)
    return builders.submit_sm(PORT, DESTINATION, octets, esm_class=0x40)


def judged(plane: Plane, message: HeldMessage, *, is_counted: bool = False) -> Verdict | None:
    return judge_leaving(plane, plane.rules.accounts["sp1"], message, is_counted=is_counted)


def test_r42_a_number_abroad_is_one_however_a_held_request_names_it(plane: Plane) -> None:
    abroad, octets = "12125550123", builders.ucs2(ADVERT)
    multi = builders.submit_multi(PORT, [abroad], octets)
    with_its_plus = builders.submit_sm(PORT, f"+{abroad}", octets)
    messages = (replace(held(pdu), destination=f"+{abroad}") for pdu in (multi, with_its_plus))

    first, second = (judged(plane, one) for one in messages)

    assert first is None
    assert second is not None
    assert second.findings[-1].rule == "R42"


def test_r21_a_long_message_is_judged_for_everybody_whom_its_parts_name(plane: Plane) -> None:
    abroad, at_home = "+13105550123", "13105550123"
    refusing = replace(plane.rules.bundle, rules=(rule("R21", OptOut()),))
    plane.rules = RuleSet(refusing, [a.sender for a in plane.rules.accounts.values()], Knowledge())
    plane.rules.knowledge.consent.apply(int(f"86{at_home}"), "sp1", Answer.REFUSED)
    plane.rules.knowledge.consent.apply(int(abroad), "sp1", Answer.AGREED)
    first = replace(held(part(1, "【示例商城】全场")), destination=abroad)
    second = replace(held(part(2, "五折，回T退订")), destination=at_home)

    verdict = judge_leaving(plane, plane.rules.accounts["sp1"], first, [second])

    assert why(verdict) == (Action.REJECT, "R21")


def why(verdict: Verdict | None) -> tuple[Action, str]:
    assert verdict is not None
    assert verdict.deciding is not None
    return verdict.action, verdict.deciding.rule


def test_what_waited_for_its_hour_passes_in_its_hour_and_counts(plane: Plane) -> None:
    assert judged(plane, held(advert())) is None
    assert why(judged(plane, held(advert()))) == (Action.REJECT, "R42")
    assert judged(plane, held(advert()), is_counted=True) is None


def test_what_nobody_has_seen_is_held_for_a_person_and_what_one_let_go_is_not(plane: Plane) -> None:
    assert why(judged(plane, held(advert(LOAN)))) == (Action.QUARANTINE, "K-LOAN")
    assert judged(plane, reviewed(advert(LOAN))) is None
    assert why(judged(plane, held(advert(LOAN), is_reviewed=True))) == (Action.QUARANTINE, "K-LOAN")


def test_r61_what_a_person_let_go_waits_for_the_hours_too(plane: Plane, wall: Wall) -> None:
    wall.set("2025-11-26T22:00:00+08:00")

    verdict = judged(plane, reviewed(advert(LOAN)))

    assert why(verdict) == (Action.DEFER, "R40")
    assert verdict is not None
    assert verdict.due == datetime(2025, 11, 27, tzinfo=UTC).timestamp()


def test_what_is_valid_until_before_the_next_opening_is_refused(plane: Plane, wall: Wall) -> None:
    wall.set("2025-11-26T22:00:00+08:00")

    verdict = judged(plane, held(advert(validity="000001120000000R")))
    enough = judged(plane, held(advert(validity="000002000000000R")))

    assert why(verdict) == (Action.DEFER, "R40")  # valid until nine in the morning
    assert why(enough) == (Action.DEFER, "R40")
    short = judged(plane, held(advert(validity="000001060000000R")))
    assert why(short) == (Action.REJECT, "R40")


def test_r41_a_relative_schedule_counts_from_when_the_message_leaves(plane: Plane) -> None:
    by_night = judged(plane, held(advert(schedule="000000140000000R")))
    by_day = judged(plane, held(advert(schedule="000000020000000R")))

    assert why(by_night) == (Action.REJECT, "R40")
    assert by_day is None


def test_a_long_message_counts_with_its_first_part(plane: Plane) -> None:
    first, second = part(1, "【示例商城】全场"), part(2, "五折，回T退订")

    assert judged(plane, held(second)) is None
    assert judged(plane, held(first)) is None
    assert why(judged(plane, held(first))) == (Action.REJECT, "R42")


def test_a_part_is_judged_with_what_was_seen_of_its_message(plane: Plane) -> None:
    verdict = judged(plane, held(part(2, "贷款"), joined="低息贷款"))

    assert why(verdict) == (Action.QUARANTINE, "K-LOAN")


def test_what_is_sent_to_many_is_judged_for_each(plane: Plane) -> None:
    octets = builders.submit_multi(PORT, [DESTINATION, "shop"], builders.ucs2(ADVERT))

    assert why(judged(plane, held(octets, is_reviewed=True))) == (Action.REJECT, "DESTINATION")


@pytest.mark.parametrize(
    ("is_reviewed", "action"), [(False, Action.QUARANTINE), (True, Action.REJECT)]
)
def test_what_cannot_be_judged_does_not_pass(
    plane: Plane, monkeypatch: pytest.MonkeyPatch, action: Action, *, is_reviewed: bool
) -> None:
    def fail(_scan: ContentScan, _texts: Sequence[str], **_said: bool) -> TextFacts:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(ContentScan, "judge_texts", fail)

    verdict = judged(plane, held(advert(), is_reviewed=is_reviewed))

    assert why(verdict) == (action, "CONTENT")
    assert plane.tally.filter_failures == 1


NOTHING_AT_HOME = Finding("R50", Reason.USER_PREF, Action.QUARANTINE, "the subscriber holds it")


def own(action: Action = Action.QUARANTINE) -> Verdict:
    return Verdict(action, (replace(NOTHING_AT_HOME, action=action),), "0123456789ab")


def test_r50_a_limit_does_not_stand_against_what_its_addressee_asks_for(plane: Plane) -> None:
    assert judged(plane, held(advert())) is None
    assert why(judged(plane, held(advert()))) == (Action.REJECT, "R42")
    assert judged(plane, replace(held(advert()), is_wanted=True)) is None


def test_r50_what_a_policy_has_against_a_message_outranks_its_addressees_own_rule(
    plane: Plane,
) -> None:
    loan = outranked(plane, own(), held(advert(LOAN)))
    wordless = outranked(plane, own(), held(advert("【示例商城】五折")))

    assert why(loan) == (Action.QUARANTINE, "K-LOAN")
    assert why(wordless) == (Action.REJECT, "R30")


def test_r50_what_nothing_else_stands_against_stays_the_addressees(
    plane: Plane, wall: Wall
) -> None:
    alone, blocked = own(), own(Action.REJECT)

    assert outranked(plane, alone, held(advert())) is alone
    assert outranked(plane, blocked, held(advert(LOAN))) is blocked
    assert outranked(plane, alone, replace(held(advert(LOAN)), system_id="gone")) is alone
    wall.set("2025-11-26T22:00:00+08:00")
    assert outranked(plane, alone, held(advert())) is alone


def test_r50_that_consent_cannot_be_looked_up_for_a_moment_makes_no_message_a_persons(
    bundle: Bundle, sender: BuildSender, plane: Plane
) -> None:
    refusals = replace(bundle.rules[0], on_error={TrafficClass.COMMERCIAL: Action.REJECT})
    knowledge = Knowledge()
    knowledge.consent.is_current = False
    rules = RuleSet(replace(bundle, rules=(refusals,)), [sender()], knowledge)
    unread = replace(plane, rules=rules)
    alone = own()

    verdict = judged(unread, replace(held(advert()), is_wanted=True))

    assert verdict is not None
    assert verdict.deciding is not None
    assert verdict.deciding.reason is Reason.CONSENT_UNCHECKED
    assert outranked(unread, alone, held(advert())) is alone


@pytest.mark.parametrize(
    ("text", "overruled", "stands"),
    [
        (LOAN, rule_line("K-LOAN"), False),
        (LOAN, rule_line("K-OTHER"), True),
        (LOAN, "", True),
        (ADVERT, "", False),
    ],
)
def test_more_than_what_is_overruled_stands_against_a_message(
    plane: Plane, text: str, overruled: str, *, stands: bool
) -> None:
    message = held(advert(text))

    assert stands_besides(plane, message, (), OverruledFindings(overruled)) is stands


def test_all_that_holds_a_message_is_found_and_not_what_was_overruled(plane: Plane) -> None:
    first = held(part(1, "【示例商城】五折，低息"))
    others = [held(part(2, "贷款"))]

    alone = found_against(plane, first)
    whole = found_against(plane, first, others)
    left = found_against(plane, replace(first, overruled=rule_line("R30")), others)

    assert [one.rule for one in alone] == []
    assert [one.rule for one in whole] == ["R30", "K-LOAN"]
    assert [one.rule for one in left] == ["K-LOAN"]
    assert found_against(plane, replace(first, system_id="gone"), others) == []
    assert found_against(plane, replace(first, pdu=b"\0"), others) == []


@pytest.mark.parametrize(
    ("action", "shadow", "category"),
    [
        (Action.QUARANTINE, False, "fraud"),
        (Action.QUARANTINE, True, "loan"),
        (Action.REJECT, False, "loan"),
    ],
)
def test_a_held_message_is_of_the_gravest_that_holds_it(
    action: Action, *, shadow: bool, category: str
) -> None:
    score = Finding("R61", Reason.SUSPICIOUS, Action.QUARANTINE, "93 %", category="loan")
    word = Finding("K-FRAUD", Reason.CONTENT, action, "word", shadow, category="fraud")
    now = datetime(2025, 11, 25, 12, tzinfo=UTC)

    grounds = grounds_of(Verdict(Action.QUARANTINE, (score,), ""), advert(), (now, now), 1, [word])

    assert grounds.category == category
