"""However a word is cut, delayed, repeated and covered up, no phone puts it together."""

import itertools
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dataplane.part_table import PartTable
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import Tag, first
from gateway.smpp.pdu import Pdu, decode
from gateway.smpp.status import CommandStatus
from simulators import builders
from tests.dataplane.conftest import (
    SPAM,
    UDHI,
    World,
    advert,
    answer,
    sar,
    sent,
    sequence_of,
    smsc,
    udh,
    up,
)

WORD = builders.ucs2(SPAM)
DECOY = builders.ucs2("您好")
DAY_S = 86_400.0
KINDS = ("udh8", "udh16", "sar", "lying")

Place = tuple[int, int, int]  # reference, total, number


@dataclass
class Phone:
    """What Android does with parts: a row for each, until all of a message are there.

    Of two with the same number newer versions keep the last, older ones the first.
    """

    keeps_first: bool
    rows: dict[Place, bytes] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)

    def receive(self, octets: bytes) -> None:
        pdu = decode(octets)
        place, text = _place_of(pdu)
        if self.keeps_first:
            self.rows.setdefault(place, text)
        else:
            self.rows[place] = text
        reference, total, _ = place
        keys = [(reference, total, number) for number in range(1, total + 1)]
        if all(key in self.rows for key in keys):
            octets = b"".join(self.rows.pop(key) for key in keys)
            self.shown.append(octets.decode("utf-16-be", "replace"))


def _place_of(pdu: Pdu) -> tuple[Place, bytes]:
    octets = pdu.octets("short_message")
    if not pdu.number("esm_class") & UDHI:
        values = [
            first(pdu.tlvs, tag)
            for tag in (Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM)
        ]
        reference, total, number = (int.from_bytes(value or b"", "big") for value in values)
        return (reference, total, number), octets
    at, text = 3 + 2 * (octets[1] == 0x08) - (octets[1] == 0x08), octets[1 + octets[0] :]
    reference = int.from_bytes(octets[3 : at + 1], "big")
    return (reference, octets[at + 1], octets[at + 2]), text


def part(kind: str, place: Place, text: bytes) -> bytes:
    reference, total, number = place
    counts = bytes((total, number))
    if kind == "sar":
        return advert(octets=text, tlvs=sar(reference, counts))
    header = udh(kind, reference, counts)
    if kind == "lying":  # the length of the element says more than it has
        header = bytes((7, 0, 5, reference)) + counts + b"\x70\0"
    return advert(octets=header + text, esm_class=UDHI)


@st.composite
def attacks(draw: st.DrawFn) -> list[tuple[float, str, int, int, bytes]]:
    """Draw parts to send: delay before each, kind, total, number, text."""
    total = draw(st.integers(2, 5))
    cuts = sorted(draw(st.lists(st.integers(0, len(WORD)), min_size=total - 1, max_size=total - 1)))
    bounds = [0, *cuts, len(WORD)]
    pieces = [WORD[begin:end] for begin, end in itertools.pairwise(bounds)]
    numbers = list(range(1, total + 1))
    order = [*draw(st.permutations(numbers)), *draw(st.lists(st.sampled_from(numbers), max_size=4))]
    delays = st.sampled_from([0.0, 0.0, 5.0, 61.0, 3_600.0, DAY_S])
    decoys = st.sampled_from([False, False, False, True])
    return [
        (
            min(draw(delays), 6 * DAY_S / len(order)),
            draw(st.sampled_from(KINDS)),
            total,
            number,
            DECOY if draw(decoys) else pieces[number - 1],
        )
        for number in order
    ]


def _flood(world: World, source: str) -> None:
    """Begin more long messages of another sender than there is room for."""
    session = world.session(source)
    for reference in range(30):
        counts = bytes((2, 1))
        text = udh("udh16", 1000 + reference, counts) + DECOY
        world.submit(session, advert(octets=text, esm_class=UDHI))
        world.lose(session)
        session = world.session(source)


@settings(max_examples=150, deadline=None)
@given(
    attack=attacks(),
    keeps_first=st.booleans(),
    floods=st.sets(st.integers(0, 8), max_size=3),
    lost=st.sets(st.integers(0, 8), max_size=3),
    flooder=st.sampled_from(["sp1", "sp2"]),
    room=st.sampled_from([8_000, 64 << 20]),
)
def test_no_phone_puts_a_word_together(
    attack: list[tuple[float, str, int, int, bytes]],
    keeps_first: bool,  # noqa: FBT001 - drawn
    floods: set[int],
    lost: set[int],
    flooder: str,
    room: int,
) -> None:
    world, phone = World(), Phone(keeps_first)
    world.plane.parts = PartTable(60, max_octets=room, max_late_octets=room)
    session = world.session()

    for turn, (delay_s, kind, total, number, text) in enumerate(attack):
        world.now += delay_s
        world.expire()
        if turn in floods:
            _flood(world, flooder)
        batch = world.submit(session, part(kind, (49, total, number), text))
        for passed in up(batch, session):
            status = CommandStatus.ESME_RSYSERR if turn in lost else CommandStatus.ESME_ROK
            if not status:
                phone.receive(passed)
            world.resp(smsc(session), answer(sequence_of(passed), b"%d" % turn, status))
        for refusal in sent(batch, session):
            assert decode(refusal).command_id == CommandId.SUBMIT_SM_RESP

    assert not any(SPAM in shown for shown in phone.shown)


def test_the_phone_puts_together_what_passes() -> None:
    """Else the test above could not fail."""
    for keeps_first in (False, True):
        phone = Phone(keeps_first)
        phone.receive(part("udh8", (49, 2, 2), WORD[4:]))
        phone.receive(part("lying", (49, 2, 1), WORD[:4]))
        phone.receive(part("udh16", (49, 2, 1), WORD[:4]))
        phone.receive(part("sar", (49, 2, 2), WORD[4:]))

        assert phone.shown == [SPAM, SPAM]
