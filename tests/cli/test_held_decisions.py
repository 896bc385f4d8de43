import gc
import json
import pwd
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import NoReturn

import pytest

from gateway.cli import held_decisions, held_messages
from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.runtime.clock import utcnow
from gateway.stores import Stores
from gateway.systems.quarantine.campaigns import CampaignDesk
from gateway.systems.quarantine.model import NewCampaignReview, PersonDecision
from gateway.systems.quarantine.service import Outcome
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.terminal.options import acting

Command = Callable[..., CompletedProcess[str]]
Fetch = Callable[[int], HeldMessage]
GatewayAnswers = Callable[[HoldState, str], None]
Hold = Callable[..., HeldMessage]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]

FIRST = 8_1764072000000_01_000
CAMPAIGN = "c0123456789abcdef"


@pytest.fixture
def gateway_answers(monkeypatch: pytest.MonkeyPatch) -> GatewayAnswers:
    """Return a function that lets a release end as a gateway would, before it is looked at."""

    def gateway_answers(to: HoldState, note: str) -> None:
        ends = held_decisions._ends

        async def end_first(
            store: QuarantineStore, asked: Sequence[int], wait_s: float
        ) -> AsyncIterator[list[Outcome]]:
            for number in asked:
                await store.move(
                    number,
                    allowed=frozenset({HoldState.RELEASE_REQUESTED}),
                    to=to,
                    at=utcnow(),
                    note=note,
                )
            async for some in ends(store, asked, wait_s):
                yield some

        monkeypatch.setattr(held_decisions, "_ends", end_first)

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


def test_a_campaign_that_one_person_releases_is_told_to_be_so_where_the_pages_ask_two(
    quarantine: Command, hold: Hold, deployment: Path
) -> None:
    hold(campaign=CAMPAIGN)
    limit = "two_persons: {release_campaign_above: 100}"
    console = deployment / "config" / "console.yaml"
    console.write_text(f"version: 1\n{limit}\n", encoding="utf-8")

    whole = quarantine("release", "--campaign", CAMPAIGN, "--wait", "0")
    one = quarantine("release", str(FIRST), "--wait", "0")

    assert "done by one person" in whole.stderr
    assert "(two_persons.release_campaign_above, above 100)" in whole.stderr
    assert "one person" not in one.stderr


@pytest.mark.parametrize("command", ["release", "discard"])
@pytest.mark.parametrize("chosen", [(str(FIRST),), ("--campaign", CAMPAIGN)])
def test_why_it_was_decided_so_is_kept_and_shown(
    quarantine: Command, hold: Hold, command: str, chosen: tuple[str, ...]
) -> None:
    hold(campaign=CAMPAIGN)
    why = "asked 13800138000,\nwho  confirmed"
    wait = ("--wait", "0") if command == "release" else ()

    ran = quarantine(command, *chosen, "--by", "lin", "--note", why, *wait)

    assert ran.returncode == 0
    shown, told = (quarantine("show", str(FIRST), *option) for option in ((), ("--json",)))
    decision = json.loads(told.stdout)["decision"]
    assert acting("lin") in decision
    assert decision.endswith(r": asked 138****8000,\nwho  confirmed")
    assert "138****8000" in shown.stdout
    assert "13800138000" not in shown.stdout + told.stdout


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


def test_a_discard_makes_the_receipt_due_and_names_who_decided(
    quarantine: Command, hold: Hold, fetch: Fetch
) -> None:
    hold()

    quarantine("discard", str(FIRST), "--by", "lin")

    held = fetch(FIRST)
    assert (held.note, held.receipt) == (f"discarded by {acting('lin')}", ReceiptState.DUE)


def test_who_decides_is_the_account_unless_named(
    quarantine: Command, hold: Hold, fetch: Fetch
) -> None:
    hold()

    quarantine("discard", str(FIRST))

    assert fetch(FIRST).note == f"discarded by {acting(None)}"


def test_an_account_without_a_name_is_a_number(
    quarantine: Command, hold: Hold, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless(_uid: int) -> NoReturn:
        raise KeyError("uid not found")

    monkeypatch.setattr(pwd, "getpwuid", nameless)
    hold()

    quarantine("discard", str(FIRST))

    assert fetch(FIRST).note.startswith("discarded by uid ")


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


def test_a_part_further_down_that_went_along_is_not_asked_for_again(
    quarantine: Command, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_messages, "TOGETHER", 2)
    for number in (1, 2, 5):
        hold(message_id=FIRST + number, assembly=FIRST + 1, part=number)
    for number in (3, 4):
        hold(message_id=FIRST + number)

    ran = quarantine("discard", *(str(FIRST + number) for number in range(1, 6)), "--json")

    assert ran.returncode == 0
    assert [end["done"] for end in json.loads(ran.stdout)] == [True] * 5


def test_all_that_is_held_of_a_campaign_is_discarded_and_counted(
    quarantine: Command, hold: Hold, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_messages, "TOGETHER", 2)
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
                "note": f"discarded by {acting('lin')}",
            }
        ],
        "left": {"in_doubt": 1},
    }
    assert {fetch(FIRST + number).state for number in range(5)} == {HoldState.DISCARDED}
    assert fetch(FIRST + 5).state is HoldState.IN_DOUBT
    assert fetch(FIRST + 6).state is HoldState.HELD


@pytest.mark.parametrize("command", [("discard",), ("release", "--wait", "0")])
def test_no_more_of_a_campaign_is_in_memory_than_is_decided_on_at_once(
    quarantine: Command,
    hold: Hold,
    in_store: InStore,
    command: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(held_messages, "TOGETHER", 5)
    usual = hold(campaign=CAMPAIGN)
    others = [replace(usual, message_id=FIRST + number) for number in range(1, 60)]
    in_store(lambda stores: stores.quarantine.hold(others))
    seen: list[int] = []
    get_many = QuarantineStore.get_many

    async def count(store: QuarantineStore, message_ids: Collection[int]) -> list[HeldMessage]:
        found = await get_many(store, message_ids)
        seen.append(sum(isinstance(one, HeldMessage) for one in gc.get_objects()))
        return found

    monkeypatch.setattr(QuarantineStore, "get_many", count)

    gc.freeze()  # what is there by now is not counted
    try:
        ran = quarantine(*command, "--campaign", CAMPAIGN, "--json")
    finally:
        gc.unfreeze()

    assert ran.returncode == 0
    assert json.loads(ran.stdout)["messages"] == 60
    assert len(seen) >= 12
    assert 5 <= max(seen) < 30


def test_a_release_that_was_killed_is_taken_up_and_asks_for_nothing_twice(
    quarantine: Command, hold: Hold, in_store: InStore, deployment: Path
) -> None:
    usual = hold(campaign=CAMPAIGN, reason="CAMPAIGN")
    others = [replace(usual, message_id=FIRST + number) for number in range(1, 2000)]
    in_store(lambda stores: stores.quarantine.hold(others))
    words = ("-m", "gateway", "quarantine", "release", "--campaign", CAMPAIGN, "--wait", "0")
    process = subprocess.Popen(  # noqa: S603 - the command itself
        (sys.executable, *words, "--config", str(deployment / "config")), stdout=subprocess.DEVNULL
    )

    with closing(sqlite3.connect(deployment / "var" / "smsward.db", timeout=10)) as file:
        while not (asked := asked_of(file)):
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
                break
        process.kill()
        process.wait()
        before = asked_of(file)
        ran = quarantine("release", "--campaign", CAMPAIGN, "--wait", "0", "--json")
        (changes, keys) = file.execute(
            "SELECT count(*), count(DISTINCT key) FROM changes"
        ).fetchone()

        assert (process.returncode, ran.returncode) == (-signal.SIGKILL, 0)
        assert 0 < asked <= before < 2000
        assert json.loads(ran.stdout)["messages"] == 2000 - before
        assert asked_of(file) == changes == keys == 2000


def asked_of(file: sqlite3.Connection) -> int:
    """Return for how many messages a release was asked."""
    statement = "SELECT count(*) FROM held_messages WHERE state='release_requested'"
    (asked,) = file.execute(statement).fetchone()
    return int(asked)


def test_a_store_that_fails_half_way_leaves_nobody_guessing(
    quarantine: Command,
    hold: Hold,
    fetch: Fetch,
    deployment: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(held_messages, "TOGETHER", 2)
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


def test_a_message_that_is_gone_before_its_end_is_told_and_is_a_failure(
    quarantine: Command, hold: Hold, deployment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = held_decisions._ends

    async def purge_first(
        store: QuarantineStore, asked: Sequence[int], wait_s: float
    ) -> AsyncIterator[list[Outcome]]:
        with closing(sqlite3.connect(deployment / "var" / "smsward.db")) as file, file:
            file.execute("DELETE FROM held_messages WHERE message_id=?", (FIRST,))
        async for some in ends(store, asked, wait_s):
            yield some

    monkeypatch.setattr(held_decisions, "_ends", purge_first)
    hold(message_id=FIRST)
    hold(message_id=FIRST + 1)

    ran = quarantine("release", str(FIRST), str(FIRST + 1), "--wait", "0", "--json")

    told = [(end["message_id"], end["done"], end["state"]) for end in json.loads(ran.stdout)]
    assert ran.returncode == 1
    assert told == [(str(FIRST), False, "unknown"), (str(FIRST + 1), True, "release_requested")]


@pytest.mark.parametrize(
    ("command", "end"),
    [("release", HoldState.RELEASE_REQUESTED), ("discard", HoldState.DISCARDED)],
)
def test_a_decision_that_can_be_undone_waits_and_is_undone_or_not(
    quarantine: Command, hold: Hold, in_store: InStore, fetch: Fetch, command: str, end: HoldState
) -> None:
    hold()
    hold(message_id=FIRST + 1)
    ids = (str(FIRST), str(FIRST + 1))
    before = fetch(FIRST)

    asked = quarantine(command, *ids, "--undo-for", "60", "--by", "lin", "--note", "13800138000")
    again = quarantine(command, str(FIRST), "--undo-for", "60", "--json")
    undone = quarantine("undo", str(FIRST), "--json")
    unknown = quarantine("undo", str(FIRST), str(FIRST + 7))
    in_store(lambda stores: stores.reviews.take_up(utcnow() + timedelta(seconds=60)))

    assert (asked.returncode, again.returncode) == (0, 1)
    assert asked.stdout.count("waiting") == 2
    assert json.loads(again.stdout)[0]["note"] == "another decision on it waits"
    (told,) = json.loads(undone.stdout)
    assert (undone.returncode, told["done"], told["state"]) == (0, True, "undone")
    assert unknown.returncode == 1
    assert "no decision on it waits" in unknown.stdout
    assert "there is no such message" in unknown.stdout
    assert fetch(FIRST) == before
    assert (fetch(FIRST + 1).state, fetch(FIRST + 1).decision) == (
        end,
        f"{fetch(FIRST + 1).note}: 138****8000",
    )


def test_a_campaign_is_not_put_off_by_ids(quarantine: Command) -> None:
    ran = quarantine("release", "--campaign", CAMPAIGN, "--undo-for", "5")

    assert ran.returncode == 2
    assert "--undo-for goes with ids" in ran.stderr


def test_open_campaigns_are_listed_and_a_decision_on_one_is_undone_by_its_number(
    quarantine: Command, hold: Hold, in_store: InStore, fetch: Fetch
) -> None:
    for number in range(3):
        hold(message_id=FIRST + number, campaign=CAMPAIGN)
    new = NewCampaignReview(CAMPAIGN, PersonDecision.REJECTED, "user: lin", 3, note="fraud")

    listed = quarantine("campaigns", "--json")
    nothing = quarantine("jobs")
    in_store(lambda stores: CampaignDesk(stores.campaigns, str).decide(new, utcnow()))
    (job,) = json.loads(quarantine("jobs", "--json").stdout)
    shown = quarantine("jobs")
    undone = quarantine("undo", "--job", str(job["number"]))
    again = quarantine("undo", "--job", str(job["number"]), "--json")

    (campaign,) = json.loads(listed.stdout)
    assert (campaign["campaign"], campaign["messages"], campaign["senders"]) == (CAMPAIGN, 3, 1)
    assert campaign["example"] == str(FIRST + 2)
    assert "no job was made of a decision" in nothing.stdout
    assert (job["state"], job["done"], job["expected_count"]) == ("waiting", 0, 3)
    assert "user: lin" in shown.stdout
    assert (undone.returncode, again.returncode) == (0, 1)
    assert "undone by" in undone.stdout
    assert json.loads(again.stdout)["note"] == "it was undone before"
    assert fetch(FIRST).state is HoldState.HELD


def test_an_exception_is_made_of_a_message_listed_and_revoked(
    quarantine: Command, hold: Hold
) -> None:
    hold(campaign=CAMPAIGN, rule="R28")
    hold(message_id=FIRST + 1, rule="")

    nothing = quarantine("exceptions")
    made = quarantine("except", str(FIRST), "--days", "7", "--note", "13800138000", "--json")
    listed = quarantine("exceptions")
    wrong = [
        quarantine("except", *arguments)
        for arguments in (
            (str(FIRST),),
            (str(FIRST), "--note", "why", "--days", "0"),
            (str(FIRST), "--note", "why"),
            (str(FIRST + 1), "--note", "why"),
            (str(FIRST + 7), "--note", "why"),
        )
    ]
    revoked = [quarantine("revoke", "1"), quarantine("revoke", "1", "--json")]

    (told,) = json.loads(made.stdout)
    assert "there is no exception" in nothing.stdout
    assert (told["rule"], told["campaign"], told["note"]) == ("R28", CAMPAIGN, "138****8000")
    assert (told["in_force"], "R28" in listed.stdout) == (True, True)
    assert [one.returncode for one in wrong] == [2, 2, 1, 1, 1]
    assert "there is such an exception" in wrong[2].stderr
    assert [one.returncode for one in revoked] == [0, 1]
    assert json.loads(revoked[1].stdout) == {"number": 1, "revoked": False}


def test_what_is_held_of_an_exception_by_now_is_told_and_released_only_if_asked_for(
    quarantine: Command, hold: Hold
) -> None:
    for number in range(3):
        hold(message_id=FIRST + number, campaign=CAMPAIGN, rule="R28")
    hold(message_id=FIRST + 3, campaign=CAMPAIGN, rule="R29")

    told = quarantine("except", str(FIRST), "--note", "its own")
    quarantine("revoke", "1")
    released = quarantine("except", str(FIRST), "--note", "its own", "--held", "--json")
    quarantine("revoke", "2")
    busy = quarantine("except", str(FIRST), "--note", "its own", "--held")
    (job,) = json.loads(quarantine("jobs", "--json").stdout)
    shown = json.loads(quarantine("show", str(FIRST), "--json").stdout)

    assert "3 messages of it stay held: --held releases them, too" in told.stderr
    assert "job 1 releases 3 messages held by now" in released.stderr
    assert (job["rule"], job["system_id"], job["expected_count"]) == ("R28", "shop", 3)
    assert [told.returncode, released.returncode, busy.returncode] == [0, 0, 1]
    assert "stays held: another decision on this campaign is not done yet" in busy.stderr
    assert (shown["found"], shown["overruled"]) == ([], [])
