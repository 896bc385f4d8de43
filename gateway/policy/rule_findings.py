"""The mode of a rule for each sender and port, and its findings, made once."""

from collections.abc import Mapping

from gateway.domain.policy import Enforcement
from gateway.domain.traffic import TrafficClass
from gateway.domain.verdict import Action, Finding, Reason
from gateway.policy.endings import Ending
from gateway.policy.evidence import Ask, Evidence
from gateway.policy.rules import Rule
from gateway.policy.submission import Submission

_UNREAD_PASSES = Action.FORWARD
# Evidence that names a campaign, or the place of a word, makes a finding of its own.
_MAX_MADE = 4096


class Modes:
    """The mode of one rule for each sender and port; the port takes precedence."""

    __slots__ = ("_mode", "_ports", "_senders", "for_all")

    def __init__(self, rule: Rule) -> None:
        self._mode = rule.mode
        # None if it is not the same for all.
        self.for_all = None if rule.overrides else rule.mode
        self._ports: Mapping[str, Enforcement] = {
            override.port: override.mode for override in rule.overrides if override.port
        }
        self._senders: Mapping[str, Enforcement] = {
            override.sender: override.mode for override in rule.overrides if override.sender
        }

    def of(self, submission: Submission) -> Enforcement:
        """Return the mode that holds for a message."""
        if self.for_all is not None:
            return self.for_all
        mode = self._senders.get(submission.account.system_id, self._mode)
        port = submission.port
        return mode if port is None else self._ports.get(port.number, mode)


class RuleFindings:
    """The findings that one rule has made, each once: evidence is constant."""

    __slots__ = ("_made", "_rule", "modes")

    def __init__(self, rule: Rule, modes: Modes) -> None:
        self._rule = rule
        self.modes = modes
        self._made: dict[tuple[Evidence, Enforcement, TrafficClass], Ending] = {}

    def of(self, submission: Submission, evidence: Evidence) -> Finding:
        """Return the finding against a message for which the rule is on."""
        return self._made_of(submission, evidence).found[0]

    def add(self, submission: Submission, evidence: Evidence) -> Finding:
        """Add the finding to a message for which the rule is on; return the finding."""
        # `_made_of` inlined. For most messages this is the first finding.
        mode = self.modes.for_all or self.modes.of(submission)
        made = self._made.get((evidence, mode, submission.traffic))
        if made is None:
            made = self._made_of(submission, evidence)
        before = submission.findings
        submission.findings = made.after(before) if before else made.found
        return made.found[0]

    def _made_of(self, submission: Submission, evidence: Evidence) -> Ending:
        key = (evidence, self.modes.of(submission), submission.traffic)
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= _MAX_MADE:
                self._made.clear()
            made = self._made[key] = Ending((self._make(*key),))
        return made

    def _make(self, evidence: Evidence, mode: Enforcement, traffic: TrafficClass) -> Finding:
        rule = self._rule
        action = evidence.action or rule.action
        if evidence.is_unread:
            action = rule.on_error.get(traffic, _UNREAD_PASSES)
        shadow = mode is Enforcement.SHADOW or action is Action.FORWARD
        reason = evidence.reason or rule.reason
        # Data that cannot be read or counted is not the sender's fault.
        warns = not evidence.is_unread and reason is not Reason.FREQUENCY_UNCOUNTED
        return Finding(
            rule.id,
            reason,
            action,
            evidence.text,
            shadow,
            category=evidence.category,
            campaign=evidence.campaign,
            # Unreadable data is a temporary rejection: the status of the rule does not apply.
            status="" if evidence.is_unread else rule.status,
            warning=rule.warning if warns else None,
            severity=rule.severity if warns else None,
        )


def if_unread(ask: Ask) -> Ask:
    """Return a function that asks only whether the rule's data cannot be read."""

    def ask_whether_unread(submission: Submission, at: float) -> Evidence | None:
        evidence = ask(submission, at)
        return evidence if evidence is not None and evidence.is_unread else None

    return ask_whether_unread
