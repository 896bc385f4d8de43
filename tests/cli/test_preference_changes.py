"""`smsward preferences`: what subscribers want to receive, on the command line."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.preferences import MAX_PREFERENCES, JournalEntry, PreferenceList
from gateway.stores import Stores
from gateway.terminal.options import acting

Cli = Callable[..., CompletedProcess[str]]
Command = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]
Kept = Callable[[], tuple[PreferenceList, list[JournalEntry]]]

NUMBER = "13800138000"
MSISDN = 8613800138000
HOUSES = ("--kind", "category", "--value", "房产")


@pytest.fixture
def preferences(cli: Cli, deployment: Path, in_store: InStore) -> Command:
    in_store(lambda _stores: None)

    def preferences(command: str, *arguments: str) -> CompletedProcess[str]:
        config = str(deployment / "config")
        return cli("preferences", command, "--number", NUMBER, *arguments, "--config", config)

    return preferences


@pytest.fixture
def kept(in_store: InStore) -> Kept:
    def kept() -> tuple[PreferenceList, list[JournalEntry]]:
        found: list[tuple[PreferenceList, list[JournalEntry]]] = []

        async def look(stores: Stores) -> None:
            store = stores.preferences
            found.append((await store.of(MSISDN), await store.journal_of(MSISDN)))

        in_store(look)
        return found[0]

    return kept


def shown(ran: CompletedProcess[str]) -> list[tuple[str, str, str]]:
    listed = json.loads(ran.stdout)["preferences"]
    return [(one["kind"], one["value"], one["action"]) for one in listed]


def test_a_preference_is_kept_and_journaled_with_who_did_it(
    preferences: Command, kept: Kept
) -> None:
    ran = preferences("set", *HOUSES, "--by", "clerk 7")

    wanted, journal = kept()
    assert ran.returncode == 0
    assert ran.stdout == ("138****8000: block category real_estate 房产中介 (1 preference)\n")
    assert [(one.kind, one.value, one.action) for one in wanted] == [
        ("category", "real_estate", "block")
    ]
    assert [(entry.origin.channel, entry.origin.by) for entry in journal] == [
        ("cli", acting("clerk 7"))
    ]


def test_preferences_are_shown_in_their_order(preferences: Command) -> None:
    preferences("set", *HOUSES)
    preferences("set", "--kind", "number", "--value", "1069000112", "--action", "allow")
    preferences("set", "--kind", "quiet_hours", "--value", "22:00-8:00", "--action", "hold")

    ran = preferences("show", "--json")

    assert json.loads(ran.stdout)["number"] == "138****8000"
    assert shown(ran) == [
        ("category", "real_estate", "block"),
        ("number", "1069000112", "allow"),
        ("quiet_hours", "22:00-08:00", "hold"),
    ]
    table = preferences("show").stdout
    assert "138****8000" in table
    assert "房产中介" in table


def test_a_change_prints_the_preferences_as_they_are_then(preferences: Command) -> None:
    first = preferences("set", *HOUSES, "--json")
    second = preferences("set", *HOUSES, "--action", "hold", "--json")
    third = preferences("remove", *HOUSES, "--json")

    assert [shown(ran) for ran in (first, second, third)] == [
        [("category", "real_estate", "block")],
        [("category", "real_estate", "hold")],
        [],
    ]


def test_what_was_never_kept_cannot_be_removed(preferences: Command, kept: Kept) -> None:
    ran = preferences("remove", *HOUSES)

    assert ran.returncode == 1
    assert "138****8000 has no preference about category real_estate" in ran.stderr
    assert kept() == ((), [])


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--kind", "category", "--value", "天气"), "real_estate 房产中介"),
        (("--kind", "number", "--value", "10"), "3 to 20 digits"),
        (("--kind", "quiet_hours", "--value", "22"), "22:00-08:00"),
        (("--kind", "class", "--value", "verification"), "commercial and service"),
        (("--kind", "colour", "--value", "red"), "colour"),
    ],
)
def test_what_cannot_be_kept_is_a_misuse_that_says_what_can(
    preferences: Command, kept: Kept, arguments: tuple[str, ...], problem: str
) -> None:
    ran = preferences("set", *arguments)

    assert ran.returncode == 2
    assert problem in ran.stderr
    assert kept() == ((), [])


def test_one_preference_too_many_is_not_kept(preferences: Command, kept: Kept) -> None:
    for place in range(MAX_PREFERENCES):
        preferences("set", "--kind", "number", "--value", str(1069000 + place))

    ran = preferences("set", *HOUSES)

    assert ran.returncode == 1
    assert f"more than {MAX_PREFERENCES}" in ran.stderr
    assert len(kept()[0]) == MAX_PREFERENCES


def test_nothing_on_record_is_said_in_words(preferences: Command) -> None:
    assert preferences("show").stdout == "138****8000 has no preferences\n"
    assert preferences("show", "--journal").stdout == ("nothing was ever changed for 138****8000\n")
    assert preferences("delete").stdout == "138****8000: there was nothing to delete\n"


def test_the_journal_tells_what_came_and_went(preferences: Command) -> None:
    preferences("set", *HOUSES)
    preferences("remove", *HOUSES)

    table = preferences("show", "--journal").stdout
    told = json.loads(preferences("show", "--journal", "--json").stdout)["journal"]

    assert table.count("block category real_estate 房产中介") == 2
    assert [(one["by"], len(one["before"]), len(one["after"])) for one in told] == [
        (acting(None), 0, 1),
        (acting(None), 1, 0),
    ]


def test_r51_all_that_is_kept_is_exported_for_its_owner_alone(
    preferences: Command, tmp_path: Path
) -> None:
    preferences("set", "--kind", "number", "--value", "13911112222")
    output = tmp_path / "preferences.json"

    ran = preferences("export", "--unmask", "--reason", "asked for", "--output", str(output))

    exported = json.loads(output.read_text(encoding="utf-8"))
    assert output.stat().st_mode & 0o777 == 0o600
    assert exported["number"] == str(MSISDN)
    assert exported["preferences"][0]["value"] == "13911112222"
    assert exported["journal"][0]["after"][0]["value"] == "13911112222"
    assert "1 preference, 1 change to" in ran.stdout
    assert NUMBER not in ran.stdout


def test_no_whole_number_of_a_person_is_printed(preferences: Command) -> None:
    preferences("set", "--kind", "number", "--value", "13911112222")

    printed = [
        preferences("show").stdout,
        preferences("show", "--json").stdout,
        preferences("show", "--journal").stdout,
        preferences("export").stdout,
    ]

    assert all("139****2222" in text for text in printed)
    assert not any("13911112222" in text or NUMBER in text for text in printed)


def test_an_export_into_no_folder_says_so(preferences: Command, tmp_path: Path) -> None:
    ran = preferences("export", "--output", str(tmp_path / "nowhere" / "it.json"))

    assert ran.returncode == 1
    assert "cannot be written" in ran.stderr


def test_r51_what_is_deleted_on_request_is_gone_with_its_history(
    preferences: Command, kept: Kept
) -> None:
    preferences("set", *HOUSES)

    ran = preferences("delete", "--by", "li", "--json")

    assert kept() == ((), [])
    assert json.loads(ran.stdout) == {"number": "138****8000", "deleted": True}
    assert "nothing was ever changed" in preferences("show", "--journal").stdout


def test_a_number_that_is_none_is_a_misuse(cli: Cli, deployment: Path) -> None:
    config = str(deployment / "config")

    ran = cli("preferences", "show", "--number", "INFO", "--config", config)

    assert ran.returncode == 2
    assert "INFO is no subscriber number" in ran.stderr
