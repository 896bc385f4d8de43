"""A bundle and the senders, compiled: what the tick judges with."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.domain.msisdn import msisdn_of
from gateway.domain.policy import ListAction
from gateway.domain.sender import Sender
from gateway.domain.verdict import Action, Finding, Reason, Verdict
from gateway.filter.facts import TextFacts
from gateway.filter.keywords import Hit, KeywordIndex
from gateway.filter.scan import ContentScan
from gateway.filter.scoring import Scorer
from gateway.policy import stages
from gateway.policy.account import Account
from gateway.policy.asking import ASKING
from gateway.policy.bundle import Bundle
from gateway.policy.check_table import learnt_for
from gateway.policy.courses import Asked, Course
from gateway.policy.evidence import Evidence
from gateway.policy.knowledge import Knowledge
from gateway.policy.rule_stages import RuleStages
from gateway.policy.staged import StagedCounter
from gateway.policy.statuses import status_of
from gateway.policy.submission import Submission
from gateway.policy.suspending import suspenders_of

_ACTIONS = {
    ListAction.REJECT: Action.REJECT,
    ListAction.QUARANTINE: Action.QUARANTINE,
    ListAction.SHADOW: Action.FORWARD,
}
_ADDRESS_STAGES: tuple[stages.Stage, ...] = (
    stages.standing,
    stages.source,
    stages.destination,
    stages.rate,
)
# A replace_sm does not say whom its message goes to: the SMSC knows.
_REPLACEMENT_STAGES: tuple[stages.Stage, ...] = (stages.standing, stages.source, stages.rate)


class RuleSet:
    """One version of all rules. Immutable but for buckets, counters, caches and the knowledge.

    Nothing here raises for any message, but the filter may, over its text.
    """

    def __init__(
        self,
        bundle: Bundle,
        senders: Iterable[Sender],
        knowledge: Knowledge,
        before: "RuleSet | None" = None,
    ) -> None:
        """Compile; may take seconds for large lists, so call it off the loop.

        `before` hands over the buckets and, when the bundle is the same, the text cache. Its
        counters stay its own until `adopt`: it still judges.
        """
        self.bundle = bundle
        self.digest = bundle.digest
        old: Mapping[str, Account] = before.accounts if before is not None else {}
        self.accounts: dict[str, Account] = {
            s.system_id: Account(s, old.get(s.system_id)) for s in senders
        }
        self._zone = ZoneInfo(bundle.surroundings.zone)
        self.replies = bundle.replies
        self.knowledge = knowledge
        self.suspenders = suspenders_of(bundle, knowledge.suspended)
        self.rules = RuleStages(bundle.rules, knowledge, bundle.surroundings)
        self._checks = frozenset(type(one.rule.check) for one in self.rules.staged)
        learnt = learnt_for(self._checks, knowledge)
        if before is None or before.digest != bundle.digest:
            self.scan = ContentScan(_index_of(bundle, before), learnt=learnt)
        else:
            self.scan = before.scan.learning(learnt)

    def ask_scorer(self, scorer: Scorer | None) -> None:
        """Ask another classifier from now on, or none; on the loop, between two ticks.

        What the former one said of texts is forgotten: all of it at once would take 20 ms.
        """
        self.knowledge.scorer = scorer
        before, self.scan = self.scan, self.scan.learning(learnt_for(self._checks, self.knowledge))
        if self.scan is not before:
            self.scan.let_go(before.give_up())

    def keep_day(self, at: float) -> None:
        """Judge by the keyword lists that hold today, by the bundle's clock, from now on."""
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
        # The stages, unfolded: four calls less for nearly every message.
        account, units = submission.account, submission.units
        number = submission.msisdn = msisdn_of(submission.destination)
        if (
            submission.port is not None
            and number is not None
            and account.standing is None
            and (not units or account.bucket.take(now, units))
        ):
            return True
        return self._passes(_ADDRESS_STAGES, submission, now)

    def judge_replacement(self, submission: Submission, now: float) -> bool:
        """Run the stages that a new text for an accepted message must pass."""
        return self._passes(_REPLACEMENT_STAGES, submission, now)

    def judge_text(self, submission: Submission, facts: TextFacts, at: float) -> None:
        """Judge a message that its addresses did not stop by its text: rules, words, counts.

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
        """Note what a message is, by its text, and return what is to be asked about it."""
        submission.facts = facts
        ruling = self.rules.rule_text(submission, facts, at)
        submission.traffic = ruling.traffic
        submission.template = ruling.template
        submission.asks_consent = ruling.asks_consent
        submission.until = ruling.until
        return ruling.course

    def stops(self, submission: Submission, asked: Asked, evidence: Evidence) -> bool:
        """Hold against a message what a rule found; return whether that stops it."""
        finding = asked.findings.add(submission, evidence)
        if finding.shadow:
            return False
        if finding.action is Action.DEFER:
            _hold_back(submission, finding)
            return False
        submission.verdict = self.verdict(submission, finding)
        return True

    def ends(self, submission: Submission) -> bool:
        """Hold against a message what was found against its text; return whether that stops it."""
        until = submission.until
        if until is None:
            return False
        submission.findings = until.after(submission.findings)
        last = until.found[-1]
        if last.shadow:
            return False
        submission.verdict = self.verdict(submission, last)
        return True

    def judge_content(self, submission: Submission, facts: TextFacts) -> None:
        """Hold what the filter found against the message."""
        findings = facts.findings
        if findings is None:
            findings = facts.findings = tuple(self.finding_of(hit) for hit in facts.hits)
        self.hold_against(submission, findings)

    def hold_against(self, submission: Submission, findings: Sequence[Finding]) -> None:
        """Add `findings`; the first that is not on trial decides."""
        submission.findings += tuple(findings)
        deciding = next((f for f in findings if not f.shadow), None)
        if deciding is not None:
            submission.verdict = self.verdict(submission, deciding)

    def settle(self, submission: Submission, at: float) -> None:
        """Count a message that nothing stops, unless a limit is reached, or defer it.

        Of a request for consent that may pass, only the store can tell whether it is the first.
        """
        facts = submission.facts
        if facts is not None:
            self.settle_on(submission, self.rules.rule_text(submission, facts, at).course, at)

    def settle_on(self, submission: Submission, course: Course, at: float) -> None:
        """Settle a message whose course is known."""
        if submission.deferral is not None:
            # It is counted when it leaves: that is when the subscriber gets it.
            submission.verdict = self.verdict(submission, *submission.deferral)
            return
        if self.counts_in(submission, course.counting, at) and course.asks_consent:
            self._ask_first(submission)

    def _ask_first(self, submission: Submission) -> None:
        submission.findings += (ASKING,)
        submission.verdict = self.verdict(submission, ASKING)

    def counts_in(
        self, submission: Submission, counting: Sequence[StagedCounter], at: float
    ) -> bool:
        """Count a message in all that count it; return False if one of them is against it."""
        for one in counting:
            evidence = one.ask(submission, at)
            if evidence is not None and self.counts_out(submission, one, evidence, at):
                return False
        return True

    def uncount(self, submission: Submission, at: float) -> None:
        """Take back the count of a message that was settled `at` that moment, and is refused."""
        for one in self._counting(submission, at):
            one.forget(submission, at)

    def _counting(self, submission: Submission, at: float) -> tuple[StagedCounter, ...]:
        facts = submission.facts
        return () if facts is None else self.rules.rule_text(submission, facts, at).course.counting

    def counts_out(
        self, submission: Submission, one: StagedCounter, evidence: Evidence, at: float
    ) -> bool:
        """Hold against a message what one counter found, and return whether that stops it.

        What others counted of it is taken back then.
        """
        finding = one.findings.add(submission, evidence)
        if finding.shadow:
            return False
        submission.verdict = self.verdict(submission, finding)
        if one.rule.id in self.suspenders:
            self.suspenders[one.rule.id].suspend(submission, finding, at)
        counting = self._counting(submission, at)
        for before in counting[: counting.index(one)]:
            before.forget(submission, at)
        return True

    def _passes(self, asked: Iterable[stages.Stage], submission: Submission, now: float) -> bool:
        for stage in asked:
            finding = stage(submission, now)
            if finding is not None:
                submission.findings += (finding,)
                submission.verdict = self.verdict(submission, finding)
                return False
        return True

    def judge_again(self, submission: Submission, facts: TextFacts, now: float, at: float) -> None:
        """Judge a message that a person released: what was refused meanwhile wins.

        A person outranks what only asks for a person, so of what is found against the text
        that counts which rejects. The hour is the subscriber's, and no person outranks it
        (R40, R61). It was charged when it came.
        """
        submission.units = 0
        if not self.judge_address(submission, now):
            return
        found = self._ask_all(submission, facts, at)
        found += [self.finding_of(hit) for hit in facts.hits]
        self.hold_against(submission, [f for f in found if f.action is Action.REJECT])
        if submission.verdict is None and submission.deferral is not None:
            submission.findings += (submission.deferral[0],)
            submission.verdict = self.verdict(submission, *submission.deferral)
        elif submission.verdict is None and submission.asks_consent:
            self._ask_first(submission)

    def judge_due(self, submission: Submission, facts: TextFacts, now: float, at: float) -> None:
        """Judge a deferred message when its hour has come, in full; now it counts (R21, R42).

        Its sender's rate was charged when it came.
        """
        units, submission.units = submission.units, 0
        if self.judge_address(submission, now):
            submission.units = units
            self.judge_text(submission, facts, at)

    def finding_of(self, hit: Hit) -> Finding:
        """Turn what the filter hit into what policy makes of it."""
        if hit.is_unreadable:
            action = self.bundle.content.unreadable
            return Finding(
                "UNREADABLE",
                Reason.CONTENT_UNREADABLE,
                action,
                "no text could be read from the octets",
                shadow=action is Action.FORWARD,
            )
        action = _ACTIONS[hit.action]
        return Finding(
            hit.list_id,
            Reason.CONTENT,
            action,
            hit.told,
            shadow=action is Action.FORWARD,
            category=hit.category,
        )

    def verdict(self, submission: Submission, finding: Finding, due: float = 0.0) -> Verdict:
        """Return the verdict that `finding` makes; what only defers is `due` again then."""
        return Verdict(
            finding.action,
            submission.findings,
            self.digest,
            status_of(finding, submission.account.sender.statuses),
            due,
        )

    def verdict_of(self, account: Account, finding: Finding) -> Verdict:
        """Return the verdict that `finding` makes by itself of a message of `account`."""
        status = status_of(finding, account.sender.statuses)
        return Verdict(finding.action, (finding,), self.digest, status)

    def explain(
        self, submission: Submission, texts: tuple[str, ...], now: float, at: float
    ) -> Verdict:
        """Ask everything whatever was found, and return all findings with the verdict."""
        self.keep_day(at)
        facts = self.scan.explain_texts(texts)
        found = [f for stage in _ADDRESS_STAGES if (f := stage(submission, now)) is not None]
        found += self._ask_all(submission, facts, at)
        counting = [Asked(one.ask, one.findings) for one in self._counting(submission, at)]
        found += _asked_all(counting, submission, at)
        found += [self.finding_of(hit) for hit in facts.hits]
        submission.findings += tuple(found)
        deciding = next((f for f in found if not f.shadow and f.action is not Action.DEFER), None)
        if deciding is not None:
            return self.verdict(submission, deciding)
        if submission.deferral is not None:
            return self.verdict(submission, *submission.deferral)
        if submission.asks_consent:
            submission.findings += (ASKING,)
            return self.verdict(submission, ASKING)
        return Verdict(Action.FORWARD, submission.findings, self.digest)

    def _ask_all(self, submission: Submission, facts: TextFacts, at: float) -> list[Finding]:
        """Return what all rules find that do not count, whatever the others find."""
        submission.facts = facts
        ruling = self.rules.rule_text(submission, facts, at)
        submission.traffic, submission.template = ruling.traffic, ruling.template
        submission.asks_consent = ruling.asks_consent
        found = _asked_all(ruling.course.asking, submission, at)
        return [*found, *ruling.found]


def _index_of(bundle: Bundle, before: RuleSet | None) -> KeywordIndex:
    """Return the index of the words of a bundle: that of `before` where it has the same lists."""
    if before is not None and before.bundle.keyword_lists == bundle.keyword_lists:
        return before.scan.index
    return KeywordIndex(bundle.keyword_lists)


def _asked_all(asked: Iterable[Asked], submission: Submission, at: float) -> list[Finding]:
    found: list[Finding] = []
    for one in asked:
        evidence = one.ask(submission, at)
        if evidence is not None:
            finding = one.findings.of(submission, evidence)
            found.append(finding)
            if finding.action is Action.DEFER and not finding.shadow:
                _hold_back(submission, finding)
    return found


def _hold_back(submission: Submission, finding: Finding) -> None:
    """Note that a message has to wait; the rule that wants it to wait longest prevails."""
    due, earlier = submission.due, submission.deferral
    if earlier is None or due > earlier[1]:
        submission.deferral = (finding, due)
