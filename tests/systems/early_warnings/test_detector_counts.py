"""What gateway.systems.early_warnings.detector_counts promises, on every store."""

from datetime import datetime, timedelta

import pytest

from gateway.domain.detector import Measure
from gateway.domain.warning import WarningCode, WarningCount, WarningKind
from gateway.stores import Stores

pytestmark = [pytest.mark.every_store, pytest.mark.postgresql]

SHOP = ("shop", "10690001")
COUNTS = {(24, *SHOP): {Measure.MESSAGES: 3, Measure.UNSIGNED: 1}, (25, *SHOP): {}}


def warning(noon: datetime, rule: str = "W1-unsigned") -> WarningCount:
    kind = WarningKind(WarningCode.W1, rule, *SHOP)
    return WarningCount(kind, None, 40, 0, noon - timedelta(hours=1), noon, ("1:7",))


async def test_r95_counts_of_steps_are_added_and_make_hours(stores: Stores) -> None:
    await stores.detectors.add(COUNTS, {"revision": "1", "records": "here"})
    await stores.detectors.add({(26, *SHOP): {Measure.MESSAGES: 2}}, {"revision": "2"})
    await stores.detectors.add({(24, *SHOP): {Measure.MESSAGES: 2}}, {"revision": "3"})

    steps = [row async for rows in stores.detectors.steps(24) for row in rows]
    hours = [row async for rows in stores.detectors.hours(0) for row in rows]

    assert steps == [
        (24, *SHOP, {Measure.MESSAGES: 5, Measure.UNSIGNED: 1}),
        (25, *SHOP, {}),
        (26, *SHOP, {Measure.MESSAGES: 2}),
    ]
    assert hours == [(2, *SHOP, {Measure.MESSAGES: 7, Measure.UNSIGNED: 1})]
    assert await stores.detectors.state() == {"revision": "3", "records": "here"}


async def test_r95_what_is_repeated_counts_once(stores: Stores, noon: datetime) -> None:
    for _ in range(2):
        await stores.detectors.add(COUNTS, {"revision": "1"})
    first = await stores.detectors.raise_warnings([warning(noon)], {"revision": "2"})
    again = await stores.detectors.raise_warnings([warning(noon)], {"revision": "2"})

    counted = [row async for rows in stores.detectors.steps(0) for row in rows]
    assert counted[0][3] == {
        Measure.MESSAGES: 3,
        Measure.UNSIGNED: 1,
    }
    assert ([one.number for one in first], again) == ([1], [])
    assert await stores.warnings.find() == first


async def test_r95_a_restart_knows_what_was_found_last(stores: Stores, noon: datetime) -> None:
    await stores.detectors.raise_warnings(
        [warning(noon), warning(noon, "R12-signature")], {"revision": "1"}
    )

    found = await stores.detectors.warned(["W1-unsigned"], noon - timedelta(hours=2))
    later = await stores.detectors.warned(["W1-unsigned"], noon + timedelta(seconds=1))

    assert found == [("W1-unsigned", *SHOP, noon)]
    assert later == []


async def test_old_counts_are_forgotten(stores: Stores) -> None:
    counts = {(step, *SHOP): {Measure.MESSAGES: 1} for step in (12, 24, 36)}
    await stores.detectors.add(counts, {"revision": "1"})

    forgotten = await stores.detectors.forget(24, 3)

    assert forgotten == 1 + 2
    assert [row[0] async for rows in stores.detectors.steps(0) for row in rows] == [24, 36]
    assert [row[0] async for rows in stores.detectors.hours(0) for row in rows] == [3]
