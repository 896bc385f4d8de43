"""Faults on every way between carriers change nothing of what becomes of complaints."""

from pathlib import Path

import pytest

from tests.app.linkage_faults import Load, opened_world
from tests.promises.deployment import seeded

LOAD = Load(200, 9)


@pytest.mark.slow
async def test_r84_complaints_end_the_same_with_random_faults_as_without(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("plain", "faulty")]
    for place in places:
        place.mkdir()
    async with opened_world(places[0], None) as plain:
        await plain.play(LOAD)
        expected = await plain.end()

    async with opened_world(places[1], seeded("linkage")) as world:
        await world.play(LOAD)
        found, left_over = await world.end(), await world.left_over()

    assert (found, left_over) == (expected, {})
    assert set(world.faults) >= {
        "hub_down_0:01:00",
        "hub_down_7 days, 0:00:00",
        "request_lost",
        "answer_lost",
        "delivered_twice",
        "delivered_late_again",
        "killed_before_commit_node",
        "killed_after_commit_node",
    }
    assert world.refused
