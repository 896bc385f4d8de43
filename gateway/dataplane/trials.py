"""What records say of messages that pass although rules in shadow mode are against them."""

from collections.abc import Sequence

from gateway.dataplane.rows import found
from gateway.domain.records import Why
from gateway.domain.verdict import Finding

_MAX_KEPT = 4096


class Trial:
    """What is said of one set of findings, and whether any of them warns of the sender."""

    __slots__ = ("findings", "reason", "warns", "why")

    def __init__(self, findings: Sequence[Finding], digest: str) -> None:
        self.findings = findings  # and so their ids are nobody else's
        self.reason = findings[0].reason.value
        self.warns = any(finding.warning is not None for finding in findings)
        self.why: Why = found(digest, "shadow", findings[0])


class Trials:
    """Keeps what is said: with rules in shadow mode nearly every message has the same findings."""

    __slots__ = ("_at_hand", "_digest", "_kept")

    def __init__(self) -> None:
        self._digest = ""
        self._kept: dict[tuple[int, ...], Trial] = {}
        self._at_hand: dict[int, Trial] = {}  # those of them that are one tuple for many messages

    def of(self, findings: Sequence[Finding], digest: str) -> Trial:
        """Return what is said of `findings`, one at least, by the policy of that digest."""
        if digest != self._digest:
            self._forget()
            self._digest = digest
        at_hand = self._at_hand.get(id(findings))
        if at_hand is not None and at_hand.findings is findings:
            return at_hand
        key = tuple(map(id, findings))  # a rule makes each of its findings once
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= _MAX_KEPT:
                self._forget()
            kept = self._kept[key] = self._at_hand[id(findings)] = Trial(findings, digest)
        return kept

    def _forget(self) -> None:
        self._kept.clear()
        self._at_hand.clear()
