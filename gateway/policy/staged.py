"""A rule made ready to be asked: its check compiled, its modes and findings beside it."""

from dataclasses import dataclass, field

from gateway.domain.policy import Enforcement
from gateway.policy.bundle import Surroundings
from gateway.policy.checks import (
    answers,
    consent,
    filings,
    preferences,
    suspensions,
    texts,
    times,
)
from gateway.policy.checks.counter import Counter, asked_alone
from gateway.policy.checks.counts import Often
from gateway.policy.checks.port_rate import PortRate
from gateway.policy.checks.walks import Walks
from gateway.policy.evidence import Ask, Sieve, everyone
from gateway.policy.filings import Filed
from gateway.policy.knowledge import Knowledge
from gateway.policy.rule_findings import Findings, Modes
from gateway.policy.rules import (
    Nameless,
    NotAgreed,
    NoWayOut,
    NumberWalk,
    OtherProvince,
    PurposeMissed,
    Refused,
    Rule,
    SignatureNotFiled,
    SignatureSwitched,
    Suspended,
    TemplateNotFiled,
    TooFast,
    TooOften,
    UnknownNumbers,
    Untimely,
    Unwanted,
)
from gateway.policy.submission import Submission


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """A rule, ready to be asked; `sieve` tells of many messages which ones to ask about."""

    rule: Rule
    findings: Findings
    ask: Ask
    sieve: Sieve = everyone

    def concerns(self, submission: Submission, filed: Filed) -> bool:
        """Tell whether the rule is on for the port that a message comes from, and about it."""
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


@dataclass(frozen=True, slots=True, eq=False)
class StagedCounter(Staged):
    """A rule that counts, with what it counts with."""

    counter: Counter = field(kw_only=True)

    def forget(self, submission: Submission, at: float) -> None:
        """Take a message out of the counts, unless this has found against counting it."""
        if all(found.rule != self.rule.id for found in submission.findings):
            self.counter.forget(submission, at)


def staged(rule: Rule, knowledge: Knowledge, surroundings: Surroundings) -> Staged:
    """Make a rule ready; not one that exempts messages from others, which asks nothing."""
    findings, counter = Findings(rule, Modes(rule)), _counter(rule, surroundings)
    if counter is not None:
        return StagedCounter(rule, findings, asked_alone(counter), counter=counter)
    ask, sieve = _sieved(rule, knowledge, surroundings) or (_ask(rule, knowledge), everyone)
    return Staged(rule, findings, ask, sieve)


def _counter(rule: Rule, surroundings: Surroundings) -> Counter | None:
    match rule.check:
        case TooOften() as check:
            return Often(check, surroundings)
        case TooFast() as check:
            return PortRate(check)
        case NumberWalk() as check:
            return Walks(check)
        case _:
            return None


def _sieved(  # noqa: PLR0911 - a table, a line for each check
    rule: Rule, knowledge: Knowledge, surroundings: Surroundings
) -> tuple[Ask, Sieve] | None:
    """Return what asks about the recipients or the sender, of a check that does."""
    match rule.check:
        case Suspended() as check:
            found = suspensions.suspended(check, knowledge)
            return found, suspensions.perhaps_suspended(knowledge)
        case Refused() as check:
            return consent.refused(check, knowledge), consent.perhaps_refused(knowledge)
        case NotAgreed() as check:
            return consent.not_agreed(check, knowledge), consent.perhaps_not_agreed(knowledge)
        case Unwanted() as check:
            asked = preferences.unwanted(check, knowledge, surroundings)
            return asked, preferences.perhaps_unwanted(knowledge)
        case Untimely() as check:
            hours = times.Hours(check, surroundings)
            return hours.ask, hours.sieve
        case UnknownNumbers() as check:
            unknowns = answers.Unknowns(check, knowledge)
            return unknowns.ask, unknowns.sieve
        case _:
            return None


def _ask(rule: Rule, knowledge: Knowledge) -> Ask:  # noqa: PLR0911 - as above
    match rule.check:
        case PurposeMissed() as check:
            return texts.purpose_missed(check)
        case NoWayOut() as check:
            return texts.no_way_out(check)
        case Nameless() as check:
            return texts.nameless(check)
        case OtherProvince() as check:
            return filings.other_province(check, knowledge)
        case SignatureNotFiled() as check:
            return filings.signature_not_filed(check, knowledge)
        case SignatureSwitched() as check:
            return filings.signature_switched(check, knowledge)
        case TemplateNotFiled() as check:
            return filings.template_not_filed(check)
        case _:
            raise ValueError("neither what counts nor what exempts asks in this way")
