"""R50 in the engine: a subscriber's own wish stops a message, and tells nobody what it is."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from gateway.domain.categories import TrafficClass
from gateway.domain.policy import Enforcement, KeywordList, ListAction
from gateway.domain.preferences import (
    Preference,
    PreferenceAction,
    PreferenceKind,
    packed,
    preference,
)
from gateway.domain.sender import Port, Purpose
from gateway.domain.verdict import Action, Finding, Reason
from gateway.policy.bundle import Bundle, Rule, Title
from gateway.policy.checks.public_interest import PublicInterest
from gateway.policy.checks.user_preference import UserPreference
from gateway.policy.knowledge import Knowledge
from gateway.policy.preferences import Preferences
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import DeliveryTimes, RequestedMessage, Submission
from tests.policy.conftest import sender, sieve_of

SUBSCRIBER, NUMBER = 8613800138000, b"13800138000"
ABROAD, AS_MAINLAND = 14155550123, 8614155550123
NOON = datetime(2025, 11, 25, 4, tzinfo=UTC).timestamp()  # 12:00 in Shanghai
NIGHT = datetime(2025, 11, 25, 15, tzinfo=UTC).timestamp()  # 23:00 in Shanghai
LATE = datetime(2025, 11, 25, 18, tzinfo=UTC).timestamp()  # 02:00 in Shanghai, day in America
HOUSE_TEXT = "江景新房盛大开盘，首付二十万"
CODE_TEXT = "您的验证码是482913，开盘前有效"

BLOCK, HOLD = PreferenceAction.BLOCK, PreferenceAction.HOLD
HOUSES = preference(PreferenceKind.CATEGORY, "real_estate", BLOCK)
WORD = preference(PreferenceKind.KEYWORD, "开盘", BLOCK)
QUIET = preference(PreferenceKind.QUIET_HOURS, "22:00-08:00", BLOCK)
FRIEND = preference(PreferenceKind.NUMBER, "1069000112", PreferenceAction.ALLOW)
FOE = preference(PreferenceKind.NUMBER, "1069000199", BLOCK)

RULE = Rule(
    "R50",
    Title("用户接收策略", "The subscriber's own preferences"),
    "SEED (四)3",
    UserPreference(),
    Enforcement.ENFORCE,
    applies_to=frozenset(TrafficClass),
)
# What texts are about is said by the operator's lists; in shadow mode they stop nothing.
ABOUT_HOUSES = KeywordList("K-HOUSES", "real_estate", ListAction.SHADOW, ("首付",))


def judged(
    *wishes: Preference,
    source: bytes = b"1069000199",
    text: str = HOUSE_TEXT,
    at: float = NOON,
    timing: DeliveryTimes | None = None,
    rule: Rule = RULE,
) -> Submission:
    message = (source, NUMBER, text)
    return judged_for({SUBSCRIBER: wishes}, message, at, timing=timing, rule=rule)


def judged_for(
    wished_by: Mapping[int, tuple[Preference, ...]],
    message: tuple[bytes, bytes, str],
    at: float = NOON,
    *,
    timing: DeliveryTimes | None = None,
    rule: Rule = RULE,
) -> Submission:
    """Judge a message: its source, its destination and its text."""
    source, destination, text = message
    rows = [(number, packed(its)) for number, its in wished_by.items()]
    knowledge = Knowledge(preferences=Preferences(rows))
    approved = Rule("R11", RULE.title, "O31", PublicInterest(frozenset()), Enforcement.ENFORCE)
    bundle = Bundle("test", "0123456789ab", (ABOUT_HOUSES,), (rule, approved))
    ports = (Port("10690001", 2, Purpose.SERVICE), Port("1069000201", 0, Purpose.VERIFICATION))
    rules = RuleSet(bundle, [sender(ports=ports)], knowledge)
    submission = Submission(rules.accounts["sp1"], source, destination)
    submission.timing = timing
    assert rules.judge_address(submission, 0)
    rules.judge_text(submission, rules.scan.judge_texts((text,)), at)
    return submission


def deciding(submission: Submission) -> Finding | None:
    return None if submission.verdict is None else submission.verdict.deciding


def test_r50_a_text_of_a_blocked_category_is_stopped() -> None:
    stopped = judged(HOUSES, FRIEND, source=b"1069000199")

    assert stopped.verdict is not None
    assert (stopped.verdict.action, stopped.verdict.status) == (Action.REJECT, "ESME_RSUBMITFAIL")
    found = deciding(stopped)
    assert found is not None
    assert (found.rule, found.reason) == ("R50", Reason.USER_PREF)


def test_r50_the_same_text_from_a_number_that_is_allowed_is_delivered() -> None:
    assert judged(HOUSES, FRIEND, source=b"1069000112").verdict is None


def test_r50_a_verification_code_with_a_blocked_keyword_is_delivered() -> None:
    passed = judged(WORD, source=b"1069000201", text=CODE_TEXT)

    assert passed.traffic is TrafficClass.VERIFICATION
    assert passed.verdict is None


def test_r50_a_verification_code_from_a_blocked_sender_is_stopped() -> None:
    foe = preference(PreferenceKind.NUMBER, "1069000201", BLOCK)

    assert judged(foe, source=b"1069000201", text=CODE_TEXT).verdict is not None


def test_r50_what_a_subscriber_wants_held_goes_to_quarantine() -> None:
    held = judged(preference(PreferenceKind.CATEGORY, "real_estate", HOLD))

    assert held.verdict is not None
    assert held.verdict.action is Action.QUARANTINE
    found = deciding(held)
    assert found is not None
    assert found.reason is Reason.USER_PREF


def test_an_allowed_number_does_not_switch_off_the_content_filter() -> None:
    assert [f.rule for f in judged(FRIEND, source=b"1069000112").findings] == ["K-HOUSES"]


def test_quiet_hours_are_the_subscribers_own_time() -> None:
    assert judged(QUIET, at=NOON).verdict is None
    assert judged(QUIET, at=NIGHT).verdict is not None


@pytest.mark.parametrize(
    ("now", "scheduled_at", "stops"),
    [(NOON, NIGHT, True), (NIGHT, NIGHT + 12 * 3600, False), (NIGHT, NOON, True)],
)
def test_what_is_scheduled_is_judged_for_the_hour_it_is_scheduled_for(
    now: float, scheduled_at: float, *, stops: bool
) -> None:
    stopped = judged(QUIET, at=now, timing=DeliveryTimes(scheduled_at=scheduled_at))

    assert (stopped.verdict is not None) is stops


WRITTEN = (b"14155550123", b"+14155550123", b"+8614155550123")


@pytest.mark.parametrize("wished_by", [ABROAD, AS_MAINLAND])
@pytest.mark.parametrize("destination", WRITTEN)
@pytest.mark.parametrize("wish", [HOUSES, WORD, FOE])
def test_r50_a_north_american_number_is_spared_what_it_blocks_however_it_is_written(
    wish: Preference, destination: bytes, wished_by: int
) -> None:
    message = (b"1069000199", destination, HOUSE_TEXT)

    assert judged_for({wished_by: (wish,)}, message).verdict is not None


@pytest.mark.parametrize("destination", WRITTEN)
def test_r50_quiet_hours_are_those_of_whose_wish_they_are(destination: bytes) -> None:
    def passes(wished_by: int) -> bool:
        message = (b"1069000199", destination, HOUSE_TEXT)
        return judged_for({wished_by: (QUIET,)}, message, LATE).verdict is None

    assert (passes(ABROAD), passes(AS_MAINLAND)) == (True, False)


@pytest.mark.parametrize(
    ("destination", "other"), [(b"14155550123", ABROAD), (b"+14155550123", AS_MAINLAND)]
)
def test_r50_what_another_with_the_same_digits_allows_lets_nothing_through(
    destination: bytes, other: int
) -> None:
    itself = AS_MAINLAND if other == ABROAD else ABROAD

    def passes(its: tuple[Preference, ...], others: tuple[Preference, ...]) -> bool:
        message = (b"1069000112", destination, HOUSE_TEXT)
        return judged_for({itself: its, other: others}, message).verdict is None

    assert not passes((HOUSES,), (FRIEND,))
    assert not passes((QUIET,), (HOUSES,))  # nothing of its own decides now
    # What the other allows is not against it, and what the number itself allows stands.
    assert passes((QUIET,), (HOUSES, FRIEND))
    assert passes((FRIEND,), (HOUSES,))


def test_of_a_tick_those_who_may_have_preferences_are_asked() -> None:
    knowledge = Knowledge(preferences=Preferences([(ABROAD, packed((HOUSES,)))]))
    account = RuleSet(Bundle("test", "0123456789ab"), [sender()], knowledge).accounts["sp1"]
    numbers = [SUBSCRIBER, AS_MAINLAND, None, ABROAD, 14155550199, 447700900123]

    def sieved() -> list[int | None]:
        tick = []
        for number in numbers:
            tick.append(Submission(account, b"1069000199", b""))
            tick[-1].msisdn = number
        return [one.msisdn for one in sieve_of(UserPreference(), knowledge)(tick, NOON)]

    asked = sieved()
    knowledge.preferences.apply(ABROAD, "")

    assert asked == [AS_MAINLAND, ABROAD, 14155550199]
    assert sieved() == []


def test_a_rule_on_trial_records_what_the_subscriber_would_not_get() -> None:
    trial = Rule(
        "R50", RULE.title, RULE.article, UserPreference(), applies_to=frozenset(TrafficClass)
    )
    passed = judged(FOE, rule=trial)

    assert passed.verdict is None
    assert [(f.reason, f.shadow) for f in passed.findings if f.rule == "R50"] == [
        (Reason.USER_PREF, True)
    ]


@pytest.mark.parametrize("wish", [HOUSES, WORD, FOE])
def test_the_evidence_tells_neither_number_nor_word(wish: Preference) -> None:
    found = deciding(judged(wish))

    assert found is not None
    assert wish.value not in found.evidence
    assert not any(map(str.isdigit, found.evidence))


def test_messages_without_a_subscriber_or_a_text_are_left_alone() -> None:
    knowledge = Knowledge(preferences=Preferences([(SUBSCRIBER, packed((FOE, WORD)))]))
    rules = RuleSet(Bundle("test", "0123456789ab", rules=(RULE,)), [sender()], knowledge)
    asked = rules.rules.asking[TrafficClass.SERVICE][0]
    submission = Submission(rules.accounts["sp1"], b"95588", NUMBER)

    nobody = asked.ask(submission, NOON)
    submission.msisdn = SUBSCRIBER
    without_text = asked.ask(submission, NOON)

    assert (nobody, without_text) == (None, None)


def test_r50_what_its_addressee_asks_for_is_judged_without_his_preferences_and_by_all_else() -> (
    None
):
    knowledge = Knowledge(preferences=Preferences([(SUBSCRIBER, packed((FOE, WORD)))]))
    loans = KeywordList("K-LOAN", "loan", ListAction.QUARANTINE, ("贷款",))
    rules = RuleSet(Bundle("test", "0123456789ab", (loans,), (RULE,)), [sender()], knowledge)

    def verdict(kind: type[Submission], text: str) -> str:
        submission = kind(rules.accounts["sp1"], b"1069000199", NUMBER)
        assert rules.judge_address(submission, 0)
        rules.judge_text(submission, rules.scan.judge_texts((text,)), NOON)
        found = deciding(submission)
        return "" if found is None else found.rule

    assert verdict(Submission, HOUSE_TEXT) == "R50"
    assert verdict(RequestedMessage, HOUSE_TEXT) == ""
    assert verdict(RequestedMessage, HOUSE_TEXT + "，贷款立办") == "K-LOAN"
