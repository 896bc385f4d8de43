"""A bundle and the senders, compiled: what the tick judges with."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

from gateway.domain.msisdn import msisdn_of
from gateway.domain.sender import PortOwners, Sender, companions_of
from gateway.domain.verdict import Action, Finding, Reason, Verdict
from gateway.filter.classifier.score import Scorer
from gateway.filter.facts import TextFacts
from gateway.filter.keywords.index import KeywordIndex
from gateway.filter.normalise import shapes
from gateway.filter.scan import ContentScan, Learnt
from gateway.policy.bundle import Bundle
from gateway.policy.check import Evidence, Fact
from gateway.policy.checks.source_suspension import suspenders_of
from gateway.policy.findings import ASKING, excused, finding_of, status_of
from gateway.policy.knowledge import Knowledge
from gateway.policy.rule_stages import RuleStages
from gateway.policy.submission import Account, Submission
from gateway.policy.text_rulings import Course, ReadyRule, StagedCounter

# Returns a finding against a message at a monotonic moment, or None.
Stage: TypeAlias = Callable[[Submission, float], Finding | None]

_NO_SUBSCRIBER = Finding(
    "DESTINATION",
    Reason.DESTINATION_INVALID,
    Action.REJECT,
    "no subscriber number",
    zh="不是用户号码",
)
_TOO_FAST = Finding(
    "R44",
    Reason.RATE,
    Action.THROTTLE,
    "over the sender's rate and burst",
    zh="超过服务商的速率和突发上限",
)


def standing(submission: Submission, _now: float) -> Finding | None:
    """Find against every message of a sender that is suspended or expired (O31 art. 6)."""
    return submission.account.standing


def source(submission: Submission, _now: float) -> Finding | None:
    """Find against a source address outside the ports of the sender (N136: never false; R02, R03).

    So also against one of a suspended port (R88), or one that is blocked here (R63).
    """
    if submission.port is not None:
        return None
    submission.port = submission.origin.capped
    if submission.port is not None:
        return None
    return submission.account.against_source(submission)


def destination(submission: Submission, _now: float) -> Finding | None:
    """Find against a destination that is no subscriber number: no refusal could be looked up."""
    number = msisdn_of(submission.destination)
    submission.msisdn = number
    return None if number is not None else _NO_SUBSCRIBER


def rate(submission: Submission, now: float) -> Finding | None:
    """Find against a message over the sender's token bucket. Every judged message is charged."""
    units = submission.units
    if not units or submission.account.bucket.take(now, units):
        return None
    return _TOO_FAST


def probation(submission: Submission, _now: float) -> Finding | None:
    """Find against a message over the daily cap of a port on probation (R97)."""
    return submission.account.over_cap(submission)


# The stages that need no text, the cheapest first; the last counts what the others let pass.
ADDRESS_STAGES: tuple[Stage, ...] = (standing, source, destination, rate, probation)
# A replace_sm does not name the recipient of its message: only the SMSC knows.
_REPLACEMENT_STAGES: tuple[Stage, ...] = (standing, source, rate)


class RuleSet:
    """One version of all rules. Immutable except buckets, counters, caches and the knowledge.

    Nothing here raises for any message, but the filter may raise over its text.
    """

    def __init__(
        self,
        bundle: Bundle,
        senders: Iterable[Sender],
        knowledge: Knowledge,
        before: "RuleSet | None" = None,
        *,
        is_for_traffic: bool = True,
    ) -> None:
        """Compile; may take seconds for large lists, so call it off the loop.

        Unless it `is_for_traffic` new texts are read one by one, without compiled code.

        `before` hands over the buckets and, if the bundle is the same, the text cache. It keeps its
        counters until `adopt`, because it still judges.
        """
        self.bundle = bundle
        self.digest = bundle.digest
        senders = list(senders)
        self.companions = companions_of(senders)
        self.port_owners = PortOwners(senders)
        old: Mapping[str, Account] = before.accounts if before is not None else {}
        self.accounts: dict[str, Account] = {
            s.system_id: Account(s, old.get(s.system_id), self.port_owners) for s in senders
        }
        self._zone = ZoneInfo(bundle.surroundings.zone)
        self.replies = bundle.replies
        self.knowledge = knowledge
        self.suspenders = suspenders_of(bundle, knowledge.suspended)
        self.rules = RuleStages(bundle.rules, knowledge, bundle.surroundings)
        self._reads = frozenset[Fact]().union(*(one.rule.check.reads for one in self.rules.staged))
        # Whether anything in the bundle asks what a text says.
        self.reads_texts = bool(
            bundle.keyword_lists
            or self.rules.staged
            or bundle.replies is not None
            or bundle.content.unreadable is not Action.FORWARD
        )
        self._is_for_traffic = is_for_traffic
        learnt = self._learnt(knowledge.scorer)
        if before is None or before.digest != bundle.digest:
            self.scan = ContentScan(_index_of(bundle, before), learnt=learnt)
        else:
            self.scan = before.scan.learning(learnt)

    def _learnt(self, scorer: Scorer | None) -> Learnt:
        """Return what must be found out about each new text for the rules of the bundle."""
        if not self.reads_texts:
            return Learnt()
        asked = scorer if Fact.SCORE in self._reads else None
        learnt = Learnt(asked, Fact.FINGERPRINT in self._reads, bool(self.rules.staged))
        if not self._is_for_traffic:
            return learnt
        # Importing compiled code takes longer than all of this.
        from gateway.filter.batch_views import views_of  # noqa: PLC0415

        shapes.prepare()
        return replace(learnt, reading=views_of)

    def keep_codes(self, codes: frozenset[str]) -> None:
        """Let no other network send from the carrier's own `codes` from now on (R02)."""
        if codes != self.port_owners.codes:
            self.port_owners.codes = codes
            for account in self.accounts.values():
                account.origins.clear()

    def share_refusals(self) -> None:
        """Apply a refusal of one account to all accounts of its owner from now on."""
        self.knowledge.consent.companions = self.companions

    def ask_scorer(self, scorer: Scorer | None) -> None:
        """Ask another classifier from now on, or none; on the loop, between two ticks.

        The results of the former one are forgotten step by step: all at once would take 20 ms.
        """
        self.knowledge.scorer = scorer
        before, self.scan = self.scan, self.scan.learning(self._learnt(scorer))
        if self.scan is not before:
            self.scan.memory.let_go(before.memory.give_up())

    def keep_day(self, at: float) -> None:
        """Use the keyword lists that hold today, by the bundle's clock, from now on."""
        self.scan.keep_day(datetime.fromtimestamp(at, self._zone).date())

    def adopt(self, before: "RuleSet") -> None:
        """Go on from the counts of `before`, which judges no more; on the loop, at the swap."""
        self.rules.adopt(before.rules)
        # Another classifier may have been put in place since this was compiled.
        self.ask_scorer(self.knowledge.scorer)
        if before.scan.day is not None:
            self.scan.keep_day(before.scan.day)

    def judge_address(self, submission: Submission, now: float) -> bool:
        """Run the stages that need no text; return whether the text is still to be judged.

        `now` is monotonic, as the senders' buckets are.
        """
        # The stages, inlined: four calls less for nearly every message.
        account, units = submission.account, submission.units
        number = submission.msisdn = msisdn_of(submission.destination)
        if (
            submission.port is not None
            and number is not None
            and account.standing is None
            and (not units or account.bucket.take(now, units))
        ):
            return True
        return self._passes(ADDRESS_STAGES, submission, now)

    def judge_replacement(self, submission: Submission, now: float) -> bool:
        """Run the stages that a new text for an accepted message must pass."""
        return self._passes(_REPLACEMENT_STAGES, submission, now)

    def judge_text(self, submission: Submission, facts: TextFacts, at: float) -> None:
        """Judge by its text a message that its addresses did not stop: rules, words, counts.

        `at` is in epoch seconds.
        """
        if not self.judge_rules(submission, facts, at):
            return
        if facts.findings != ():
            self.judge_content(submission, facts)
            if submission.verdict is not None:
                return
        self.settle(submission, at)

    def judge_rules(self, submission: Submission, facts: TextFacts, at: float) -> bool:
        """Ask every rule that does not count; return whether the message may still pass."""
        if self.rules.are_none:
            return True
        return self.passes(submission, self.course_of(submission, facts, at), at)

    def passes(self, submission: Submission, course: Course, at: float) -> bool:
        """Ask every rule of a course that does not count; return whether the message may pass."""
        for asked in course.asking:
            evidence = asked.ask(submission, at)
            if evidence is not None and self.stops(submission, asked, evidence):
                return False
        return not self.ends(submission)

    def course_of(self, submission: Submission, facts: TextFacts, at: float) -> Course:
        """Note what the text of a message says, and return what to ask about the message."""
        submission.facts = facts
        ruling = self.rules.rule_text(submission, facts, at)
        submission.traffic = ruling.traffic
        submission.classed = ruling.classed
        submission.template = ruling.template
        submission.asks_consent = ruling.asks_consent
        submission.until = ruling.until
        return ruling.course

    def stops(self, submission: Submission, asked: ReadyRule, evidence: Evidence) -> bool:
        """Add a rule's finding to a message; return whether it stops the message."""
        finding = asked.findings.add(submission, evidence)
        if finding.shadow:
            return False
        if finding.action is Action.DEFER:
            submission.hold_back(finding)
            return False
        submission.verdict = self.verdict(submission, finding)
        return True

    def ends(self, submission: Submission) -> bool:
        """Add the findings against the text of a message; return whether they stop the message.

        A word that refuses a text comes before a rule that would only hold it.
        """
        until = submission.until
        if until is None:
            return False
        submission.findings = until.after(submission.findings)
        last = until.found[-1]
        if last.shadow:
            return False
        if last.action is Action.QUARANTINE and submission.facts is not None:
            words = self.of_words(submission.facts)
            refuse = (one for one in words if one.action is Action.REJECT and not one.shadow)
            word = next(refuse, last)
            if word is not last:
                submission.findings += (word,)
                last = word
        submission.verdict = self.verdict(submission, last)
        return True

    def judge_content(self, submission: Submission, facts: TextFacts) -> None:
        """Add the findings for what the filter found in the text."""
        findings = facts.findings
        self.hold_against(submission, self.of_words(facts) if findings is None else findings)

    def of_words(self, facts: TextFacts) -> Sequence[Finding]:
        """Return the findings for what the filter found; a mere warning is not refused."""
        findings = facts.findings
        if findings is None:
            findings = tuple(finding_of(hit, self.bundle.content) for hit in facts.hits)
            findings = facts.findings = excused(findings, facts, self.scan.index, self.scan.day)
            facts.let_go()
        return findings

    def known_of(self, submission: Submission) -> Sequence[Finding]:
        """Return the findings of a judged message, and what else is known to be in its text.

        A message stops at the finding that decides. But every rule about its text
        has been asked by then, and every word looked for: nothing is asked here.
        """
        facts = submission.facts
        if facts is None:
            return submission.findings
        ruling = self.rules.ruling_kept(submission, facts)
        of_text = ruling.found if ruling is not None else ()
        found = (*submission.findings, *of_text, *self.of_words(facts))
        return tuple({id(one): one for one in found}.values())

    def hold_against(self, submission: Submission, findings: Sequence[Finding]) -> None:
        """Add `findings`; the first that is not in shadow mode decides."""
        submission.findings += tuple(findings)
        deciding = next((f for f in findings if not f.shadow), None)
        if deciding is not None:
            submission.verdict = self.verdict(submission, deciding)

    def settle(self, submission: Submission, at: float) -> None:
        """Count a message that nothing stops, unless a limit is reached, or defer it.

        If it is a request for consent that may pass, only the store knows whether it is the first.
        """
        facts = submission.facts
        if facts is not None:
            self.settle_on(submission, self.rules.rule_text(submission, facts, at).course, at)

    def settle_on(self, submission: Submission, course: Course, at: float) -> None:
        """Settle a message with a known course."""
        if submission.deferral is not None:
            # It is counted when it leaves: that is when the subscriber gets it.
            submission.verdict = self.verdict(submission, *submission.deferral)
            return
        if self.counts_in(submission, course.counting, at) and course.asks_consent:
            self.ask_first(submission)

    def ask_first(self, submission: Submission) -> None:
        """Hold a request for consent until the store has told whether it is the first."""
        submission.findings += (ASKING,)
        submission.verdict = self.verdict(submission, ASKING)

    def counts_in(
        self, submission: Submission, counting: Sequence[StagedCounter], at: float
    ) -> bool:
        """Count a message in all counters of `counting`; return False if one of them stops it.

        If one of them raises, the others have not counted it either.
        """
        for one in counting:
            try:
                evidence = one.ask(submission, at)
            except Exception:
                _take_back(submission, counting, one, at)
                raise
            if evidence is not None and self.counts_out(submission, one, evidence, at):
                return False
        return True

    def uncount(self, submission: Submission, at: float) -> None:
        """Take back the count of a message that was settled `at` that moment and then rejected."""
        for one in self.counting_of(submission, at):
            one.forget(submission, at)

    def counting_of(self, submission: Submission, at: float) -> tuple[StagedCounter, ...]:
        """Return the counters of a message; none while its text was not looked at."""
        facts = submission.facts
        return () if facts is None else self.rules.rule_text(submission, facts, at).course.counting

    def counts_out(
        self, submission: Submission, one: StagedCounter, evidence: Evidence, at: float
    ) -> bool:
        """Add the finding of one counter, and return whether it stops the message.

        If so, what others counted of the message is taken back.
        """
        finding = one.findings.add(submission, evidence)
        if finding.shadow:
            return False
        submission.verdict = self.verdict(submission, finding)
        _take_back(submission, self.counting_of(submission, at), one, at)
        if one.rule.id in self.suspenders:  # last, for it looks at the text and may fail
            self.suspenders[one.rule.id].suspend(submission, finding, at)
        return True

    def _passes(self, asked: Iterable[Stage], submission: Submission, now: float) -> bool:
        for stage in asked:
            finding = stage(submission, now)
            if finding is not None:
                submission.findings += (finding,)
                submission.verdict = self.verdict(submission, finding)
                return False
        return True

    def verdict(self, submission: Submission, finding: Finding, due: float = 0.0) -> Verdict:
        """Return the verdict of `finding`; a deferred message is judged again at `due`.

        What a word of a list refuses of another network is held: it is evidence for the carrier of
        origin (R63).
        """
        is_evidence = finding.reason is Reason.CONTENT and finding.action is Action.REJECT
        is_held = is_evidence and submission.account.sender.is_peer
        return Verdict(
            Action.QUARANTINE if is_held else finding.action,
            submission.findings,
            self.digest,
            status_of(finding, submission.account.sender.statuses),
            due,
        )

    def verdict_of(self, account: Account, finding: Finding) -> Verdict:
        """Return the verdict of `finding` alone, for a message of `account`."""
        status = status_of(finding, account.sender.statuses)
        return Verdict(finding.action, (finding,), self.digest, status)


def _take_back(
    submission: Submission, counting: Sequence[StagedCounter], last: StagedCounter, at: float
) -> None:
    """Take a message out of the counters that were asked before `last`."""
    for before in counting[: counting.index(last)]:
        before.forget(submission, at)


def _index_of(bundle: Bundle, before: RuleSet | None) -> KeywordIndex:
    """Return the keyword index of a bundle: that of `before` if it has the same lists."""
    if before is not None and before.bundle.keyword_lists == bundle.keyword_lists:
        return before.scan.index
    return KeywordIndex(bundle.keyword_lists)
