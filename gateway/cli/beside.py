"""What rules say of a message beside what they find: those that count, and those that exempt."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.domain.policy import Enforcement
from gateway.domain.traffic import TrafficClass
from gateway.policy.rule_findings import Modes
from gateway.policy.rules import (
    Campaign,
    Check,
    NumberWalk,
    PublicInterest,
    Rule,
    Title,
    TooFast,
    TooOften,
    UnknownNumbers,
)
from gateway.policy.submission import Submission

_COUNTING = (TooOften, TooFast, NumberWalk, UnknownNumbers, Campaign)
_COUNTED = Title(
    "取决于此前发送的短信，运行中的网关才知道",
    "depends on what was sent before, which only the running gateway knows",
)


@dataclass(frozen=True, slots=True)
class RelatedRule:
    """A rule that concerns a message without a finding, and in which way."""

    rule: Rule
    note: Title


def beside(rules: Iterable[Rule], submission: Submission) -> tuple[RelatedRule, ...]:
    """Return what concerns a judged message and could not find against it (R11, R42, R61)."""
    found = [(rule, _note(rule, submission)) for rule in rules]
    return tuple(RelatedRule(rule, note) for rule, note in found if note is not None)


def _note(rule: Rule, submission: Submission) -> Title | None:
    mode, traffic = Modes(rule).of(submission), submission.traffic
    if isinstance(rule.check, _COUNTING):
        is_asked = mode is not Enforcement.OFF and traffic in rule.applies_to
        return _COUNTED if is_asked and _is_counted(rule.check, submission) else None
    if isinstance(rule.check, PublicInterest):
        is_exempt = mode is Enforcement.ENFORCE and traffic is TrafficClass.PUBLIC_INTEREST
        return _exempted(rule.check) if is_exempt else None
    return None


def _is_counted(check: Check, submission: Submission) -> bool:
    if not isinstance(check, TooOften) or not check.sources:
        return True
    return submission.source.startswith(tuple(source.encode() for source in check.sources))


def _exempted(check: PublicInterest) -> Title:
    names = ", ".join(sorted(check.exempts))
    return Title(f"公益豁免，不适用：{names}", f"in the public interest, not asked: {names}")
