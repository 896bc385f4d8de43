"""A disk that fills up: who is stopped, in which order, and when it is over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.disk_stages import DiskReserve, DiskStage, DiskStages

RESERVE = DiskReserve(warn_octets=2_000, stop_octets=1_000, full_octets=200)
PLENTY = 10_000
WROTE = {"sp1": 10, "sp2": 5_000, "sp3": 700}


@pytest.fixture
def stages() -> DiskStages:
    """Return a disk with room, after SPs have written."""
    stages = DiskStages(RESERVE)
    stages.look(PLENTY, {}, 0.0)
    stages.look(PLENTY, WROTE, 2.0)
    return stages


def test_a_disk_with_room_stops_nobody(stages: DiskStages) -> None:
    assert stages.stage is DiskStage.WELL
    assert stages.stopped == set()
    assert stages.free_octets == PLENTY


def test_a_disk_that_is_low_is_only_told(stages: DiskStages) -> None:
    stages.look(1_999, WROTE, 4.0)

    assert stages.stage is DiskStage.LOW
    assert stages.stopped == set()


def test_the_heaviest_is_stopped_first_and_alone(stages: DiskStages) -> None:
    stages.look(999, WROTE, 4.0)
    stages.look(905, WROTE, 6.0)

    assert stages.stage is DiskStage.STOPPING
    assert stages.stopped == {"sp2"}


def test_the_next_is_stopped_only_when_the_disk_goes_on_filling_up(stages: DiskStages) -> None:
    stages.look(950, WROTE, 4.0)
    stages.look(899, WROTE, 6.0)
    assert stages.stopped == {"sp2", "sp3"}

    stages.look(799, WROTE, 8.0)
    assert stages.stopped == {"sp1", "sp2", "sp3"}


def test_a_fast_fall_stops_several_at_once(stages: DiskStages) -> None:
    stages.look(850, WROTE, 4.0)

    assert stages.stopped == {"sp2", "sp3"}


def test_with_little_left_the_disk_is_full(stages: DiskStages) -> None:
    stages.look(199, WROTE, 4.0)

    assert stages.stage is DiskStage.FULL
    assert stages.stopped == {"sp1", "sp2", "sp3"}


def test_a_stage_is_left_only_with_a_quarter_more_room(stages: DiskStages) -> None:
    seen = []
    for free in (199, 249, 250, 1_249, 1_250, 2_499, 2_500):
        stages.look(free, WROTE, 4.0)
        seen.append(stages.stage)

    assert seen == [
        DiskStage.FULL,
        DiskStage.FULL,
        DiskStage.STOPPING,
        DiskStage.STOPPING,
        DiskStage.LOW,
        DiskStage.LOW,
        DiskStage.WELL,
    ]


def test_while_it_recovers_nobody_more_is_stopped_and_then_all_are_let_go(
    stages: DiskStages,
) -> None:
    stages.look(999, WROTE, 4.0)
    stages.look(1_100, WROTE | {"sp4": 90_000}, 6.0)
    assert stages.stopped == {"sp2"}

    stages.look(1_300, WROTE, 8.0)
    assert stages.stopped == set()


def test_what_was_written_long_ago_counts_for_little(stages: DiskStages) -> None:
    stages.look(PLENTY, WROTE, 4.0)

    stages.look(999, WROTE | {"sp1": 400}, 304.0)

    assert stages.stopped == {"sp1"}


def test_who_wrote_nothing_for_hours_is_not_stopped(stages: DiskStages) -> None:
    stages.look(PLENTY, WROTE, 36_000.0)

    stages.look(100, WROTE, 36_002.0)

    assert stages.stage is DiskStage.FULL
    assert stages.stopped == set()


def test_limits_of_nothing_switch_the_stages_off() -> None:
    stages = DiskStages(DiskReserve(0, 0, 0))

    stages.look(0, WROTE, 0.0)

    assert stages.stage is DiskStage.WELL


def test_equal_limits_leave_no_steps_between() -> None:
    stages = DiskStages(DiskReserve(500, 500, 500))

    stages.look(499, WROTE, 0.0)

    assert stages.stage is DiskStage.FULL
    assert "sp2" in stages.stopped


@given(st.lists(st.integers(0, 3_000), min_size=1, max_size=30))
def test_whatever_the_disk_does_stages_follow_its_room(free: list[int]) -> None:
    stages = DiskStages(RESERVE)
    for turn, octets in enumerate(free):
        stages.look(octets, {"sp1": 100 * turn, "sp2": 10 * turn}, 2.0 * turn)
        if octets >= 1_250:
            assert stages.stopped == set()
        if octets >= 2_500:
            assert stages.stage is DiskStage.WELL
        if octets < 200:
            assert stages.stage is DiskStage.FULL


def test_each_stage_begins_below_its_own_limit() -> None:
    reserve = DiskReserve(30, 20, 10)

    assert [reserve.limit_of(stage) for stage in DiskStage] == [0, 30, 20, 10]
