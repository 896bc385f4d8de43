"""What waits to be reported is bounded, and one SP's flood costs no other a report (R60)."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.authority_report import NewAuthorityReport
from gateway.proxy.report_writer import WaitingReports

ROOM = 1 << 20


def report(number: int, system_id: str = "flood", text: str = "代开发票") -> NewAuthorityReport:
    return NewAuthorityReport(
        message_id=number,
        system_id=system_id,
        source="10690001",
        msisdn=8613800138000,
        recipients=1,
        action="reject",
        rule="K-FRAUD",
        category="fraud",
        keyword="代开发票",
        digest="0123456789ab",
        text=text,
        text_sha256="0" * 64,
        stopped_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def numbers(reports: list[NewAuthorityReport]) -> list[int]:
    return [one.message_id for one in reports]


def test_r60_a_flood_of_one_sp_gives_way_to_its_neighbour_with_its_newest() -> None:
    waiting = WaitingReports(3, ROOM)

    lost = [waiting.add(report(n)) for n in range(5)]
    neighbour = waiting.add(report(9, "neighbour"))

    assert (lost, neighbour, len(waiting)) == ([0, 0, 0, 1, 1], 1, 3)
    assert sorted(numbers(waiting.take(10))) == [0, 1, 9]


def test_long_texts_of_one_sp_give_way_as_well() -> None:
    waiting = WaitingReports(100, 10_000)
    waiting.add(report(1))
    waiting.add(report(2, text="代" * 1_500))

    assert waiting.add(report(3, "neighbour", "代" * 1_000)) == 1
    assert sorted(numbers(waiting.take(10))) == [1, 3]
    assert waiting.add(report(4, "third", "代" * 3_000)) == 1  # more than there is room for


def test_an_sp_with_no_more_than_the_newcomer_keeps_what_it_has() -> None:
    waiting = WaitingReports(2, ROOM)
    waiting.add(report(1, "one"))
    waiting.add(report(2, "two"))

    assert waiting.add(report(3, "three")) == 1
    assert sorted(numbers(waiting.take(10))) == [1, 2]


def test_every_sp_is_written_in_turn_and_each_in_its_order() -> None:
    waiting = WaitingReports(100, ROOM)
    for n in range(6):
        waiting.add(report(n))
    for n in (7, 8):
        waiting.add(report(n, "neighbour"))

    first = numbers(waiting.take(4))
    waiting.settle()
    second = numbers(waiting.take(4))
    waiting.settle()

    assert (first, second) == ([0, 1, 7, 8], [2, 3, 4, 5])
    assert waiting.take(4) == []
    assert len(waiting) == 0


def test_more_sps_than_go_at_once_all_have_their_turn() -> None:
    waiting = WaitingReports(100, ROOM)
    for n in range(10):
        waiting.add(report(n, f"sp{n % 5}"))

    written = []
    while some := waiting.take(2):
        written.append(numbers(some))
        waiting.settle()

    assert written == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]


def test_what_the_store_did_not_take_waits_again_before_the_rest() -> None:
    waiting = WaitingReports(3, ROOM)
    for n in range(3):
        waiting.add(report(n))
    waiting.take(2)
    assert waiting.add(report(3)) == 1  # what is being written keeps its place

    waiting.put_back()

    assert numbers(waiting.take(10)) == [0, 1, 2]
    assert waiting.clear() == 3
    assert (len(waiting), waiting.take(1)) == (0, [])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 500)), max_size=40))
def test_none_is_lost_uncounted_and_the_bounds_hold(floods: list[tuple[str, int]]) -> None:
    waiting = WaitingReports(7, 8_000)
    lost = 0
    for number, (system_id, chars) in enumerate(floods):
        lost += waiting.add(report(number, system_id, "x" * chars))

    left = waiting.take(100)

    assert len(left) == len(waiting) == len(floods) - lost
    assert len(left) <= 7
    assert sum(1_000 + 4 * len(one.text) for one in left) <= 8_000
