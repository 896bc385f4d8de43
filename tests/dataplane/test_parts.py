"""The table of long messages under way."""

from dataclasses import replace

import pytest

from gateway.dataplane.parts import Joint, Owner, Part, Parts, part_of
from gateway.domain.verdict import Action, Finding, Reason
from gateway.smpp.text import decode_text
from gateway.smpp.udh import Concat

OWNER: Owner = ("sp1", b"10690001", 8613800138000)
STOP = Finding("K", Reason.CONTENT, Action.REJECT, "word")


def part(text: str | bytes, data_coding: int = 8) -> Part:
    octets = text.encode("utf-16-be") if isinstance(text, str) else text
    return part_of(data_coding, octets, decode_text(octets, data_coding))


def place(number: int, total: int = 3, reference: int = 7, kind: str = "udh8") -> Concat:
    return Concat(kind, reference, total, number)


def added(
    parts: Parts, number: int, text: str | bytes = "您好", *, now: float = 0.0, total: int = 3
) -> Joint:
    taken = parts.add(OWNER, place(number, total), part(text), now)
    assert taken is not None
    return taken[0]


def owner(number: int, sender: str = "sp1") -> Owner:
    return sender, b"10690001", number


def test_the_first_part_pays_for_all_and_the_others_nothing() -> None:
    parts = Parts(60)
    costs = []

    for number in (2, 1, 3):
        costs.append(parts.units_of(OWNER, place(number), 0.0))
        added(parts, number)

    assert costs == [3, 0, 0]


def test_a_part_sent_again_costs_a_token_of_its_own() -> None:
    parts = Parts(60)
    added(parts, 1)

    assert parts.units_of(OWNER, place(1), 0.0) == 1


@pytest.mark.parametrize(
    "other",
    [place(2, reference=8), place(2, total=4)],
)
def test_another_reference_or_count_is_another_message(other: Concat) -> None:
    parts = Parts(60)
    added(parts, 1)

    assert parts.units_of(OWNER, other, 0.0) == other.total


@pytest.mark.parametrize("kind", ["udh8", "udh16", "sar"])
def test_the_same_reference_is_the_same_message_however_it_is_written(kind: str) -> None:
    parts = Parts(60)
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
    parts = Parts(60)
    added(parts, 1)

    assert parts.units_of(other, place(2), 0.0) == 3


def test_a_part_that_was_refused_is_a_new_one_when_it_is_sent_again() -> None:
    parts = Parts(60)
    joint = added(parts, 1, "您好")
    added(parts, 2)

    parts.withdraw(joint, 1)
    again = parts.add(OWNER, place(1), part("再见"), 0.0)

    assert again == (joint, True, False)
    assert joint.parts[1] == part("再见")


def test_who_was_refused_the_first_part_pays_again_for_all() -> None:
    parts = Parts(60)
    joint = added(parts, 1)
    joint.refused = STOP

    parts.withdraw(joint, 1)

    assert parts.units_of(OWNER, place(2), 0.0) == 3
    assert added(parts, 2).refused is None


def test_a_part_sent_again_with_another_text_is_a_contradiction() -> None:
    parts = Parts(60)
    joint = added(parts, 1, "您好")

    again = [parts.add(OWNER, place(1), part(text), 0.0) for text in ("您好", "再见")]

    assert again == [(joint, False, False), (joint, False, True)]
    assert joint.parts[1] == part("您好")


def test_a_part_is_read_with_the_unbroken_run_around_it() -> None:
    parts = Parts(60)
    joint = added(parts, 1, "代", total=5)
    for number, text in ((2, "开"), (4, "票"), (5, "！")):
        added(parts, number, text, total=5)

    assert joint.texts(2, part("开"))[0] == "代开"
    assert joint.texts(4, part("票"))[0] == "票！"
    added(parts, 3, "发", total=5)
    assert joint.texts(3, part("发"))[0] == "代开发票！"


def test_a_character_cut_between_two_parts_is_read() -> None:
    parts = Parts(60)
    octets = "代开发票".encode("utf-16-be")
    joint = added(parts, 1, octets[:3], total=2)

    assert "代开发票" in joint.texts(2, part(octets[3:]))


def test_half_a_character_at_the_end_of_a_part_does_not_hide_the_next() -> None:
    parts = Parts(60)
    joint = added(parts, 1, "代开".encode("utf-16-be") + b"\x4e", total=2)

    assert any("代开发票" in text for text in joint.texts(2, part("发票")))


def test_parts_in_different_codings_are_read_each_in_its_own() -> None:
    parts = Parts(60)
    joint = added(parts, 1, "free ", total=2)

    assert any("free money" in text for text in joint.texts(2, part(b"money", 0)))


def test_empty_parts_do_not_use_up_the_reach() -> None:
    parts = Parts(60)
    joint = added(parts, 1, "代开", total=255)
    for number in range(2, 255):
        added(parts, number, b"", total=255)

    assert "代开发票" in joint.texts(255, part("发票"))


def test_a_huge_neighbour_is_read_only_where_it_touches() -> None:
    parts = Parts(60)
    joint = added(parts, 1, "前" * 20_000 + "代开", total=3)
    added(parts, 3, "票" + "后" * 20_000, total=3)

    texts = joint.texts(2, part("发"))

    assert all("代开发票" in text for text in texts)
    assert max(map(len, texts)) < 10_000


def test_a_reach_cut_out_of_a_neighbour_keeps_its_characters_whole() -> None:
    parts = Parts(60)
    octets = ("前" * 3000 + "代开").encode("utf-16-be")
    joint = added(parts, 1, octets + b"\x53", total=2)

    assert any("代开发票" in t for t in joint.texts(2, part(b"\xd1" + "票".encode("utf-16-be"))))


def test_a_message_that_is_not_whole_stays_under_way() -> None:
    parts = Parts(60)
    joint = added(parts, 1)

    parts.settle(joint, 0.0)

    assert parts.units_of(OWNER, place(2), 0.0) == 0


def whole(parts: Parts, *texts: str) -> Joint:
    """Send all parts of a clean message."""
    joints = [added(parts, n, text, total=len(texts)) for n, text in enumerate(texts, start=1)]
    for joint in joints:
        parts.settle(joint, 0.0)
    return joints[0]


def test_after_a_whole_message_the_next_with_its_reference_is_paid_anew() -> None:
    parts = Parts(60)
    whole(parts, "您好", "再见")

    assert parts.units_of(OWNER, place(2, 2), 0.0) == 2


def test_the_next_message_may_have_another_text() -> None:
    parts = Parts(60)
    joint = whole(parts, "您好", "再见")

    taken = parts.add(OWNER, place(1, 2), part("早上"), 0.0)

    assert taken == (joint, True, False)
    assert parts.units_of(OWNER, place(2, 2), 0.0) == 0


def test_a_phone_that_still_has_the_last_round_shows_nothing_unread() -> None:
    """The SMSC may have refused part 2 of a clean message; what replaces it is read with 1."""
    parts = Parts(60)
    joint = whole(parts, "代开", "再见")

    assert "代开发票" in joint.texts(2, part("发票"))


def test_a_message_stopped_after_it_was_whole_is_still_known() -> None:
    parts = Parts(60)
    joint = whole(parts, "您好", "再见")
    joint.stopped = STOP

    taken = parts.add(OWNER, place(2, 2), part("再见"), 0.0)

    assert taken is not None
    assert taken[0].stopped is STOP


def test_a_message_is_forgotten_when_its_time_is_over() -> None:
    parts = Parts(60)
    added(parts, 1, now=0.0)

    assert parts.units_of(OWNER, place(2), 59.9) == 0
    assert parts.units_of(OWNER, place(2), 60.0) == 3
    assert len(parts) == 0


def test_expiry_takes_the_old_and_leaves_the_young() -> None:
    parts = Parts(60)
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
    assert parts._octets == 0
    assert parts._shares == {}


def test_a_full_table_takes_no_new_message_but_the_parts_of_those_it_has() -> None:
    parts = Parts(60, maximum=4)
    for number in range(4):
        assert parts.add(owner(number, f"sp{number}"), place(1), part("x"), 0.0)

    assert parts.add(owner(9, "sp9"), place(1), part("x"), 0.0) is None
    assert parts.add(owner(1, "sp1"), place(2), part("x"), 0.0) is not None
    assert parts.add(owner(9, "sp9"), place(1), part("x"), 60.0) is None
    parts.expire(60.0)
    assert parts.add(owner(9, "sp9"), place(1), part("x"), 60.0) is not None


def test_whole_messages_make_room_for_those_under_way() -> None:
    parts = Parts(60, maximum=4)
    for number in range(4):
        taken = parts.add(owner(number), place(1, 1), part("x"), 0.0)
        assert taken is not None
        parts.settle(taken[0], 0.0)

    assert parts.add(owner(9), place(1), part("x"), 0.0) is not None
    assert len(parts) == 4
    assert parts._find((owner(0), 7, 1), 0.0) is None


def test_one_sender_may_not_take_the_whole_table() -> None:
    parts = Parts(60, maximum=8)

    taken = [parts.add(owner(number), place(1), part("x"), 0.0) for number in range(8)]

    assert [entry is not None for entry in taken] == [True] * 2 + [False] * 6
    assert parts.add(owner(1, "sp2"), place(1), part("x"), 0.0) is not None


def test_octets_are_bounded_for_parts_of_messages_already_begun_as_well() -> None:
    parts = Parts(60, max_octets=400_000)
    big = part(b"\x4e" * 10_000)

    taken = [parts.add(OWNER, place(number, 255), big, 0.0) for number in range(1, 60)]

    assert sum(entry is not None for entry in taken) == 2
    assert parts._octets <= 100_000


def test_all_senders_together_are_bounded_in_octets() -> None:
    parts = Parts(60, max_octets=400_000)
    big = part(b"\x4e" * 20_000)

    for number in range(20):
        parts.add(owner(number, f"sp{number}"), place(1), big, 0.0)

    assert parts._octets <= 400_000
    assert len(parts) == 4


def test_a_part_refused_for_want_of_room_leaves_the_last_round_in_place() -> None:
    parts = Parts(60, maximum=4)
    done = whole(parts, "您好", "再见")
    parts.add(owner(1), place(1), part("x"), 0.0)

    assert parts.add(OWNER, place(1, 2), part("早上"), 0.0) is None
    assert parts._find(done.key, 0.0) is done


def test_a_part_of_the_next_round_takes_the_place_of_the_last() -> None:
    parts = Parts(60)
    joint = whole(parts, "您好" * 50, "再见")
    octets = joint.octets

    added(parts, 1, "早", total=2)

    assert joint.octets == octets - 4 * 2 * 99
    assert parts._octets == joint.octets


def test_a_contradiction_is_told_by_coding_as_well_as_by_octets() -> None:
    parts = Parts(60)
    first = part("您好")
    parts.add(OWNER, place(1), first, 0.0)

    taken = parts.add(OWNER, place(1), replace(first, data_coding=0), 0.0)

    assert taken is not None
    assert taken.is_conflict
