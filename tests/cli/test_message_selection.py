"""Which messages a reviewer decides on: by their ids, or by their campaign."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from subprocess import CompletedProcess

import pytest

from gateway.cli import held_messages
from gateway.cli.held_messages import MessageSelection
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.runtime.clock import utcnow
from gateway.stores import Stores

Command = Callable[..., CompletedProcess[str]]
Fetch = Callable[[int], HeldMessage]
Hold = Callable[..., HeldMessage]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]

FIRST = 8_1764072000000_01_000
CAMPAIGN = "c0123456789abcdef"


def test_ids_may_come_from_the_standard_input(
    quarantine: Command, hold: Hold, fetch: Fetch
) -> None:
    hold(message_id=FIRST)
    hold(message_id=FIRST + 1)

    ran = quarantine("discard", "-", stdin=f"{FIRST}\n{FIRST + 1}\n{FIRST}\n")

    assert ran.returncode == 0
    assert fetch(FIRST).state is fetch(FIRST + 1).state is HoldState.DISCARDED


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [(("12",), ""), (("-",), "12"), (("--state",), "")],
)
def test_ids_that_can_be_none_are_a_misuse_and_change_nothing(
    quarantine: Command, hold: Hold, fetch: Fetch, arguments: tuple[str, ...], stdin: str
) -> None:
    hold()

    ran = quarantine("release", str(FIRST), *arguments, stdin=stdin)

    assert ran.returncode == 2
    assert fetch(FIRST).state is HoldState.HELD


def test_a_pipe_that_found_nothing_has_nothing_to_be_done(quarantine: Command, hold: Hold) -> None:
    hold()

    assert quarantine("discard", "-", stdin="").returncode == 0


def test_too_many_ids_at_once_are_a_misuse(
    quarantine: Command, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_messages, "_MAX_IDS", 1)
    hold()

    assert quarantine("discard", str(FIRST), str(FIRST + 1)).returncode == 2


def test_a_campaign_goes_in_the_order_in_which_it_came(hold: Hold, in_store: InStore) -> None:
    for number in range(3):
        hold(message_id=FIRST + number, campaign=CAMPAIGN)
    found: list[int] = []

    async def find(stores: Stores) -> None:
        of_campaign = await MessageSelection([], CAMPAIGN).found_in(stores.quarantine)
        async for page in of_campaign.pages:
            found.extend(page)

    in_store(find)

    assert found == [FIRST, FIRST + 1, FIRST + 2]


def test_what_is_held_of_a_campaign_meanwhile_is_left_out_and_nothing_comes_twice(
    hold: Hold, in_store: InStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_messages, "TOGETHER", 2)
    first, *others = [hold(message_id=FIRST + number, campaign=CAMPAIGN) for number in range(5)]
    found: list[int] = []

    async def walk(stores: Stores) -> None:
        of_campaign = await MessageSelection([], CAMPAIGN).found_in(stores.quarantine)
        assert of_campaign.messages == 5
        async for page in of_campaign.pages:
            found.extend(page)
            later = FIRST + 10 + len(found)
            await stores.quarantine.hold([replace(first, message_id=later)])

    in_store(walk)

    assert found == [first.message_id, *(held.message_id for held in others)]


def test_a_campaign_that_others_have_decided_on_meanwhile_ends_early(
    hold: Hold, in_store: InStore
) -> None:
    hold(campaign=CAMPAIGN)
    found: list[int] = []

    async def walk(stores: Stores) -> None:
        of_campaign = await MessageSelection([], CAMPAIGN).found_in(stores.quarantine)
        await stores.quarantine.move(
            FIRST, allowed=frozenset({HoldState.HELD}), to=HoldState.DISCARDED, at=utcnow()
        )
        async for page in of_campaign.pages:
            found.extend(page)

    in_store(walk)

    assert found == []


def test_a_campaign_ends_where_all_that_is_left_of_it_came_meanwhile(
    hold: Hold, in_store: InStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_messages, "TOGETHER", 1)
    first, second = (hold(message_id=FIRST + number, campaign=CAMPAIGN) for number in range(2))
    pages: list[Sequence[int]] = []

    async def walk(stores: Stores) -> None:
        of_campaign = await MessageSelection([], CAMPAIGN).found_in(stores.quarantine)
        async for page in of_campaign.pages:
            pages.append(page)
            await stores.quarantine.hold([replace(first, message_id=FIRST + 10)])
            await stores.quarantine.move(
                second.message_id,
                allowed=frozenset({HoldState.HELD}),
                to=HoldState.DISCARDED,
                at=utcnow(),
            )

    in_store(walk)

    assert pages == [[first.message_id]]


def test_an_sp_alone_is_no_campaign(quarantine: Command, hold: Hold, fetch: Fetch) -> None:
    hold()

    assert quarantine("release", str(FIRST), "--system-id", "shop").returncode == 2
    assert quarantine("release", "--system-id", "shop").returncode == 2
    assert fetch(FIRST).state is HoldState.HELD


@pytest.mark.parametrize(
    "arguments",
    [(), (str(FIRST), "--campaign", CAMPAIGN), ("--campaign", "13800138000")],
)
@pytest.mark.parametrize("command", ["release", "discard"])
def test_messages_are_chosen_by_ids_or_by_campaign(
    quarantine: Command, hold: Hold, fetch: Fetch, command: str, arguments: tuple[str, ...]
) -> None:
    hold(campaign=CAMPAIGN)

    ran = quarantine(command, *arguments)

    assert ran.returncode == 2
    assert "13800138000" not in ran.stderr
    assert fetch(FIRST).state is HoldState.HELD
