import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.policy import KeywordList, ListAction
from gateway.domain.records import DecisionRow, DeliveryRow, EventRow, OutcomeRow, Row, Why
from gateway.domain.verdict import Action, Finding, Reason
from gateway.domain.warning import Severity
from gateway.filter.keywords.index import word_id
from gateway.policy.bundle import Bundle
from gateway.policy.checks.bad_link import BadLink
from gateway.records.archive import RecordArchive
from gateway.records.lines import RecordLines, finding_fields
from gateway.records.upkeep import seal_closed
from gateway.records.writer import HourFiles
from gateway.runtime.sealing import Sealer

Cli = Callable[..., CompletedProcess[str]]
Command = Callable[..., CompletedProcess[str]]
WriteRows = Callable[..., None]

HOUR = 490_000


@pytest.fixture
def write(tmp_path: Path) -> WriteRows:
    """Return a function that writes rows as the gateway does."""

    def write(*rows: Row, hour: int = HOUR) -> None:
        lines, files = RecordLines(), HourFiles(tmp_path / "cdr")
        files.append(hour, b"".join(map(lines.line, rows)))
        files.close()

    return write


def decision(
    sequence: int = 7, *, source: bytes = b"10690001", action: str = "forward", reason: str = ""
) -> DecisionRow:
    at, to = HOUR * 3600.0, b"13800138000"
    found = Why(action, reason, "", "", "0123456789ab")
    return ("d", at, (12, "shop", 4), sequence, source, to, found, 0, None)


OUTCOME: OutcomeRow = ("o", HOUR * 3600.5, (12, "shop", 4), 7, 0, b"100123456789", 1500, "answered")
RECEIPT: DeliveryRow = (
    "m",
    HOUR * 3600.0,
    (13, "shop", 5),
    8,
    b"13800138000",
    b"10690001",
    b"100123456789",
    ("receipt", "UNDELIV", "011", "2511252000", "13900139000"),
    None,
)
EVENT: EventRow = (
    "e",
    HOUR * 3600.0,
    "refused",
    {"reason": "credentials", "address": "127.0.0.1", "caller": "13800138000"},
)


@pytest.fixture
def show(cli: Cli, tmp_path: Path) -> Command:
    def show(*more: str, place: str = "cdr") -> CompletedProcess[str]:
        return cli("records", "show", str(tmp_path / place), *more)

    return show


def test_records_are_shown_with_numbers_masked(show: Command, write: WriteRows) -> None:
    write(decision(), OUTCOME, EVENT)

    for ran in (show(), show("--json")):
        assert ran.returncode == 0
        assert "138****8000" in ran.stdout
        assert "13800138000" not in ran.stdout


def test_on_a_narrow_terminal_times_and_ids_stay_whole(
    show: Command, write: WriteRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    write(decision(), OUTCOME, EVENT)

    shown = show().stdout

    for what in ("shop answered", "10690001 → 138****8000", "100123456789", "0 1500 µs"):
        assert what in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_what_a_message_was_about_is_shown_beside_the_reason(
    show: Command, write: WriteRows
) -> None:
    why = Why("reject", "CONTENT", "K-LOAN", "", "0123456789ab", "loan", "c1380013800012345")
    at, of = HOUR * 3600.0, (12, "shop", 4)
    write(("d", at, of, 7, b"10690001", b"13800138000", why, 0, None))

    assert "CONTENT, loan" in show().stdout
    assert json.loads(show("--json").stdout)["campaign"] == "c1380013800012345"


def test_the_class_of_a_message_is_shown_with_what_decided_about_it(
    show: Command, write: WriteRows
) -> None:
    why = Why("forward", "", "", "", "digest", traffic="verification", classed_by="template")
    write(("d", HOUR * 3600.0, (12, "shop", 4), 7, b"10690001", b"13800138000", why, 0, None))

    assert "verification by template" in " ".join(show().stdout.split())
    shown = json.loads(show("--json").stdout)
    assert (shown["class"], shown["classed_by"]) == ("verification", "template")


def test_findings_are_shown_whole_however_many_and_whatever_their_ids(
    show: Command, write: WriteRows
) -> None:
    found = tuple(
        Finding(
            f"K-{number}",
            Reason.CONTENT,
            Action.FORWARD,
            "",
            shadow=True,
            word="1234567",
            campaign="c1380013800012345",
        )
        for number in range(30)
    )
    why = Why("shadow", "CONTENT", "K-0", "", "0123456789ab", findings=found)
    at, of = HOUR * 3600.0, (12, "shop", 4)
    write(("d", at, of, 7, b"10690001", b"13800138000", why, 0, None))

    shown = json.loads(show("--json").stdout)["findings"]

    assert [one["rule"] for one in shown] == [one.rule for one in found]
    assert {one["campaign"] for one in shown} == {"c1380013800012345"}


def test_records_are_lines_of_json_for_programs(show: Command, write: WriteRows) -> None:
    write(decision(19_000_000), OUTCOME)

    first, second = map(json.loads, show("--json").stdout.splitlines())

    assert (first["kind"], first["system_id"], first["sequence_number"]) == (
        "decision",
        "shop",
        19_000_000,
    )
    assert first["source"] == "10690001"
    assert (second["kind"], second["message_id"], second["latency_us"]) == (
        "outcome",
        "100123456789",
        1500,
    )


def test_a_source_that_its_sender_does_not_own_may_be_a_subscriber(
    show: Command, write: WriteRows
) -> None:
    write(decision(source=b"13900139000", action="reject", reason="SOURCE_NOT_OWNED"))

    (shown,) = map(json.loads, show("--json").stdout.splitlines())

    assert shown["source"] == "139****9000"


def test_people_see_what_was_decided_and_how_it_ended(show: Command, write: WriteRows) -> None:
    write(decision(action="reject", reason="CONTENT"), OUTCOME, EVENT)

    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in show().stdout.splitlines()]

    found = [(row[1], row[2], row[3]) for row in rows if len(row) > 3]
    assert found == [
        ("shop", "reject", "CONTENT"),
        ("shop", "answered", ""),
        ("", "refused", "credentials"),
    ]


def test_people_see_what_was_delivered_and_who_it_came_from(
    show: Command, write: WriteRows
) -> None:
    write(RECEIPT)

    shown = show().stdout
    (record,) = map(json.loads, show("--json").stdout.splitlines())

    for what in ("receipt", "UNDELIV", "138****8000", "10690001", "100123456789"):
        assert what in shown
    assert (record["source"], record["destination"]) == ("138****8000", "10690001")
    # What is no date may be a number.
    assert (record["submitted"], record["done"]) == ("2511252000", "139****9000")


def test_the_last_records_are_taken_from_the_newest_files_back(
    show: Command, write: WriteRows
) -> None:
    write(decision(1), decision(2), hour=HOUR)
    write(decision(3), hour=HOUR + 1)
    write(decision(4), decision(5), hour=HOUR + 2)

    def sequences(limit: int) -> list[int]:
        lines = show("--json", "--limit", str(limit)).stdout.splitlines()
        return [json.loads(line)["sequence_number"] for line in lines]

    assert sequences(1) == [5]
    assert sequences(2) == [4, 5]
    assert sequences(4) == [2, 3, 4, 5]
    assert sequences(50) == [1, 2, 3, 4, 5]


def test_one_file_can_be_named(show: Command, write: WriteRows, tmp_path: Path) -> None:
    write(decision())
    (path,) = (tmp_path / "cdr").iterdir()

    assert len(show("--json", place=f"cdr/{path.name}").stdout.splitlines()) == 1


def test_a_directory_without_records_is_said(show: Command, tmp_path: Path) -> None:
    (tmp_path / "cdr").mkdir()

    ran = show()

    assert (ran.returncode, ran.stdout) == (0, "no records\n")


@pytest.mark.parametrize("arguments", [("--limit", "0"), ("--limit", "100001")])
def test_a_limit_has_bounds(show: Command, write: WriteRows, arguments: tuple[str, ...]) -> None:
    write(decision())

    assert show(*arguments).returncode == 2


def test_a_place_that_is_not_there_is_a_misuse(show: Command) -> None:
    ran = show(place="nowhere")

    assert ran.returncode == 2
    assert "there is no file or directory" in ran.stderr


@pytest.mark.parametrize("content", ["not json\n", "[1, 2]\n", '"text"\n'])
def test_a_file_of_something_else_is_an_error_in_words(
    show: Command, tmp_path: Path, content: str
) -> None:
    (tmp_path / "other.txt").write_text(content)

    ran = show(place="other.txt")

    assert ran.returncode == 1
    assert "is no file of records" in ran.stderr


def test_a_file_that_cannot_be_read_is_an_error_in_words(
    show: Command, write: WriteRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    write(decision())
    monkeypatch.setattr("gateway.cli.record_search.RecordArchive.read", refuse)

    ran = show()

    assert ran.returncode == 1
    assert "Permission denied" in ran.stderr


# What is looked for


def found(ran: CompletedProcess[str]) -> list[tuple[str, int]]:
    assert ran.returncode == 0, ran.stderr
    lines = map(json.loads, ran.stdout.splitlines())
    return [(one["kind"], one.get("sequence_number", 0)) for one in lines]


def outcome(sequence: int, message_id: bytes, hour: int = HOUR) -> OutcomeRow:
    return ("o", hour * 3600 + 1.0, (12, "shop", 4), sequence, 0, message_id, 1500, "answered")


def test_a_message_is_found_by_the_smscs_id_with_its_request_and_its_receipt(
    show: Command, write: WriteRows
) -> None:
    write(decision(6), decision(7), outcome(6, b"99"), outcome(7, b"100123456789"), RECEIPT)

    ran = show("--message-id", "100123456789", "--json")

    assert found(ran) == [("decision", 7), ("outcome", 7), ("delivery", 8)]
    assert "13800138000" not in ran.stdout


def test_every_finding_of_a_message_is_told_in_words(
    show: Command, write: WriteRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    loan = KeywordList("K-LOAN", "loan", ListAction.QUARANTINE, ("秒批贷款", "黑户贷款"))
    bundle = Bundle("test", "0123456789ab", keyword_lists=(loan,))
    monkeypatch.setattr("gateway.cli.explain_labels.bundle_at_hand", lambda: bundle)
    model = Finding("R61-model", Reason.SUSPICIOUS, Action.REJECT, "", shadow=True, score=87)
    word = Finding(
        "K-LOAN",
        Reason.CONTENT,
        Action.QUARANTINE,
        "黑户贷款",
        category="loan",
        severity=Severity.SERIOUS,
        word=word_id("黑户贷款"),
    )
    gone = Finding("K-OLD", Reason.CONTENT, Action.FORWARD, "", shadow=True, word="1234567")
    link = Finding("R61-link", BadLink.reason, Action.REJECT, "", campaign="c01")
    found = (model, word, gone, link)
    why = Why("quarantine", "CONTENT", "K-LOAN", "", "0123456789ab", findings=found)
    at, of = HOUR * 3600.0, (12, "shop", 4)
    write(("d", at, of, 7, b"10690001", b"13800138000", why, 8_000, None))

    told = show("--message-id", "8000").stdout

    assert "R61-model: in shadow mode, would have been refused (SUSPICIOUS), 87 % likely" in told
    assert (
        "K-LOAN, The word list loan: held for a person: this decided (CONTENT), about loan,"
        f" severity serious, entry {word_id('黑户贷款')} of the list: 黑户贷款" in told
    )
    assert "K-OLD, K-OLD: only noted (CONTENT), entry 1234567 of the list\n" in told
    assert "R61-link, R61-link: would have been refused too (BAD_LINK), campaign c01" in told
    assert "87 %" not in show().stdout


def test_findings_are_told_without_policies_too(
    show: Command, write: WriteRows, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "policies").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies/bundle.yaml").write_text("version: 7\n", encoding="utf-8")
    found = Finding("K-LOAN", Reason.CONTENT, Action.REJECT, "", word="1234567")
    why = Why("reject", "CONTENT", "K-LOAN", "", "0123456789ab", findings=(found,))
    at, of = HOUR * 3600.0, (12, "shop", 4)
    write(("d", at, of, 7, b"10690001", b"13800138000", why, 8_000, None))

    told = show("--message-id", "8000").stdout

    assert "K-LOAN: refused: this decided (CONTENT), entry 1234567 of the list\n" in told


def test_a_request_of_the_hour_before_is_found_with_its_answer(
    show: Command, write: WriteRows
) -> None:
    write(decision(6), decision(7))
    write(outcome(7, b"42", HOUR + 1), decision(9), hour=HOUR + 1)

    assert found(show("--message-id", "42", "--json")) == [("decision", 7), ("outcome", 7)]


def test_a_held_message_is_found_by_the_gateways_id(show: Command, write: WriteRows) -> None:
    why = Why("quarantine", "CONTENT", "K-LOAN", "", "0123456789ab")
    number, at = 8_1764072000000_01_000, HOUR * 3600.0
    write(
        decision(6),
        ("d", at, (12, "shop", 4), 7, b"10690001", b"13800138000", why, number, None),
        ("e", at, "judged_again", {"message_id": str(number), "system_id": "shop"}),
    )

    assert found(show("--message-id", str(number), "--json")) == [
        ("decision", 7),
        ("judged_again", 0),
    ]


def test_what_was_found_in_a_held_message_again_is_shown_in_words(
    show: Command, write: WriteRows
) -> None:
    number, at = 8_1764072000000_01_000, HOUR * 3600.0
    refused = Finding("R21", Reason.OPTED_OUT, Action.REJECT, "")
    why = {"rule": "R21", "findings": [finding_fields(refused)]}
    write(("e", at, "judged_again", {"message_id": str(number), "system_id": "shop", **why}))

    shown = show("--message-id", str(number)).stdout

    assert ": refused: this decided (OPTED_OUT)" in shown


def test_records_are_found_by_sp_and_by_port(show: Command, write: WriteRows) -> None:
    at, to = HOUR * 3600.0, b"13800138000"
    bank: DecisionRow = ("d", at, (13, "bank", 4), 9, b"10690001", to, Why(*"....."), 0, None)
    write(decision(6, source=b"106900010"), decision(7), bank, OUTCOME, RECEIPT, EVENT)

    by_port = found(show("--port", "10690001", "--json"))
    below = found(show("--port", "10690001*", "--sender", "shop", "--json"))

    assert found(show("--sender", "bank", "--json")) == [("decision", 9)]
    assert by_port == [("decision", 7), ("decision", 9), ("outcome", 7), ("delivery", 8)]
    assert below == [("decision", 6), ("decision", 7), ("outcome", 7), ("delivery", 8)]


def later(hours: int) -> DecisionRow:
    one = decision(hours)
    return (one[0], (HOUR + hours) * 3600.0, *one[2:])


def test_records_are_found_by_time(show: Command, write: WriteRows) -> None:
    for hours in range(3):
        write(later(hours), hour=HOUR + hours)

    def told(*more: str) -> list[int]:
        return [sequence for _, sequence in found(show("--json", *more))]

    assert told("--from", "2025-11-24T16:00") == [0, 1, 2]
    assert told("--from", "2025-11-24T17:00") == [1, 2]
    assert told("--to", "2025-11-25T02:00+08:00") == [0, 1]
    assert told("--from", "2025-11-24T16:30", "--to", "2025-11-24T17:30") == [1]


@pytest.mark.parametrize("port", ["1380013*", "+1380013*", "139*", "1391*"])
def test_no_subscriber_is_found_by_guessing(show: Command, write: WriteRows, port: str) -> None:
    stranger = decision(3, source=b"13911112222", reason="SOURCE_NOT_OWNED")
    write(decision(1), stranger, RECEIPT, EVENT)

    ran = show("--port", port)

    assert (ran.returncode, ran.stdout) == (0, "no such records\n")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--port", "13800138000"), "that is a person's number and no port"),
        (("--port", ""), "must not be empty"),
        (("--message-id", ""), "must not be empty"),
        (("--from", "2013-10-01", "--to", "2013-09-30"), "--to: must be later than --from"),
    ],
)
def test_what_can_find_nothing_is_refused(
    show: Command, write: WriteRows, given: tuple[str, ...], said: str
) -> None:
    write(decision())

    ran = show(*given)

    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in ran.stderr
    assert "13800138000" not in ran.stderr


def test_a_search_without_a_beginning_goes_two_days_back_and_says_so(
    show: Command, write: WriteRows
) -> None:
    for hours in range(49):
        write(later(hours), hour=HOUR + hours)

    recent = show("--sender", "shop", "--json")
    older = show("--sender", "shop", "--json", "--from", "2025-01-01")
    full = show("--sender", "shop", "--json", "--limit", "7")

    assert [sequence for _, sequence in found(recent)] == list(range(1, 49))
    assert "only the last 48 hours were read: --from TIME goes further back" in recent.stderr
    assert len(found(older)) == 49
    assert [sequence for _, sequence in found(full)] == list(range(42, 49))
    assert "48 hours" not in older.stderr + full.stderr


def test_sealed_hours_are_searched_too(show: Command, write: WriteRows, tmp_path: Path) -> None:
    write(decision(6, source=b"10690002"), decision(7), outcome(7, b"42"), RECEIPT)
    sealer = Sealer({"k1": bytes(64)}, "k1")
    seal_closed(RecordArchive(tmp_path / "cdr"), sealer, HOUR + 9, lambda _octets: None)

    ran = show("--message-id", "42", "--json")

    assert {path.suffix for path in (tmp_path / "cdr").glob("cdr-*")} == {".gz"}
    assert found(ran) == [("decision", 7), ("outcome", 7)]
    assert "(sealed)" in ran.stdout
    assert found(show("--port", "10690002", "--json")) == [("decision", 6)]
