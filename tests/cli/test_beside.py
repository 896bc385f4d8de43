"""Which rules are named beside the findings, and which are not."""

from datetime import timedelta

import pytest

from gateway.cli.explain_submit import beside
from gateway.domain.categories import TrafficClass
from gateway.domain.policy import Enforcement
from gateway.domain.sender import BindLimits, BindType, Port, Purpose, Rate, Sender, SenderState
from gateway.policy.bundle import Override, Rule, Title
from gateway.policy.check import Check
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.number_walk import NumberWalk
from gateway.policy.checks.public_interest import PublicInterest
from gateway.policy.checks.too_fast import TooFast
from gateway.policy.checks.too_often import TooOften
from gateway.policy.submission import Account, Submission

OFTEN, WALK, FAST = TooOften(()), NumberWalk(100, timedelta(minutes=10)), TooFast(50, 100)
PERSONAL = TooOften((), sources=("13", "14"))
EXEMPT = PublicInterest(frozenset({"R40", "R21"}))


def rule(check: Check, mode: Enforcement = Enforcement.ENFORCE, *overrides: Override) -> Rule:
    return Rule("R42", Title("频次", "Frequency"), "art. 1", check, mode, overrides=overrides)


def submission(
    source: bytes = b"10690001", traffic: TrafficClass = TrafficClass.COMMERCIAL
) -> Submission:
    port = Port("10690001", 4, Purpose.MARKETING)
    sender = Sender(
        system_id="shop",
        password="",
        name="shop",
        state=SenderState.ACTIVE,
        binds=BindLimits(8, frozenset(BindType), ()),
        ports=(port,),
        rate=Rate(1000, 1000),
        window=100,
    )
    asked = Submission(Account(sender), source, b"13800138000")
    asked.port, asked.traffic = port, traffic
    return asked


def notes(one: Rule, asked: Submission) -> list[str]:
    return [found.note.en for found in beside([one], asked)]


@pytest.mark.parametrize("check", [OFTEN, WALK, FAST])
@pytest.mark.parametrize("mode", [Enforcement.ENFORCE, Enforcement.SHADOW])
def test_what_counts_messages_is_named(check: Check, mode: Enforcement) -> None:
    [note] = notes(rule(check, mode), submission())

    assert "what was sent before" in note


@pytest.mark.parametrize("check", [OFTEN, WALK, FAST])
def test_what_is_off_is_not_named_unless_it_is_on_for_the_sender(check: Check) -> None:
    on_for_shop = Override(Enforcement.SHADOW, sender="shop")

    assert notes(rule(check, Enforcement.OFF), submission()) == []
    assert len(notes(rule(check, Enforcement.OFF, on_for_shop), submission())) == 1


@pytest.mark.parametrize("check", [OFTEN, WALK, FAST])
def test_what_is_about_another_class_is_not_named(check: Check) -> None:
    assert notes(rule(check), submission(traffic=TrafficClass.VERIFICATION)) == []


@pytest.mark.parametrize(("source", "count"), [(b"13900139000", 1), (b"10690001", 0)])
def test_what_counts_personal_numbers_is_named_for_those(source: bytes, count: int) -> None:
    assert len(notes(rule(PERSONAL), submission(source))) == count


def test_what_is_spared_in_the_public_interest_is_named() -> None:
    asked = submission(traffic=TrafficClass.PUBLIC_INTEREST)

    assert notes(rule(EXEMPT), asked) == ["in the public interest, not asked: R21, R40"]
    assert notes(rule(EXEMPT, Enforcement.SHADOW), asked) == []
    assert notes(rule(EXEMPT), submission()) == []


def test_what_can_find_for_itself_is_not_named_again() -> None:
    assert notes(rule(NoOptoutHint()), submission()) == []
