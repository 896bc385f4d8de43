"""What every step of a tick works with: the plane, its counters, the turn, its batch and rows."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from gateway.dataplane.attention import Attention, OwnRequest, ProhibitedMessage
from gateway.dataplane.link import Link, Outstanding
from gateway.dataplane.part_table import PartIds, PartTable, SmscMessageIds
from gateway.dataplane.submit_request import SubmitRequest
from gateway.domain.msisdn import is_mobile
from gateway.domain.records import (
    DecisionRow,
    DeliveryNames,
    EventRow,
    OutcomeRow,
    Row,
    Text,
    Why,
)
from gateway.domain.sender import LastWriters, RouteTable
from gateway.domain.subscription import Hub
from gateway.domain.verdict import Action, Finding, Verdict
from gateway.policy.complaint_words import ComplaintFormat
from gateway.policy.findings import WarningTally
from gateway.policy.message_class import MessageClass
from gateway.policy.ruleset import RuleSet
from gateway.session.operations import Side
from gateway.smpp.pdu import HEADER, Pdu, header_only

# A rule, and whether it was in force or in shadow mode.
RuleMode: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class Tally:
    """Counters of one pipeline.

    `verdicts` is keyed by action and reason, `findings` by rule and mode, `senders` by system_id
    and action, `answers` by command_status. `unknown` counts by system_id the answers
    ESME_RINVDSTADR to submit_sm.
    `receipts_unowned` are those for a shared port about a message that is not known.
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
    receipts_unowned: int = 0
    replies_put_back: int = 0
    replies_unheard: int = 0
    verdicts: dict[tuple[str, str], int] = field(default_factory=dict)
    findings: dict[RuleMode, int] = field(default_factory=dict)
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

    def found(self, rules: Iterable[RuleMode], count: int = 1) -> None:
        """Count messages in which each of `rules` found something."""
        findings = self.findings
        for key in rules:
            findings[key] = findings.get(key, 0) + count

    def forget(self, rules: Container[str]) -> None:
        """Count no more what `rules` found, which are gone."""
        self.findings = {key: n for key, n in self.findings.items() if key[0] not in rules}


@lru_cache(maxsize=128)
def nothing_found(digest: str, classed: MessageClass | None = None) -> Why:
    """Return what is said of all of a class that passes by that policy: one object."""
    return found(digest, Action.FORWARD.value, None, classed=classed)


def found(
    digest: str,
    action: str,
    finding: Finding | None,
    status: str = "",
    findings: Sequence[Finding] = (),
    classed: MessageClass | None = None,
) -> Why:
    """Return what was decided for `finding`, by the policy of that digest.

    `findings` are all that there are, if there are others than that. `classed` is the class of the
    message, None for what was decided before its text was looked at.
    """
    traffic, by = ("", "") if classed is None else (classed.traffic.value, classed.by.value)
    if finding is None:
        return Why(action, "", "", status, digest, "", "", tuple(findings), traffic, by)
    of = (finding.category, finding.campaign, tuple(findings) or (finding,), traffic, by)
    return Why(action, finding.reason.value, finding.rule, status, digest, *of)


_MAX_KEPT = 4096


class Trial:
    """What is said of one set of findings, what is counted, and whether one warns of the sender."""

    __slots__ = ("classed", "findings", "reason", "rules", "warns", "why")

    def __init__(self, findings: Sequence[Finding], classed: MessageClass | None, why: Why) -> None:
        self.findings = findings  # and so their ids are nobody else's
        self.classed = classed
        self.reason = why.reason
        # Several words of one list count once.
        self.rules = frozenset((one.rule, one.mode) for one in findings)
        self.warns = any(finding.warning is not None for finding in findings)
        self.why = why


class Trials:
    """Keeps what is said: with rules in shadow mode nearly every message has the same findings.

    Much of what is stopped has the same findings, too.
    """

    __slots__ = ("_at_hand", "_digest", "_kept")

    def __init__(self) -> None:
        self._digest = ""
        self._kept: dict[tuple[object, ...], Trial] = {}
        self._at_hand: dict[
            tuple[int, int], Trial
        ] = {}  # those of them that are one tuple for many messages

    def of(
        self, findings: Sequence[Finding], digest: str, classed: MessageClass | None = None
    ) -> Trial:
        """Return what is said of `findings`, one at least, by the policy of that digest."""
        if digest != self._digest:
            self._begin(digest)
        ids = id(findings), id(classed)
        at_hand = self._at_hand.get(ids)
        if at_hand is not None and at_hand.findings is findings and at_hand.classed is classed:
            return at_hand
        key = (classed, *map(id, findings))  # a rule makes each of its findings once
        kept = self._kept.get(key)
        if kept is None:
            why = found(digest, "shadow", findings[0], "", findings, classed)
            kept = self._keep(key, Trial(findings, classed, why))
            self._at_hand[ids] = kept
        return kept

    def stopped(
        self,
        findings: Sequence[Finding],
        verdict: Verdict,
        status: str,
        classed: MessageClass | None = None,
    ) -> Trial:
        """Return what is said of a message that is stopped by `verdict`, with that status."""
        if verdict.digest != self._digest:
            self._begin(verdict.digest)
        action = verdict.action.value
        key = (action, status, classed, *map(id, findings))
        kept = self._kept.get(key)
        if kept is None:
            why = found(verdict.digest, action, verdict.deciding, status, findings, classed)
            kept = self._keep(key, Trial(findings, classed, why))
        return kept

    def _keep(self, key: tuple[object, ...], trial: Trial) -> Trial:
        if len(self._kept) >= _MAX_KEPT:
            self._begin(self._digest)
        self._kept[key] = trial
        return trial

    def _begin(self, digest: str) -> None:
        self._digest = digest
        self._kept.clear()
        self._at_hand.clear()


_MAX_PER_PORT = 32


class Hints:
    """The opt-out words that each port has offered, also before a restart.

    Kept by port, not by subscriber: if texts of a port tell people to reply R, a reply of R to that
    port is an opt-out, no matter which of them the subscriber read, and when (O31: no obstacle in
    any form). Not by SP: R to a port that never offered it may be a vote. Bounded: the oldest go
    first. A text is searched when it is judged for the first time from a port, and again after the
    port lost a word. `unkept` are ports with other words than are stored.
    """

    def __init__(self) -> None:
        self.unkept: set[tuple[str, str]] = set()
        self._tokens: dict[tuple[str, str], dict[str, None]] = {}

    def load(self, offered: Iterable[tuple[str, str, str]]) -> None:
        """Take over stored words, each with its sender and port, the latest of a port last."""
        for system_id, port, token in offered:
            self._tokens.setdefault((system_id, port), {})[token] = None

    def note(self, system_id: str, port: str, token: str) -> bool:
        """Remember that a port of a sender offered `token`; False if another was dropped for it."""
        tokens = self._tokens.setdefault((system_id, port), {})
        if token not in tokens:
            self.unkept.add((system_id, port))
        tokens.pop(token, None)
        has_room = len(tokens) < _MAX_PER_PORT
        if not has_room:
            del tokens[next(iter(tokens))]
        tokens[token] = None
        return has_room

    def of(self, system_id: str, port: str) -> tuple[str, ...]:
        """Return what a port offered, the latest first."""
        return tuple(reversed(self._tokens.get((system_id, port), {})))


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
    opt-out words that ports have offered, `trials` what records say of messages that rules
    in shadow mode are against. `withholds` tells of a subscriber's message
    whether it may be for the gateway alone, as 0000 is (R33).
    `backlogged` are the system_ids of SPs that deliveries are kept for, and `overtakes` tells
    whether one for such an SP would come before what is kept from the same subscriber.
    Where there are `routes` by prefix, they find the group of SMSCs of what goes on a shared link,
    and `way_to` the link of that group for a session, None if none stands.
    `session_of` returns a session of a sender that takes a delivery now, for what comes on a
    shared link. `ids` knows which SPs the ids of SMSCs belong to, None where one SMSC knows it, and
    `bind_at` a link of the gateway at an SMSC that can ask about an SP's messages there.
    `writers` are who wrote last from ports that are shared. `smsc_of` returns the SMSC that an
    outbind on a connection is from, "" if none may send it there. `hub` has the
    carrier's own codes, and `complaint_codes` the addresses that subscribers report spam to (R80),
    each with the format of what they write.
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
    withholds: Callable[[bytes, str], bool] = lambda _pdu, _system_id: False
    backlogged: set[str] = field(default_factory=set)
    overtakes: Callable[[str, DeliveryNames], bool] = lambda _system_id, _names: False
    routes: RouteTable | None = None
    way_to: Callable[[Link, str], Link | None] = lambda _session, _group: None
    session_of: Callable[[str], Link | None] = lambda _system_id: None
    ids: SmscMessageIds | None = None
    bind_at: Callable[[str, str], Link | None] = lambda _system_id, _smsc: None
    writers: LastWriters = field(default_factory=LastWriters)
    smsc_of: Callable[[Link, bytes], str] = lambda _link, _pdu: ""
    hub: Hub = field(default_factory=Hub)
    complaint_codes: Mapping[bytes, ComplaintFormat] = field(default_factory=dict)

    def __post_init__(self) -> None:
        content = self.rules.bundle.content
        self.parts = PartTable(content.parts_ttl_s, content.late_parts_s)
        self.rules.share_refusals()
        self.keep_codes()

    def keep_codes(self) -> None:
        """Let no other network send from the codes of `hub`; call it when that was changed."""
        self.rules.keep_codes(frozenset(self.hub.codes))

    def expire(self, now: float) -> None:
        """Forget what the tables have had for too long."""
        self.parts.expire(now)
        self.part_ids.expire(now)
        if self.ids is not None:
            self.ids.expire(now)

    def others_meant(self, address: str, msisdn: int, system_id: str) -> tuple[str, ...]:
        """Return who else a word may be meant for: all who own a port, if no last writer is known.

        `system_id` is who gets it on a bind of the gateway's own.
        """
        port, owners = self.rules.port_owners.port_of(address)
        if self.writers.last(port, msisdn) == system_id:
            return ()
        return tuple(one for one in owners if one != system_id)

    def load(self, rules: RuleSet) -> None:
        """Judge with `rules` from now on; parts keep their texts, and counters their counts."""
        rules.adopt(self.rules)
        rules.share_refusals()
        self.tally.forget(self.rules.bundle.ids() - rules.bundle.ids())
        self.rules = rules
        self.keep_codes()
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

    def free_sharers(self, link: Link) -> None:
        """Let the sessions go on that wait for room on a shared link, if there is some.

        They do in their turn: not those first that were just answered.
        """
        for line in link.waiting.values():
            self.freed.difference_update(line.keys() - link.called)
        self.freed.update(link.call_up())

    def refuse(self, link: Link, response_id: int, status: int, sequence: int) -> None:
        """Answer a request of `link` with a status and no body."""
        self.write(link, header_only(response_id, status, sequence))


class Turn:
    """What every step of a tick needs. `now` is monotonic, `at` epoch seconds."""

    __slots__ = (
        *("at", "batch", "claimed", "detoured", "detours"),
        *("noted", "now", "on_trial", "plane"),
    )

    def __init__(self, plane: Plane, now: float, at: float) -> None:
        # How many requests of a session are about to go on a shared link, and on that together.
        self.claimed: dict[Link, int] = {}
        self.on_trial: dict[Trial, int] = {}
        # The links of messages that go on another than their session's.
        self.detours: dict[SubmitRequest, Link] = {}
        # Of a session, how many of `claimed` are about to go on each of its `Link.detours`.
        self.detoured: dict[Link, dict[Link, int]] = {}
        self.noted = 0  # how many rows of the batch `note_ids` has looked at
        self.plane = plane
        self.now = now
        self.at = at
        self.batch = Batch()

    def note_ids(self, smsc: str) -> None:
        """Note the message_ids in the rows since the last call: their answers came from `smsc`."""
        rows = self.batch.rows
        if self.plane.ids is not None and self.noted < len(rows):
            self.plane.ids.note(smsc, rows[self.noted :], self.now)
            self.noted = len(rows)


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


def requester_of(link: Link, entry: Outstanding) -> str:
    """Return the system_id of the SP that a request written on `link` is from, or is for."""
    asker, _, _, _, context = entry
    if link.side is Side.ESME:
        return link.system_id
    if asker is not None:
        return asker.system_id
    return context.system_id if isinstance(context, OwnRequest) else link.system_id


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
    number = whose.number if whose is not None else 0
    about = (number, requester_of(link, entry), command_id)
    latency_us = int((now - sent_at) * 1e6)
    return ("o", at, about, sequence, *answer, latency_us, how)


def own_answer(
    link: Link, pdu: bytes, status: int, at: float, how: str, owner: str | None = None
) -> OutcomeRow:
    """Return the row of what became of a request that the gateway answered by itself.

    `link` is who asked with `pdu`, `owner` the SP that it is about if the link is not that SP's.
    """
    _, command_id, _, sequence = HEADER.unpack_from(pdu)
    about = (link.number, link.system_id if owner is None else owner, command_id)
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
