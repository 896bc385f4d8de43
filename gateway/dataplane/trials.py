"""What records say of messages that pass although rules on trial are against them."""

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
        self.why: Why = (*found("shadow", findings[0]), digest)


class Trials:
    """Keeps what is said: with rules on trial nearly every message bears the same findings."""

    __slots__ = ("_digest", "_kept")

    def __init__(self) -> None:
        self._digest = ""
        self._kept: dict[tuple[int, ...], Trial] = {}

    def of(self, findings: Sequence[Finding], digest: str) -> Trial:
        """Return what is said of `findings`, one at least, by the policy of that digest."""
        if digest != self._digest:
            self._kept.clear()
            self._digest = digest
        key = tuple(map(id, findings))  # a rule makes each of its findings once
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= _MAX_KEPT:
                self._kept.clear()
            kept = self._kept[key] = Trial(findings, digest)
        return kept
