"""Rules compiled: what is asked about each class of messages, in the order of REASONS."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.domain.filings import TemplateKind
from gateway.domain.policy import Enforcement
from gateway.domain.sender import Purpose
from gateway.domain.traffic import TrafficClass
from gateway.domain.verdict import Action, Finding
from gateway.filter.facts import TextFacts
from gateway.policy.bundle import RuleLocale
from gateway.policy.checks import filings
from gateway.policy.courses import Course, Courses, RuleQuestion
from gateway.policy.endings import Ending
from gateway.policy.knowledge import Knowledge
from gateway.policy.ready_rule import ReadyRule, StagedCounter, staged
from gateway.policy.rule_findings import Modes, if_unread
from gateway.policy.rules import (
    REASONS,
    BadLink,
    ContactGiven,
    Impostor,
    Nameless,
    NotAgreed,
    NoWayOut,
    PublicInterest,
    PurposeMissed,
    Refused,
    Rule,
    SignatureNotFiled,
    SignatureSwitched,
    Suspicious,
    TemplateNotFiled,
)
from gateway.policy.source_kinds import SourceKind, SourceKinds
from gateway.policy.submission import Submission

# If more senders share a text, it is ruled anew; each ruling takes about 200 octets.
_MAX_RULINGS = 12

_ORDER = tuple(REASONS)
# Checks with the same result for every message with one text from one port: asked once for all.
_OF_THE_TEXT = (
    SignatureNotFiled,
    SignatureSwitched,
    PurposeMissed,
    NoWayOut,
    Nameless,
    TemplateNotFiled,
    BadLink,
    Impostor,
    ContactGiven,
    Suspicious,
)
_COMMERCIAL, _VERIFICATION, _SERVICE = (
    TrafficClass.COMMERCIAL,
    TrafficClass.VERIFICATION,
    TrafficClass.SERVICE,
)
_DECLARED = {
    Purpose.MARKETING: _COMMERCIAL,
    Purpose.VERIFICATION: _VERIFICATION,
    Purpose.SERVICE: _SERVICE,
    Purpose.PUBLIC_INTEREST: _SERVICE,
}
_TEMPLATE_DECLARES = {
    kind: _SERVICE if kind is TemplateKind.PUBLIC_INTEREST else kind.traffic_class
    for kind in TemplateKind
}
# Of several classes, the one with the most rules wins: mixed counts as commercial (R10).
_STRENGTH = {_SERVICE: 0, _VERIFICATION: 1, _COMMERCIAL: 2}


@dataclass(frozen=True, slots=True)
class TextRuling:
    """What the rules decide about a text from one kind of sources.

    `found` holds all findings against the text itself, `until` those up to the first that is not on
    trial: there a message stops. `course` is what is asked besides the text.
    """

    traffic: TrafficClass
    template: str
    asks_consent: bool
    found: tuple[Finding, ...]
    until: Ending | None
    course: Course


class RuleStages:
    """The rules of a bundle, ready to be asked.

    For each class, `asking` and `counting` hold the rules that are on for some sender. `asking`
    looks at the recipient and the hour. `counting` counts and is asked last, about what passes.
    `rule_text` asks the checks of the text alone; they come between the two.
    """

    def __init__(
        self, rules: Iterable[Rule], knowledge: Knowledge, surroundings: RuleLocale
    ) -> None:
        ranked = sorted(rules, key=lambda rule: _ORDER.index(type(rule.check)))
        self.staged = tuple(
            staged(rule, knowledge, surroundings)
            for rule in ranked
            if not _is_off(rule) and not isinstance(rule.check, PublicInterest)
        )
        self.are_none = not self.staged
        exempting = [rule for rule in ranked if isinstance(rule.check, PublicInterest)]
        self._exempting = tuple(Modes(rule) for rule in exempting)
        self._is_approved = filings.is_approved(knowledge)
        exempt = _exempt(exempting)
        self.asking = {each: self._askable(each, exempt) for each in TrafficClass}
        # A request for consent needs no consent yet (R23), but a refusal stops it too.
        self._asking_consent = tuple(
            (one, asked)
            for one, asked in self.asking[_COMMERCIAL]
            if not isinstance(one.rule.check, NotAgreed)
        )
        self.counting = {each: self._counting(each, exempt) for each in TrafficClass}
        self._of_texts = {each: self._asked_of_texts(each, exempt) for each in TrafficClass}
        self._filings = knowledge.filings
        self._changes = -1
        self._templates = filings.FiledTemplates(knowledge)
        self._courses = Courses()
        self._kinds = SourceKinds(one.rule for one in self.staged)

    def adopt(self, before: "RuleStages") -> None:
        """Go on from the counts of rules of the same id; `before` must not be asked any more."""
        counters = {one.rule.id: one.counter for one in _counters(before.staged)}
        for one in _counters(self.staged):
            now, then = one.counter, counters.get(one.rule.id)
            # A rule of the same id may have another check.
            if then is not None and type(now) is type(then):
                now.adopt(then)

    def rule_text(self, submission: Submission, facts: TextFacts, at: float) -> TextRuling:
        """Return what the rules decide about a text; kept with the text, because bulk repeats."""
        if self._changes != self._filings.changes:
            self._changes = self._filings.changes
            self._kinds.forget()
            self._templates.forget()
        # The sources of one SP often send the same text at the same time.
        kind = self._kinds.known.get(submission.origin)
        rulings = facts.rulings
        kept = rulings.get(kind)
        if isinstance(kept, TextRuling):
            return kept
        if kind is None:
            self._kinds.sort(submission, self._filings.of(submission.account.system_id))
            return self.rule_text(submission, facts, at)
        ruling = self._rule_text(submission, facts, kind, at)
        port = submission.port
        if port is None or port.purpose is not Purpose.PUBLIC_INTEREST:
            if len(rulings) >= _MAX_RULINGS:
                del rulings[next(iter(rulings))]  # the oldest
            rulings[kind] = ruling  # not for public interest: approvals end
        return ruling

    def _rule_text(
        self, submission: Submission, facts: TextFacts, kind: SourceKind, at: float
    ) -> TextRuling:
        submission.facts = facts
        match = self._templates.of(submission)
        template = match.kind if match is not None else None
        submission.traffic = traffic = self.traffic_of(submission, facts, at, template)
        # A part of a text may look like a whole template.
        asks = template is TemplateKind.CONSENT_REQUEST and facts.is_whole
        if (traffic, asks) not in kind.courses:
            self._find_concerns(submission, kind, traffic, asks_consent=asks)
        found = tuple(
            finding
            for one in kind.of_texts[traffic]
            if (finding := one.find(submission, at)) is not None
        )
        facts.let_go()
        until, course = self._courses.until(found), kind.courses[traffic, asks]
        return TextRuling(traffic, submission.template, asks, found, until, course)

    def _find_concerns(
        self, submission: Submission, kind: SourceKind, traffic: TrafficClass, *, asks_consent: bool
    ) -> None:
        """Note the rules for messages of a class from one kind of sources; `submission` is one."""
        filed = self._filings.of(submission.account.system_id)
        asking = self._asking_consent if asks_consent else self.asking[traffic]
        kind.of_texts[traffic] = tuple(
            one for one in self._of_texts[traffic] if one.concerns(submission, filed)
        )
        kind.courses[traffic, asks_consent] = self._courses.of(
            [asked for one, asked in asking if one.concerns(submission, filed)],
            [one for one in self.counting[traffic] if one.concerns(submission, filed)],
            asks_consent=asks_consent,
        )

    def traffic_of(
        self,
        submission: Submission,
        facts: TextFacts,
        at: float,
        kind: TemplateKind | None = None,
    ) -> TrafficClass:
        """Return the class of a message: what its port or template declares or its text shows.

        The strongest of them wins: mixed counts as commercial, and promotion outweighs all else
        (R10, R11). Text in 【】 does not count if it is the sender's name; a name that sells must
        be on file for that. `kind` is the kind of the template that the text matches.
        """
        port = submission.port
        is_public = port is not None and port.purpose is Purpose.PUBLIC_INTEREST
        if is_public and self.is_exempt(submission, at):
            return TrafficClass.PUBLIC_INTEREST
        declared = _DECLARED[port.purpose] if port is not None else _SERVICE
        filed = _TEMPLATE_DECLARES[kind] if kind is not None else _SERVICE
        if _COMMERCIAL in (declared, filed):
            return _COMMERCIAL
        shown = facts.shown()
        if shown.selling_name and not self._is_filed(submission, shown.selling_name):
            return _COMMERCIAL
        return max(declared, filed, shown.traffic, key=_STRENGTH.__getitem__)

    def _is_filed(self, submission: Submission, name: str) -> bool:
        return self._filings.of(submission.account.system_id).has_signature(name)

    def is_exempt(self, submission: Submission, at: float) -> bool:
        """Tell whether the message comes from an authority's port with a valid approval (R11)."""
        return any(
            modes.of(submission) is Enforcement.ENFORCE for modes in self._exempting
        ) and self._is_approved(submission, at)

    def _askable(
        self, traffic: TrafficClass, exempt: frozenset[str]
    ) -> tuple[tuple[ReadyRule, RuleQuestion], ...]:
        return tuple(
            (
                one,
                RuleQuestion(one.ask, one.findings, one.sieve)
                if traffic in one.rule.applies_to
                else RuleQuestion(if_unread(one.ask), one.findings),
            )
            for one in self.staged
            if not isinstance(one, StagedCounter)
            and not isinstance(one.rule.check, _OF_THE_TEXT)
            and not _spares(one.rule, traffic, exempt)
            and (traffic in one.rule.applies_to or _is_noted_unread(one.rule, traffic))
        )

    def _asked_of_texts(
        self, traffic: TrafficClass, exempt: frozenset[str]
    ) -> tuple[ReadyRule, ...]:
        return tuple(
            one
            for one in self.staged
            if isinstance(one.rule.check, _OF_THE_TEXT)
            and not _spares(one.rule, traffic, exempt)
            and traffic in one.rule.applies_to
        )

    def _counting(self, traffic: TrafficClass, exempt: frozenset[str]) -> tuple[StagedCounter, ...]:
        return tuple(
            one
            for one in _counters(self.staged)
            if not _spares(one.rule, traffic, exempt) and traffic in one.rule.applies_to
        )


def _counters(staged_rules: Iterable[ReadyRule]) -> list[StagedCounter]:
    return [one for one in staged_rules if isinstance(one, StagedCounter)]


def _is_off(rule: Rule) -> bool:
    modes = {rule.mode, *(override.mode for override in rule.overrides)}
    return modes == {Enforcement.OFF}


def _exempt(rules: Iterable[Rule]) -> frozenset[str]:
    """Return the ids of the rules that are not asked about public-interest messages."""
    found = (rule.check.exempts for rule in rules if isinstance(rule.check, PublicInterest))
    return frozenset[str]().union(*found)


def _spares(rule: Rule, traffic: TrafficClass, exempt: frozenset[str]) -> bool:
    return traffic is TrafficClass.PUBLIC_INTEREST and rule.id in exempt


def _is_noted_unread(rule: Rule, traffic: TrafficClass) -> bool:
    """Tell whether messages outside `applies_to` get a note while the store cannot be read.

    They pass while it cannot be read, and `on_error` may ask that their records say so (R20).
    """
    can_be_unread = isinstance(rule.check, Refused | NotAgreed)
    return can_be_unread and rule.on_error.get(traffic) is Action.FORWARD
