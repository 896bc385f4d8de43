"""Kept messages, judged again at the moment they leave."""

from gateway.domain.verdict import Action
from gateway.filter.facts import TextFacts
from gateway.policy.content_findings import finding_of
from gateway.policy.explanation import ask_all
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Submission


def judge_again(
    rules: RuleSet, submission: Submission, facts: TextFacts, now: float, at: float
) -> None:
    """Judge a message that a person released; a refusal received meanwhile wins.

    A person outranks findings that only ask for a person, so only findings that reject count. The
    hour is the subscriber's right, and no person outranks it (R40, R61). The message was charged
    when it came.
    """
    submission.units = 0
    if not rules.judge_address(submission, now):
        return
    found = ask_all(rules, submission, facts, at)
    found += [finding_of(hit, rules.bundle.content) for hit in facts.hits]
    rules.hold_against(submission, [f for f in found if f.action is Action.REJECT])
    if submission.verdict is None and submission.deferral is not None:
        submission.findings += (submission.deferral[0],)
        submission.verdict = rules.verdict(submission, *submission.deferral)
    elif submission.verdict is None and submission.asks_consent:
        rules.ask_first(submission)


def judge_due(
    rules: RuleSet, submission: Submission, facts: TextFacts, now: float, at: float
) -> None:
    """Judge a deferred message in full when its hour has come; it counts now (R21, R42).

    The sender's rate was charged when it came.
    """
    units, submission.units = submission.units, 0
    if rules.judge_address(submission, now):
        submission.units = units
        rules.judge_text(submission, facts, at)
