"""Who writes to one number after the other (R28)."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.verdict import Action
from gateway.policy.check import asked_alone
from gateway.policy.checks import number_walk
from gateway.policy.checks.number_walk import NumberWalk, Walks, _NumberBlock, _SourceNumbers
from gateway.policy.submission import Account, Submission
from tests.policy.conftest import (
    ADVERT,
    MARKETING,
    NUMBER,
    World,
    addressed,
    rule,
    sender,
    why,
)

ACCOUNT = Account(sender())
WALK = NumberWalk(100, timedelta(minutes=10))
R28 = rule("R28", WALK, action=Action.QUARANTINE)


def beijing(text: str) -> float:
    return datetime.fromisoformat(f"{text}+08:00").timestamp()


AFTERNOON = beijing("2013-09-10T14:03:10")


def written_to(number: int, source: bytes = MARKETING, text: str | None = ADVERT) -> Submission:
    one = addressed(text, source=source)
    one.account, one.origin, one.msisdn = ACCOUNT, ACCOUNT.origin_of(source), number
    return one


def test_a_row_of_numbers_is_remembered_as_long_as_it_may_take() -> None:
    assert WALK.memory_s == 600


def test_r28_from_the_hundredth_number_in_a_row_on_messages_are_held() -> None:
    world = World(R28)

    found = [world.judge(to=13900000000 + n, at=AFTERNOON + n) for n in range(150)]

    assert [why(one) for one in found] == [None] * 99 + [NumberWalk.reason] * 51
    assert found[99].verdict is not None
    assert found[99].verdict.action is Action.QUARANTINE


def test_r28_campaigns_side_by_side_do_not_hide_a_walk() -> None:
    ask = asked_alone(Walks(WALK))
    found = []
    for n in range(120):
        ask(written_to(NUMBER + 7919 * n, b"106900011"), AFTERNOON + n)
        found.append(ask(written_to(8613900000000 + n, b"106900012"), AFTERNOON + n) is not None)

    assert found == [False] * 99 + [True] * 21


def test_r28_a_gap_ends_a_row() -> None:
    ask = asked_alone(Walks(NumberWalk(3, timedelta(minutes=10))))

    found = [ask(written_to(n), AFTERNOON) is not None for n in (1, 2, 4, 5, 6, 9, 10)]

    assert found == [False, False, False, False, True, False, False]


def test_r28_the_same_number_again_is_no_step() -> None:
    ask = asked_alone(Walks(NumberWalk(3, timedelta(minutes=10))))

    found = [ask(written_to(n), AFTERNOON) is not None for n in (1, 2, 2, 2, 3, 3, 4)]

    assert found == [False, False, False, False, True, True, True]


def test_r28_a_row_must_come_within_its_time() -> None:
    ask = asked_alone(Walks(NumberWalk(3, timedelta(minutes=10))))

    found = [
        ask(written_to(n), AFTERNOON + after) is not None
        for n, after in ((1, 0), (2, 599), (3, 601), (4, 602), (5, 603))
    ]

    assert found == [False, False, False, False, True]


def test_r28_who_walks_on_is_held_until_there_is_a_pause() -> None:
    ask = asked_alone(Walks(NumberWalk(3, timedelta(minutes=10))))

    found = [
        ask(written_to(n), AFTERNOON + after) is not None
        for n, after in ((1, 0), (2, 1), (3, 2), (4, 600), (5, 1200), (6, 1801))
    ]

    assert found == [False, False, True, True, True, False]


def test_r28_a_sender_with_many_sources_pushes_out_only_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(number_walk, "_MAX_SOURCES", 2)
    ask = asked_alone(Walks(NumberWalk(2, timedelta(minutes=10))))
    other = World().message(system_id="sp2")
    other.msisdn = 1
    ask(other, AFTERNOON)
    for source in (b"106900012", b"106900011", b"106900013"):
        ask(written_to(1, source), AFTERNOON)
    other.msisdn = 2

    found = [
        ask(one, AFTERNOON) is not None
        for one in (other, written_to(2, b"106900011"), written_to(2, b"106900012"))
    ]

    assert found == [True, True, False]


def test_r28_who_walks_down_is_held_as_well() -> None:
    ask = asked_alone(Walks(WALK))

    found = [ask(written_to(NUMBER - n), AFTERNOON + n) is not None for n in range(120)]

    assert found == [False] * 99 + [True] * 21


def test_r28_who_walks_through_some_ranges_in_turn_is_held_in_each() -> None:
    ask = asked_alone(Walks(NumberWalk(3, timedelta(minutes=10))))
    ups_and_downs = ((1_000, 1), (5_000, -1), (9_000, 1), (20_000, -1))

    found = [
        ask(written_to(start + step * n), AFTERNOON) is not None
        for start, step in ups_and_downs
        for n in range(4)
    ]
    in_turn = asked_alone(Walks(NumberWalk(3, timedelta(minutes=10))))
    taking_turns = [
        in_turn(written_to(start + step * n), AFTERNOON) is not None
        for n in range(4)
        for start, step in ups_and_downs
    ]

    assert found == [False, False, True, True] * 4
    assert taking_turns == [False] * 8 + [True] * 8


def test_r28_to_and_fro_is_no_walk() -> None:
    ask = asked_alone(Walks(NumberWalk(3, timedelta(minutes=10))))

    found = [ask(written_to(n), AFTERNOON) is not None for n in (5, 6, 5, 6, 5, 6, 5)]

    assert found == [False] * 7


def test_r28_numbers_all_over_the_country_are_no_walk_and_hide_none_of_few_ranges() -> None:
    ask = asked_alone(Walks(NumberWalk(3, timedelta(minutes=10))))

    scattered = [ask(written_to(NUMBER + 7919 * n), AFTERNOON) for n in range(500)]
    among_them = [
        ask(written_to(number), AFTERNOON) is not None
        for n in range(4)
        for number in (NUMBER - n, 13 * n, NUMBER + 7919 * n)
    ]

    assert scattered == [None] * 500
    assert among_them[::3] == [False, False, True, True]
    assert not any(among_them[1::3] + among_them[2::3])


def test_r28_without_a_subscriber_there_is_no_step() -> None:
    ask = asked_alone(Walks(NumberWalk(1, timedelta(minutes=10))))
    one = addressed(ADVERT)
    one.msisdn = None

    assert ask(one, AFTERNOON) is None


def test_r28_a_reload_and_another_rule_forget_no_step() -> None:
    before, after = Walks(WALK), Walks(NumberWalk(2, timedelta(minutes=10)))
    one = written_to(1)
    asked_alone(before)(one, AFTERNOON)

    before.forget(one, AFTERNOON)
    after.adopt(before)

    assert asked_alone(after)(written_to(2), AFTERNOON) is not None


def test_r28_a_message_without_a_subscriber_is_passed_over_among_others() -> None:
    walks = Walks(NumberWalk(2, timedelta(minutes=10)))
    nobody = addressed(ADVERT)
    nobody.msisdn = None

    against = walks.ask_all([written_to(1), nobody, written_to(2)], AFTERNOON)

    assert [one.msisdn for one, _ in against] == [2]


@given(
    ticks=st.lists(
        st.lists(
            st.tuples(st.integers(0, 40) | st.integers(0, 4_000) | st.none(), st.booleans()),
            min_size=1,
            max_size=16,
        ),
        max_size=6,
    ),
    of_one=st.booleans(),
)
def test_r28_those_of_a_tick_are_asked_as_one_by_one(
    ticks: list[list[tuple[int | None, bool]]], *, of_one: bool
) -> None:
    check = NumberWalk(3, timedelta(minutes=10))
    together, alone = Walks(check), asked_alone(Walks(check))

    for minute, of_tick in enumerate(ticks):
        at = AFTERNOON + 60 * minute
        tick = [to(number, is_other=is_other and not of_one) for number, is_other in of_tick]
        against = [one for one, _ in together.ask_all(tick, at)]
        assert against == [one for one in tick if alone(one, at) is not None]


def to(number: int | None, *, is_other: bool) -> Submission:
    one = written_to(NUMBER, b"106900012" if is_other else MARKETING)
    one.msisdn = None if number is None else NUMBER + number
    return one


@pytest.mark.parametrize("count", [20, 100])
@pytest.mark.parametrize("apart", [1_000, 1_000_000])
def test_r28_a_walk_goes_on_from_a_tick_of_numbers_far_apart(count: int, apart: int) -> None:
    together = Walks(NumberWalk(3, timedelta(minutes=10)))
    far = [written_to(NUMBER + apart * n) for n in range(count)]
    steps = [written_to(far[-1].msisdn + n) for n in (1, 2) if far[-1].msisdn is not None]

    assert together.ask_all(far, AFTERNOON) == ()
    assert [one for one, _ in together.ask_all(steps, AFTERNOON)] == [steps[1]]


def test_r28_the_lone_number_is_a_row_where_one_is_enough() -> None:
    together = Walks(NumberWalk(1, timedelta(minutes=10)))
    unknown = written_to(NUMBER)
    unknown.msisdn = None
    known = [written_to(NUMBER + 1_000 * n) for n in range(9)]

    assert [one for one, _ in together.ask_all([*known, unknown], AFTERNOON)] == known


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("length", [150, 1_000, 5_000])
def test_r28_a_walk_is_seen_in_any_order_of_the_numbers(seed: int, length: int) -> None:
    ask = asked_alone(Walks(WALK))
    numbers = list(range(8613900000077, 8613900000077 + length))
    Random(seed).shuffle(numbers)  # noqa: S311 - no secret

    found = [ask(written_to(n), AFTERNOON + at / 10) is not None for at, n in enumerate(numbers)]

    assert any(found)
    assert not any(found[:90])


def test_r28_every_third_number_is_no_walk_in_any_order() -> None:
    ask = asked_alone(Walks(WALK))
    numbers = [8613900000000 + 3 * n for n in range(2_000)]
    Random(7).shuffle(numbers)  # noqa: S311 - no secret

    assert [ask(written_to(n), AFTERNOON) for n in numbers] == [None] * 2_000


def test_r28_a_walk_in_any_order_ends_with_a_pause() -> None:
    ask = asked_alone(Walks(NumberWalk(3, timedelta(minutes=10))))

    found = [
        ask(written_to(n), AFTERNOON + after) is not None
        for n, after in ((5, 0), (3, 1), (4, 2), (7, 3), (6, 4), (9, 605), (8, 606))
    ]

    assert found == [False, False, True, False, True, False, False]


def test_r28_of_many_blocks_with_some_numbers_the_oldest_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(number_walk, "_MAX_BLOCKS", 1)
    ask = asked_alone(Walks(NumberWalk(3, timedelta(minutes=10))))
    for number in (1, 3, 1_001, 1_003):
        ask(written_to(number), AFTERNOON)

    found = [ask(written_to(number), AFTERNOON) is not None for number in (1_002, 2)]

    assert found == [True, False]


def test_r28_numbers_of_one_region_in_full_ticks_are_no_walk_but_a_walk_among_them_is() -> None:
    walks = Walks(WALK)
    region = [NUMBER + 1_000 * n for n in range(256)]
    walk = list(range(8613900000000, 8613900000150))
    Random(5).shuffle(walk)  # noqa: S311 - no secret

    quiet = [
        walks.ask_all([written_to(n) for n in region[at : at + 16]], AFTERNOON)
        for at in range(0, 256, 16)
    ]
    found = [
        [
            one.msisdn
            for one, _ in walks.ask_all([written_to(n) for n in walk[at : at + 15]], AFTERNOON)
        ]
        for at in range(0, 150, 15)
    ]

    assert not any(quiet)
    assert found[:6] == [[]] * 6
    assert found[-1]


def test_r28_two_numbers_of_a_block_that_are_the_same_are_one() -> None:
    walks = Walks(NumberWalk(9, timedelta(minutes=10)))
    tick = [written_to(1_000 * n) for n in range(8)]

    assert not any(walks.ask_all(tick, AFTERNOON) for _ in range(3))


@pytest.mark.parametrize("apart", [1_000, 200_000])
def test_r28_a_step_over_the_end_of_a_block_is_a_step_in_a_full_tick_too(apart: int) -> None:
    walks = Walks(NumberWalk(2, timedelta(minutes=10)))
    border = 128 * 1_000_000
    tick = [written_to(border + apart * n) for n in range(1, 9)]

    assert walks.ask_all(tick, AFTERNOON) == ()
    over_it = [written_to(border - 1), written_to(border), *tick[2:]]
    assert [one.msisdn for one, _ in Walks(walks_of_two()).ask_all(over_it, AFTERNOON)] == [border]


def walks_of_two() -> NumberWalk:
    return NumberWalk(2, timedelta(minutes=10))


@given(st.sets(st.integers(0, 399)), st.integers(1, 400))
def test_r28_consecutive_numbers_are_counted_over_the_ends_of_blocks(
    written: set[int], enough: int
) -> None:
    numbers = _SourceNumbers()
    for place in {one >> 7 for one in written}:
        bits = sum(1 << one % 128 for one in written if one >> 7 == place)
        numbers.blocks[place] = _NumberBlock(bits, AFTERNOON)

    for one in written:
        low = next(n for n in range(one, -2, -1) if n not in written)
        high = next(n for n in range(one, 401) if n not in written)
        counted = numbers.run_around(one, enough)
        assert min(counted, enough) == min(high - low - 1, enough)


class Counted(dict[int, _NumberBlock]):
    gets = 0

    def get(self, key: int, default: Any = None) -> Any:
        self.gets += 1
        return super().get(key, default)


def test_r28_a_long_walk_looks_at_few_blocks_for_each_of_its_numbers() -> None:
    walks = Walks(WALK)
    walks.ask_all([written_to(NUMBER)], AFTERNOON)
    numbers = walks._sources[ACCOUNT.system_id][MARKETING]
    numbers.blocks = blocks = Counted()

    for number in range(NUMBER + 1, NUMBER + 10_000):
        walks.ask_all([written_to(number)], AFTERNOON)

    assert len(blocks) > 70
    assert blocks.gets < 10 * 10_000
