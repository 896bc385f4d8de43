"""National alphabets and either byte order in parts that are long, late, replaced or sent again."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.dataplane.carriers import read_carrier
from gateway.dataplane.link import Link
from gateway.domain.policy import KeywordList, ListAction
from gateway.domain.sender import Rate
from gateway.smpp import gsm0338
from gateway.smpp.fields import Tag
from gateway.smpp.status import CommandStatus
from simulators import builders
from tests.dataplane.conftest import (
    BUNDLE,
    PORT,
    SPAM,
    UDHI,
    World,
    advert,
    answer,
    decisions,
    header,
    sender,
    sent,
    sequence_of,
    smsc,
    statuses,
    up,
)
from tests.septets import pack

WORDS = (SPAM, "şans oyunu", "बीमा ऋण", "казино")
LISTS = (KeywordList("K-WORDS", "words", ListAction.REJECT, WORDS),)
REFUSED = CommandStatus.ESME_RSUBMITFAIL
FAILED = CommandStatus.ESME_RREPLACEFAIL
DAY_S = 86_400.0
HINDI, TURKISH, TURKISH_SINGLE = b"\x25\x01\x06", b"\x25\x01\x01", b"\x24\x01\x01"
LOAN = bytes.fromhex("40 52 42 50 20 09 26")  # बीमा ऋण by the Hindi locking table
FILLER = b" hello" * 1500 + b" "
LITTLE = "казино".encode("utf-16-le")
STAMPS = b"\x20\x30" * 4500  # postal marks


@pytest.fixture
def world() -> World:
    return World(replace(BUNDLE, keyword_lists=LISTS))


@pytest.fixture
def session(world: World) -> Link:
    return world.session()


def in_header(number: int, extra: bytes = b"", total: int = 2) -> bytes:
    elements = bytes((0, 3, 7, total, number)) + extra
    return bytes((len(elements),)) + elements


def part(
    number: int, text: bytes, extra: bytes = b"", data_coding: int = 0, total: int = 2
) -> bytes:
    tlvs = [(int(Tag.MESSAGE_PAYLOAD), in_header(number, extra, total) + text)]
    return advert(octets=b"", data_coding=data_coding, esm_class=UDHI, tlvs=tlvs)


def packed(head: bytes, septets: bytes) -> bytes:
    """Pack septets for behind a header, without it."""
    fill = -8 * len(head) % 7
    shifted = int.from_bytes(pack(septets), "little") << fill
    return shifted.to_bytes(-(-(7 * len(septets) + fill) // 8), "little")


def is_refused(world: World, session: Link, request: bytes) -> bool:
    return not up(world.submit(session, request), session)


def taken(world: World, session: Link, *requests: bytes) -> None:
    """Send requests; the SMSC takes them under the ids id1, id2 and so on."""
    for number, request in enumerate(requests, start=1):
        (passed,) = up(world.submit(session, request), session)
        reply = answer(sequence_of(passed), b"id%d" % number, 0, header(request)[0] | 0x80000000)
        world.resp(smsc(session), reply)


def status_of_new_text(world: World, session: Link, message_id: str, octets: bytes) -> int | None:
    """Send a replace_sm; return the status of its refusal, None if it went on."""
    batch = world.submit(session, builders.replace_sm(message_id, PORT, octets))
    return None if up(batch, session) else header(sent(batch, session)[0])[1]


@pytest.mark.parametrize("later_s", [61, DAY_S, 6 * DAY_S])
@pytest.mark.parametrize("cut", [1, 4, 6])
def test_a_part_that_comes_late_is_read_by_the_tables_of_each(
    world: World, session: Link, cut: int, later_s: float
) -> None:
    taken(world, session, part(1, LOAN[:cut], HINDI))
    world.now += later_s
    world.expire()

    assert is_refused(world, session, part(2, LOAN[cut:], HINDI))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize(
    ("texts", "extra", "coding"),
    [
        ((FILLER + LOAN[:4], LOAN[4:] + FILLER), HINDI, 0),
        (
            (
                packed(in_header(1, HINDI), FILLER + LOAN[:4]),
                packed(in_header(2, HINDI), LOAN[4:] + FILLER),
            ),
            HINDI,
            0,
        ),
        ((STAMPS + LITTLE[:5], LITTLE[5:] + STAMPS), b"", 8),
        ((STAMPS + LITTLE[:6], LITTLE[6:] + STAMPS), b"", 4),
    ],
    ids=["Hindi", "packed Hindi", "little-endian, torn", "little-endian, binary"],
)
def test_the_ends_of_long_parts_are_read_as_a_handset_joins_them(
    world: World, texts: Sequence[bytes], extra: bytes, coding: int, order: Sequence[int]
) -> None:
    first, second = (part(n + 1, texts[n], extra, coding) for n in order)
    session = world.session()
    taken(world, session, first)
    world.now += 5

    assert is_refused(world, session, second)
    late = World(world.bundle)
    session = late.session()
    taken(late, session, first)
    late.now += DAY_S
    late.expire()
    assert is_refused(late, session, second)


def test_an_escape_cut_off_is_joined_with_what_it_escapes(world: World, session: Link) -> None:
    taken(world, session, part(1, b"your \x1b", TURKISH_SINGLE))

    assert is_refused(world, session, part(2, b"sans oyunu", TURKISH_SINGLE))


@pytest.mark.parametrize("cut", range(1, len(LITTLE)))
@pytest.mark.parametrize("coding", [8, 9, 11, 4])
def test_exchanged_octets_are_read_wherever_they_are_cut(
    world: World, session: Link, cut: int, coding: int
) -> None:
    taken(world, session, part(1, LITTLE[:cut], data_coding=coding))

    assert is_refused(world, session, part(2, LITTLE[cut:], data_coding=coding))


def test_a_character_a_part_is_read_in_exchanged_octets(world: World) -> None:
    units = [LITTLE[at : at + 2] for at in range(0, len(LITTLE), 2)]
    parts = [part(n, unit, data_coding=8, total=6) for n, unit in enumerate(units, start=1)]

    assert statuses(world, *parts) == [*[None] * 5, REFUSED]


def test_a_part_in_the_place_of_one_with_tables_is_read_with_both(
    world: World, session: Link
) -> None:
    taken(world, session, part(1, LOAN[:4], HINDI))
    world.now += DAY_S
    world.expire()
    taken(world, session, part(1, b"good day"))

    assert is_refused(world, session, part(2, LOAN[4:], HINDI))


def test_a_part_sent_again_by_other_tables_is_a_contradiction(world: World, session: Link) -> None:
    plain = b"your code is 123456"
    taken(world, session, part(1, plain, TURKISH))

    batch = world.submit(session, part(1, plain, TURKISH_SINGLE))

    assert {row[9] for row in decisions(batch)} == {"PARTS_CONFLICT"}


def test_a_new_text_is_read_by_its_tables_beside_the_others(world: World, session: Link) -> None:
    taken(world, session, part(1, LOAN[:4], HINDI), part(2, b"good day", HINDI))

    dirty = status_of_new_text(world, session, "id2", in_header(2, HINDI) + LOAN[4:])
    clean = status_of_new_text(world, session, "id2", in_header(2, HINDI) + b"good night")

    assert (dirty, clean) == (REFUSED, None)


@pytest.mark.parametrize(
    "head", [b"", in_header(2), in_header(2, TURKISH)], ids=["no header", "no table", "another"]
)
def test_a_new_text_that_other_tables_may_show_is_refused(
    world: World, session: Link, head: bytes
) -> None:
    taken(world, session, part(1, b"hello", HINDI), part(2, b"good day", HINDI))

    assert status_of_new_text(world, session, "id2", head + b"good night") == FAILED


def test_packed_text_without_a_header_stands_behind_that_of_the_old_one() -> None:
    word = gsm0338.encode("free viagra")
    bundle = replace(BUNDLE, keyword_lists=(replace(LISTS[0], words=("viagra",)),))
    world, head = World(bundle), in_header(1)
    session = world.session()
    texts = (packed(head, word[:8]), packed(head, b"nothing else"))
    taken(world, session, *(part(n, text) for n, text in enumerate(texts, start=1)))

    assert status_of_new_text(world, session, "id2", packed(head, word[8:])) == REFUSED


MALFORMED = ["02 70 09", "04 24 02 06 06", "04 25 01 0e 70", "06 04 03 10 20 30 40"]


@pytest.mark.parametrize("head", MALFORMED)
def test_a_new_text_is_read_behind_a_header_that_only_phones_can_read(
    world: World, session: Link, head: str
) -> None:
    octets = bytes.fromhex(head) + SPAM.encode("utf-16-be")

    assert status_of_new_text(world, session, "77", octets) == REFUSED


def test_a_new_text_is_read_by_the_tables_of_a_header_that_lies(
    world: World, session: Link
) -> None:
    # A phone reads two octets of ports, whatever their length says, and then a table.
    head = bytes.fromhex("07 04 05 10 20 25 01 06")

    assert status_of_new_text(world, session, "77", head + LOAN) == REFUSED
    assert read_carrier(builders.replace_sm("77", PORT, head)).guessed == ()


def test_names_beside_a_text_count_for_the_rate() -> None:
    names = [(int(Tag.CALLBACK_NUM_ATAG), b"\x01" + b"Customer care " * 30)] * 4
    world = World(senders=(sender(rate=Rate(1.0, 1)),))
    session = world.session()

    found = [statuses_of(world, session, advert("您好", tlvs=names)) for _ in range(2)]

    assert found == [[], [CommandStatus.ESME_RTHROTTLED]]


def statuses_of(world: World, session: Link, request: bytes) -> list[int]:
    return [header(pdu)[1] for pdu in sent(world.submit(session, request), session)]


def test_names_beside_a_text_weigh_as_much_as_the_text() -> None:
    """Or they would be judged for nothing: so the rate is charged by all that is read."""
    name = (int(Tag.CALLBACK_NUM_ATAG), b"\x01" + b"Customer care " * 200)
    world = World(senders=(sender(rate=Rate(1.0, 5)),))
    session = world.session()

    first = statuses_of(world, session, advert("您好", tlvs=[name]))
    rest = [statuses_of(world, session, advert("您好")) for _ in range(4)]

    assert first == []
    assert rest.count([CommandStatus.ESME_RTHROTTLED]) >= 1
