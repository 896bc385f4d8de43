"""The table of long messages under way."""

from dataclasses import replace

import pytest

from gateway.dataplane.part_table import FORGOTTEN, PartTable
from gateway.dataplane.parts import Joint, Owner, Part, part_of
from gateway.domain.verdict import Action, Finding, Reason
from gateway.smpp.text import decode_text
from gateway.smpp.udh import Concat

DAY_S = 86_400.0
OWNER: Owner = ("sp1", b"10690001", 8613800138000)
STOP = Finding("K", Reason.CONTENT, Action.REJECT, "word")


def part(text: str | bytes, data_coding: int = 8) -> Part:
    octets = text.encode("utf-16-be") if isinstance(text, str) else text
    return part_of(data_coding, octets, decode_text(octets, data_coding))


def place(number: int, total: int = 3, reference: int = 7, kind: str = "udh8") -> Concat:
    return Concat(kind, reference, total, number)


def added(
    parts: PartTable, number: int, text: str | bytes = "您好", *, now: float = 0.0, total: int = 3
) -> Joint:
    return parts.add(OWNER, place(number, total), part(text), now).joint


def owner(number: int, sender: str = "sp1") -> Owner:
    return sender, b"10690001", number


def test_the_first_part_pays_for_all_and_the_others_nothing() -> None:
    parts = PartTable(60)
    costs = []

    for number in (2, 1, 3):
        costs.append(parts.units_of(OWNER, place(number), 0.0))
        added(parts, number)

    assert costs == [3, 0, 0]


def test_a_part_sent_again_costs_a_token_of_its_own() -> None:
    parts = PartTable(60)
    added(parts, 1)

    assert parts.units_of(OWNER, place(1), 0.0) == 1


@pytest.mark.parametrize(
    "other",
    [place(2, reference=8), place(2, total=4)],
)
def test_another_reference_or_count_is_another_message(other: Concat) -> None:
    parts = PartTable(60)
    added(parts, 1)

    assert parts.units_of(OWNER, other, 0.0) == other.total


@pytest.mark.parametrize("kind", ["udh8", "udh16", "sar"])
def test_the_same_reference_is_the_same_message_however_it_is_written(kind: str) -> None:
    parts = PartTable(60)
    joint = added(parts, 1)

    taken = parts.add(OWNER, place(2, kind=kind), part("再见"), 0.0)

    assert taken == (joint, True, False)


@pytest.mark.parametrize(
    "other",
    [
        ("sp2", b"10690001", 8613800138000),
        ("sp1", b"10690002", 8613800138000),
        ("sp1", b"10690001", 8613800138001),
    ],
)
def test_another_sender_source_or_subscriber_is_another_message(other: Owner) -> None:
    parts = PartTable(60)
    added(parts, 1)

    assert parts.units_of(other, place(2), 0.0) == 3


def test_a_part_that_was_refused_is_a_new_one_when_it_is_sent_again() -> None:
    parts = PartTable(60)
    joint = added(parts, 1, "您好")
    added(parts, 2)

    parts.withdraw(joint, 1)
    again = parts.add(OWNER, place(1), part("再见"), 0.0)

    assert again == (joint, True, False)
    assert joint.parts[1] == part("再见")


def test_who_was_refused_the_first_part_pays_again_for_all() -> None:
    parts = PartTable(60)
    joint = added(parts, 1)
    joint.refused = STOP

    parts.withdraw(joint, 1)

    assert parts.units_of(OWNER, place(2), 0.0) == 3
    assert added(parts, 2).refused is None


def test_a_part_sent_again_with_another_text_is_a_contradiction() -> None:
    parts = PartTable(60)
    joint = added(parts, 1, "您好")

    again = [parts.add(OWNER, place(1), part(text), 0.0) for text in ("您好", "再见")]

    assert again == [(joint, False, False), (joint, False, True)]
    assert joint.parts[1] == part("您好")


def test_a_part_is_read_with_the_unbroken_run_around_it() -> None:
    parts = PartTable(60)
    joint = added(parts, 1, "代", total=5)
    for number, text in ((2, "开"), (4, "票"), (5, "！")):
        added(parts, number, text, total=5)

    assert joint.texts(2, part("开"))[0] == "代开"
    assert joint.texts(4, part("票"))[0] == "票！"
    added(parts, 3, "发", total=5)
    assert joint.texts(3, part("发"))[0] == "代开发票！"


def test_a_character_cut_between_two_parts_is_read() -> None:
    parts = PartTable(60)
    octets = "代开发票".encode("utf-16-be")
    joint = added(parts, 1, octets[:3], total=2)

    assert "代开发票" in joint.texts(2, part(octets[3:]))


def test_half_a_character_at_the_end_of_a_part_does_not_hide_the_next() -> None:
    parts = PartTable(60)
    joint = added(parts, 1, "代开".encode("utf-16-be") + b"\x4e", total=2)

    assert any("代开发票" in text for text in joint.texts(2, part("发票")))


def test_parts_in_different_codings_are_read_each_in_its_own() -> None:
    parts = PartTable(60)
    joint = added(parts, 1, "free ", total=2)

    assert any("free money" in text for text in joint.texts(2, part(b"money", 0)))


def test_empty_parts_do_not_use_up_the_reach() -> None:
    parts = PartTable(60)
    joint = added(parts, 1, "代开", total=255)
    for number in range(2, 255):
        added(parts, number, b"", total=255)

    assert "代开发票" in joint.texts(255, part("发票"))


def test_a_huge_neighbour_is_read_only_where_it_touches() -> None:
    parts = PartTable(60)
    joint = added(parts, 1, "您" * 20_000 + "代开", total=3)
    added(parts, 3, "票" + "后" * 20_000, total=3)

    texts = joint.texts(2, part("发"))

    assert all("代开发票" in text for text in texts)
    assert max(map(len, texts)) < 10_000


def test_a_reach_cut_out_of_a_neighbour_keeps_its_characters_whole() -> None:
    parts = PartTable(60)
    octets = ("前" * 3000 + "代开").encode("utf-16-be")
    joint = added(parts, 1, octets + b"\x53", total=2)

    assert any("代开发票" in t for t in joint.texts(2, part(b"\xd1" + "票".encode("utf-16-be"))))


def test_a_message_that_is_not_whole_stays_under_way() -> None:
    parts = PartTable(60)
    joint = added(parts, 1)

    parts.settle(joint, 0.0)

    assert parts.units_of(OWNER, place(2), 0.0) == 0


def whole(parts: PartTable, *texts: str) -> Joint:
    """Send all parts of a clean message."""
    joints = [added(parts, n, text, total=len(texts)) for n, text in enumerate(texts, start=1)]
    for joint in joints:
        parts.settle(joint, 0.0)
    return joints[0]


def test_after_a_whole_message_the_next_with_its_reference_is_paid_anew() -> None:
    parts = PartTable(60)
    whole(parts, "您好", "再见")

    assert parts.units_of(OWNER, place(2, 2), 0.0) == 2


def test_the_next_message_may_have_another_text() -> None:
    parts = PartTable(60)
    joint = whole(parts, "您好", "再见")

    taken = parts.add(OWNER, place(1, 2), part("早上"), 0.0)

    assert taken == (joint, True, False)
    assert parts.units_of(OWNER, place(2, 2), 0.0) == 0


def test_a_phone_that_still_has_the_last_round_shows_nothing_unread() -> None:
    """The SMSC may have refused part 2 of a clean message; what replaces it is read with 1."""
    parts = PartTable(60)
    joint = whole(parts, "代开", "再见")

    assert "代开发票" in joint.texts(2, part("发票"))


def test_a_message_stopped_after_it_was_whole_is_still_known() -> None:
    parts = PartTable(60)
    joint = whole(parts, "您好", "再见")
    joint.stopped = STOP

    taken = parts.add(OWNER, place(2, 2), part("再见"), 0.0)

    assert taken.joint.stopped is STOP


def test_a_round_is_over_when_its_time_is() -> None:
    parts = PartTable(60)
    added(parts, 1, now=0.0)

    assert parts.units_of(OWNER, place(2), 59.9) == 0
    assert parts.units_of(OWNER, place(2), 60.0) == 3
    assert len(parts) == 0


def test_expiry_takes_the_old_and_leaves_the_young() -> None:
    parts = PartTable(60)
    done = whole(parts, "您好")
    for number in range(3):
        parts.add(owner(number), place(1), part("x"), 10.0 * number)

    parts.expire(65.0)

    assert len(parts) == 2
    assert parts.units_of(owner(0), place(2), 65.0) == 3
    assert parts.units_of(owner(1), place(2), 65.0) == 0
    assert done.expires_at == 60.0
    parts.expire(1000.0)
    assert len(parts) == 0
    assert parts.octets == 0
    assert len(parts.late) == 4
    parts.expire(1000.0 + 8 * DAY_S)
    assert (len(parts.late), parts.late.octets) == (0, 0)


@pytest.mark.parametrize("later_s", [60, DAY_S, 6 * DAY_S, 7 * DAY_S])
@pytest.mark.parametrize("expires", [False, True])
def test_a_part_that_comes_late_is_read_with_the_first(later_s: float, *, expires: bool) -> None:
    parts = PartTable(60)
    added(parts, 1, "代开", total=2)
    if expires:  # or nobody has looked since
        parts.expire(60.0)

    joint = added(parts, 2, "发票", now=later_s, total=2)

    assert "代开发票" in joint.texts(2, part("发票"))
    assert joint.seen == {2}


@pytest.mark.parametrize("expires", [False, True])
def test_after_a_week_a_part_stands_alone(*, expires: bool) -> None:
    parts = PartTable(60)
    added(parts, 1, "代开", total=2)
    parts.expire(60.0)
    if expires:
        parts.expire(60.0 + 7 * DAY_S)

    joint = added(parts, 2, "发票", now=60.0 + 7 * DAY_S, total=2)

    assert joint.texts(2, part("发票")) == ()


def test_a_late_part_is_read_across_short_ones_and_cut_characters() -> None:
    parts = PartTable(60)
    octets = "代开发票".encode("utf-16-be")
    for number, piece in enumerate((octets[:3], b"", octets[3:4], octets[4:5]), start=1):
        added(parts, number, piece, total=5)
    parts.expire(60.0)

    joint = added(parts, 5, octets[5:], now=DAY_S, total=5)

    assert "代开发票" in joint.texts(5, part(octets[5:]))


def test_of_a_huge_part_its_ends_are_kept_for_late_ones() -> None:
    parts = PartTable(60)
    added(parts, 2, "发票" + "中" * 20_000 + "代开", total=3)
    parts.expire(60.0)

    after = added(parts, 3, "发票", now=DAY_S, total=3).texts(3, part("发票"))
    before = added(parts, 1, "代开", now=DAY_S, total=3).texts(1, part("代开"))

    assert any("代开发票" in text for text in after)
    assert any("代开发票" in text for text in before)
    assert max(map(len, (*before, *after))) < 200


def test_what_stands_between_the_ends_of_a_part_joins_nothing() -> None:
    parts = PartTable(60)
    added(parts, 1, "代开" + "中" * 20_000 + "发票", total=2)

    texts = added(parts, 2, "！", total=2).texts(2, part("！"))

    assert any("发票！" in text for text in texts)
    assert not any("代开" in text for text in texts)


def test_ends_kept_for_late_parts_are_cut_between_characters_and_septets() -> None:
    text = part("中" * 201)

    twice = text.cut(128)

    assert twice.end is not None
    assert twice.end.octets == text.octets[(402 - 128) // 14 * 14 :]
    assert twice.cut(128) is twice


def test_a_message_that_was_whole_is_known_to_late_parts_too() -> None:
    """The SMSC may have refused part 2; what comes instead tomorrow is read with 1."""
    parts = PartTable(60)
    whole(parts, "代开", "再见")
    parts.expire(60.0)

    assert "代开发票" in added(parts, 2, "发票", now=DAY_S, total=2).texts(2, part("发票"))


def test_a_part_that_was_withheld_is_nothing_to_late_ones() -> None:
    parts = PartTable(60)
    joint = added(parts, 1, "代开发票", total=3)
    added(parts, 2, "您好", total=3)
    parts.withdraw(joint, 1)
    parts.expire(60.0)

    later = added(parts, 3, "再见", now=DAY_S, total=3)

    assert later.parts.keys() == {2, 3}


def test_a_message_of_which_nothing_went_on_leaves_nothing() -> None:
    parts = PartTable(60)
    joint = added(parts, 1, "代开发票", total=2)
    parts.withdraw(joint, 1)

    parts.expire(60.0)

    assert len(parts.late) == 0


def test_a_part_in_the_place_of_one_that_an_older_phone_keeps_is_read_with_both() -> None:
    parts = PartTable(60)
    added(parts, 1, "代开", total=2)
    added(parts, 1, "您好", now=DAY_S, total=2)

    texts = added(parts, 2, "发票", now=DAY_S, total=2).texts(2, part("发票"))

    assert {"代开发票", "您好发票"} <= set(texts)
    added(parts, 1, "早上", now=2 * DAY_S, total=2)
    texts = added(parts, 2, "发票", now=2 * DAY_S, total=2).texts(2, part("发票"))
    assert {"代开发票", "早上发票"} <= set(texts)


def test_what_took_the_place_of_a_part_and_was_withheld_leaves_the_first() -> None:
    parts = PartTable(60)
    added(parts, 1, "您好", total=2)
    joint = added(parts, 1, "早上", now=DAY_S, total=2)
    parts.withdraw(joint, 1)
    parts.expire(2 * DAY_S)

    joint = parts.find((OWNER, 7, 2), 2 * DAY_S)

    assert joint.parts == {1: part("您好")}


def test_the_next_round_of_a_whole_message_replaces_the_last_for_good() -> None:
    """Else who uses one reference for all would have each text read beside older ones."""
    parts = PartTable(60)
    whole(parts, "您好", "再见")

    joint = added(parts, 1, "早上", total=2)

    assert joint.former == {}
    assert parts.late.octets == 0


def test_nobody_is_refused_a_part_because_four_others_fill_the_table() -> None:
    parts = PartTable(60)
    huge = part("占" * 32_500)
    for sender in range(4):
        for reference in range(64):
            parts.add(owner(1, f"sp{sender}"), place(1, 2, reference), huge, 0.0)
    for number in range(80):
        parts.add(owner(number, f"sp{number % 4}"), place(1, 2, 200), part("占"), 0.0)

    first = parts.add(owner(9, "sp9"), place(1, 2), part("代开"), 1.0)
    second = parts.add(owner(9, "sp9"), place(2, 2), part("发票"), 2.0)

    assert first.joint is second.joint
    assert "代开发票" in second.joint.texts(2, part("发票"))
    assert parts.octets <= 64 << 20


def filled(parts: PartTable, sender: str, count: int, now: float = 0.0) -> None:
    """Let a sender begin long messages to many subscribers."""
    for number in range(count):
        parts.add(owner(number, sender), place(1, 2), part("占" * 60), now)


def test_the_largest_sender_makes_room_and_loses_nothing_by_it() -> None:
    parts = PartTable(60, max_octets=100_000)
    parts.add(OWNER, place(1, 2), part("代开"), 0.0)
    filled(parts, "sp2", 500)

    assert parts.octets <= 100_000
    assert parts.units_of(OWNER, place(2, 2), 0.0) == 0
    assert parts.units_of(owner(0, "sp2"), place(2, 2), 0.0) == 2
    joint = parts.add(owner(0, "sp2"), place(2, 2), part("您好"), 0.0).joint
    assert any(text.endswith("占您好") for text in joint.texts(2, part("您好")))


def test_a_newcomer_is_given_room_by_who_has_most() -> None:
    parts = PartTable(60, max_octets=100_000, max_late_octets=100_000)
    filled(parts, "sp2", 500)

    added(parts, 1, "代开", total=2)

    assert parts.octets <= 100_000
    assert parts.units_of(OWNER, place(2, 2), 0.0) == 0
    parts.expire(60.0)
    assert parts.late.octets <= 100_000
    joint = added(parts, 2, "发票", now=DAY_S, total=2)
    assert "代开发票" in joint.texts(2, part("发票"))
    assert joint.stopped is None


def test_of_a_huge_part_both_ends_are_read_with_its_neighbours() -> None:
    parts = PartTable(60)
    joint = added(parts, 1, "代开", total=3)
    added(parts, 3, "发票", total=3)
    huge = part("发票" + "中" * 20_000 + "代开")

    texts = joint.texts(2, huge)

    assert any(text.startswith("代开发票") for text in texts)
    assert any(text.endswith("代开发票") for text in texts)
    assert max(map(len, texts)) < 1_100


def test_messages_that_are_whole_make_room_first() -> None:
    parts = PartTable(60, max_octets=8_000)
    added(parts, 1, "您好", total=2)
    done = parts.add(owner(1), place(1, 1), part("再见"), 0.0).joint
    parts.settle(done, 0.0)

    for number in range(2, 12):
        parts.add(owner(number), place(1, 2), part("占"), 0.0)
        if parts.late.octets:
            break

    assert parts.late.take(done.key, 0.0) is not None
    assert parts.units_of(OWNER, place(2, 2), 0.0) == 0


def test_a_message_that_alone_is_too_large_stays_while_its_parts_come() -> None:
    parts = PartTable(60, max_octets=10_000)

    joints = [added(parts, number, "占" * 60, total=30) for number in range(1, 30)]

    assert len(joints[-1].seen) == 29
    assert len(parts) == 1


def test_a_message_whose_parts_were_pushed_out_waits_for_a_person() -> None:
    parts = PartTable(60, max_late_octets=50_000)
    filled(parts, "sp1", 300)
    parts.expire(60.0)

    pushed_out = parts.add(owner(0), place(2, 2), part("发票"), DAY_S)
    later = parts.add(owner(0), place(1, 2), part("您好"), DAY_S)
    known = parts.add(owner(299), place(2, 2), part("发票"), DAY_S)

    assert parts.late.octets <= 50_000
    assert [one.joint.stopped for one in (pushed_out, later, known)] == [FORGOTTEN, FORGOTTEN, None]


def test_who_floods_the_late_parts_pushes_out_nobody_elses() -> None:
    parts = PartTable(60, max_late_octets=50_000)
    added(parts, 1, "代开", total=2)
    filled(parts, "sp2", 1000)
    parts.expire(60.0)

    joint = added(parts, 2, "发票", now=DAY_S, total=2)
    fresh = parts.add(owner(5000), place(2, 2), part("您好"), DAY_S)

    assert "代开发票" in joint.texts(2, part("发票"))
    assert (joint.stopped, fresh.joint.stopped) == (None, None)


def test_late_parts_of_whole_messages_make_room_without_a_trace() -> None:
    parts = PartTable(60, max_late_octets=3_000)
    for number in range(20):
        parts.settle(parts.add(owner(number), place(1, 1), part("您好"), 0.0).joint, 0.0)
    added(parts, 1, total=2)
    parts.expire(60.0)

    assert added(parts, 2, now=DAY_S, total=2).parts.keys() == {1, 2}
    assert parts.add(owner(0), place(1, 1), part("早"), DAY_S).joint.stopped is None


def test_what_was_pushed_out_is_known_for_as_long_as_phones_keep_it() -> None:
    parts = PartTable(60, max_late_octets=50_000)
    filled(parts, "sp1", 300)
    parts.expire(60.0)

    def stopped(now: float) -> Finding | None:
        return parts.add(owner(0), place(2, 2, 7), part("发票"), now).joint.stopped

    assert stopped(7 * DAY_S) is FORGOTTEN
    parts.expire(30 * DAY_S)
    assert stopped(30 * DAY_S) is None
    for day in (60, 90):
        parts.expire(day * DAY_S)
    assert not any(parts.late.has_forgotten((owner(n), 7, 2), 90 * DAY_S) for n in range(300))
    assert parts.late.octets == 0


def test_a_text_exchanged_for_itself_and_refused_changes_nothing() -> None:
    parts = PartTable(60)
    joint = added(parts, 1, "您好", total=2)

    parts.exchange(joint, 1, part("您好"), 0.0)
    parts.restore(joint, 1)

    assert (joint.parts, joint.former) == ({1: part("您好")}, {})
    assert parts.octets == joint.octets


def test_a_part_that_was_not_taken_comes_again_and_the_message_is_whole() -> None:
    parts = PartTable(60)
    joint = added(parts, 1, "您好", total=2)
    joint.doubt(1)
    added(parts, 2, "再见", total=2)
    parts.settle(joint, 0.0)
    assert not joint.is_settled

    added(parts, 1, "您好", total=2)
    parts.settle(joint, 0.0)

    assert joint.is_settled


def test_a_message_is_whole_once_a_phone_has_all_parts_of_whatever_round() -> None:
    parts = PartTable(60)
    added(parts, 1, "您好", total=2)

    joint = added(parts, 2, "再见", now=DAY_S, total=2)
    parts.settle(joint, DAY_S)

    assert joint.is_settled
    assert added(parts, 1, "早上", now=DAY_S, total=2).former == {}


def test_a_part_of_the_next_round_takes_the_place_of_the_last() -> None:
    parts = PartTable(60)
    joint = whole(parts, "您好" * 50, "再见")
    octets = joint.octets

    added(parts, 1, "早", total=2)

    assert joint.octets == octets - 4 * 2 * 99
    assert parts.octets == joint.octets


def test_a_contradiction_is_told_by_coding_as_well_as_by_octets() -> None:
    parts = PartTable(60)
    first = part("您好")
    parts.add(OWNER, place(1), first, 0.0)

    taken = parts.add(OWNER, place(1), replace(first, data_coding=0), 0.0)

    assert taken.is_conflict
