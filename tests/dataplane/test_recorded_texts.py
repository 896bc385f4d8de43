"""What was said, in the records of decisions (N136, R70)."""

import pytest

from gateway.domain.sender import Port
from gateway.smpp.commands import CommandId
from simulators import builders
from tests.dataplane.conftest import (
    CLEAN,
    PORT,
    SPAM,
    SUBSCRIBER,
    World,
    advert,
    decisions,
    long_advert,
    sender,
)

OTHER = "13900139000"


@pytest.fixture
def keeping(world: World) -> World:
    world.plane.keeps_texts = True
    return world


def said(world: World, *pdus: bytes) -> list[tuple[int, bytes]]:
    return [row[14:] for row in decisions(world.submit(world.session(), *pdus))]


def test_r70_the_record_of_a_ports_message_holds_what_was_said(keeping: World) -> None:
    assert said(keeping, advert(CLEAN)) == [(8, builders.ucs2(CLEAN))]


def test_r70_so_does_the_record_of_one_that_was_refused(keeping: World) -> None:
    assert said(keeping, advert(SPAM)) == [(8, builders.ucs2(SPAM))]


def test_unless_texts_are_asked_for_no_record_holds_one(world: World) -> None:
    told = said(world, advert(CLEAN), advert(SPAM, sequence=2), *long_advert(["您", "好"], 3))

    assert told == [(0, b"")] * 4


def test_each_part_of_a_long_message_is_recorded_without_its_header(keeping: World) -> None:
    told = said(keeping, *long_advert(["您好", "再见"]))

    assert told == [(8, builders.ucs2("您好")), (8, builders.ucs2("再见"))]


def test_each_destination_of_a_submit_multi_has_the_text(keeping: World) -> None:
    pdu = builders.submit_multi(PORT, [SUBSCRIBER, OTHER], builders.ucs2(CLEAN))

    assert said(keeping, pdu) == [(8, builders.ucs2(CLEAN))] * 2


@pytest.mark.parametrize("text", [CLEAN, SPAM])
@pytest.mark.parametrize("person", ["13900139000", "+8613900139000"])
def test_r70_the_record_of_what_one_person_writes_another_has_no_text(
    text: str, person: str
) -> None:
    world = World(senders=(sender(ports=(Port("13900139000"), Port("+8613900139000"))),))
    world.plane.keeps_texts = True

    assert said(world, advert(text, source=person)) == [(0, b"")]


def test_r70_nor_has_that_of_a_part_or_of_one_to_many() -> None:
    world = World(senders=(sender(ports=(Port("13900139000"),)),))
    world.plane.keeps_texts = True

    part, *_ = long_advert(["您好", "再见"], source="13900139000")
    many = builders.submit_multi("13900139000", [SUBSCRIBER], builders.ucs2(CLEAN))

    assert said(world, part, many) == [(0, b"")] * 2


def test_a_message_that_is_refused_unread_has_no_text(keeping: World) -> None:
    keeping.plane.is_overloaded = True

    assert said(keeping, advert(CLEAN)) == [(0, b"")]


def test_of_an_sp_that_is_stopped_nothing_is_taken_where_texts_are_kept(keeping: World) -> None:
    keeping.plane.stopped = frozenset({"sp1"})

    assert said(keeping, advert(CLEAN)) == [(0, b"")]
    assert keeping.plane.tally.verdicts == {("reject", "OVERLOADED"): 1}


def test_of_an_sp_that_is_stopped_all_passes_where_no_texts_are_kept(keeping: World) -> None:
    keeping.plane.keeps_texts = False
    keeping.plane.stopped = frozenset({"sp1"})

    said(keeping, advert(CLEAN))

    assert keeping.plane.tally.verdicts == {}


def test_a_text_that_could_not_be_read_from_its_fields_is_not_kept(keeping: World) -> None:
    broken = advert(CLEAN)[:-3]
    pdu = len(broken).to_bytes(4, "big") + broken[4:]

    batch = keeping.submit(keeping.session(), pdu)

    assert [(row[3], row[4], row[14:]) for row in decisions(batch)] == [
        ("sp1", CommandId.SUBMIT_SM, (0, b""))
    ]
