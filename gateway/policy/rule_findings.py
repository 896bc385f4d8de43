"""What a rule finds: how far it goes for each sender and port, and its findings, made once."""

from collections.abc import Mapping

from gateway.domain.policy import Enforcement
from gateway.domain.traffic import TrafficClass
from gateway.domain.verdict import Action, Finding, Reason
from gateway.policy.evidence import Ask, Evidence
from gateway.policy.rules import Rule
from gateway.policy.submission import Submission

_UNREAD_PASSES = Action.FORWARD
# What names a campaign, or the place of a word, is a finding of its own.
_MAX_MADE = 4096


class Modes:
    """The mode of one rule for each sender and port; the port is the stronger."""

    __slots__ = ("_mode", "_ports", "_senders", "are_one")

    def __init__(self, rule: Rule) -> None:
        self._mode = rule.mode
        self.are_one = not rule.overrides
        self._ports: Mapping[str, Enforcement] = {
            override.port: override.mode for override in rule.overrides if override.port
        }
        self._senders: Mapping[str, Enforcement] = {
            override.sender: override.mode for override in rule.overrides if override.sender
        }

    def of(self, submission: Submission) -> Enforcement:
        """Return the mode that holds for a message."""
        if self.are_one:
            return self._mode
        mode = self._senders.get(submission.account.system_id, self._mode)
        port = submission.port
        return mode if port is None else self._ports.get(port.number, mode)


class Findings:
    """The findings that one rule has made, each once: evidence is constant."""

    __slots__ = ("_made", "_rule", "modes")

    def __init__(self, rule: Rule, modes: Modes) -> None:
        self._rule = rule
        self.modes = modes
        # Each in a tuple of its own, for it is all that is found against most messages.
        self._made: dict[tuple[Evidence, Enforcement, TrafficClass], tuple[Finding]] = {}

    def of(self, submission: Submission, evidence: Evidence) -> Finding:
        """Return the finding against a message for which the rule is on."""
        return self._alone(submission, evidence)[0]

    def add(self, submission: Submission, evidence: Evidence) -> Finding:
        """Find against a message for which the rule is on; return the finding.

        What is all that was found against many messages is one tuple: who counts them knows it
        again at a glance.
        """
        alone = self._alone(submission, evidence)
        submission.findings = submission.findings + alone if submission.findings else alone
        return alone[0]

    def _alone(self, submission: Submission, evidence: Evidence) -> tuple[Finding]:
        key = (evidence, self.modes.of(submission), submission.traffic)
        alone = self._made.get(key)
        if alone is None:
            if len(self._made) >= _MAX_MADE:
                self._made.clear()
            alone = self._made[key] = (self._make(*key),)
        return alone

    def _make(self, evidence: Evidence, mode: Enforcement, traffic: TrafficClass) -> Finding:
        rule = self._rule
        action = evidence.action or rule.action
        if evidence.is_unread:
            action = rule.on_error.get(traffic, _UNREAD_PASSES)
        shadow = mode is Enforcement.SHADOW or action is Action.FORWARD
        reason = evidence.reason or rule.reason
        # What cannot be read or counted is no fault of the sender's.
        warns = not evidence.is_unread and reason is not Reason.FREQUENCY_UNCOUNTED
        return Finding(
            rule.id,
            reason,
            action,
            evidence.text,
            shadow,
            category=evidence.category,
            # What cannot be asked is refused for a moment, whatever is said to a refusal.
            status="" if evidence.is_unread else rule.status,
            warning=rule.warning if warns else None,
            severity=rule.severity if warns else None,
        )


def if_unread(ask: Ask) -> Ask:
    """Ask only whether what the rule asks cannot be read."""

    def ask_whether_unread(submission: Submission, at: float) -> Evidence | None:
        evidence = ask(submission, at)
        return evidence if evidence is not None and evidence.is_unread else None

    return ask_whether_unread
