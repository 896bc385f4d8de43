"""Tokens and patience."""

from contextlib import ExitStack
from hashlib import sha256

import pytest

from gateway.domain.api_client import ApiClient, ApiRole
from gateway.web.access import (
    BAD_TOKENS_PER_MINUTE,
    ITEMS_PER_REQUEST,
    REQUESTS_AT_ONCE,
    REQUESTS_BURST,
    ClientAccess,
)
from gateway.web.problems import Problem, ProblemError

TOKEN = "a-token-that-nobody-guesses-in-this-world"
SHOP = ApiClient("shop", ApiRole.SP, sha256(TOKEN.encode()).digest(), "sp1")
HOME, AWAY = "192.0.2.1", "192.0.2.2"


class World:
    """An Access whose time and sleep are the test's."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        self.access = ClientAccess([SHOP], lambda: self.now, sleep)

    async def guess(self, address: str = HOME) -> Problem:
        with pytest.raises(ProblemError) as raised:
            await self.access.client_of("Bearer guess", address)
        return raised.value.problem


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER  {TOKEN} "])
async def test_a_client_is_known_by_its_token(world: World, header: str) -> None:
    assert await world.access.client_of(header, HOME) == SHOP
    assert world.slept == []


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN * 20}"],
)
async def test_everybody_else_hears_the_same_answer_after_a_pause(
    world: World, header: str
) -> None:
    with pytest.raises(ProblemError) as raised:
        await world.access.client_of(header, HOME)

    assert raised.value.problem is Problem.UNKNOWN_TOKEN
    assert raised.value.headers == {"WWW-Authenticate": "Bearer"}
    assert "Authorization: Bearer" in raised.value.detail
    assert len(world.slept) == 1


async def test_who_guesses_too_often_waits_a_minute_but_tokens_go_on_to_count(
    world: World,
) -> None:
    guesses = [await world.guess() for _ in range(BAD_TOKENS_PER_MINUTE + 1)]
    elsewhere = await world.guess(AWAY)
    known = await world.access.client_of(f"Bearer {TOKEN}", HOME)
    world.now = 61.0
    later = await world.guess()

    assert guesses == [Problem.UNKNOWN_TOKEN] * BAD_TOKENS_PER_MINUTE + [Problem.TOO_MANY]
    assert known == SHOP
    assert (elsewhere, later) == (Problem.UNKNOWN_TOKEN, Problem.UNKNOWN_TOKEN)


async def test_pauses_grow_with_every_guess(world: World) -> None:
    for _ in range(3):
        await world.guess()

    assert world.slept == sorted(set(world.slept))
    assert len(world.slept) == 3


async def test_a_client_that_is_taken_off_the_list_is_unknown_at_once(world: World) -> None:
    world.access.know([])

    with pytest.raises(ProblemError):
        await world.access.client_of(f"Bearer {TOKEN}", HOME)


def test_one_client_asks_only_so_often_and_the_others_go_on(world: World) -> None:
    other = ApiClient("other", ApiRole.APP, b"")
    world.access.know([SHOP, other])

    for _ in range(REQUESTS_BURST):
        with world.access.one_more(SHOP):
            pass
    with pytest.raises(ProblemError) as raised, world.access.one_more(SHOP):
        pass
    with world.access.one_more(other):
        pass
    world.now = 1.0
    with world.access.one_more(SHOP):
        pass

    assert raised.value.problem is Problem.TOO_MANY


def test_what_a_batch_holds_counts_as_so_many_requests(world: World) -> None:
    other = ApiClient("other", ApiRole.APP, b"")
    world.access.know([SHOP, other])

    taken = 0
    with pytest.raises(ProblemError) as raised:  # noqa: PT012 - how often it is none counts
        while True:
            with world.access.one_more(SHOP):
                world.access.charge(SHOP, 1000)
            taken += 1
    with world.access.one_more(other):
        world.access.charge(other, 1000)
    world.now = 1.1
    with world.access.one_more(SHOP):
        world.access.charge(SHOP, 1000)

    assert taken * 1000 // ITEMS_PER_REQUEST == REQUESTS_BURST
    assert raised.value.problem is Problem.TOO_MANY


def test_what_no_client_of_ours_asks_is_charged_to_nobody(world: World) -> None:
    world.access.charge(ApiClient("gone", ApiRole.APP, b""), 1000)


def test_few_numbers_cost_no_more_than_their_request(world: World) -> None:
    for _ in range(REQUESTS_BURST):
        with world.access.one_more(SHOP):
            world.access.charge(SHOP, ITEMS_PER_REQUEST)


def test_one_client_has_only_so_many_requests_at_once(world: World) -> None:
    other = ApiClient("other", ApiRole.APP, b"")

    with ExitStack() as stack:
        for _ in range(REQUESTS_AT_ONCE):
            stack.enter_context(world.access.one_more(SHOP))
        with pytest.raises(ProblemError) as raised, world.access.one_more(SHOP):
            pass
        with world.access.one_more(other):
            pass
    with world.access.one_more(SHOP):
        pass

    assert raised.value.problem is Problem.TOO_MANY
