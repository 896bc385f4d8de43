"""New texts of parts (replace_sm) are judged with the parts beside them."""

from typing import Any

import pytest

from gateway.dataplane.link import Link
from gateway.dataplane.part_table import PartIds, PartTable
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import Tag
from gateway.smpp.status import CommandStatus
from simulators import builders
from simulators.wire import Tlvs
from tests.dataplane.conftest import (
    PORT,
    SPAM,
    SUBSCRIBER,
    UDHI,
    World,
    advert,
    answer,
    decisions,
    header,
    long_advert,
    sar,
    sent,
    sequence_of,
    smsc,
    udh,
    up,
)

REFUSED = CommandStatus.ESME_RSUBMITFAIL
FAILED = CommandStatus.ESME_RREPLACEFAIL
IN_AN_HOUR = "000000010000000R"
KINDS = ["udh8", "udh16", "sar"]
DAY_S = 86_400.0


@pytest.fixture
def session(world: World) -> Link:
    return world.session()


def taken(world: World, session: Link, *requests: bytes, status: int = 0) -> None:
    """Send requests; the SMSC takes them under the ids id1, id2 and so on."""
    for number, request in enumerate(requests, start=1):
        (passed,) = up(world.submit(session, request), session)
        response = header(request)[0] | 0x80000000
        reply = answer(sequence_of(passed), f"id{number}".encode(), status, response)
        world.resp(smsc(session), reply)


def status_of_new_text(
    world: World, session: Link, message_id: str, octets: bytes, tlvs: Tlvs = ()
) -> int | None:
    """Send a replace_sm; return the status of its refusal, None if it went on."""
    batch = world.submit(session, builders.replace_sm(message_id, PORT, octets, tlvs=tlvs))
    if up(batch, session):
        return None
    (refusal,) = sent(batch, session)
    assert header(refusal)[0] == CommandId.REPLACE_SM_RESP
    return header(refusal)[1]


def behind_header(text: str, kind: str = "udh8", number: int = 2, reference: int = 7) -> bytes:
    head = b"" if kind == "sar" else udh(kind, reference, bytes((2, number)))
    return head + builders.ucs2(text)


@pytest.mark.parametrize("kind", KINDS)
def test_the_new_text_of_a_part_is_judged_with_its_neighbours(
    world: World, session: Link, kind: str
) -> None:
    taken(world, session, *long_advert([SPAM[:2], "好的"], kind=kind))

    dirty = status_of_new_text(world, session, "id2", behind_header(SPAM[2:], kind))
    clean = status_of_new_text(world, session, "id2", behind_header("再见", kind))

    assert (dirty, clean) == (REFUSED, None)


@pytest.mark.parametrize("written", ["id2", "ID2", " id2", "00id2"])
def test_the_id_of_a_part_is_known_however_it_is_written(
    world: World, session: Link, written: str
) -> None:
    taken(world, session, *long_advert([SPAM[:2], "好的"], kind="sar"))

    assert status_of_new_text(world, session, written, builders.ucs2(SPAM[2:])) == REFUSED


@pytest.mark.parametrize("later_s", [61, DAY_S, 6 * DAY_S])
def test_the_new_text_of_a_scheduled_part_is_judged_with_its_neighbours_days_later(
    world: World, session: Link, later_s: float
) -> None:
    parts = [
        advert(
            octets=udh("udh8", 7, bytes((2, number))) + builders.ucs2(text),
            esm_class=UDHI,
            schedule=IN_AN_HOUR,
        )
        for number, text in ((1, SPAM[:2]), (2, "好的"))
    ]
    taken(world, session, *parts)
    world.now += later_s
    world.expire()

    assert status_of_new_text(world, session, "id2", behind_header(SPAM[2:])) == REFUSED


def test_a_part_that_comes_after_a_new_text_is_judged_with_it(world: World, session: Link) -> None:
    first, second = long_advert(["您好", SPAM[2:]])
    taken(world, session, first)

    before = status_of_new_text(world, session, "id1", behind_header(SPAM[:2], number=1))

    assert before is None
    (refusal,) = sent(world.submit(session, second), session)
    assert header(refusal)[1] == REFUSED


def test_a_new_text_that_was_refused_is_nothing_to_the_parts_that_come(
    world: World, session: Link
) -> None:
    first, second = long_advert(["您好", "再见"])
    taken(world, session, first)

    assert status_of_new_text(world, session, "id1", behind_header(SPAM, number=1)) == REFUSED

    assert len(up(world.submit(session, second), session)) == 1


def test_a_part_is_exchanged_once(world: World, session: Link) -> None:
    """Which of three texts the SMSC has in the end, when it refuses one, nobody would know."""
    taken(world, session, *long_advert(["您好", "好的"]))

    found = [status_of_new_text(world, session, "id2", behind_header(t)) for t in ("再见", "晚安")]

    assert found == [None, FAILED]


@pytest.mark.parametrize(
    "octets",
    [
        behind_header("好的", reference=8),
        behind_header("好的", number=1),
        udh("udh8", 7, b"\3\2") + builders.ucs2("好的"),
        bytes.fromhex("07 00 05 07 02 02 70 00") + builders.ucs2("好的"),
        udh("udh8", 7, b"\2\2"),
        b"\x06\x05\x04\x00\x50\x00\x50" + builders.ucs2("好的"),
    ],
    ids=["reference", "number", "total", "lying length", "no text", "ports"],
)
def test_a_new_text_that_may_be_another_part_is_refused(
    world: World, session: Link, octets: bytes
) -> None:
    taken(world, session, *long_advert(["您好", "好的"]))

    assert status_of_new_text(world, session, "id2", octets) == FAILED


def test_a_new_text_beside_another_is_refused_for_a_part(world: World, session: Link) -> None:
    taken(world, session, *long_advert(["您好", "好的"], kind="sar"))
    payload = [(int(Tag.MESSAGE_PAYLOAD), builders.ucs2("再见"))]

    assert status_of_new_text(world, session, "id2", builders.ucs2("好的"), payload) == FAILED


@pytest.mark.parametrize(
    ("octets", "tlvs"),
    [
        (behind_header("好的"), []),
        (bytes.fromhex("07 00 05 31 02 02 70 00") + builders.ucs2("好的"), []),
        (builders.ucs2("好的"), sar(7, b"\2\2")),
    ],
)
def test_a_new_text_that_is_a_part_is_refused_while_nothing_is_known_of_it(
    world: World, session: Link, octets: bytes, tlvs: Tlvs
) -> None:
    batch = world.submit(session, builders.replace_sm("77", PORT, octets, tlvs=tlvs))

    assert not up(batch, session)
    assert [(row[8], row[9]) for row in decisions(batch)] == [("reject", "PARTS_FORGOTTEN")]
    assert header(sent(batch, session)[0])[1] == FAILED


@pytest.mark.parametrize("octets", [builders.ucs2("好的"), b"\5\0\3\7\1\1" + builders.ucs2("好")])
def test_the_new_text_of_a_whole_message_passes(world: World, session: Link, octets: bytes) -> None:
    taken(world, session, advert("您好", schedule=IN_AN_HOUR), *long_advert(["您好"]))

    assert status_of_new_text(world, session, "id1", octets) is None
    assert status_of_new_text(world, session, "id2", builders.ucs2("好的")) is None


def test_a_part_that_the_smsc_did_not_take_has_no_id(world: World, session: Link) -> None:
    taken(world, session, *long_advert(["您好", "好的"]), status=CommandStatus.ESME_RSYSERR)

    assert len(world.plane.part_ids) == 0


def test_the_parts_of_one_that_the_smsc_refused_stay_known(world: World, session: Link) -> None:
    """The phone waits for it still, and keeps the others longer than whole messages are kept."""
    world.plane.parts = PartTable(60, max_late_octets=4_000)
    taken(world, session, *long_advert([SPAM[:2], "您好"]), status=CommandStatus.ESME_RSYSERR)
    for reference in range(8, 30):
        whole = long_advert(["早上好", "再见"], reference=reference)
        assert len(up(world.submit(session, *whole), session)) == 2
    world.now += 61
    world.expire()

    batch = world.submit(session, long_advert([SPAM[:2], SPAM[2:]])[1])

    assert not up(batch, session)
    assert [row[9] for row in decisions(batch)] == ["CONTENT"]


@pytest.mark.parametrize("how", ["timeout", "link lost"])
def test_a_part_of_which_the_smsc_said_nothing_breaks_its_round(
    world: World, session: Link, how: str
) -> None:
    world.submit(session, *long_advert(["您好", "好的"]))
    joint = world.plane.parts.find((("sp1", PORT.encode(), 8613800138000), 7, 2), world.now)
    assert joint.is_settled

    world.now += 31
    if how == "timeout":
        world.expire(smsc(session))
    else:
        world.lose(smsc(session))

    assert not joint.is_settled


def test_of_a_part_to_many_nobody_knows_which_one_is_replaced(world: World, session: Link) -> None:
    first = udh("udh8", 7, b"\2\1") + builders.ucs2("您好")
    pdu = builders.submit_multi(PORT, [SUBSCRIBER, "13800138001"], first, esm_class=UDHI)
    taken(world, session, pdu)

    assert status_of_new_text(world, session, "id1", builders.ucs2("您好")) == FAILED


def test_a_new_text_for_a_message_that_was_stopped_since_is_refused(
    world: World, session: Link
) -> None:
    first, second = long_advert([SPAM[:2], SPAM[2:]])
    taken(world, session, first)
    world.submit(session, second)

    assert status_of_new_text(world, session, "id1", behind_header("您好", number=1)) == FAILED


def test_a_new_text_whose_neighbours_were_forgotten_is_refused(world: World, session: Link) -> None:
    taken(world, session, *long_advert(["您好", "好的"]))
    for later_s in (61, 9 * DAY_S):
        world.now += later_s
        world.expire()

    assert status_of_new_text(world, session, "id2", behind_header("再见")) == FAILED
    world.now += 30 * DAY_S
    world.expire()
    assert len(world.plane.part_ids) == 0


def test_a_refusal_in_a_full_tick_takes_nothing_back_from_a_message_that_left(
    world: World, session: Link
) -> None:
    taken(world, session, *long_advert(["您好", "好的"]))
    world.plane.parts._max_octets = 1
    others = [long_advert(["早", "安"], reference=n)[0] for n in range(20, 24)]
    dirty = builders.replace_sm("id2", PORT, behind_header(SPAM))

    world.submit(session, dirty, *others)

    assert world.plane.parts.octets == sum(
        joint.octets
        for own in world.plane.parts._own.values()
        for table in (own.under_way, own.whole)
        for joint in table.values()
    )


def noted(ids: PartIds, world: World, system_id: str, count: int) -> None:
    session = world.session()
    world.submit(session, long_advert(["您好", "好的"])[0])
    places = next(iter(smsc(session).outstanding.values()))[4]
    for number in range(count):
        ids.note(system_id, b"%d" % number, places.places, world.now)  # type: ignore[attr-defined]


def test_ids_that_had_to_go_are_known_to_be_those_of_parts(world: World) -> None:
    ids = PartIds(maximum=4)
    noted(ids, world, "sp2", 1)
    noted(ids, world, "sp1", 50)

    assert len(ids) == 4
    assert ids.place_of("sp2", b"0") is not None
    assert ids.place_of("sp1", b"0") is None
    assert ids.is_part("sp1", b"0", world.now)
    assert not ids.is_part("sp2", b"7", world.now)
    ids.expire(world.now + 60 * DAY_S)
    ids.expire(world.now + 120 * DAY_S)
    assert not ids.is_part("sp1", b"0", world.now + 120 * DAY_S)


class _Counted(dict[Any, Any]):
    """A dict that counts how often its first entry is looked for."""

    looks = 0

    def items(self) -> Any:
        self.looks += 1
        return super().items()

    def values(self) -> Any:
        self.looks += 1
        return super().values()


def test_ids_that_end_together_are_looked_for_once(world: World) -> None:
    ids = PartIds()
    noted(ids, world, "sp1", 1_000)
    ids._places = places = _Counted(ids._places)

    ids.expire(world.now + 60 * DAY_S)

    assert (len(ids), places.looks) == (0, 1)


def test_requests_without_an_answer_are_looked_for_once(world: World) -> None:
    session = world.session()
    for number in range(100):
        world.submit(session, advert("您好", sequence=number + 1))
    link = smsc(session)
    link.outstanding = outstanding = _Counted(link.outstanding)
    assert len(outstanding) == 100

    world.pipeline.expire([link], world.now + 1_000, 0.0)

    assert (len(outstanding), outstanding.looks) == (0, 1)


def test_parts_that_end_together_are_looked_for_once(world: World) -> None:
    parts = world.plane.parts
    session = world.session()
    for number in range(100):
        text = long_advert(["您好", "好的"], reference=number)[0]
        world.submit(session, text)
    (own,) = parts._own.values()
    own.under_way = under_way = _Counted(own.under_way)

    parts.expire(world.now + 1_000)
    (late,) = parts.late._own.values()
    late.others = others = _Counted(late.others)
    parts.expire(world.now + 60 * DAY_S)

    assert (under_way.looks, others.looks) == (1, 1)
    assert not under_way
    assert not others


def test_an_id_that_is_given_again_is_that_of_the_later_part(world: World) -> None:
    ids = PartIds(maximum=4)
    noted(ids, world, "sp1", 1)
    noted(ids, world, "sp1", 1)

    assert len(ids) == 1
