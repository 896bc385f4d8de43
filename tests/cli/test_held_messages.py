import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.stores import Stores
from gateway.terminal.options import acting
from simulators.builders import submit_sm, ucs2

Command = Callable[..., CompletedProcess[str]]
Hold = Callable[..., HeldMessage]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]

FIRST = 8_1764072000000_01_000
WHOLE_NUMBER = "13800138000"
CAMPAIGN = "c0123456789abcdef"


def ids(ran: CompletedProcess[str]) -> list[int]:
    return [int(item["message_id"]) for item in json.loads(ran.stdout)]


def test_held_messages_are_listed_newest_first(quarantine: Command, hold: Hold) -> None:
    hold(message_id=FIRST)
    hold(message_id=FIRST + 1)

    assert ids(quarantine("list", "--json")) == [FIRST + 1, FIRST]


def test_the_list_can_be_narrowed(quarantine: Command, hold: Hold) -> None:
    hold(message_id=FIRST)
    hold(message_id=FIRST + 1, system_id="bank")
    hold(message_id=FIRST + 2, state=HoldState.IN_DOUBT)

    assert ids(quarantine("list", "--json", "--state", "in_doubt")) == [FIRST + 2]
    assert ids(quarantine("list", "--json", "--system-id", "bank")) == [FIRST + 1]
    assert ids(quarantine("list", "--json", "--limit", "1")) == [FIRST + 2]
    assert ids(quarantine("list", "--json", "--before", str(FIRST + 1))) == [FIRST]


def test_the_list_can_be_narrowed_to_a_campaign_or_to_what_messages_are_about(
    quarantine: Command, hold: Hold
) -> None:
    hold(message_id=FIRST, campaign=CAMPAIGN)
    hold(message_id=FIRST + 1, category="fraud_prize")
    hold(message_id=FIRST + 2, category="our own word")

    (shown,) = json.loads(quarantine("list", "--json", "--campaign", CAMPAIGN).stdout)
    assert (shown["message_id"], shown["campaign"]) == (str(FIRST), CAMPAIGN)
    assert CAMPAIGN in quarantine("show", str(FIRST)).stdout
    assert ids(quarantine("list", "--json", "--category", "illegal")) == [FIRST + 1]
    assert ids(quarantine("list", "--json", "--category", "诈骗")) == [FIRST + 1]
    assert ids(quarantine("list", "--json", "--category", "our own word")) == [FIRST + 2]
    assert ids(quarantine("list", "--json", "--category", "games")) == []


def test_a_narrowed_list_counts_what_was_asked_for_and_what_there_is(
    quarantine: Command, hold: Hold
) -> None:
    hold(message_id=FIRST, campaign=CAMPAIGN)
    hold(message_id=FIRST + 1, campaign=CAMPAIGN)
    hold(message_id=FIRST + 2, campaign=CAMPAIGN, state=HoldState.DISCARDED)
    hold(message_id=FIRST + 3, system_id="bank")

    of_campaign = quarantine("list", "--campaign", CAMPAIGN, "--limit", "1").stdout
    of_state = quarantine("list", "--campaign", CAMPAIGN, "--state", "held").stdout
    of_none = quarantine("list", "--category", "games").stdout

    assert "asked for: 2 held, 1 discarded\nin the store: 3 held, 1 discarded" in of_campaign
    assert "asked for: 2 held\nin the store: 3 held, 1 discarded" in of_state
    assert of_none == "asked for: none match\nin the store: 3 held, 1 discarded\n"


def test_a_category_that_neither_is_nor_was_told_of_a_message_is_a_misuse(
    quarantine: Command, hold: Hold
) -> None:
    hold()

    ran = quarantine("list", "--category", "fruad")

    assert ran.returncode == 2
    assert "there is no fruad" in ran.stderr
    assert "fraud, fraud_acquaintance" in ran.stderr


def test_states_are_spelled_in_help_and_errors_as_they_are_given(quarantine: Command) -> None:
    for ran in (quarantine("list", "--state", "nope"), quarantine("list", "--help")):
        assert "release_requested" in ran.stdout + ran.stderr
        assert "release-requested" not in ran.stdout + ran.stderr


@pytest.mark.parametrize("said", ["0123456789abcdef", "c13800138000", "C0123456789ABCDEF"])
def test_what_can_be_no_id_of_a_campaign_is_a_misuse_and_not_repeated(
    quarantine: Command, hold: Hold, said: str
) -> None:
    hold()

    ran = quarantine("list", "--campaign", said)

    assert ran.returncode == 2
    assert "no id of a campaign" in ran.stderr
    assert said not in ran.stderr


def test_what_waits_for_its_hour_is_listed_and_counted_apart(
    quarantine: Command, hold: Hold
) -> None:
    due_at = datetime(2025, 11, 26, tzinfo=UTC)
    hold(message_id=FIRST)
    hold(message_id=FIRST + 1, state=HoldState.DEFERRED, due_at=due_at)
    hold(message_id=FIRST + 2, state=HoldState.DISCARDED)

    everything, shown = quarantine("list", "--json"), quarantine("list").stdout
    (waiting,) = json.loads(quarantine("list", "--json", "--state", "deferred").stdout)

    assert ids(everything) == [FIRST + 2, FIRST]
    assert {one["due_at"] for one in json.loads(everything.stdout)} == {None}
    assert "1 held, 1 discarded\n1 deferred, which wait" in shown
    assert (waiting["message_id"], waiting["due_at"]) == (str(FIRST + 1), due_at.isoformat())


@pytest.mark.parametrize("columns", ["80", "200"])
def test_the_list_of_what_waits_tells_the_hour(
    quarantine: Command, hold: Hold, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    hold(state=HoldState.DEFERRED, due_at=datetime(2025, 11, 26, tzinfo=UTC))

    shown = quarantine("list", "--state", "deferred").stdout

    assert "due at (UTC)" in shown
    assert "2025-11-26 00:00:00" in shown
    assert "2025-11-26T00:00:00+00:00" in quarantine("show", str(FIRST)).stdout


def test_the_list_leads_to_its_next_page(quarantine: Command, hold: Hold) -> None:
    hold(message_id=FIRST)
    hold(message_id=FIRST + 1)

    ran = quarantine("list", "--limit", "1")

    assert f"--before {FIRST + 1}" in ran.stdout
    assert "2 held" in ran.stdout


def test_the_list_masks_numbers(quarantine: Command, hold: Hold) -> None:
    hold()

    for ran in (quarantine("list"), quarantine("list", "--json")):
        assert "138****8000" in ran.stdout
        assert WHOLE_NUMBER not in ran.stdout


def test_on_a_narrow_terminal_ids_and_times_stay_whole(
    quarantine: Command, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    hold()

    shown = quarantine("list").stdout

    assert str(FIRST) in shown
    assert "held at (UTC)" in shown
    assert "138****8000" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_an_empty_quarantine_is_said(quarantine: Command, in_store: InStore) -> None:
    in_store(lambda _stores: None)

    ran = quarantine("list")

    assert (ran.returncode, ran.stdout) == (0, "no messages\n")


@pytest.mark.parametrize("options", [("--limit", "0"), ("--limit", "10001"), ("--before", "12")])
def test_a_list_that_cannot_be_meant_is_a_misuse(
    quarantine: Command, hold: Hold, options: tuple[str, ...]
) -> None:
    hold()

    assert quarantine("list", *options).returncode == 2


def test_a_reviewer_sees_the_text_and_why_it_is_held(quarantine: Command, hold: Hold) -> None:
    hold("黑户贷款，当天放款")

    ran = quarantine("show", str(FIRST))

    assert ran.returncode == 0
    for what in ("黑户贷款，当天放款", "K-LOAN", "CONTENT", "0123456789ab", "138****8000"):
        assert what in ran.stdout
    assert WHOLE_NUMBER not in ran.stdout


def test_r73_numbers_in_a_text_are_masked_and_the_look_is_journaled(
    quarantine: Command, hold: Hold, cli: Command, deployment: Path
) -> None:
    hold("尊敬的李四 １３９１２３４５６７８ 您好，黑户可贷，电13912345678")

    masked_ones = [quarantine("show", str(FIRST), *options) for options in ((), ("--json",))]
    whole = quarantine("show", str(FIRST), "--unmask", "--reason", "派单 12").stdout

    for ran in masked_ones:
        assert ran.returncode == 0
        assert "黑户可贷" in ran.stdout
        assert "139****5678" in ran.stdout
        assert "13912345678" not in ran.stdout
        assert "１３９１２３４５６７８" not in ran.stdout
    assert "13912345678" in whole
    looks = json.loads(
        cli("audit", "show", "--json", "--config", str(deployment / "config")).stdout
    )
    assert [(one["action"], one["reason"], one["about"]) for one in looks] == [
        ("quarantine show", reason, f"message {FIRST}") for reason in ("派单 12", "", "")
    ]
    assert {one["by"] for one in looks} == {acting(None)}


def test_r73_evidence_is_shown_without_numbers(quarantine: Command, hold: Hold) -> None:
    hold(evidence="电话 13912345678")

    for command in (("show", str(FIRST)), ("list",), ("list", "--json")):
        shown = quarantine(*command).stdout
        assert "13912345678" not in shown
        assert "139****5678" in shown


def test_a_reviewer_sees_the_characters_that_hide_words(quarantine: Command, hold: Hold) -> None:
    hold("黑\u200b户贷\x1b[2J款")

    ran = quarantine("show", str(FIRST))

    assert r"黑\u200b户贷\u001b[2J款" in ran.stdout


def test_a_number_is_shown_whole_to_who_asks_for_it(quarantine: Command, hold: Hold) -> None:
    hold()

    ran = quarantine("show", str(FIRST), "--unmask", "--reason", "派单 12", "--json")

    assert json.loads(ran.stdout)["destination"] == WHOLE_NUMBER


def test_one_message_as_json_has_its_text_and_an_id_no_float_can_round(
    quarantine: Command, hold: Hold
) -> None:
    hold("黑户贷款")

    shown = json.loads(quarantine("show", str(FIRST), "--json").stdout)

    assert shown["text"] == "黑户贷款"
    assert shown["message_id"] == str(FIRST)
    assert shown["state"] == "held"
    assert shown["receipt_asked"] is True
    assert shown["other_readings"] == []


def test_a_text_that_can_be_read_in_several_ways_is_shown_in_all(
    quarantine: Command, hold: Hold
) -> None:
    hold(pdu=gbk_under_default_alphabet())

    ran = quarantine("show", str(FIRST))

    assert "黑户贷款" in ran.stdout
    assert "or read as" in ran.stdout


def gbk_under_default_alphabet() -> bytes:
    return submit_sm("10690001", WHOLE_NUMBER, "黑户贷款".encode("gbk"), data_coding=0)


def test_a_pdu_that_cannot_be_read_is_shown_without_a_text(quarantine: Command, hold: Hold) -> None:
    hold(pdu=bytes.fromhex("00000010000000040000000000000001"))

    ran = quarantine("show", str(FIRST), "--json")

    assert json.loads(ran.stdout)["text"] == ""


def test_a_message_that_is_not_there_is_said(quarantine: Command, hold: Hold) -> None:
    hold()

    ran = quarantine("show", str(FIRST + 7))

    assert ran.returncode == 1
    assert f"there is no message {FIRST + 7}" in ran.stderr


def test_what_is_no_id_is_a_misuse(quarantine: Command, hold: Hold) -> None:
    hold()

    ran = quarantine("show", "13800138000")

    assert ran.returncode == 2
    assert "is no id" in ran.stderr


def test_a_part_is_shown_with_the_whole_text_and_the_other_parts(
    quarantine: Command, hold: Hold
) -> None:
    hold(pdu=part(2, "贷款"), assembly=FIRST, part=2)
    hold(pdu=part(1, "黑户"), message_id=FIRST + 1, assembly=FIRST, part=1)

    shown = json.loads(quarantine("show", str(FIRST), "--json").stdout)

    assert shown["text"] == "黑户贷款"
    assert shown["parts"] == [str(FIRST + 1), str(FIRST)]


@pytest.mark.parametrize(
    "replaced",
    [
        submit_sm("10690001", "1", b"\x09", esm_class=0x40),
        submit_sm("10690001", "1", b"hi", data_coding=0),
    ],
)
def test_a_part_beside_one_that_became_something_else_is_shown_by_itself(
    quarantine: Command, hold: Hold, replaced: bytes
) -> None:
    hold(pdu=part(2, "贷款"), assembly=FIRST, part=2)
    hold(pdu=replaced, message_id=FIRST + 1, assembly=FIRST, part=1)

    shown = json.loads(quarantine("show", str(FIRST), "--json").stdout)

    assert shown["text"] == "贷款"


def part(number: int, text: str) -> bytes:
    octets = bytes((5, 0, 3, 7, 2, number)) + ucs2(text)
    return submit_sm("10690001", WHOLE_NUMBER, octets, esm_class=0x40)


def test_the_words_of_a_list_its_severity_and_its_owner_are_told(
    quarantine: Command, hold: Hold
) -> None:
    hold(evidence="黑户贷款; 当天放款", severity="serious", owner="信贷组", score=87)

    shown = quarantine("show", str(FIRST), "--json")
    listed = quarantine("list").stdout

    told = json.loads(shown.stdout)
    assert (told["evidence"], told["rule_severity"]) == ("黑户贷款; 当天放款", "serious")
    assert (told["rule_owner"], told["score"]) == ("信贷组", 87)
    assert "信贷组" in listed
    assert "serious" in listed


@pytest.mark.parametrize("columns", ["80", "220"])
def test_r61_what_a_message_is_about_and_how_bad_that_is_stands_in_the_list(
    quarantine: Command, hold: Hold, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    hold(category="fraud_prize", reason="SUSPICIOUS", rule="R61-model")
    hold(message_id=FIRST + 1, category="", evidence="的名")

    shown = quarantine("list").stdout
    listed = json.loads(quarantine("list", "--json").stdout)

    assert "fraud_prize (fraud)" in shown
    assert "的名" in shown
    assert [(one["category"], one["severity"]) for one in listed] == [
        ("", ""),
        ("fraud_prize", "fraud"),
    ]
