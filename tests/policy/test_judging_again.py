"""What was kept is judged again when it leaves."""

from dataclasses import replace

from gateway.domain.consent import Answer
from gateway.domain.sender import Rate, SenderState
from gateway.domain.verdict import Action, Reason
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.engine import judge_again, judge_due
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Submission
from tests.policy.conftest import ADVERT, BUNDLE, FRAUD, NUMBER, rule, sender
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


def judged_again(compiled: RuleSet, *texts: str, at: float = 0.0) -> Submission:
    one = message(compiled)
    judge_again(compiled, one, compiled.scan.judge_texts(texts), 0.0, at)
    return one


def test_a_released_message_is_not_charged_again() -> None:
    compiled = rules(senders=[sender(rate=Rate(1, 1))])
    compiled.accounts["sp1"].bucket.take(0.0)

    assert judged_again(compiled, "您好").verdict is None


def test_a_refusal_that_arrived_meanwhile_stops_a_released_message() -> None:
    verdict = judged_again(rules(REFUSALS, knowledge=refusing(NUMBER)), ADVERT).verdict

    assert verdict is not None
    assert verdict.deciding is not None
    assert verdict.deciding.reason is Reason.OPTED_OUT


def test_what_only_asks_for_a_person_does_not_stop_what_a_person_released() -> None:
    held = rule("R30", NoOptoutHint(), action=Action.QUARANTINE)
    compiled = rules(replace(BUNDLE, rules=(held,)))

    assert judged_again(compiled, "【春晓书店】八折，低息贷款").verdict is None


def test_r61_a_person_does_not_outrank_the_hour() -> None:
    """Release repeats R20 to R42: what is let go in the night leaves in the morning."""
    compiled = rules(replace(BUNDLE, rules=(DAYTIME,)))

    night = judged_again(compiled, "【春晓书店】八折，低息贷款", at=MIDNIGHT).verdict
    day = judged_again(compiled, "【春晓书店】八折，低息贷款", at=MIDNIGHT + 9 * HOUR_S).verdict

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
