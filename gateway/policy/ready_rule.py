"""A rule ready to be asked: its compiled check, its modes and its findings."""

from dataclasses import dataclass, field

from gateway.domain.policy import Enforcement
from gateway.domain.verdict import Finding
from gateway.policy.bundle import RuleLocale
from gateway.policy.check_table import counter_of, question_of
from gateway.policy.checks.counter import Counter, asked_alone
from gateway.policy.evidence import Ask, Sieve, everyone
from gateway.policy.filings import SenderFilings
from gateway.policy.knowledge import Knowledge
from gateway.policy.rule_findings import Modes, RuleFindings
from gateway.policy.rules import OtherProvince, Rule, TooOften
from gateway.policy.submission import Submission


@dataclass(frozen=True, slots=True, eq=False)
class ReadyRule:
    """A rule, ready to be asked; `sieve` selects from many messages those to ask about."""

    rule: Rule
    findings: RuleFindings
    ask: Ask
    sieve: Sieve = everyone

    def concerns(self, submission: Submission, filed: SenderFilings) -> bool:
        """Tell whether the rule is on for the port of a message, and concerns its source."""
        if self.findings.modes.of(submission) is Enforcement.OFF:
            return False
        match self.rule.check:
            case OtherProvince():
                port = submission.port
                return port is not None and filed.province_of(port.number) is not None
            case TooOften(sources=sources) if sources:
                return submission.source.decode("latin-1").startswith(sources)
            case _:
                return True

    def find(self, submission: Submission, at: float) -> Finding | None:
        """Return what the rule finds against a text."""
        evidence = self.ask(submission, at)
        if evidence is None:
            return None
        if evidence.is_unread and self.findings.modes.of(submission) is not Enforcement.ENFORCE:
            # Otherwise every message would bear the note that there is no classifier; `unscored`
            # reports it once.
            return None
        return self.findings.of(submission, evidence)


@dataclass(frozen=True, slots=True, eq=False)
class StagedCounter(ReadyRule):
    """A rule that counts, with its counter."""

    counter: Counter = field(kw_only=True)

    def forget(self, submission: Submission, at: float) -> None:
        """Take a message out of the counts, unless this rule has a finding against it."""
        if all(found.rule != self.rule.id for found in submission.findings):
            self.counter.forget(submission, at)


def staged(rule: Rule, knowledge: Knowledge, surroundings: RuleLocale) -> ReadyRule:
    """Make a rule ready; not for a rule that exempts messages from others, which asks nothing."""
    findings = RuleFindings(rule, Modes(rule))
    counter = counter_of(rule.check, knowledge, surroundings)
    if counter is not None:
        return StagedCounter(rule, findings, asked_alone(counter), counter=counter)
    return ReadyRule(rule, findings, *question_of(rule.check, knowledge, surroundings))
