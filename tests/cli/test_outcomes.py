"""What is told of the messages that were decided on."""

import json
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from gateway.domain.quarantine import HeldMessage, HoldState

Command = Callable[..., CompletedProcess[str]]
Fetch = Callable[[int], HeldMessage]
Hold = Callable[..., HeldMessage]

FIRST = 8_1764072000000_01_000
CAMPAIGN = "c0123456789abcdef"


def test_several_ids_are_each_decided_on(quarantine: Command, hold: Hold) -> None:
    hold(message_id=FIRST)
    hold(message_id=FIRST + 1)

    ran = quarantine("discard", str(FIRST), str(FIRST + 1), str(FIRST + 2), "--json")

    ends = {end["message_id"]: (end["done"], end["state"]) for end in json.loads(ran.stdout)}
    assert ran.returncode == 1
    assert ends == {
        str(FIRST): (True, "discarded"),
        str(FIRST + 1): (True, "discarded"),
        str(FIRST + 2): (False, "unknown"),
    }


def test_what_another_sp_sent_of_a_campaign_is_told_apart_and_may_stay(
    quarantine: Command, hold: Hold, fetch: Fetch
) -> None:
    for number, system_id in enumerate(("shop", "gone", "shop", "gone", "gone")):
        hold(message_id=FIRST + number, campaign=CAMPAIGN, system_id=system_id)

    of_one = quarantine(
        "release", "--campaign", CAMPAIGN, "--system-id", "shop", "--wait", "0", "--json"
    )
    states = [fetch(FIRST + number).state for number in range(5)]
    rest = quarantine("discard", "--campaign", CAMPAIGN)

    counted = [(one["system_id"], one["messages"]) for one in json.loads(of_one.stdout)["outcomes"]]
    assert counted == [("shop", 2)]
    assert states[::2] == [HoldState.RELEASE_REQUESTED, HoldState.RELEASE_REQUESTED, HoldState.HELD]
    assert states[1::2] == [HoldState.HELD] * 2
    assert "gone" in rest.stdout
    assert "shop" not in rest.stdout


def test_a_campaign_of_which_nothing_is_held_leaves_nothing_to_do(
    quarantine: Command, hold: Hold
) -> None:
    hold(campaign=CAMPAIGN, state=HoldState.RELEASED)

    ran = quarantine("release", "--campaign", CAMPAIGN)

    assert (ran.returncode, ran.stdout) == (0, f"0 messages of campaign {CAMPAIGN} are held\n")


def test_an_sp_that_sent_nothing_of_a_campaign_is_named(quarantine: Command, hold: Hold) -> None:
    hold(campaign=CAMPAIGN)

    ran = quarantine("discard", "--campaign", CAMPAIGN, "--system-id", "sp9")

    assert ran.stdout == f"0 messages of sp9 of campaign {CAMPAIGN} are held\n"


@pytest.mark.parametrize("command", ["release", "discard"])
def test_what_is_decided_on_by_id_alone_is_told_of_a_campaign(
    quarantine: Command, hold: Hold, fetch: Fetch, command: str
) -> None:
    hold(campaign=CAMPAIGN, state=HoldState.RELEASE_REQUESTED)
    hold(message_id=FIRST + 1, campaign=CAMPAIGN, state=HoldState.IN_DOUBT)
    hold(message_id=FIRST + 2, state=HoldState.RELEASE_REQUESTED)

    ran = quarantine(command, "--campaign", CAMPAIGN)

    assert "0 messages of campaign" in ran.stdout
    assert "left as they are: 1 release_requested, 1 in_doubt; decide on them by id" in ran.stdout
    assert fetch(FIRST).state is HoldState.RELEASE_REQUESTED
