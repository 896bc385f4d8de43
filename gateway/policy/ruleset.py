"""A bundle and the senders, compiled: what the tick judges with."""

from collections.abc import Iterable, Mapping

from gateway.domain.policy import Bundle, Enforcement, ListAction
from gateway.domain.sender import Sender
from gateway.domain.verdict import Action, Finding, Reason, Verdict
from gateway.filter.keywords import Hit, KeywordIndex
from gateway.filter.scan import ContentScan
from gateway.policy import stages
from gateway.policy.account import Account
from gateway.policy.consent_sets import ConsentSets
from gateway.policy.statuses import status_of
from gateway.policy.submission import Submission

_ACTIONS = {
    ListAction.REJECT: Action.REJECT,
    ListAction.QUARANTINE: Action.QUARANTINE,
    ListAction.SHADOW: Action.FORWARD,
}


class RuleSet:
    """One version of all rules. Immutable but for buckets, caches and the consent sets.

    Nothing here raises for any message.
    """

    def __init__(
        self,
        bundle: Bundle,
        senders: Iterable[Sender],
        sets: ConsentSets,
        before: "RuleSet | None" = None,
    ) -> None:
        """Compile; may take seconds for large lists, so call it off the loop.

        `before` hands over the buckets and, when the bundle is the same, the text cache.
        """
        self.bundle = bundle
        self.digest = bundle.digest
        old: Mapping[str, Account] = before.accounts if before is not None else {}
        self.accounts: dict[str, Account] = {
            s.system_id: Account(s, old.get(s.system_id)) for s in senders
        }
        self.scan: ContentScan = (
            before.scan
            if before is not None and before.digest == bundle.digest
            else ContentScan(KeywordIndex(bundle.keyword_lists))
        )
        self.replies = bundle.consent.replies if bundle.consent is not None else None
        self.stages = _stages(bundle, sets)
        # A replace_sm does not say whom its message goes to: the SMSC knows.
        self.replacement_stages = (stages.standing, stages.source, stages.rate)

    def judge_address(self, submission: Submission, now: float) -> bool:
        """Run the stages that need no text; return whether the text is still to be judged."""
        for stage in self.stages:
            finding = stage(submission, now)
            if finding is not None and self._is_final(submission, finding):
                return False
        return True

    def judge_replacement(self, submission: Submission, now: float) -> bool:
        """Run the stages that a new text for an accepted message must pass."""
        for stage in self.replacement_stages:
            finding = stage(submission, now)
            if finding is not None and self._is_final(submission, finding):
                return False
        return True

    def _is_final(self, submission: Submission, finding: Finding) -> bool:
        submission.findings += (finding,)
        if finding.shadow:
            return False
        submission.verdict = self.verdict(submission, finding)
        return True

    def judge_content(self, submission: Submission, hits: tuple[Hit, ...]) -> None:
        """Hold what the filter found against the message."""
        submission.findings += tuple(self.finding_of(hit) for hit in hits)
        deciding = next((f for f in submission.findings if not f.shadow), None)
        if deciding is not None:
            submission.verdict = self.verdict(submission, deciding)

    def judge_again(self, submission: Submission, texts: tuple[str, ...], now: float) -> None:
        """Judge a message that a person released: what was refused meanwhile wins.

        A person outranks what only asks for a person, so of the text's hits those that
        reject count. It was charged when it came.
        """
        submission.units = 0
        if self.judge_address(submission, now):
            hits = self.scan.judge_texts(texts)
            rejects = tuple(hit for hit in hits if hit.action is ListAction.REJECT)
            self.judge_content(submission, rejects)

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
            hit.word,
            shadow=action is Action.FORWARD,
            category=hit.category,
        )

    def verdict(self, submission: Submission, finding: Finding) -> Verdict:
        """Return the verdict that `finding` makes."""
        return Verdict(
            finding.action,
            submission.findings,
            self.digest,
            status_of(finding.reason, submission.account.sender.statuses),
        )

    def explain(self, submission: Submission, texts: tuple[str, ...], now: float) -> Verdict:
        """Run every stage whatever was found, and return all findings with the verdict."""
        found = [f for stage in self.stages if (f := stage(submission, now)) is not None]
        findings = [*submission.findings, *found]
        findings += [self.finding_of(hit) for hit in self.scan.judge_texts(texts)]
        submission.findings = tuple(findings)
        deciding = next((f for f in findings if not f.shadow), None)
        if deciding is None:
            return Verdict(Action.FORWARD, submission.findings, self.digest)
        return self.verdict(submission, deciding)


def _stages(bundle: Bundle, sets: ConsentSets) -> tuple[stages.Stage, ...]:
    chosen: list[stages.Stage] = [
        stages.standing,
        stages.source,
        stages.destination,
        stages.rate,
    ]
    rule = bundle.consent
    if rule is not None and {rule.opt_out, rule.consent} != {Enforcement.OFF}:
        chosen.append(stages.consent(rule, sets))
    return tuple(chosen)
