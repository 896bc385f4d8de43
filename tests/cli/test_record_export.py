"""Who sees whole numbers, and what of records leaves the machine (R73)."""

import json
import re
import sqlite3
import stat
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.records import OutcomeRow, Row, Why
from gateway.records.lines import RecordLines
from gateway.records.writer import HourFiles
from gateway.settings.credentials import load_keys
from gateway.terminal.options import acting

Cli = Callable[..., CompletedProcess[str]]
Work = Callable[..., CompletedProcess[str]]
InStore = Callable[..., None]

HOUR = 383_480  # 2013-09-30, 08 UTC
NUMBER = "13800138007"
SAID = "您的验证码".encode("utf-16-be")
REPLY = ("reply", "", "", "", "")
WHY = ("--unmask", "--reason", "派单 12")


@pytest.fixture
def deployed(deployment: Path, in_store: InStore) -> Path:
    """Give a deployment with keys that has run, and records of two hours; return its directory."""
    in_store(lambda _stores: None)
    keys = deployment / "keys.yaml"
    keys.write_text(f"k1: {b64encode(bytes(64)).decode()}\n")
    keys.chmod(0o600)
    with (deployment / "config/gateway.yaml").open("a") as file:
        file.write(f"privacy: {{keys: {keys}, current: k1}}\n")
    lines, files = RecordLines(), HourFiles(deployment / "var/cdr")
    for hour in (HOUR, HOUR + 1):
        at = hour * 3600.0 + 1
        to, of = (b"13800138007", "shop") if hour == HOUR else (b"13900139000", "bank")
        about, why = (hour, of, 4), Why("forward", "", "", "", "digest")
        rows: list[Row] = [("d", at, about, 7, b"10690001", to, why, 0, (8, SAID))]
        answered: OutcomeRow = ("o", at, about, 7, 0, b"41", 1500, "answered")
        rows.append(answered)
        for of_hour, _, written in lines.by_hour(rows):
            files.append(of_hour, written)
    files.close()
    return deployment


@pytest.fixture
def delivered(deployed: Path) -> None:
    """Add what was delivered to an SP: of two subscribers a receipt, and a reply of one."""
    at, about = (HOUR + 1) * 3600.0 + 2, (9, "shop", 5)
    told = ("receipt", "DELIVRD", "000", "1309300900", "1309300901")
    rows: list[Row] = [
        ("m", at, about, 1, b"13800138007", b"10690001", b"41", told, None),
        ("m", at, about, 2, b"13900139000", b"10690001", b"42", told, None),
        ("m", at, about, 3, b"13800138007", b"10690001", b"", REPLY, (8, SAID)),
        ("o", at, about, 1, 0, b"", 900, "answered"),
        ("o", at, about, 3, 0, b"", 900, "answered"),
    ]
    files = HourFiles(deployed / "var/cdr")
    for hour, _, written in RecordLines().by_hour(rows):
        files.append(hour, written)
    files.close()


@pytest.fixture
def work(cli: Cli, deployed: Path) -> Work:
    config = str(deployed / "config")
    return lambda *arguments, group="records": cli(group, *arguments, "--config", config)


@pytest.fixture(params=["open", "sealed"])
def any_work(request: pytest.FixtureRequest, work: Work) -> Work:
    """Return the same over records that are still open and over sealed ones."""
    if request.param == "sealed":
        assert json.loads(work("seal", "--json").stdout)["files"] == 2
    return work


@pytest.fixture
def export(any_work: Work, tmp_path: Path) -> Callable[..., list[dict[str, object]]]:
    """Return a function that exports records and reads what was written."""

    def export(*more: str) -> list[dict[str, object]]:
        output = tmp_path / "out.jsonl"
        period = ("--from", "2013-09-30T08:00", "--to", "2013-09-30T18:00:00+08:00")
        ran = any_work("export", *period, *more, "-o", str(output))
        assert ran.returncode == 0, ran.stderr
        assert stat.S_IMODE(output.stat().st_mode) == 0o600
        return [json.loads(line) for line in output.read_text().splitlines()]

    return export


def accesses(work: Work) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(work("show", "--json", group="audit").stdout)
    return listed


def test_r73_an_export_masks_numbers_and_leaves_texts_out(
    export: Callable[..., list[dict[str, object]]], work: Work
) -> None:
    records = export()

    assert [record["kind"] for record in records] == ["text", "decision", "outcome"] * 2
    assert [record.get("destination") for record in records if record["kind"] == "decision"] == [
        "138****8007",
        "139****9000",
    ]
    assert "octets" not in records[0]
    assert records[1]["text"] == records[0]["id"]
    (access,) = accesses(work)
    assert (access["action"], access["reason"]) == ("records export", "")


@pytest.mark.parametrize("campaign", ["", "c1380013800012345"])
def test_r70_an_export_tells_category_and_campaign_and_an_older_line_is_read_without(
    work: Work, deployed: Path, tmp_path: Path, campaign: str
) -> None:
    at, about = (HOUR + 1) * 3600.0 + 5, (9, "shop", 4)
    why = Why("quarantine", "CAMPAIGN", "R61", "", "digest", "loan", campaign)
    row: Row = ("d", at, about, 1, b"10690001", b"13800138007", why, 42, None)
    line = RecordLines().line(row)
    older = re.sub(rb'"category":.*"campaign":"[^"]*",', b"", line)
    files = HourFiles(deployed / "var/cdr")
    files.append(HOUR + 1, line + older)
    files.close()
    period = ("--from", "2013-09-30T09:00:05", "--to", "2013-09-30T10:00")

    work("export", *period, "-o", str(tmp_path / "out.jsonl"))

    records = [json.loads(one) for one in (tmp_path / "out.jsonl").read_text().splitlines()]
    new, old = (one for one in records if one["kind"] == "decision" and one["gateway_id"])
    assert (new.pop("category"), new.pop("campaign")) == ("loan", campaign)
    assert new == old


def test_r73_whole_numbers_are_exported_for_a_reason_that_is_journaled(
    export: Callable[..., list[dict[str, object]]], work: Work
) -> None:
    text, decision, outcome = export("--number", "+8613800138007", *WHY)

    assert b64decode(str(text["octets"])) == SAID
    assert (decision["destination"], decision["source"]) == (NUMBER, "10690001")
    assert outcome["message_id"] == "41"
    (access,) = accesses(work)
    assert (access["by"], access["action"]) == (acting(None), "records export")
    assert access["reason"] == "派单 12"
    assert access["about"] == "2013-09-30T08:00+0000 to 2013-09-30T18:00+0800, number 138****8007"


@pytest.mark.usefixtures("delivered")
def test_r70_receipts_and_replies_are_exported_masked_and_for_a_reason_whole(
    export: Callable[..., list[dict[str, object]]],
) -> None:
    masked = [one for one in export() if one["kind"] == "delivery"]
    whole = export("--number", NUMBER, *WHY)[3:]

    assert [one["source"] for one in masked] == ["138****8007", "139****9000", "138****8007"]
    assert {one["destination"] for one in masked} == {"10690001"}
    assert (masked[0]["message_id"], masked[0]["stat"]) == ("41", "DELIVRD")
    assert (masked[0]["submitted"], masked[0]["done"]) == ("1309300900", "1309300901")
    assert (masked[2]["what"], "text" in masked[2]) == ("reply", True)
    assert [(one["kind"], one.get("sequence_number")) for one in whole] == [
        ("delivery", 1),
        ("text", None),
        ("delivery", 3),
        ("outcome", 1),
        ("outcome", 3),
    ]
    assert whole[0]["source"] == NUMBER
    assert b64decode(str(whole[1]["octets"])) == SAID


def test_one_sender_is_exported(export: Callable[..., list[dict[str, object]]], work: Work) -> None:
    records = export("--sender", "bank", *WHY)

    assert {record["system_id"] for record in records} == {"bank"}
    assert len(records) == 3
    assert "sender bank" in str(accesses(work)[0]["about"])


@pytest.mark.parametrize("command", ["show", "export"])
@pytest.mark.parametrize("option", [("--unmask",), ("--unmask", "--reason", "  ")])
def test_r73_without_a_reason_nobody_sees_a_whole_number(
    work: Work, deployed: Path, command: str, option: tuple[str, ...]
) -> None:
    output = deployed / "out.jsonl"
    period = ("--from", "2013-09-30", "--to", "2013-10-01", "-o", str(output))
    what = (str(deployed / "var/cdr"),) if command == "show" else period

    ran = work(command, *what, *option)

    assert ran.returncode == 2
    assert "--unmask needs --reason" in ran.stderr
    assert NUMBER not in ran.stdout
    assert not output.exists()


def test_a_reason_alone_unmasks_nothing(work: Work, deployed: Path) -> None:
    assert work("show", str(deployed / "var/cdr"), "--reason", "why").returncode == 2


def test_r73_what_cannot_be_journaled_is_not_shown(work: Work, deployed: Path) -> None:
    database = deployed / "var/smsward.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("DROP TABLE access_log")
    output = deployed / "out.jsonl"

    shown = work("show", str(deployed / "var/cdr"), *WHY)
    exported = work(
        *("export", "--from", "2013-09-30", "--to", "2013-10-01", "-o", str(output)), *WHY
    )

    assert (shown.returncode, exported.returncode) == (1, 1)
    assert NUMBER not in shown.stdout
    assert not output.exists()


def test_r73_records_are_shown_whole_for_a_reason_and_masked_without(
    any_work: Work, deployed: Path
) -> None:
    place = str(deployed / "var/cdr")

    masked = any_work("show", place)
    whole = any_work("show", place, *WHY)
    lines = any_work("show", place, "--json", *WHY).stdout.splitlines()

    assert "138****8007" in masked.stdout
    assert NUMBER not in masked.stdout
    assert NUMBER in whole.stdout
    assert json.loads(lines[1])["destination"] == NUMBER
    assert [access["action"] for access in accesses(any_work)] == ["records show"] * 2
    assert "the last 50" in any_work("show", group="audit").stdout


def test_without_keys_sealed_numbers_are_neither_shown_nor_guessed(
    cli: Cli, work: Work, deployed: Path
) -> None:
    work("seal")
    config = deployed / "config/gateway.yaml"
    config.write_text(config.read_text().partition("privacy:")[0])
    place = str(deployed / "var/cdr")

    masked, whole = work("show", place), work("show", place, *WHY)
    nowhere = cli("records", "show", place, "--config", str(deployed / "nowhere"))

    for ran in (masked, nowhere):
        assert ran.returncode == 0
        assert "(sealed)" in ran.stdout
    assert whole.returncode == 1
    assert "cannot be opened: sealed, and there are no keys" in whole.stderr


def test_a_record_whose_key_is_gone_stays_sealed(work: Work, deployed: Path) -> None:
    work("seal")
    (deployed / "keys.yaml").write_text(f"k1: {b64encode(bytes(range(64))).decode()}\n")
    output = deployed / "out.jsonl"
    period = ("--from", "2013-09-30", "--to", "2013-10-01", "-o", str(output))

    masked, whole = work("export", *period), work("export", *period, *WHY)

    assert masked.returncode == 0
    assert json.loads(output.read_text().splitlines()[1])["destination"] == "(sealed)"
    assert whole.returncode == 1
    assert "not what was sealed with the key k1" in whole.stderr


def test_keys_that_have_gone_are_an_error_in_words(
    work: Work, deployed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanish(_settings: object) -> None:
        (deployed / "keys.yaml").unlink()
        load_keys(str(deployed / "keys.yaml"))

    monkeypatch.setattr("gateway.terminal.store.keys_of", vanish)

    ran = work("show", str(deployed / "var/cdr"), *WHY)

    assert ran.returncode == 2
    assert "keys.yaml:1:1 cannot be read: No such file or directory" in ran.stderr


def test_how_much_was_exported_is_said(work: Work, deployed: Path) -> None:
    output = str(deployed / "out.jsonl")
    period = ("--from", "2013-09-30T08:00", "--to", "2013-09-30T09:00", "-o", output)

    assert work("export", *period).stdout.startswith("written: 3 records of 1 hour to ")
    assert json.loads(work("export", *period, "--json").stdout) == {
        "output": output,
        "records": 3,
        "hours": 1,
    }


def test_where_no_record_was_written_none_is_exported(
    work: Work, deployed: Path, tmp_path: Path
) -> None:
    for path in (deployed / "var/cdr").iterdir():
        path.unlink()
    (deployed / "var/cdr").rmdir()
    output = tmp_path / "out.jsonl"

    work("export", "--from", "2013-09-30", "--to", "2013-10-01", "-o", str(output))

    assert output.read_text() == ""


@pytest.mark.parametrize(
    "options",
    [
        ("--from", "2013-10-01", "--to", "2013-09-30"),
        ("--from", "2013-09-30", "--to", "2013-10-01", "--number", "shop"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    work: Work, tmp_path: Path, options: tuple[str, ...]
) -> None:
    output = tmp_path / "out.jsonl"

    assert work("export", *options, "-o", str(output)).returncode == 2

    assert not output.exists()


def test_an_output_that_cannot_be_written_is_an_error_in_words(work: Work, deployed: Path) -> None:
    output = str(deployed / "no/such/out.jsonl")

    ran = work("export", "--from", "2013-09-30", "--to", "2013-10-01", "-o", output)

    assert ran.returncode == 1
    assert "cannot be written: No such file or directory" in ran.stderr


def test_an_hour_that_cannot_be_read_is_named(work: Work, deployed: Path) -> None:
    (deployed / "var/cdr/cdr-20130930-10.jsonl.gz").write_bytes(b"no gzip")
    output = deployed / "out.jsonl"

    ran = work("export", "--from", "2013-09-30", "--to", "2013-10-01", "-o", str(output))

    assert ran.returncode == 1
    assert "the records of 2013-09-30 10 UTC cannot be read" in ran.stderr
    assert not output.exists()


def test_a_directory_is_read_from_its_newest_hour_back(work: Work, deployed: Path) -> None:
    work("seal")

    lines = work("show", str(deployed / "var/cdr"), "--json", "--limit", "2").stdout.splitlines()

    assert [json.loads(line)["system_id"] for line in lines] == ["bank", "bank"]
