"""Health is everybody's to ask, and the store is asked once a second at most."""

import asyncio

import pytest

from gateway.console.application import GOOD_FOR_S, Pulse
from gateway.storage.change_feed import ChangeFeed
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable


class Feed(ChangeFeed):
    """A feed that counts its looks, and cannot be read while it `is_down`."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.looks = 0
        self.is_down = False

    async def latest(self) -> int:
        self.looks += 1
        if self.is_down:
            raise StoreUnavailable("no disk")
        return await super().latest()


class World:
    """The feed, the clock, and what asks."""

    def __init__(self, database: Database) -> None:
        self.now, self.feed = 17.0, Feed(database)
        self.pulse = Pulse(self.feed, lambda: self.now)

    async def is_well(self) -> bool:
        try:
            await self.pulse.feel()
        except StoreUnavailable:
            return False
        return True


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


async def test_however_many_ask_the_store_is_asked_once_a_second(world: World) -> None:
    answers = await asyncio.gather(*(world.is_well() for _ in range(64)))
    world.now += GOOD_FOR_S - 0.01
    answers.append(await world.is_well())
    first = world.feed.looks
    world.now += 0.01
    answers.append(await world.is_well())

    assert answers == [True] * 66
    assert (first, world.feed.looks) == (1, 2)


async def test_a_store_that_does_not_answer_is_told_to_all_who_ask_within_the_second(
    world: World,
) -> None:
    world.feed.is_down = True

    ill = await asyncio.gather(*(world.is_well() for _ in range(3)))
    world.feed.is_down = False
    still = await world.is_well()
    world.now += GOOD_FOR_S
    well = await world.is_well()

    assert (ill, still, well) == ([False] * 3, False, True)
    assert world.feed.looks == 2


async def test_the_reason_is_told(world: World) -> None:
    world.feed.is_down = True

    with pytest.raises(StoreUnavailable, match="no disk"):
        await world.pulse.feel()
