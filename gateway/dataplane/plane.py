"""What both sides of the data plane share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.dataplane.part_ids import PartIds
from gateway.dataplane.part_table import PartTable
from gateway.dataplane.rows import found
from gateway.dataplane.tally import Tally
from gateway.domain.records import Why
from gateway.domain.verdict import Finding
from gateway.policy.ruleset import RuleSet
from gateway.policy.warnings import WarningTally

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


_MAX_PER_SENDER = 32


class Hints:
    """The opt-out tokens that each sender has advertised since the process started.

    Kept by sender, not by subscriber: if an SP tells people to reply R, a reply of R is an
    opt-out, no matter which of its texts the subscriber read (O31: no obstacle in any form).
    Bounded: the oldest go first. A text is searched when it is judged for the first time.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, dict[str, None]] = {}

    def note(self, system_id: str, token: str) -> None:
        """Remember that a sender advertised `token`."""
        tokens = self._tokens.setdefault(system_id, {})
        tokens.pop(token, None)
        if len(tokens) >= _MAX_PER_SENDER:
            del tokens[next(iter(tokens))]
        tokens[token] = None

    def of(self, system_id: str) -> tuple[str, ...]:
        """Return what a sender advertised, the latest first."""
        return tuple(reversed(self._tokens.get(system_id, {})))


@dataclass(slots=True)
class Plane:
    """The rules in force, the tables that grow (each bounded), and the switches.

    `session_octets` is what one session may have worked on in one turn, in octets and characters
    read: it goes past that by less than one PDU. While `takes_long` one request of more than
    LONG_PDU_OCTETS is judged, and ends that: others wait until it is set again. `next_id` returns
    a new gateway message id for an epoch time. `is_overloaded` makes every new message be refused
    with ESME_RMSGQFUL, and every delivery with ESME_RX_T_APPN: records can not be written, say.
    `keeps_texts` lets records carry what was said (N136, R70).
    `stopped` are the system_ids of SPs for whom nothing may be written that is not a record: of
    theirs nothing is held, and where `keeps_texts` nothing is taken at all.
    `watched` are the system_ids that a receipt with a gateway id may be due for, `hints` the
    opt-out words that senders have advertised, `trials` what records say of messages that rules
    in shadow mode are against. `withholds` tells of a subscriber's message
    whether it may be for the gateway alone, as 0000 is (R33).
    """

    rules: RuleSet
    pdu_octets: int
    deliver_window: int
    response_s: float
    next_id: Callable[[float], int]
    parts: PartTable = field(init=False)
    part_ids: PartIds = field(default_factory=PartIds)
    tally: Tally = field(default_factory=Tally)
    warnings: WarningTally = field(default_factory=WarningTally)
    trials: Trials = field(default_factory=Trials)
    session_octets: int = 16 * 1024
    takes_long: bool = True
    is_overloaded: bool = False
    keeps_texts: bool = False
    stopped: frozenset[str] = frozenset()
    watched: set[str] = field(default_factory=set)
    hints: Hints = field(default_factory=Hints)
    withholds: Callable[[bytes], bool] = lambda _pdu: False

    def __post_init__(self) -> None:
        content = self.rules.bundle.content
        self.parts = PartTable(content.parts_ttl_s, content.late_parts_s)
        self.rules.share_refusals()

    def load(self, rules: RuleSet) -> None:
        """Judge with `rules` from now on; parts keep their texts, and counters their counts."""
        rules.adopt(self.rules)
        rules.share_refusals()
        self.rules = rules
        content = rules.bundle.content
        self.parts.ttl_s, self.parts.late.keep_s = content.parts_ttl_s, content.late_parts_s
