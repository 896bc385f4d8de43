"""Rules ready to be asked: what is asked about each class of messages, in the order of checks."""

from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from gateway.domain.categories import TrafficClass
from gateway.domain.filings import TemplateKind
from gateway.domain.policy import Enforcement
from gateway.domain.sender import Purpose
from gateway.domain.verdict import Action, Finding
from gateway.filter.facts import TextFacts
from gateway.policy.bundle import Rule
from gateway.policy.check import (
    AskedCheck,
    Check,
    CountingCheck,
    Exemption,
    RecipientCheck,
    SourceCheck,
    TextCheck,
    asked_alone,
    everyone,
)
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.public_interest import PublicInterest
from gateway.policy.checks.suspicious import Suspicious
from gateway.policy.filings import SenderFilings, template_of
from gateway.policy.findings import RuleFindings, if_unread, modes_of
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.message_class import (
    OF_ITS_PORT,
    MessageClass,
    class_of,
    is_advert_of,
    is_for,
)
from gateway.policy.submission import Account, Home, SourceOrigin, Submission
from gateway.policy.text_rulings import (
    CLASSED,
    MAX_KEPT,
    AlikeTexts,
    Course,
    Courses,
    PartedRules,
    ReadyRule,
    StagedCounter,
    TextRuling,
    findings_of,
    further_ruling,
    keep_further,
    keep_ruling,
)


def staged(rule: Rule, knowledge: Knowledge, locale: RuleLocale) -> ReadyRule:
    """Make a rule ready; not for a rule that exempts messages from others, which asks nothing."""
    findings = RuleFindings(rule, modes_of(rule))
    if isinstance(rule.check, CountingCheck):
        counter = rule.check.counter(knowledge, locale)
        return StagedCounter(rule, findings, asked_alone(counter), counter=counter)
    assert isinstance(rule.check, AskedCheck)  # noqa: S101 - as the docstring says
    return ReadyRule(rule, findings, *rule.check.question(knowledge, locale))


_MAX_KNOWN = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class SourceKind:
    """Sources that every rule treats alike, until any filing changes; compared by identity.

    `of_texts` and `courses` are what concerns them, found when it is first asked: for each class of
    messages, and separately for requests for consent. `parted` are the rules of texts by whether
    they must look at a text with certain signs. Rulings of a port for public interest are kept for
    one of `marks`: without an approval that holds, and with one.
    """

    of_texts: dict[TrafficClass, tuple[ReadyRule, ...]] = field(default_factory=dict)
    courses: dict[tuple[TrafficClass, bool], Course] = field(default_factory=dict)
    parted: dict[tuple[TrafficClass, int], PartedRules] = field(default_factory=dict)
    marks: tuple[object, object] = field(default_factory=lambda: (object(), object()))

    def part(self, traffic: TrafficClass, signs: int) -> PartedRules:
        """Return the rules that must look at a text with `signs`, and the others."""
        parted = self.parted.get((traffic, signs))
        if parted is None:
            rules = self.of_texts[traffic]
            asked = tuple(one for one in rules if one.must_see(signs))
            others = tuple(one for one in rules if one not in asked)
            parted = self.parted[traffic, signs] = asked, others
        return parted


class SourceKinds:
    """Sorts sources by port, by whether they are personal (R61), and by what else rules ask.

    That is their trait for each `SourceCheck` (R06, R43). Numbers of a peer count as one port,
    except those with settings of their own: otherwise each new number needs rulings of its own.
    `known` is the kind of each source that has sent, bounded; look there first.
    """

    __slots__ = ("_alike", "_checks", "_with_settings", "known")

    def __init__(
        self, checks: Iterable[Check], with_settings: Collection[str] = frozenset()
    ) -> None:
        self._checks = tuple(one for one in checks if isinstance(one, SourceCheck))
        self._with_settings = with_settings  # ports
        self._alike: dict[tuple[Home | Account, bool, bool, tuple[Hashable, ...]], SourceKind] = {}
        self.known: dict[SourceOrigin, SourceKind] = {}

    def forget(self) -> None:
        """Sort every source anew: a filing changed, perhaps a name that others must not imitate.

        Rulings for the former kinds are not found any more.
        """
        self.known.clear()
        self._alike.clear()

    def sort(self, submission: Submission, filed: SenderFilings) -> SourceKind:
        """Return the kind of a message's source, as its sender has `filed` now."""
        origin, source = submission.origin, submission.source.decode("latin-1")
        traits = tuple(one.source_trait(source, filed) for one in self._checks)
        account = submission.account
        is_alike = account.sender.is_peer and not filed.names_ports
        is_alike = is_alike and origin.home.number not in self._with_settings
        # A source that may not send is judged, too, where its message was held before.
        has_port = (origin.port or origin.capped) is not None
        key = (account if is_alike else origin.home, origin.is_personal, has_port, traits)
        kind = self._alike.get(key)
        if kind is None:
            if len(self._alike) >= _MAX_KNOWN:
                self._alike.clear()
            kind = self._alike[key] = SourceKind()
        if len(self.known) >= _MAX_KNOWN:
            self.known.clear()
        self.known[origin] = kind
        return kind


def _ports_set_in(rule: Rule) -> Iterator[str]:
    """Yield the ports that a rule is set otherwise for."""
    yield from (one.port for one in rule.overrides)
    if isinstance(rule.check, Suspicious):
        yield from (one.port for one in rule.check.tolerances)


class RuleStages:
    """The rules of a bundle, ready to be asked.

    For each class, `asking` and `counting` hold the rules that are on for some sender. `asking`
    looks at the recipient and the hour. `counting` counts and is asked last, about what passes.
    `rule_text` asks the checks of the text alone; they come between the two.
    """

    def __init__(self, rules: Iterable[Rule], knowledge: Knowledge, locale: RuleLocale) -> None:
        ranked = sorted(rules, key=lambda rule: rule.check.order)
        self.staged = tuple(
            staged(rule, knowledge, locale)
            for rule in ranked
            if not rule.is_off and not isinstance(rule.check, Exemption)
        )
        self.are_none = not self.staged
        self._exempting = tuple(
            modes_of(rule) for rule in ranked if isinstance(rule.check, PublicInterest)
        )
        exempt = frozenset[str]().union(
            *(rule.check.exempts for rule in ranked if isinstance(rule.check, PublicInterest))
        )
        self.asking: dict[TrafficClass, tuple[ReadyRule, ...]] = {}
        self.counting: dict[TrafficClass, tuple[StagedCounter, ...]] = {}
        self._of_texts: dict[TrafficClass, tuple[ReadyRule, ...]] = {}
        for traffic in TrafficClass:
            is_public = traffic is TrafficClass.PUBLIC_INTEREST
            ready = [one for one in self.staged if not (is_public and one.rule.id in exempt)]
            applied = [one for one in ready if traffic in one.rule.applies_to]
            self.asking[traffic] = tuple(_asked_of_recipients(ready, traffic))
            self.counting[traffic] = tuple(_counters(applied))
            self._of_texts[traffic] = tuple(
                one for one in applied if isinstance(one.rule.check, TextCheck)
            )
        # A request for consent needs no consent yet (R23), but a refusal stops it too.
        self._asking_consent = tuple(
            one
            for one in self.asking[TrafficClass.COMMERCIAL]
            if not isinstance(one.rule.check, NoConsent)
        )
        self._filings = knowledge.filings
        self._changes = -1
        self._courses = Courses()
        self._alike: dict[tuple[SourceKind, int, str, str, MessageClass, bool], AlikeTexts] = {}
        self._kinds = SourceKinds(
            (one.rule.check for one in self.staged),
            frozenset(port for one in self.staged for port in _ports_set_in(one.rule)),
        )

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
            self._alike.clear()
        # The sources of one SP often send the same text at the same time.
        kind = self._kinds.known.get(submission.origin)
        kept = facts.ruling if facts.ruled_for is kind else further_ruling(facts, kind)
        if isinstance(kept, TextRuling):
            return kept
        if kind is None:
            self._kinds.sort(submission, self._filings.of(submission.account.system_id))
            return self.rule_text(submission, facts, at)
        if submission.port is None:  # its addresses were judged before it was held
            submission.port = submission.origin.capped
        if is_for(submission.port, Purpose.PUBLIC_INTEREST):  # approvals end
            mark = kind.marks[self.is_exempt(submission, at)]
            kept = further_ruling(facts, mark)
            if isinstance(kept, TextRuling):
                return kept
            ruling = self._rule_text(submission, facts, kind, at)
            keep_further(facts, mark, ruling)
            return ruling
        ruling = self._rule_text(submission, facts, kind, at)
        keep_ruling(facts, kind, ruling)
        return ruling

    def ruling_kept(self, submission: Submission, facts: TextFacts) -> TextRuling | None:
        """Return what `rule_text` returned for a message, None if it was not kept.

        An approval may have ended since (R11): then the one that is kept for its class is meant.
        """
        kind = self._kinds.known.get(submission.origin)
        for key in () if kind is None else (kind, *kind.marks):
            kept = facts.ruling if facts.ruled_for is key else further_ruling(facts, key)
            if isinstance(kept, TextRuling) and kept.classed is submission.classed:
                return kept
        return None

    def _rule_text(
        self, submission: Submission, facts: TextFacts, kind: SourceKind, at: float
    ) -> TextRuling:
        submission.facts = facts
        match = template_of(self._filings, submission)
        template = match.kind if match is not None else None
        classed = self.class_of(submission, facts, at, template)
        submission.traffic = classed.traffic
        # A part of a text may look like a whole template.
        asks = template is TemplateKind.CONSENT_REQUEST and facts.is_whole
        signs, signed = 0, ""
        if self._of_texts[classed.traffic]:  # else the text need not be read
            signs, signed = facts.signs(), facts.shown().signature
        key = kind, signs, signed, submission.template, classed, asks
        alike = self._alike.get(key)
        if alike is None:
            if (classed.traffic, asks) not in kind.courses:
                self._find_concerns(submission, kind, classed.traffic, asks_consent=asks)
            if len(self._alike) >= MAX_KEPT:
                self._alike.clear()
            asked, others = kind.part(classed.traffic, signs)
            known = findings_of(others, submission, at)
            course = kind.courses[classed.traffic, asks]
            alike = self._alike[key] = AlikeTexts(
                self._ruling(submission.template, CLASSED[classed], course, tuple(known.values())),
                asked,
                known,
            )
        found = findings_of(alike.asked, submission, at)
        facts.let_go()
        if not found:
            return alike.ruling
        found |= alike.found
        in_order = [found[one] for one in kind.of_texts[classed.traffic] if one in found]
        return self._ruling(
            submission.template, alike.ruling.classed, alike.ruling.course, in_order
        )

    def _ruling(
        self, template: str, classed: MessageClass, course: Course, found: Sequence[Finding]
    ) -> TextRuling:
        until, asks = self._courses.until(found), course.asks_consent
        return TextRuling(classed.traffic, template, asks, tuple(found), until, course, classed)

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
            [one for one in asking if one.concerns(submission, filed)],
            [one for one in self.counting[traffic] if one.concerns(submission, filed)],
            asks_consent=asks_consent,
        )

    def class_of(
        self,
        submission: Submission,
        facts: TextFacts,
        at: float,
        kind: TemplateKind | None = None,
    ) -> MessageClass:
        """Return the class of a message; `kind` is that of its template, if it has one (R10)."""
        port = submission.port
        if port is not None and is_advert_of(port, facts):
            return OF_ITS_PORT
        name = facts.shown().selling_name
        return class_of(
            port,
            kind,
            facts,
            is_approved=is_for(port, Purpose.PUBLIC_INTEREST) and self.is_exempt(submission, at),
            is_selling_name=bool(name) and not self._is_filed(submission, name),
        )

    def _is_filed(self, submission: Submission, name: str) -> bool:
        return self._filings.of(submission.account.system_id).has_signature(name)

    def is_exempt(self, submission: Submission, at: float) -> bool:
        """Tell whether the message comes from an authority's port with a valid approval (R11)."""
        port = submission.port
        if port is None or not any(
            modes.of(submission) is Enforcement.ENFORCE for modes in self._exempting
        ):
            return False
        return self._filings.of(submission.account.system_id).approval_valid(port.number, at)


def _counters(staged_rules: Iterable[ReadyRule]) -> list[StagedCounter]:
    return [one for one in staged_rules if isinstance(one, StagedCounter)]


def _asked_of_recipients(rules: Iterable[ReadyRule], traffic: TrafficClass) -> Iterator[ReadyRule]:
    """Yield the rules that look at the recipient and the hour of messages of a class."""
    for one in rules:
        if isinstance(one, StagedCounter) or isinstance(one.rule.check, TextCheck):
            continue
        if traffic in one.rule.applies_to:
            yield one
        elif _is_noted_unread(one.rule, traffic):
            yield replace(one, ask=if_unread(one.ask), sieve=everyone)


def _is_noted_unread(rule: Rule, traffic: TrafficClass) -> bool:
    """Tell whether messages outside `applies_to` get a note while the store cannot be read.

    They pass while it cannot be read, and `on_error` may ask that their records say so (R20).
    """
    check = rule.check
    can_be_unread = isinstance(check, RecipientCheck) and check.can_be_unread
    return can_be_unread and rule.on_error.get(traffic) is Action.FORWARD
