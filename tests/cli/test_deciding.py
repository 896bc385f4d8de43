import getpass
import json
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess
from typing import NoReturn

import pytest

from gateway.cli import deciding
from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.ports.quarantine import QuarantineStore
from gateway.runtime.clock import utcnow
from gateway.stores.open import Stores

Cli = Callable[..., CompletedProcess[str]]
Command = Callable[..., CompletedProcess[str]]
Fetch = Callable[[int], HeldMessage]
GatewayAnswers = Callable[[HoldState, str], None]
Hold = Callable[..., HeldMessage]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]

FIRST = 8_1764072000000_01_000
CAMPAIGN = "c0123456789abcdef"


@pytest.fixture
def quarantine(cli: Cli, deployment: Path) -> Command:
    def quarantine(*arguments: str, **given: str) -> CompletedProcess[str]:
        return cli("quarantine", *arguments, "--config", str(deployment / "config"), **given)

    return quarantine


@pytest.fixture
def gateway_answers(monkeypatch: pytest.MonkeyPatch) -> GatewayAnswers:
    """Return a function that lets a release end as a gateway would, before it is looked at."""

    def gateway_answers(to: HoldState, note: str) -> None:
        ends = deciding._ends

        async def end_first(
            store: QuarantineStore, asked: Sequence[int], wait_s: float
        ) -> dict[int, HeldMessage]:
            for number in asked:
                await store.move(
                    number,
                    allowed=frozenset({HoldState.RELEASE_REQUESTED}),
                    to=to,
                    at=utcnow(),
                    note=note,
                )
            return await ends(store, asked, wait_s)

        monkeypatch.setattr(deciding, "_ends", end_first)

    return gateway_answers


def test_a_release_without_a_gateway_waits_and_says_so(
    quarantine: Command, hold: Hold, fetch: Fetch
) -> None:
    hold()

    ran = quarantine("release", str(FIRST), "--wait", "0")

    assert ran.returncode == 0
    assert "release_requested" in ran.stdout
    assert "Is a gateway running on this store" in ran.stderr
    assert fetch(FIRST).state is HoldState.RELEASE_REQUESTED


def test_a_release_tells_that_the_message_went_out(
    quarantine: Command, hold: Hold, gateway_answers: GatewayAnswers
) -> None:
    hold()
    gateway_answers(HoldState.RELEASED, "released")

    ran = quarantine("release", str(FIRST), "--json")

    (end,) = json.loads(ran.stdout)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (end["done"], end["state"]) == (True, "released")


@pytest.mark.parametrize("end", [HoldState.REFUSED, HoldState.HELD, HoldState.IN_DOUBT])
def test_a_release_that_did_not_go_out_is_a_failure(
    quarantine: Command, hold: Hold, gateway_answers: GatewayAnswers, end: HoldState
) -> None:
    hold()
    gateway_answers(end, "judged again: OPTED_OUT")

    ran = quarantine("release", str(FIRST))

    assert ran.returncode == 1
    assert end.value in ran.stdout
    assert "judged again: OPTED_OUT" in ran.stdout


def test_a_release_at_night_waits_for_the_morning_and_says_so(
    quarantine: Command, hold: Hold, gateway_answers: GatewayAnswers
) -> None:
    hold()
    gateway_answers(HoldState.DEFERRED, "judged again: OUTSIDE_WINDOW")

    ran = quarantine("release", str(FIRST))

    assert ran.returncode == 0
    assert "1 may not arrive at this hour" in ran.stderr


def test_what_waits_for_its_hour_is_discarded_but_not_released(
    quarantine: Command, hold: Hold, fetch: Fetch
) -> None:
    hold(state=HoldState.DEFERRED)

    released, discarded = quarantine("release", str(FIRST)), quarantine("discard", str(FIRST))

    assert (released.returncode, discarded.returncode) == (1, 0)
    assert "it waits for its hour" in released.stdout
    assert fetch(FIRST).state is HoldState.DISCARDED


def test_a_release_ends_when_another_process_has_settled_it(
    quarantine: Command, hold: Hold, deployment: Path
) -> None:
    hold()
    process = threading.Thread(target=settle_when_asked, args=(deployment / "var" / "smsward.db",))
    process.start()

    ran = quarantine("release", str(FIRST), "--wait", "30")
    process.join()

    assert ran.returncode == 0
    assert "released" in ran.stdout.split()


def settle_when_asked(database: Path) -> None:
    """Release as a gateway in another process would, through the file alone."""
    statement = "UPDATE held_messages SET state='released' WHERE state='release_requested'"
    with closing(sqlite3.connect(database, timeout=10)) as connection:
        changed = 0
        while not changed:
            changed = connection.execute(statement).rowcount
            connection.commit()


def test_a_message_that_has_ended_cannot_be_released(quarantine: Command, hold: Hold) -> None:
    hold(state=HoldState.DISCARDED)

    ran = quarantine("release", str(FIRST), "--wait", "0")

    assert ran.returncode == 1
    assert "it was discarded" in ran.stdout


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


def test_ids_may_come_from_the_standard_input(
    quarantine: Command, hold: Hold, fetch: Fetch
) -> None:
    hold(message_id=FIRST)
    hold(message_id=FIRST + 1)

    ran = quarantine("discard", "-", stdin=f"{FIRST}\n{FIRST + 1}\n{FIRST}\n")

    assert ran.returncode == 0
    assert fetch(FIRST).state is fetch(FIRST + 1).state is HoldState.DISCARDED


def test_a_discard_makes_the_receipt_due_and_names_who_decided(
    quarantine: Command, hold: Hold, fetch: Fetch
) -> None:
    hold()

    quarantine("discard", str(FIRST), "--by", "lin")

    held = fetch(FIRST)
    assert (held.note, held.receipt) == ("discarded by lin", ReceiptState.DUE)


def test_who_decides_is_the_account_unless_named(
    quarantine: Command, hold: Hold, fetch: Fetch
) -> None:
    hold()

    quarantine("discard", str(FIRST))

    assert fetch(FIRST).note == f"discarded by {getpass.getuser()}"


def test_an_account_without_a_name_is_a_number(
    quarantine: Command, hold: Hold, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless() -> NoReturn:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nameless)
    hold()

    quarantine("discard", str(FIRST))

    assert fetch(FIRST).note.startswith("discarded by uid ")


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
    monkeypatch.setattr(deciding, "_MAX_IDS", 1)
    hold()

    assert quarantine("discard", str(FIRST), str(FIRST + 1)).returncode == 2


def test_what_is_done_to_one_part_is_done_to_all_and_told_of_all(
    quarantine: Command, hold: Hold, fetch: Fetch
) -> None:
    for number in (1, 2, 3):
        hold(message_id=FIRST + number, assembly=FIRST + 1, part=number)

    ran = quarantine("discard", str(FIRST + 1), str(FIRST + 2), "--json")

    assert ran.returncode == 0
    ends = json.loads(ran.stdout)
    assert [(end["message_id"], end["done"]) for end in ends] == [
        (str(FIRST + number), True) for number in (1, 2, 3)
    ]
    assert fetch(FIRST + 3).state is HoldState.DISCARDED


def test_all_that_is_held_of_a_campaign_is_discarded_and_counted(
    quarantine: Command, hold: Hold, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "_AT_ONCE", 2)
    for number in range(5):
        hold(message_id=FIRST + number, campaign=CAMPAIGN)
    hold(message_id=FIRST + 5, campaign=CAMPAIGN, state=HoldState.IN_DOUBT)
    hold(message_id=FIRST + 6)

    ran = quarantine("discard", "--campaign", CAMPAIGN, "--by", "lin", "--json")

    assert ran.returncode == 0
    assert json.loads(ran.stdout) == {
        "campaign": CAMPAIGN,
        "messages": 5,
        "outcomes": [
            {
                "messages": 5,
                "done": True,
                "system_id": "shop",
                "state": "discarded",
                "note": "discarded by lin",
            }
        ],
        "left": {"in_doubt": 1},
    }
    assert {fetch(FIRST + number).state for number in range(5)} == {HoldState.DISCARDED}
    assert fetch(FIRST + 5).state is HoldState.IN_DOUBT
    assert fetch(FIRST + 6).state is HoldState.HELD


def test_a_campaign_is_released_and_what_came_of_it_is_told_in_counts(
    quarantine: Command, hold: Hold, gateway_answers: GatewayAnswers
) -> None:
    for number in range(3):
        hold(message_id=FIRST + number, campaign=CAMPAIGN)
    gateway_answers(HoldState.REFUSED, "judged again: OPTED_OUT")

    ran = quarantine("release", "--campaign", CAMPAIGN)

    assert ran.returncode == 1
    assert "judged again: OPTED_OUT" in ran.stdout
    assert f"3 messages of campaign {CAMPAIGN}" in ran.stdout
    assert str(FIRST) not in ran.stdout


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


def test_a_campaign_goes_in_the_order_in_which_it_came(hold: Hold, in_store: InStore) -> None:
    for number in range(3):
        hold(message_id=FIRST + number, campaign=CAMPAIGN)
    found: list[int] = []

    async def find(stores: Stores) -> None:
        found.extend(await deciding.Chosen([], CAMPAIGN).numbers(stores.quarantine))

    in_store(find)

    assert found == [FIRST, FIRST + 1, FIRST + 2]


def test_a_store_that_fails_half_way_leaves_nobody_guessing(
    quarantine: Command,
    hold: Hold,
    fetch: Fetch,
    deployment: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deciding, "_TOGETHER", 2)
    for number in range(5):
        hold(message_id=FIRST + number, campaign=CAMPAIGN)
    with closing(sqlite3.connect(deployment / "var" / "smsward.db")) as file, file:
        file.execute(
            "CREATE TRIGGER failing BEFORE UPDATE ON held_messages"
            f" WHEN new.message_id >= {FIRST + 2}"
            " BEGIN SELECT abs(-(new.message_id % 1) - 9223372036854775807 - 1); END"
        )

    ran = quarantine("discard", "--campaign", CAMPAIGN)

    assert ran.returncode == 1
    assert "after 2 of 5: call again for the others" in ran.stderr
    states = [fetch(FIRST + number).state for number in range(5)]
    assert states == [HoldState.DISCARDED] * 2 + [HoldState.HELD] * 3


def test_an_sp_alone_is_no_campaign(quarantine: Command, hold: Hold, fetch: Fetch) -> None:
    hold()

    assert quarantine("release", str(FIRST), "--system-id", "shop").returncode == 2
    assert quarantine("release", "--system-id", "shop").returncode == 2
    assert fetch(FIRST).state is HoldState.HELD


def test_a_campaign_of_which_nothing_is_held_leaves_nothing_to_do(
    quarantine: Command, hold: Hold
) -> None:
    hold(campaign=CAMPAIGN, state=HoldState.RELEASED)

    ran = quarantine("release", "--campaign", CAMPAIGN)

    assert (ran.returncode, ran.stdout) == (0, f"0 messages of campaign {CAMPAIGN} are held\n")


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


def test_of_a_large_campaign_the_newest_are_taken_and_that_is_said(
    quarantine: Command, hold: Hold, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "_AT_ONCE", 2)
    monkeypatch.setattr(deciding, "_MAX_OF_CAMPAIGN", 3)
    for number in range(5):
        hold(message_id=FIRST + number, campaign=CAMPAIGN)

    ran = quarantine("discard", "--campaign", CAMPAIGN)

    assert "call again for the rest" in ran.stdout
    states = [fetch(FIRST + number).state for number in range(5)]
    assert states == [HoldState.HELD] * 2 + [HoldState.DISCARDED] * 3


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
