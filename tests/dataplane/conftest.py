"""A small world for the data plane: SP sessions, each with its bind at the SMSC, and no clock."""

# A builder has one parameter for each field that a test may want to bend.
# ruff: noqa: PLR0913

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypeAlias, TypedDict, Unpack

import pytest

from gateway.dataplane.link import Link
from gateway.dataplane.pipeline import Pipeline
from gateway.dataplane.plane import Batch, Plane
from gateway.domain.categories import TrafficClass
from gateway.domain.policy import ContentRule, Enforcement, KeywordList, ListAction
from gateway.domain.sender import BindLimits, BindType, Port, Purpose, Rate, Sender, SenderState
from gateway.domain.verdict import Action
from gateway.filter.normalise.views import Views
from gateway.policy.bundle import Bundle, Override, Rule, Title
from gateway.policy.check import Check
from gateway.policy.knowledge import ConsentSets, Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.session.operations import SessionState, Side
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import Tag
from gateway.smpp.pdu import HEADER, make
from simulators import builders
from simulators.wire import Tlvs

PORT = "10690001"
SUBSCRIBER = "13800138000"
CLEAN = "新到的茶已经上架，欢迎来坐坐"
SPAM = "代开发票"  # rejected
DUBIOUS = "低息贷款"  # held
NOTED = "限时优惠"  # in shadow
UDHI = 0x40
AT = 1_700_000_000.0

BUNDLE = Bundle(
    name="test",
    digest="0123456789ab",
    keyword_lists=(
        KeywordList("K-FRAUD", "fraud", ListAction.REJECT, (SPAM, "free money")),
        KeywordList("K-LOAN", "loan", ListAction.QUARANTINE, (DUBIOUS,)),
        KeywordList("K-NOTE", "note", ListAction.SHADOW, (NOTED,)),
    ),
    content=ContentRule(unreadable=Action.QUARANTINE),
)


class RuleChanges(TypedDict, total=False):
    mode: Enforcement
    applies_to: frozenset[TrafficClass]
    action: Action
    status: str
    on_error: Mapping[TrafficClass, Action]
    overrides: tuple[Override, ...]


def rule(rule_id: str, check: Check, **changes: Unpack[RuleChanges]) -> Rule:
    """Build a rule that is enforced unless told otherwise."""
    usual = Rule(rule_id, Title("规则", "rule"), "[D]", check, Enforcement.ENFORCE)
    return replace(usual, **changes)


class SenderChanges(TypedDict, total=False):
    state: SenderState
    ports: tuple[Port, ...]
    rate: Rate
    statuses: Mapping[str, str]
    refusal_tlvs: bool
    accept: frozenset[str]


def sender(system_id: str = "sp1", **changes: Unpack[SenderChanges]) -> Sender:
    usual = Sender(
        system_id=system_id,
        password="",
        name=system_id,
        state=SenderState.ACTIVE,
        binds=BindLimits(8, frozenset(BindType), ()),
        ports=(Port(PORT, 4, Purpose.MARKETING),),
        rate=Rate(1e6, 1_000_000),
        window=100,
    )
    return replace(usual, **changes)


class SubmitChanges(TypedDict, total=False):
    data_coding: int
    esm_class: int
    registered_delivery: int
    tlvs: Tlvs
    service_type: str
    schedule: str
    validity: str


def advert(
    text: str = CLEAN,
    sequence: int = 1,
    *,
    source: str = PORT,
    to: str = SUBSCRIBER,
    octets: bytes | None = None,
    **changes: Unpack[SubmitChanges],
) -> bytes:
    """Build a submit_sm in UCS-2; `octets` stand for `text` in any other coding."""
    octets = builders.ucs2(text) if octets is None else octets
    return builders.submit_sm(source, to, octets, sequence=sequence, **changes)


def long_advert(
    pieces: Sequence[str | bytes],
    sequence: int = 1,
    *,
    kind: str = "udh8",
    reference: int = 7,
    total: int | None = None,
    source: str = PORT,
    to: str = SUBSCRIBER,
    data_coding: int = 8,
    registered_delivery: int = 0,
) -> list[bytes]:
    """Build the parts of a long message, cut where the test says."""
    built = []
    for number, piece in enumerate(pieces, start=1):
        octets = piece if isinstance(piece, bytes) else builders.ucs2(piece)
        esm_class, tlvs = UDHI, list[tuple[int, bytes]]()
        place = bytes((len(pieces) if total is None else total, number))
        if kind == "sar":
            esm_class, tlvs = 0, sar(reference, place)
        else:
            octets = udh(kind, reference, place) + octets
        built.append(
            advert(
                sequence=sequence + number - 1,
                source=source,
                to=to,
                octets=octets,
                data_coding=data_coding,
                registered_delivery=registered_delivery,
                esm_class=esm_class,
                tlvs=tlvs,
            )
        )
    return built


def udh(kind: str, reference: int, place: bytes) -> bytes:
    """Build a user data header; `place` is the total and the number."""
    if kind == "udh16":
        return b"\x06\x08\x04" + reference.to_bytes(2, "big") + place
    return b"\x05\x00\x03" + bytes((reference,)) + place


def sar(reference: int, place: bytes) -> list[tuple[int, bytes]]:
    return [
        (Tag.SAR_MSG_REF_NUM, reference.to_bytes(2, "big")),
        (Tag.SAR_TOTAL_SEGMENTS, place[:1]),
        (Tag.SAR_SEGMENT_SEQNUM, place[1:]),
    ]


def answer(
    sequence: int,
    message_id: bytes = b"ab12",
    status: int = 0,
    command_id: int = CommandId.SUBMIT_SM_RESP,
) -> bytes:
    """Build an answer of the SMSC's."""
    if status:
        return make(command_id, sequence, status)
    return make(command_id, sequence, message_id=message_id)


def pdus(octets: bytes | bytearray) -> list[bytes]:
    """Cut what was written into PDUs; nothing may be left over."""
    whole, at = list[bytes](), 0
    while at < len(octets):
        length, *_ = HEADER.unpack_from(octets, at)
        whole.append(bytes(octets[at : at + length]))
        at += length
    assert at == len(octets)
    return whole


def header(pdu: bytes) -> tuple[int, int, int]:
    """Return command_id, command_status and sequence_number."""
    _, command_id, status, sequence = HEADER.unpack_from(pdu)
    return command_id, status, sequence


def status_of(pdu: bytes) -> int:
    return header(pdu)[1]


def sequence_of(pdu: bytes) -> int:
    return header(pdu)[2]


def unnumbered(pdu: bytes) -> bytes:
    """Return a PDU with its sequence_number blanked out."""
    return pdu[:12] + bytes(4) + pdu[16:]


# All columns of a decision one after the other, and of an outcome.
Decided: TypeAlias = tuple[
    *tuple[str, float, int, str, int, int, bytes, bytes],
    *tuple[str, str, str, str, str, int, int, bytes],
]
Ended: TypeAlias = tuple[str, float, int, str, int, int, int, bytes, int, str]


def decisions(batch: Batch) -> list[Decided]:
    """Return the decisions in one row each, but for category and campaign."""
    return [
        (row[0], row[1], *row[2], *row[3:6], *row[6][:5], row[7], *(row[8] or (0, b"")))
        for row in batch.rows
        if row[0] == "d"
    ]


def outcomes(batch: Batch) -> list[Ended]:
    return [(row[0], row[1], *row[2], *row[3:]) for row in batch.rows if row[0] == "o"]


@dataclass
class World:
    """A pipeline with one moment that only moves when a test says so."""

    bundle: Bundle = BUNDLE
    senders: tuple[Sender, ...] = (sender(), sender("sp2"))
    knowledge: Knowledge = field(default_factory=Knowledge)
    pdu_octets: int = 70_000
    deliver_window: int = 10
    now: float = 1000.0
    takes_long: bool = True

    def __post_init__(self) -> None:
        self.rules = RuleSet(self.bundle, self.senders, self.knowledge)
        ids = itertools.count(8 * 10**18 + 1)
        self.plane = Plane(
            rules=self.rules,
            pdu_octets=self.pdu_octets,
            deliver_window=self.deliver_window,
            response_s=30.0,
            next_id=lambda _at: next(ids),
        )
        self.pipeline = Pipeline(self.plane)
        self._numbers = itertools.count(1)

    @property
    def sets(self) -> ConsentSets:
        return self.knowledge.consent

    def session(
        self,
        system_id: str = "sp1",
        *,
        state: SessionState = SessionState.BOUND_TRX,
        window: int = 100,
    ) -> Link:
        """Return an SP's session; its `peer` is its bind at the SMSC, in the same state."""
        session = Link(next(self._numbers), Side.ESME, window, self.now)
        link = Link(next(self._numbers), Side.SMSC, 1000, self.now)
        session.peer, link.peer = link, session
        session.state = link.state = state
        session.system_id = link.system_id = system_id
        return session

    def submit(self, session: Link, *pdus: bytes) -> Batch:
        return self.submit_all((session, b"".join(pdus)))

    def submit_all(self, *chunks: tuple[Link, bytes]) -> Batch:
        """Take what several sessions sent, in one tick."""
        self.plane.takes_long = self.takes_long
        return self.pipeline.submit(chunks, self.now, AT)

    def resp(self, link: Link, *pdus: bytes) -> Batch:
        return self.pipeline.resp([(link, b"".join(pdus))], self.now, AT)

    def expire(self, *links: Link) -> Batch:
        return self.pipeline.expire(links, self.now, AT)

    def lose(self, link: Link) -> Batch:
        return self.pipeline.lose(link, self.now, AT)

    def reload(self, bundle: Bundle = BUNDLE, senders: tuple[Sender, ...] | None = None) -> None:
        self.rules = RuleSet(bundle, senders or self.senders, self.knowledge, self.rules)
        self.pipeline.load(self.rules)

    def failing_filter(self, poison: str = "") -> None:
        """Let the content filter raise for every text, or those with `poison` in them."""
        search = self.rules.scan.index.search_views

        def fail(texts: Iterable[Views], day: date | None = None) -> object:
            seen = list(texts)
            if any(poison in text.raw for text in seen):
                raise RuntimeError
            return search(seen, day)

        self.rules.scan.index.search_views = fail  # type: ignore[assignment,method-assign]


def smsc(session: Link) -> Link:
    """Return the session's bind at the SMSC."""
    assert session.peer is not None
    return session.peer


def sent(batch: Batch, link: Link) -> list[bytes]:
    """Return the PDUs that a batch writes to `link`."""
    return pdus(b"".join(batch.writes.get(link, ())))


def up(batch: Batch, session: Link) -> list[bytes]:
    """Return what goes on to the SMSC for `session`."""
    return sent(batch, smsc(session))


@pytest.fixture
def world() -> World:
    return World()


def slow(burst: int, per_s: float = 0.001) -> World:
    """Return a world in which the sender has `burst` tokens and gets no more."""
    return World(senders=(sender(rate=Rate(per_s, burst)),))


def statuses(world: World, *requests: bytes) -> list[int | None]:
    """Send requests one by one; return the status of each refusal, None for what passed."""
    session = world.session(window=1000)
    found: list[int | None] = []
    for request in requests:
        batch = world.submit(session, request)
        answers = sent(batch, session)
        assert len(answers) + len(up(batch, session)) + len(batch.attention) == 1
        found.append(status_of(answers[0]) if answers else None)
    return found
