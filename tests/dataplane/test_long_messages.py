"""Long messages: their parts are judged together, however they come."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.dataplane import parts, request_reader
from gateway.dataplane.attention import Hold
from gateway.dataplane.part_table import PartTable
from gateway.domain.policy import ContentRule, KeywordList, ListAction, LongMessages
from gateway.domain.sender import Rate
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import Tag
from gateway.smpp.gsm0338 import Shift
from gateway.smpp.status import CommandStatus
from gateway.smpp.text import readings
from simulators import builders
from tests.dataplane.conftest import (
    AT,
    BUNDLE,
    PORT,
    SPAM,
    SUBSCRIBER,
    UDHI,
    World,
    advert,
    decisions,
    header,
    long_advert,
    sar,
    sender,
    sent,
    slow,
    status_of,
    statuses,
    udh,
    up,
)

OTHER = "13900139000"
REFUSED = CommandStatus.ESME_RSUBMITFAIL
KINDS = ["udh8", "udh16", "sar"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", range(1, len(SPAM)))
def test_a_word_split_between_two_parts_stops_the_second(kind: str, cut: int) -> None:
    parts = long_advert([f"您好{SPAM[:cut]}", f"{SPAM[cut:]}再见"], kind=kind)

    assert statuses(World(), *parts) == [None, REFUSED]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_whichever_part_comes_last_the_word_is_found(order: tuple[int, ...]) -> None:
    parts = long_advert(list(SPAM))

    assert statuses(World(), *(parts[n] for n in order)) == [None, None, None, REFUSED]


@pytest.mark.parametrize("cut", range(1, 2 * len(SPAM)))
def test_a_word_cut_within_a_character_is_found(cut: int) -> None:
    octets = builders.ucs2(SPAM)

    assert statuses(World(), *long_advert([octets[:cut], octets[cut:]])) == [None, REFUSED]


def test_parts_meet_across_the_sessions_of_one_sender(world: World) -> None:
    one, other = world.session(), world.session()
    first, second = long_advert([SPAM[:2], SPAM[2:]])

    world.submit(one, first)
    batch = world.submit(other, second)

    assert [status_of(pdu) for pdu in sent(batch, other)] == [REFUSED]


def test_parts_of_different_senders_do_not_meet(world: World) -> None:
    one, other = world.session("sp1"), world.session("sp2")
    first, second = long_advert([SPAM[:2], SPAM[2:]])

    world.submit(one, first)

    assert len(up(world.submit(other, second), other)) == 1


def test_two_parts_in_one_tick_meet(world: World) -> None:
    session = world.session()

    batch = world.submit(session, *long_advert([SPAM[:2], SPAM[2:]]))

    assert len(up(batch, session)) == 1
    assert [header(pdu) for pdu in sent(batch, session)] == [(CommandId.SUBMIT_SM_RESP, REFUSED, 2)]


def test_all_parts_after_the_one_that_was_stopped_are_stopped() -> None:
    parts = long_advert([SPAM[:2], SPAM[2:], "您好", "再见"])

    assert statuses(World(), *parts) == [None, REFUSED, REFUSED, REFUSED]


def test_a_part_out_of_reach_of_the_word_is_stopped_in_the_same_tick_as_well(world: World) -> None:
    session = world.session()
    world.plane.session_octets = 1 << 20
    far = ["长" * 60] * 90
    parts = long_advert([SPAM[:2], SPAM[2:], *far])

    batch = world.submit(session, *parts)

    assert len(up(batch, session)) == 1
    assert len(sent(batch, session)) == len(parts) - 1


@pytest.mark.parametrize("kind", KINDS)
def test_parts_meet_though_their_references_are_written_differently(kind: str) -> None:
    first, _ = long_advert([SPAM[:2], SPAM[2:]])
    _, second = long_advert([SPAM[:2], SPAM[2:]], kind=kind)

    assert statuses(World(), first, second) == [None, REFUSED]


@pytest.mark.parametrize("written", [SUBSCRIBER, f"86{SUBSCRIBER}", f"+86{SUBSCRIBER}"])
def test_parts_meet_however_the_subscriber_is_written(written: str) -> None:
    first, _ = long_advert([SPAM[:2], SPAM[2:]])
    _, second = long_advert([SPAM[:2], SPAM[2:]], to=written)

    assert statuses(World(), first, second) == [None, REFUSED]


@pytest.mark.parametrize("ton", [0, 1, 2])
@pytest.mark.parametrize("written", ["12125550123", "+12125550123", "8612125550123"])
def test_parts_meet_though_their_number_is_read_as_one_abroad_and_one_at_home(
    written: str, ton: int
) -> None:
    first, _ = long_advert([SPAM[:2], SPAM[2:]], to="12125550123")
    _, second = long_advert([SPAM[:2], SPAM[2:]], to=written)
    usual = builders.address(written)

    typed = second.replace(usual, bytes((ton,)) + usual[1:])

    assert statuses(World(), first, typed) == [None, REFUSED]
    assert statuses(World(), typed, first) == [None, REFUSED]


def test_parts_meet_whatever_command_carries_them() -> None:
    first, second = (udh("udh8", 7, bytes((3, n))) for n in (1, 2))
    one = builders.submit_multi(
        PORT, [OTHER, SUBSCRIBER], first + builders.ucs2(SPAM[:2]), esm_class=UDHI
    )
    two = builders.data_sm(PORT, SUBSCRIBER, second + builders.ucs2(SPAM[2:]), esm_class=UDHI)

    assert statuses(World(), one, two) == [None, REFUSED]
    assert statuses(World(), two, one) == [None, REFUSED]


def test_a_lying_header_beside_true_tlvs_does_not_hide_a_part() -> None:
    parts = [
        advert(
            octets=udh("udh8", 100 + n, bytes((2, n))) + builders.ucs2(text),
            esm_class=UDHI,
            tlvs=sar(7, bytes((2, n))),
        )
        for n, text in ((1, SPAM[:2]), (2, SPAM[2:]))
    ]

    assert statuses(World(), *parts) == [None, REFUSED]


def test_a_stray_octet_at_the_end_of_a_part_does_not_hide_the_next() -> None:
    parts = long_advert([builders.ucs2("您好") + b"\x20", SPAM])

    assert statuses(World(), *parts) == [None, REFUSED]


def test_a_part_in_a_coding_of_its_own_is_read_by_itself_as_well() -> None:
    parts = long_advert(["您好您好".encode("gbk"), SPAM.encode()], data_coding=15)

    assert statuses(World(), *parts) == [None, REFUSED]


def test_empty_parts_between_do_not_hide_a_word() -> None:
    parts = long_advert([SPAM[:2], *[b""] * 200, SPAM[2:]])

    assert statuses(World(), *parts)[-1] == REFUSED


BLANKS = ["\u200b" * 67, "\u2060\ufe0f \u3000" * 16]


@pytest.mark.parametrize("stray", [b"", b"\x20"])
@pytest.mark.parametrize("nothing", BLANKS)
def test_however_many_parts_that_show_nothing_hide_no_word(nothing: str, stray: bytes) -> None:
    blank = builders.ucs2(nothing) + stray
    first, last = builders.ucs2(f"您好{SPAM[:2]}"), builders.ucs2(f"{SPAM[2:]}再见")
    pieces = [first, *[blank] * 60, last]

    assert statuses(World(), *long_advert(pieces)) == [None] * 61 + [REFUSED]


def test_however_many_parts_of_line_ends_in_the_gsm_alphabet_hide_no_word() -> None:
    world = casino()
    pieces = [b"hello casi", *[b"\n" * 153] * 60, b"no now"]

    assert statuses(world, *long_advert(pieces, data_coding=0)) == [None] * 61 + [REFUSED]


@pytest.mark.parametrize("blank", [" " * 8, "\n" * 8, " " * 67, "\u200b \u200b" * 8])
def test_a_part_of_space_parts_words(blank: str) -> None:
    world = casino()

    assert statuses(world, *long_advert(["Hello x", blank, "casi", "no now"])) == [
        None,
        None,
        None,
        REFUSED,
    ]


def casino() -> World:
    """Return a world whose policy refuses a word of Latin letters, which stands by itself."""
    words = KeywordList("K", "gambling", ListAction.REJECT, ("casino",))
    return World(bundle=replace(BUNDLE, keyword_lists=(words,)))


def test_a_part_to_many_who_have_other_parts_each_is_read_until_it_is_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_reader, "MAX_CHARACTERS", 1_000)
    world = World(senders=(sender(rate=Rate(1e6, 1_000_000)),))
    session = world.session(window=1_000)
    numbers = [f"138{n:08}" for n in range(40)]
    for n, to in enumerate(numbers):
        world.submit(session, long_advert([f"第{n}位，" + "您好" * 20], total=2, to=to)[0])

    many = builders.submit_multi(
        PORT,
        numbers,
        udh("udh8", 7, bytes((2, 2))) + builders.ucs2("再见"),
        data_coding=8,
        esm_class=UDHI,
    )
    batch = world.submit(session, many)

    (passed,) = up(batch, session)
    reached = [to for to in numbers if to.encode() in passed]
    assert numbers[0] in reached
    assert len(reached) < len(numbers)


def test_a_text_that_only_another_round_completes_is_found() -> None:
    """A clean part 2 that the SMSC refuses must not buy a dirty one a free way."""
    clean = long_advert([SPAM[:2], "您好"])
    _, dirty = long_advert([SPAM[:2], SPAM[2:]])

    assert statuses(World(), *clean, dirty) == [None, None, REFUSED]


def test_a_stopped_part_sent_again_by_itself_is_stopped_again(world: World) -> None:
    session = world.session()
    first, second = long_advert([SPAM[:2], SPAM[2:]])
    world.submit(session, first, second)

    batch = world.submit(session, second)

    assert [status_of(pdu) for pdu in sent(batch, session)] == [REFUSED]


def test_a_part_throttled_between_does_not_make_the_table_forget() -> None:
    world = slow(burst=2, per_s=1)
    first, second = long_advert([SPAM[:2], SPAM[2:]])

    found = statuses(world, first, first)
    world.now += 3

    assert found == [None, CommandStatus.ESME_RTHROTTLED]
    assert statuses(world, second) == [REFUSED]


def test_a_sender_that_uses_one_reference_for_all_is_served() -> None:
    requests = [
        part
        for text in ("早上好", "您好", "晚上好")
        for part in long_advert([f"{text}，", "再见"], reference=0)
    ]

    assert statuses(World(), *requests) == [None] * 6


def test_a_part_contradicted_within_its_round_is_kept_for_a_person(world: World) -> None:
    session = world.session()
    first, second = long_advert(["您好", "再见"])
    other, _ = long_advert(["您早", "再见"])
    world.submit(session, first)

    contradicted = world.submit(session, other)
    later = world.submit(session, second)

    holds = [*contradicted.attention, *later.attention]
    assert [type(item) for item in holds] == [Hold, Hold]
    assert {row[9] for row in decisions(contradicted)} == {"PARTS_CONFLICT"}
    assert not up(later, session)


def test_a_contradicting_part_with_the_word_itself_is_kept_with_its_text(world: World) -> None:
    session = world.session()
    first, _ = long_advert(["您好", "再见"])
    other, _ = long_advert([SPAM, "再见"])
    world.submit(session, first)

    (hold,) = world.submit(session, other).attention

    assert isinstance(hold, Hold)
    assert SPAM in hold.joined


def test_a_part_sent_again_unchanged_passes() -> None:
    first, second = long_advert(["您好", "再见"])

    assert statuses(World(), first, first, second) == [None, None, None]


def test_a_part_with_two_texts_is_kept_for_a_person(world: World) -> None:
    octets = udh("udh8", 7, b"\2\1") + builders.ucs2("您好")
    pdu = advert(octets=octets, esm_class=UDHI, tlvs=[(Tag.MESSAGE_PAYLOAD, octets)])

    batch = world.submit(world.session(), pdu)

    assert {row[9] for row in decisions(batch)} == {"PARTS_CONFLICT"}
    assert isinstance(batch.attention[0], Hold)


def test_a_part_nobody_can_read_is_kept_for_a_person_and_so_are_the_others() -> None:
    world = World()
    session = world.session()
    # One octet is no UCS-2 character.
    parts = long_advert([b"\xfd", "您好"])

    reasons = [row[9] for part in parts for row in decisions(world.submit(session, part))]

    assert reasons == ["CONTENT_UNREADABLE"] * 2


def test_a_part_to_many_is_read_once_for_all_with_the_same_neighbours(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bytes] = []

    def counted(octets: bytes, data_coding: int, *, shift: Shift | None = None) -> tuple[str, ...]:
        read.append(octets)
        return readings(octets, data_coding, shift=shift)

    monkeypatch.setattr(parts, "readings", counted)
    many = [f"1380013{n:04d}" for n in range(40)]
    first, second = (
        builders.submit_multi(PORT, many, builders.ucs2(text), tlvs=sar(7, bytes((2, n))))
        for n, text in ((1, SPAM[:2]), (2, SPAM[2:]))
    )

    assert statuses(world, first, second) == [None, REFUSED]
    assert read == [builders.ucs2(SPAM)]


LATER_S = [61, 86_400, 6 * 86_400]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("later_s", LATER_S)
def test_a_part_that_comes_late_is_judged_with_the_first(kind: str, later_s: float) -> None:
    world = World()
    first, second = long_advert([SPAM[:2], SPAM[2:]], kind=kind)

    before = statuses(world, first)
    world.now += later_s
    world.expire()

    assert (before, statuses(world, second)) == ([None], [REFUSED])


@pytest.mark.parametrize("cut", range(1, 2 * len(SPAM)))
def test_a_late_part_is_read_across_a_character_cut_in_two(cut: int) -> None:
    world = World()
    octets = builders.ucs2(SPAM)
    first, second = long_advert([octets[:cut], octets[cut:]])

    before = statuses(world, first)
    world.now += 86_400

    assert (before, statuses(world, second)) == ([None], [REFUSED])


@pytest.mark.parametrize("later_s", LATER_S)
def test_what_replaces_a_part_of_a_whole_message_days_later_is_judged_with_it(
    later_s: float,
) -> None:
    world = World()
    clean = long_advert([SPAM[:2], "您好"])
    _, dirty = long_advert([SPAM[:2], SPAM[2:]])

    before = statuses(world, *clean)
    world.now += later_s
    world.expire()

    assert (before, statuses(world, dirty)) == ([None, None], [REFUSED])


def test_a_word_that_was_refused_stands_against_no_later_message() -> None:
    """Who uses one reference for all would else be refused for a week."""
    world = World()
    assert statuses(world, *long_advert(["您好", SPAM], reference=0)) == [None, REFUSED]
    world.now += 61
    world.expire()

    assert statuses(world, *long_advert(["早上好", "再见"], reference=0)) == [None, None]


def test_a_part_whose_first_may_have_been_pushed_out_is_kept_for_a_person() -> None:
    world = World()
    world.plane.parts = PartTable(60, max_late_octets=20_000)
    sent_first = [long_advert(["您好", "再见"], reference=n)[0] for n in range(200)]
    assert set(statuses(world, *sent_first)) == {None}
    world.now += 61
    world.expire()
    session = world.session()
    _, second = long_advert([SPAM[:2], SPAM[2:]], reference=0)

    batch = world.submit(session, second)

    assert {row[9] for row in decisions(batch)} == {"PARTS_FORGOTTEN"}
    assert isinstance(batch.attention[0], Hold)
    assert not up(batch, session)


def test_however_full_the_table_is_long_messages_are_served(world: World) -> None:
    world.plane.parts = PartTable(60, max_octets=1)
    parts = [long_advert([SPAM[:2], SPAM[2:]], reference=n) for n in range(3)]
    firsts, seconds = zip(*parts, strict=True)

    assert statuses(world, *firsts, *seconds) == [None] * 3 + [REFUSED] * 3


def test_a_sender_of_false_sources_does_not_fill_the_table() -> None:
    world = World()
    parts = [long_advert(["您好", "再见"], reference=n, source="95588")[0] for n in range(50)]

    assert set(statuses(world, *parts)) == {CommandStatus.ESME_RINVSRCADR}
    assert len(world.plane.parts) == 0


def test_a_long_message_is_charged_once_though_the_burst_is_shorter() -> None:
    world = slow(burst=1)
    parts = long_advert(["您好", "早上好", "再见"])

    assert statuses(world, *parts, advert()) == [None] * 3 + [CommandStatus.ESME_RTHROTTLED]


def test_a_first_part_that_was_throttled_gives_the_others_no_free_way() -> None:
    world = slow(burst=1)
    session = world.session()
    world.submit(session, advert())

    batch = world.submit(session, *long_advert(["您好", "早上好", "再见"]))

    assert not up(batch, session)
    assert {status_of(pdu) for pdu in sent(batch, session)} == {CommandStatus.ESME_RTHROTTLED}
    assert len(world.plane.parts) == 0


def test_a_part_sent_again_is_charged() -> None:
    world = slow(burst=2)
    first, _ = long_advert(["您好", "再见"])

    assert statuses(world, first, first) == [None, CommandStatus.ESME_RTHROTTLED]


def assembling() -> World:
    """Return a world in which long messages go on whole or not at all."""
    content = ContentRule(long_messages=LongMessages.ASSEMBLE, parts_ttl_s=60)
    return World(bundle=replace(BUNDLE, content=content))


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_that_has_to_wait_for_the_others_is_handed_over(kind: str) -> None:
    world = assembling()
    session = world.session()
    first, second = long_advert(["您好", "再见"], kind=kind)

    items = world.submit(session, first, second).attention

    for number, (hold, pdu) in enumerate(zip(items, (first, second), strict=True), start=1):
        assert isinstance(hold, Hold)
        assert hold.pdu == pdu
        assert hold.place is not None
        assert hold.place.number == number
        assert hold.place.joint.key == (("sp1", PORT.encode(), int(f"86{SUBSCRIBER}")), 7, 2)
        assert hold.verdict.due == AT + 60
    assert session.held == 2


@pytest.mark.parametrize("header", ["07 00 05 31 02 {} 70 00", "08 00 02 31 02 {} 02 01 00"])
@pytest.mark.parametrize("make", [World, assembling])
def test_a_part_whose_length_lies_is_malformed(header: str, make: Callable[[], World]) -> None:
    parts = [
        advert(octets=bytes.fromhex(header.format(n)) + builders.ucs2(text), esm_class=UDHI)
        for n, text in (("01", SPAM[:2]), ("02", SPAM[2:]))
    ]

    assert statuses(make(), *parts) == [CommandStatus.ESME_RINVESMCLASS] * 2


@pytest.mark.parametrize("make", [World, assembling])
def test_a_part_with_sar_tlvs_of_odd_lengths_is_malformed(make: Callable[[], World]) -> None:
    odd = (Tag.SAR_SEGMENT_SEQNUM, b"\0\1")
    parts = [
        advert(SPAM[:2], tlvs=[*sar(7, b"\2\1")[:2], odd]),
        advert(SPAM[2:], tlvs=sar(7, b"\2\2")[1:]),
    ]

    assert statuses(make(), *parts) == [CommandStatus.ESME_RINVOPTPARAMVAL] * 2


@pytest.mark.parametrize("later_s", LATER_S)
def test_a_late_part_that_waits_for_others_keeps_what_it_is_read_with(later_s: float) -> None:
    """When its time is over it is judged with that: the first part went on alone by then."""
    world = assembling()
    session = world.session()
    first, second = long_advert([SPAM[:2], SPAM[2:]])
    world.submit(session, first)
    world.now += later_s
    world.expire()

    (hold,) = world.submit(session, second).attention

    assert isinstance(hold, Hold)
    assert SPAM in hold.joined


def test_what_stands_against_a_part_by_its_addresses_stops_it_at_once() -> None:
    world = assembling()
    parts = long_advert(["您好", "再见"], source="95588")

    assert statuses(world, *parts) == [CommandStatus.ESME_RINVSRCADR] * 2


def test_a_message_of_one_part_and_parts_to_many_are_judged_as_they_come() -> None:
    octets = udh("udh8", 8, b"\2\1") + builders.ucs2("您好")
    many = builders.submit_multi(PORT, [SUBSCRIBER], octets, esm_class=UDHI)
    world = assembling()
    session = world.session()

    batch = world.submit(session, *long_advert(["您好"]), many)

    assert len(up(batch, session)) == 2
    assert not batch.attention


def test_a_part_that_claims_two_places_is_kept_for_a_person() -> None:
    octets = udh("udh8", 7, b"\2\1") + builders.ucs2("您好")
    pdu = advert(octets=octets, esm_class=UDHI, tlvs=sar(9, b"\2\1"))
    world = assembling()

    batch = world.submit(world.session(), pdu)

    assert [(row[8], row[9]) for row in decisions(batch)] == [("quarantine", "PARTS_CONFLICT")]


def test_a_long_message_that_waits_is_charged_once() -> None:
    world = assembling()
    world.senders = (sender(rate=Rate(0.001, 1)),)
    world.reload(world.bundle, world.senders)
    session = world.session()

    batch = world.submit(session, *long_advert(["您好", "再见"]), advert(sequence=3))

    assert [row[9] for row in decisions(batch)] == ["PARTS_AWAITED", "PARTS_AWAITED", "RATE"]


def test_a_third_text_in_one_place_is_not_guessed_at(world: World) -> None:
    session = world.session()
    sent_first = [long_advert([one, ""], total=2)[0] for one in ("您好", SPAM[:1], "早安")]
    passed: list[int] = []
    for part in sent_first:
        batch = world.submit(session, part)
        passed.append(len(up(batch, session)))
        world.now += 90.0
        world.expire()

    last = world.submit(session, long_advert(["", SPAM[1:]], total=2)[1])

    assert passed[:2] == [1, 1]
    assert up(last, session) == []
