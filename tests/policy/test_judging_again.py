"""What was kept is judged again when it leaves."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.consent import Answer
from gateway.domain.held_findings import CAMPAIGN_LINE, OverruledFindings, lines_of, rule_line
from gateway.domain.policy import (
    CountDimension,
    Enforcement,
    KeywordList,
    Limit,
    ListAction,
    RollingWindow,
)
from gateway.domain.sender import Rate, SenderKind, SenderState
from gateway.domain.verdict import Action, Finding, Reason
from gateway.policy.bundle import Bundle
from gateway.policy.checks.bad_link import BadLink
from gateway.policy.checks.campaign import Campaign
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.too_often import TooOften
from gateway.policy.engine import judge_again, judge_due
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Submission
from tests.policy.conftest import ADVERT, BUNDLE, EVERYTHING, FRAUD, NUMBER, rule, sender
from tests.policy.rulesets import (
    DAYTIME,
    HOUR_S,
    MIDNIGHT,
    PORT_RATE,
    REFUSALS,
    judged,
    message,
    refusing,
    rules,
)


def judged_again(
    compiled: RuleSet,
    *texts: str,
    at: float = 0.0,
    overruled: str = "",
    destination: bytes = b"13800138000",
    is_counted: bool = False,
) -> Submission:
    one = message(compiled, destination=destination)
    facts = compiled.scan.judge_texts(texts)
    seen = OverruledFindings(overruled)
    judge_again(compiled, one, facts, 0.0, at, seen, is_counted=is_counted)
    return one


def why(one: Submission) -> tuple[Action, str] | None:
    """Return the action and the rule that decides, None for what may leave."""
    if one.verdict is None:
        return None
    assert one.verdict.deciding is not None
    return one.verdict.action, one.verdict.deciding.rule


def found_in(compiled: RuleSet, *texts: str, at: float = 0.0) -> str:
    """Return what a reviewer is shown of a message that comes now."""
    one = judged(compiled, *texts, at=at)
    assert one.verdict is not None
    return lines_of(one.verdict.findings, compiled.known_of(one))


def test_a_released_message_is_not_charged_again() -> None:
    compiled = rules(senders=[sender(rate=Rate(1, 1))])
    compiled.accounts["sp1"].bucket.take(0.0)

    assert judged_again(compiled, "您好").verdict is None


def test_a_refusal_that_arrived_meanwhile_stops_a_released_message() -> None:
    verdict = judged_again(rules(REFUSALS, knowledge=refusing(NUMBER)), ADVERT).verdict

    assert verdict is not None
    assert verdict.deciding is not None
    assert verdict.deciding.reason is Reason.OPTED_OUT


NO_HINT = rule("R30", NoOptoutHint(), action=Action.QUARANTINE)
LINKS = rule("R61", BadLink(block=("evil-mall.top",)), action=Action.QUARANTINE)
HELD = "【春晓书店】八折，低息贷款 http://x.evil-mall.top/a"
OF_ALL = replace(BUNDLE, rules=(NO_HINT, LINKS))


def test_a_reviewer_is_shown_all_that_holds_a_message_and_overrules_just_that() -> None:
    compiled = rules(OF_ALL)
    shown = found_in(compiled, HELD)

    assert judged_again(compiled, HELD, overruled=shown).verdict is None
    for line in shown.splitlines(keepends=True):
        left = judged_again(compiled, HELD, overruled=shown.replace(line, ""))
        assert why(left) == (Action.QUARANTINE, line.split("\t")[1])
    assert len(shown.splitlines()) == 3


WORDS = KeywordList("K-LOAN", "loan", ListAction.QUARANTINE, ("低息贷款",))
LIST_OF_TWO = replace(WORDS, words=("低息贷款", "八折"))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (OF_ALL, None),
        (replace(OF_ALL, digest="1" * 12, keyword_lists=()), None),
        (replace(OF_ALL, keyword_lists=(LIST_OF_TWO,)), (Action.QUARANTINE, "K-LOAN")),
        (
            replace(OF_ALL, keyword_lists=(WORDS, replace(WORDS, id="K-NEW"))),
            (Action.QUARANTINE, "K-NEW"),
        ),
        (
            replace(OF_ALL, keyword_lists=(replace(LIST_OF_TWO, action=ListAction.REJECT),)),
            (Action.REJECT, "K-LOAN"),
        ),
        # The very word that was overruled, whatever its list does by now.
        (replace(OF_ALL, keyword_lists=(replace(WORDS, action=ListAction.REJECT),)), None),
        (replace(OF_ALL, keyword_lists=(replace(LIST_OF_TWO, action=ListAction.SHADOW),)), None),
        (
            replace(OF_ALL, rules=(NO_HINT, replace(LINKS, id="R61-2"))),
            (Action.QUARANTINE, "R61-2"),
        ),
        (
            replace(OF_ALL, rules=(NO_HINT, replace(LINKS, check=BadLink(only_allowed=True)))),
            (Action.QUARANTINE, "R61"),
        ),
        (replace(OF_ALL, rules=(NO_HINT, replace(LINKS, mode=Enforcement.OFF))), None),
        (
            replace(
                OF_ALL, rules=(*OF_ALL.rules, rule("R20", NoConsent(), action=Action.QUARANTINE))
            ),
            (Action.QUARANTINE, "R20"),
        ),
        (
            replace(OF_ALL, rules=(*OF_ALL.rules, rule("R20", NoConsent()))),
            (Action.REJECT, "R20"),
        ),
    ],
)
def test_a_release_is_judged_by_the_policy_of_now(
    changed: Bundle, expected: tuple[Action, str] | None
) -> None:
    shown = found_in(rules(OF_ALL), HELD)

    assert why(judged_again(rules(changed), HELD, overruled=shown)) == expected


@pytest.mark.parametrize("action", [Action.REJECT, Action.QUARANTINE])
@pytest.mark.parametrize("overruled", ["", rule_line("R21"), CAMPAIGN_LINE])
def test_no_decision_and_no_exception_overrules_a_refusal(action: Action, overruled: str) -> None:
    policy = replace(BUNDLE, rules=(rule("R21", OptOut(), action=action),))
    compiled = rules(policy, knowledge=refusing(NUMBER))

    assert why(judged_again(compiled, ADVERT, overruled=overruled)) == (action, "R21")
    shown = found_in(compiled, ADVERT)
    assert why(judged_again(compiled, ADVERT, overruled=shown)) == (action, "R21")


def test_a_refusal_comes_before_what_only_holds() -> None:
    policy = replace(BUNDLE, rules=(rule("R21", OptOut()), NO_HINT))
    known = Knowledge()
    compiled = rules(policy, knowledge=known)
    text = "【春晓书店】八折，低息贷款"
    known.consent.apply(NUMBER, "sp1", Answer.REFUSED)

    assert why(judged_again(compiled, text)) == (Action.REJECT, "R21")


OFTEN = rule(
    "R42",
    TooOften((Limit((CountDimension.DESTINATION,), 1, RollingWindow(60)),)),
    action=Action.THROTTLE,
    applies_to=EVERYTHING,
)
BULK = rule("R61-BULK", Campaign(people=2, within=timedelta(hours=1)), action=Action.QUARANTINE)


def test_what_is_released_counts_when_it_leaves_and_once() -> None:
    compiled = rules(replace(BUNDLE, rules=(OFTEN,)))
    shown = found_in(compiled, "低息贷款")

    first = judged_again(compiled, "低息贷款", overruled=shown, at=NOON)
    again = judged_again(compiled, "低息贷款", overruled=shown, at=NOON, is_counted=True)
    second = judged_again(compiled, "低息贷款", overruled=shown, at=NOON)

    assert (first.verdict, again.verdict) == (None, None)
    assert why(second) == (Action.THROTTLE, "R42")


NOON = MIDNIGHT + 12 * HOUR_S


def people(count: int) -> list[bytes]:
    return [f"1380013{8000 + one}".encode() for one in range(count)]


@pytest.mark.parametrize(
    ("overruled", "passes"),
    [
        ("", False),
        (rule_line("K-LOAN"), False),
        (rule_line("R61-BULK"), True),
        (rule_line("K-LOAN") + CAMPAIGN_LINE, True),
    ],
)
def test_a_campaign_goes_on_at_any_size_only_where_that_was_overruled(
    overruled: str, *, passes: bool
) -> None:
    compiled = rules(replace(BUNDLE, keyword_lists=(), rules=(BULK, OFTEN)))

    results = [
        why(judged_again(compiled, ADVERT, overruled=overruled, destination=to))
        for to in people(30)
    ]

    assert results[0] is None
    assert results[-1] == (None if passes else (Action.QUARANTINE, "R61-BULK"))


def test_a_counter_in_shadow_mode_notes_and_stops_nothing() -> None:
    on_trial = replace(BULK, mode=Enforcement.SHADOW)
    compiled = rules(replace(BUNDLE, keyword_lists=(), rules=(on_trial,)))

    results = [judged_again(compiled, ADVERT, destination=to) for to in people(30)]

    assert [one.verdict for one in results] == [None] * 30
    assert [one.rule for one in results[-1].findings] == ["R61-BULK"]


def test_a_counter_that_was_overruled_is_no_reason_to_take_anything_back() -> None:
    rolling = Limit((CountDimension.SENDER,), 2, RollingWindow(60))
    shared = rule("R42", TooOften((rolling,)), action=Action.QUARANTINE)
    single = rule(
        "R43",
        TooOften((Limit((CountDimension.DESTINATION,), 1, RollingWindow(60)),)),
        action=Action.REJECT,
    )
    compiled = rules(replace(BUNDLE, keyword_lists=(), rules=(shared, single)))
    for to in people(2):
        assert judged_again(compiled, ADVERT, destination=to, at=NOON).verdict is None

    first, third, seen = people(1)[0], people(3)[-1], rule_line("R42")
    over = judged_again(compiled, ADVERT, overruled=seen, destination=first, at=NOON)
    still = judged_again(compiled, ADVERT, destination=third, at=NOON)

    assert why(over) == (Action.REJECT, "R43")
    assert [one.shadow for one in over.findings] == [True, False]
    assert why(still) == (Action.QUARANTINE, "R42")


def test_a_word_of_another_network_that_is_held_as_evidence_is_overruled_too() -> None:
    peer = replace(sender("cmcc", ports=()), kind=SenderKind.PEER)
    compiled = rules(replace(BUNDLE, keyword_lists=(FRAUD,)), [peer])
    facts = compiled.scan.judge_texts(("代开发票",))
    finding = Finding("K-FRAUD", Reason.CONTENT, Action.REJECT, "代开发票", category="fraud")
    one, other = (
        Submission(compiled.accounts["cmcc"], b"1065712345", b"13800138000") for _ in range(2)
    )

    judge_again(compiled, one, facts, 0.0, 0.0)
    judge_again(compiled, other, facts, 0.0, 0.0, OverruledFindings(lines_of([finding])))

    assert one.verdict is not None
    assert (one.verdict.action, other.verdict) == (Action.QUARANTINE, None)


LISTS = ("K-A", "K-B", "K-C")
ENTRIES = ("代开发票", "低息贷款", "百家乐")


@settings(max_examples=60, deadline=None)
@given(
    actions=st.tuples(*[st.sampled_from(ListAction)] * 3),
    seen=st.sets(st.sampled_from(LISTS)),
    words=st.sets(st.sampled_from(ENTRIES), min_size=1),
)
def test_what_stops_a_release_is_just_what_is_in_force_and_was_not_overruled(
    actions: tuple[ListAction, ...], seen: set[str], words: set[str]
) -> None:
    lists = [
        KeywordList(name, "fraud", action, (entry,))
        for name, action, entry in zip(LISTS, actions, ENTRIES, strict=True)
    ]
    overruled = lines_of(
        Finding(name, Reason.CONTENT, Action.QUARANTINE, entry)
        for name, entry in zip(LISTS, ENTRIES, strict=True)
        if name in seen
    )
    left = [
        one.action
        for one in lists
        if one.words[0] in words and one.id not in seen and one.action is not ListAction.SHADOW
    ]

    verdict = judged_again(
        rules(replace(BUNDLE, keyword_lists=tuple(lists))),
        "，".join(sorted(words)),
        overruled=overruled,
    ).verdict

    refuses = ListAction.REJECT in left
    held = Action.QUARANTINE if left else None
    assert (verdict and verdict.action) == (Action.REJECT if refuses else held)


def test_r61_a_person_does_not_outrank_the_hour() -> None:
    """Release repeats R20 to R42: what is let go in the night leaves in the morning."""
    compiled = rules(replace(BUNDLE, rules=(DAYTIME,)))

    text, seen = "【春晓书店】八折，低息贷款", rule_line("K-LOAN")
    night = judged_again(compiled, text, at=MIDNIGHT, overruled=seen).verdict
    day = judged_again(compiled, text, at=MIDNIGHT + 9 * HOUR_S, overruled=seen).verdict

    assert night is not None
    assert (night.action, night.due) == (Action.DEFER, MIDNIGHT + 8 * HOUR_S)
    assert day is None


def test_a_released_message_of_a_sender_that_was_suspended_since_stays() -> None:
    compiled = rules(senders=[sender(state=SenderState.SUSPENDED)])

    assert judged_again(compiled, ADVERT).verdict is not None


def judged_when_due(compiled: RuleSet, text: str, at: float) -> Submission:
    one = message(compiled)
    judge_due(compiled, one, compiled.scan.judge_texts((text,)), 0.0, at)
    return one


def test_a_message_whose_hour_has_come_passes_and_costs_no_second_token() -> None:
    compiled = rules(replace(BUNDLE, rules=(DAYTIME,)), [sender(rate=Rate(1, 1))])
    compiled.accounts["sp1"].bucket.take(0.0)

    due = judged_when_due(compiled, ADVERT, MIDNIGHT + 8 * HOUR_S)

    assert due.verdict is None
    assert due.units == 1


def test_r21_a_refusal_that_arrived_while_a_message_waited_stops_it() -> None:
    known = Knowledge()
    compiled = rules(replace(BUNDLE, rules=(rule("R21", OptOut()), DAYTIME)), knowledge=known)

    waits = judged(compiled, ADVERT, at=MIDNIGHT)
    known.consent.apply(NUMBER, "sp1", Answer.REFUSED)
    due = judged_when_due(compiled, ADVERT, MIDNIGHT + 8 * HOUR_S)

    assert waits.verdict is not None
    assert (waits.verdict.action, waits.verdict.due) == (Action.DEFER, MIDNIGHT + 8 * HOUR_S)
    assert due.verdict is not None
    assert due.verdict.deciding is not None
    assert due.verdict.deciding.reason is Reason.OPTED_OUT


def test_a_message_of_a_suspended_sender_is_not_read_when_its_hour_has_come() -> None:
    compiled = rules(senders=[sender(state=SenderState.SUSPENDED)])

    due = judged_when_due(compiled, ADVERT, MIDNIGHT)

    assert [f.reason for f in due.findings] == [Reason.SENDER_STATE]


def test_what_waits_is_counted_when_it_leaves() -> None:
    compiled = rules(replace(BUNDLE, rules=(DAYTIME, PORT_RATE)))

    waiting = [judged(compiled, ADVERT, at=MIDNIGHT) for _ in range(3)]
    leaving = [judged_when_due(compiled, ADVERT, MIDNIGHT + 8 * HOUR_S) for _ in range(2)]

    assert {one.verdict and one.verdict.action for one in waiting} == {Action.DEFER}
    assert [one.verdict and one.verdict.status for one in leaving] == [None, "ESME_RTHROTTLED"]


def test_a_word_that_is_rejected_by_now_stops_a_released_message() -> None:
    verdict = judged_again(rules(replace(BUNDLE, keyword_lists=(FRAUD,))), "代开发票").verdict

    assert verdict is not None
    assert verdict.action is Action.REJECT
