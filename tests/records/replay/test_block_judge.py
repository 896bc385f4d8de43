"""Recorded decisions judged a second at a time come out as if each were judged alone."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.categories import TrafficClass
from gateway.domain.consent import Answer
from gateway.domain.filings import Template, TemplateKind
from gateway.domain.policy import (
    ROLLING_DAY,
    Clock,
    CountDimension,
    Enforcement,
    Limit,
    RollingWindow,
)
from gateway.domain.preferences import Preference, PreferenceAction, PreferenceKind, packed
from gateway.domain.verdict import Action, Reason
from gateway.filter.normalise import (
    views,
)
from gateway.policy.bundle import Rule
from gateway.policy.checks.campaign import Campaign
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.number_walk import NumberWalk
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.too_often import TooOften
from gateway.policy.checks.user_preference import UserPreference
from gateway.policy.knowledge import Knowledge
from gateway.policy.preferences import Preferences
from gateway.records.replay_judge import Judge
from gateway.records.replay_reader import Decision, DecisionHead, ReplayOutcome, UnchangedReason
from tests.records.replay.conftest import (
    AT,
    BARE,
    CLEAN,
    CODE,
    CODES,
    DAYTIME,
    DUBIOUS,
    MARKETING,
    NEWS,
    NOTED,
    SENDERS,
    SERVICE,
    SPAM,
    renamed,
    rule,
)

EVERYTHING = frozenset(TrafficClass)
NUMBER = 8613800138000
ASKS = "【春晓书店】是否愿意接收新书消息，回复Y同意"
SUBMIT_SM, SUBMIT_MULTI, REPLACE_SM, DATA_SM = 0x4, 0x21, 0x7, 0x103
OFTEN = TooOften(
    (
        Limit((CountDimension.DESTINATION,), 3, Clock.MINUTE),
        Limit((CountDimension.SOURCE,), 9, RollingWindow(5)),
    )
)
RULES = (
    rule("R21", OptOut()),
    rule("R20", NoConsent(), mode=Enforcement.SHADOW),
    rule("R50", UserPreference(), applies_to=EVERYTHING),
    rule("R40", OutsideWindow(DAYTIME), action=Action.DEFER),
    rule("R30", NoOptoutHint(), action=Action.QUARANTINE),
    rule("R28", NumberWalk(3, timedelta(seconds=1)), applies_to=EVERYTHING),
    # Steps of three eighths of a second.
    rule("R61", Campaign(3, timedelta(seconds=1.5)), applies_to=EVERYTHING),
    rule("R42", OFTEN, applies_to=frozenset({TrafficClass.VERIFICATION, TrafficClass.SERVICE})),
)
AFTER = (
    # Of two that count one after the other, the second has the first take back what it refuses.
    rule(
        "R42-all",
        TooOften((Limit((CountDimension.DESTINATION,), 4, Clock.HOUR),)),
        applies_to=EVERYTHING,
    ),
    rule("R43", TooOften((Limit((CountDimension.SENDER,), 6, ROLLING_DAY),), (SERVICE,))),
)
REASONS = ("", Reason.OPTED_OUT, NoOptoutHint.reason, TooOften.reason)


def decision(
    text: str | None = CLEAN,
    *,
    system_id: str = "sp1",
    command_id: int = SUBMIT_SM,
    source: str = MARKETING,
    to: str = str(NUMBER),
    reason: str = "",
) -> Decision:
    recorded = ReplayOutcome("reject", "R1") if reason else ReplayOutcome("forward", "")
    head = DecisionHead(system_id, command_id, reason, "digest", recorded)
    coded = None if text is None else (8, text.encode("utf-16-be"))
    return Decision(1, AT, "", head, source.encode(), to.encode(), coded)


def known() -> Knowledge:
    found = Knowledge()
    found.consent.load("sp1", Answer.REFUSED, [NUMBER])
    found.consent.load("sp1", Answer.AGREED, range(NUMBER + 1, NUMBER + 4))
    found.filings.replace("sp1", [Template("sp1", "t1", TemplateKind.CONSENT_REQUEST, ASKS[6:])])
    quiet = Preference(PreferenceKind.QUIET_HOURS, "22:00-06:13", PreferenceAction.BLOCK)
    found.preferences = Preferences([(NUMBER + 3, packed((quiet,)))])
    return found


def judge(*rules: Rule) -> Judge:
    return Judge(renamed(renamed(), *rules), SENDERS, known())


def alone(one: Judge, decisions: Sequence[Decision]) -> list[ReplayOutcome | UnchangedReason]:
    return [found for each in decisions for found in one.judge([each])]


DECISIONS = st.builds(
    decision,
    st.sampled_from((CLEAN, SPAM, DUBIOUS, NOTED, BARE, CODE, NEWS, ASKS, "", None)),
    system_id=st.sampled_from(("sp1", "sp1", "sp2", "sp3", "gone")),
    command_id=st.sampled_from((SUBMIT_SM, SUBMIT_SM, DATA_SM, SUBMIT_MULTI, REPLACE_SM)),
    source=st.sampled_from((MARKETING, SERVICE, f"{SERVICE}7", CODES, "10086")),
    to=st.sampled_from((*(str(NUMBER + n) for n in range(6)), "33612345678", "nobody")),
    reason=st.sampled_from(REASONS),
)
STEPS = st.lists(st.tuples(DECISIONS, st.sampled_from((0, 0, 0, 0.2, 0.4, 1, 70, -1))), max_size=40)


@given(steps=STEPS, begins=st.sampled_from((AT, AT + 6_400.5)), counts_after=st.booleans())
def test_together_they_come_out_as_alone(
    *, steps: list[tuple[Decision, float]], begins: float, counts_after: bool
) -> None:
    rules = RULES + AFTER if counts_after else RULES
    decisions, at = [], begins
    for one, after_s in steps:
        at += after_s
        decisions.append(one._replace(at=at))

    assert judge(*rules).judge(decisions) == alone(judge(*rules), decisions)


def test_what_one_limit_refuses_is_not_counted_by_another_before_the_next_comes() -> None:
    twice = TooOften((Limit((CountDimension.DESTINATION,), 2, Clock.DAY),))
    once = TooOften((Limit((CountDimension.SOURCE,), 1, Clock.DAY),))
    other = f"{MARKETING}1"

    found = judge(rule("R42", twice), rule("R43", once)).judge(
        [decision(), decision(), decision(source=other), decision(source=f"{MARKETING}2")]
    )

    passed = ReplayOutcome("forward", "")
    assert found == [passed, ReplayOutcome("reject", "R43"), passed, ReplayOutcome("reject", "R42")]


@pytest.mark.parametrize(
    "check", [NumberWalk(3, timedelta(seconds=1)), Campaign(3, timedelta(seconds=1.5))]
)
@pytest.mark.parametrize(("third", "action"), [(1.0, "reject"), (1.95, "forward")])
def test_what_looks_at_parts_of_a_second_is_asked_by_them(
    check: NumberWalk | Campaign, third: float, action: str
) -> None:
    sent = [
        decision(to=str(NUMBER + 10 + place))._replace(at=AT + after_s)
        for place, after_s in enumerate((0.0, 1.0, third))
    ]

    *_, last = judge(rule("R28", check)).judge(sent)

    assert isinstance(last, ReplayOutcome)
    assert last.action == action


def test_a_text_the_filter_fails_on_harms_none_of_the_same_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = judge(RULES[-1])
    search = type(one._rules.scan.index).search_views

    def fail(index: object, texts: Sequence[views.Views], *rest: object) -> object:
        if any("包裹" in each.folded for each in texts):
            raise RuntimeError
        return search(index, texts, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(type(one._rules.scan.index), "search_views", fail)

    found = one.judge([decision(CODE, source=CODES), decision(NEWS, source=CODES), decision()])

    assert [outcome.action for outcome in found if isinstance(outcome, ReplayOutcome)] == [
        "forward",
        "quarantine",
        "forward",
    ]


def test_preferences_that_fail_harm_nobody_who_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    one = judge(rule("R21", OptOut()), rule("R50", UserPreference()))

    def fail(*_: object) -> object:
        raise RuntimeError

    monkeypatch.setattr(Preferences, "judge", fail)

    found = one.judge([decision(to=str(NUMBER + place)) for place in (0, 1, 3, 4)])

    passed = ReplayOutcome("forward", "")
    assert found == [
        ReplayOutcome("reject", "R21"),
        passed,
        ReplayOutcome("quarantine", "CONTENT"),
        passed,
    ]


def test_an_sp_that_is_gone_leaves_the_others_in_their_places() -> None:
    found = judge().judge([decision(SPAM), decision(system_id="gone"), decision()])

    assert found == [
        ReplayOutcome("reject", "K-FRAUD"),
        UnchangedReason.SENDER_GONE,
        ReplayOutcome("forward", ""),
    ]
