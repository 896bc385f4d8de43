"""What every step of a tick works with: the plane, its counters, the turn, its batch and rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from gateway.dataplane.attention import Attention, ProhibitedMessage
from gateway.dataplane.link import Link, Outstanding
from gateway.dataplane.part_table import PartIds, PartTable
from gateway.dataplane.submit_request import SubmitRequest
from gateway.domain.msisdn import is_mobile
from gateway.domain.records import DecisionRow, EventRow, OutcomeRow, Row, Text, Why
from gateway.domain.verdict import Action, Finding
from gateway.policy.findings import WarningTally
from gateway.policy.ruleset import RuleSet
from gateway.session.operations import Side
from gateway.smpp.pdu import HEADER, Pdu, header_only


@dataclass(slots=True)
class Tally:
    """Counters of one pipeline.

    `verdicts` is keyed by action and reason, `senders` by system_id and action, `answers` by
    command_status. `unknown` counts by system_id the answers ESME_RINVDSTADR to submit_sm.
    `replies_put_back` are subscribers' messages that the SMSC was asked to send again, and
    `replies_unheard` those that nothing was done about, for want of room or of a store.
    `latency_us` counts answers by the bit length of their microseconds.
    """

    forwarded: int = 0
    relayed: int = 0
    stray: int = 0
    late: int = 0
    timeouts: int = 0
    link_lost: int = 0
    filter_failures: int = 0
    framing_faults: int = 0
    malformed: int = 0
    replies_put_back: int = 0
    replies_unheard: int = 0
    verdicts: dict[tuple[str, str], int] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    senders: dict[tuple[str, str], int] = field(default_factory=dict)
    latency_us: list[int] = field(default_factory=lambda: [0] * 64)
    latency_us_total: int = 0

    def sender(self, system_id: str, action: str, count: int = 1) -> None:
        """Count what became of a sender's messages; senders are those of the configuration."""
        key = (system_id, action)
        self.senders[key] = self.senders.get(key, 0) + count

    def verdict(self, action: str, reason: str, count: int = 1) -> None:
        """Count messages that were not simply forwarded."""
        key = (action, reason)
        self.verdicts[key] = self.verdicts.get(key, 0) + count


@lru_cache(maxsize=16)
def nothing_found(digest: str) -> Why:
    """Return what is said of all that passes by the policy of that digest: one object."""
    return Why(Action.FORWARD.value, "", "", "", digest)


def found(digest: str, action: str, finding: Finding | None, status: str = "") -> Why:
    """Return what was decided for `finding`, by the policy of that digest."""
    if finding is None:
        return Why(action, "", "", status, digest)
    of = (finding.category, finding.campaign)
    return Why(action, finding.reason.value, finding.rule, status, digest, *of)


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


class Batch:
    """Octets to write, a list per link; exceptions to attend to; rows to record.

    Join a link's octets into one write, after the whole tick. `freed` are links with requests
    that can go on in the next turn, as there is room again or as this turn was used up: pass them
    on with no new octets, SPs to `submit`, SMSCs to `resp`. `prohibited` is what was refused and is
    to be reported; what is held bears its own.
    """

    __slots__ = ("attention", "freed", "prohibited", "rows", "writes")

    def __init__(self) -> None:
        self.writes: dict[Link, list[bytes | bytearray]] = {}
        self.attention: list[Attention] = []
        self.freed: set[Link] = set()
        self.rows: list[Row] = []
        self.prohibited: list[ProhibitedMessage] = []

    def write(self, link: Link, octets: bytes | bytearray) -> None:
        """Add octets for `link`, behind what it already gets."""
        writes = self.writes.get(link)
        if writes is None:
            self.writes[link] = [octets]
        else:
            writes.append(octets)

    def refuse(self, link: Link, response_id: int, status: int, sequence: int) -> None:
        """Answer a request of `link` with a status and no body."""
        self.write(link, header_only(response_id, status, sequence))


class Turn:
    """What every step of a tick needs. `now` is monotonic, `at` epoch seconds."""

    __slots__ = ("at", "batch", "now", "plane")

    def __init__(self, plane: Plane, now: float, at: float) -> None:
        self.plane = plane
        self.now = now
        self.at = at
        self.batch = Batch()


def text_of(message: SubmitRequest) -> Text | None:
    """Return what a record keeps of the text, where records keep texts at all.

    Of what a subscriber's own number writes nothing: only ports are on record with their
    words (N136, R70). Nor is an empty text worth a line.
    """
    if not message.octets or is_mobile(message.source):
        return None
    return message.data_coding, message.octets


def decision(
    at: float,
    session: Link,
    request: tuple[int, int],
    addresses: tuple[bytes, bytes],
    why: Why,
    kept: tuple[int, Text | None] = (0, None),
) -> DecisionRow:
    """Return the row of a decision.

    `request` is (command_id, sequence_number), `addresses` (source, destination), `kept` the
    gateway's message id, 0 where it holds nothing, and the text, where texts are kept.
    """
    command_id, sequence = request
    about = (session.number, session.system_id, command_id)
    return ("d", at, about, sequence, *addresses, why, *kept)


def outcome(
    link: Link,
    entry: Outstanding,
    answer: tuple[int, bytes],
    moment: tuple[float, float],
    how: str,
) -> OutcomeRow:
    """Return the row of what became of a request that was written on `link`.

    `answer` is (command_status, message_id), `moment` (monotonic, epoch) seconds.
    """
    asker, sequence, command_id, sent_at, _ = entry
    now, at = moment
    # The gateway's own word is nobody's session's, but what it delivers has one.
    whose = link if asker is None and link.side is Side.ESME else asker
    about = (whose.number if whose is not None else 0, link.system_id, command_id)
    latency_us = int((now - sent_at) * 1e6)
    return ("o", at, about, sequence, *answer, latency_us, how)


def own_answer(link: Link, pdu: bytes, status: int, at: float, how: str) -> OutcomeRow:
    """Return the row of what became of a request that the gateway answered by itself.

    `link` is who asked with `pdu`.
    """
    _, command_id, _, sequence = HEADER.unpack_from(pdu)
    about = (link.number, link.system_id, command_id)
    return ("o", at, about, sequence, status, b"", 0, how)


def operation(session: Link, request: Pdu, at: float) -> EventRow:
    """Return the row of a query_sm, cancel_sm or replace_sm about an earlier message."""
    fields = {
        "session": session.number,
        "system_id": session.system_id,
        "command_id": request.command_id,
        "sequence_number": request.sequence_number,
        "message_id": request.octets("message_id"),
        "source": request.octets("source_addr"),
        "destination": request.octets("destination_addr"),
    }
    return ("e", at, "operation", fields)
