"""Sealing, purging, holds and the journals, as people use them (R70 to R73)."""

import json
import sqlite3
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.records import Why
from gateway.records.archive import RecordArchive, hour_of
from gateway.records.lines import RecordLines
from gateway.records.writer import HourFiles
from gateway.runtime.clock import utcnow
from gateway.systems.legal_holds.model import LegalHold
from gateway.terminal.options import acting

Cli = Callable[..., CompletedProcess[str]]
Work = Callable[..., CompletedProcess[str]]
InStore = Callable[..., None]
Hold = Callable[..., HeldMessage]

RECORDED = datetime(2013, 9, 30, 8, 30, tzinfo=UTC)


@pytest.fixture
def work(cli: Cli, deployment: Path, in_store: InStore) -> Work:
    """Return a function that runs a command about the records of a deployment that has run."""
    in_store(lambda _stores: None)
    config = str(deployment / "config")
    return lambda *arguments: cli(*arguments, "--config", config)


@pytest.fixture
def with_keys(deployment: Path) -> Path:
    """Give the deployment keys; return their file."""
    keys = deployment / "keys.yaml"
    keys.write_text(f"k1: {b64encode(bytes(64)).decode()}\n")
    keys.chmod(0o600)
    with (deployment / "config/gateway.yaml").open("a") as file:
        file.write(f"privacy: {{keys: {keys}, current: k1}}\n")
    return keys


@pytest.fixture
def archive(deployment: Path) -> RecordArchive:
    """Give ten records of one hour of 2013, two of them of one subscriber."""
    lines, files = RecordLines(), HourFiles(deployment / "var/cdr")
    numbers = [b"13800138007" if n in {3, 8} else b"1390013900%d" % n for n in range(10)]
    at = RECORDED.timestamp()
    for n, to in enumerate(numbers):
        line = lines.line(
            ("d", at, (1, "shop", 4), n, b"1069", to, Why("forward", "", "", "", "dig"), 0, None)
        )
        files.append(hour_of(RECORDED), line)
    files.close()
    return RecordArchive(deployment / "var/cdr")


def sequences(archive: RecordArchive) -> list[object]:
    return [record["sequence_number"] for hour in archive.hours() for record in archive.read(hour)]


def test_closed_hours_are_sealed(work: Work, with_keys: Path, archive: RecordArchive) -> None:
    ran = work("records", "seal")

    assert (ran.returncode, ran.stdout) == (0, "sealed: 10 records in 1 file\n")
    (file,) = archive.files()
    assert file.is_sealed
    assert json.loads(work("records", "seal", "--json").stdout) == {
        "files": 0,
        "rows": 0,
        "busy": 0,
    }
    assert with_keys.is_file()


def test_without_keys_it_is_said_how_to_make_one(work: Work, archive: RecordArchive) -> None:
    ran = work("records", "seal")

    assert ran.returncode == 2
    assert "smsward keys new" in ran.stderr
    assert not archive.files()[0].is_sealed


@pytest.mark.usefixtures("with_keys")
def test_before_the_first_record_there_is_nothing_to_seal(work: Work) -> None:
    assert work("records", "seal").stdout == "sealed: 0 records in 0 files\n"


@pytest.mark.usefixtures("with_keys")
def test_an_hour_that_is_still_written_is_counted(work: Work, deployment: Path) -> None:
    files = HourFiles(deployment / "var/cdr")
    files.append(hour_of(RECORDED), b"{}\n")

    ran = work("records", "seal")
    files.close()

    assert "still being written: 1 file" in ran.stdout


@pytest.mark.usefixtures("with_keys")
@pytest.mark.parametrize("command", ["seal", "purge"])
def test_two_that_work_on_records_do_not_do_so_at_once(
    work: Work, archive: RecordArchive, command: str
) -> None:
    with archive.alone():
        ran = work("records", command)

    assert ran.returncode == 1
    assert "is being worked on" in ran.stderr
    assert len(sequences(archive)) == 10


@pytest.mark.usefixtures("with_keys")
def test_a_directory_that_cannot_be_read_is_an_error_in_words(
    work: Work, archive: RecordArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_archive: RecordArchive) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(RecordArchive, "superseded", refuse)

    for command in ("seal", "purge"):
        ran = work("records", command)
        assert ran.returncode == 1
        assert "Permission denied" in ran.stderr
    assert archive.hours()


def test_r72_ten_expired_records_two_in_an_open_case(work: Work, archive: RecordArchive) -> None:
    held = work(
        *("records", "hold", "add", "--from", "2013-09-30", "--to", "2013-10-01"),
        *("--number", "13800138007", "--reason", "fraud", "--reference", "case 2013-118"),
    )
    assert held.stdout.startswith("held: number 1")

    rehearsed = json.loads(work("records", "purge", "--dry-run", "--json").stdout)
    assert rehearsed["purged"][0] == {"what": "records", "gone": 8, "held": 2}
    assert len(sequences(archive)) == 10

    ran = work("records", "purge", "--by", "lin")

    assert ran.returncode == 0
    assert sequences(archive) == [3, 8]
    (noted,) = json.loads(work("records", "purges", "--json").stdout)
    assert (noted["count"], noted["what"], noted["by"]) == (8, "records", acting("lin"))


def test_r72_a_day_after_the_case_is_closed_its_records_go(
    work: Work, archive: RecordArchive, in_store: InStore
) -> None:
    yesterday = utcnow() - timedelta(days=1, minutes=1)
    case = LegalHold(
        RECORDED, RECORDED + timedelta(hours=1), None, 8613800138007, "fraud", "7", "lin", RECORDED
    )

    async def close_yesterday(stores: object) -> None:
        holds = stores.legal_holds  # type: ignore[attr-defined]
        await holds.lift(await holds.add(case), "lin", yesterday)
        await holds.lift(await holds.add(replace(case, msisdn=8613900139000)), "lin", utcnow())

    in_store(close_yesterday)

    work("records", "purge")

    assert sequences(archive) == [0]


def test_r72_each_kind_of_evidence_is_purged_with_the_records(work: Work) -> None:
    ran = work("records", "purge", "--dry-run", "--json")

    assert [one["what"] for one in json.loads(ran.stdout)["purged"]] == [
        "records",
        "messages",
        "relations",
        "reports",
        "audits",
        "preferences",
        "suspensions",
        "warnings",
        "complaints",
        "cases",
        "samples",
    ]


@pytest.mark.usefixtures("archive")
def test_messages_that_were_decided_are_purged_too(
    work: Work, hold: Hold, in_store: InStore
) -> None:
    hold(message_id=1, held_at=RECORDED, state=HoldState.DISCARDED, receipt_asked=False)
    hold(message_id=2, held_at=RECORDED)

    ran = work("records", "purge")

    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in ran.stdout.splitlines()]
    assert ["records", "10", "0"] in rows
    assert ["messages", "1", "0"] in rows
    assert "6 calendar months back" in ran.stdout
    found: list[HeldMessage] = []

    async def look(stores: object) -> None:
        found.extend(await stores.quarantine.find())  # type: ignore[attr-defined]

    in_store(look)
    assert [held.message_id for held in found] == [2]


def test_what_will_go_is_told_ahead(work: Work, archive: RecordArchive) -> None:
    early = work("records", "purge", "--dry-run", "--json", "--now", "2014-03-30")
    late = work("records", "purge", "--dry-run", "--json", "--now", "2014-04-01T00:00:00Z")
    ahead = work("records", "purge", "--dry-run", "--now", "2100-01-01")

    assert json.loads(early.stdout)["purged"][0]["gone"] == 0
    assert json.loads(late.stdout)["purged"][0]["gone"] == 10
    assert ahead.returncode == 0
    assert len(sequences(archive)) == 10


def test_nothing_is_purged_before_its_time(work: Work, archive: RecordArchive) -> None:
    assert work("records", "purge", "--now", "2100-01-01").returncode == 2
    assert work("records", "purge", "--now", "2014-03-30").returncode == 0

    assert len(sequences(archive)) == 10


def test_a_file_that_cannot_be_unpacked_is_not_deleted(work: Work, deployment: Path) -> None:
    path = deployment / "var/cdr/cdr-20130930-08.jsonl.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03 no deflate")

    ran = work("records", "purge")

    assert ran.returncode == 1
    assert "what cannot be read is not deleted" in ran.stderr
    assert path.exists()


def test_purges_are_listed_for_people(work: Work, archive: RecordArchive) -> None:
    assert work("records", "purges").stdout == "nothing yet\n"
    work("records", "purge", "--by", "lin")

    (row,) = [line for line in work("records", "purges").stdout.splitlines() if "lin" in line]

    assert [cell.strip() for cell in row.split("│")[3:-1]] == [
        "records",
        "2013-09-30 08:00",
        "2013-09-30 09:00",
        "10",
        acting("lin"),
    ]
    assert archive.hours() == []


@pytest.mark.parametrize("command", [("records", "purges"), ("audit", "show")])
@pytest.mark.parametrize("limit", ["0", "10001"])
def test_a_listing_has_bounds(work: Work, command: tuple[str, str], limit: str) -> None:
    assert work(*command, "--limit", limit).returncode == 2


def test_check_warns_of_records_that_stay_open(
    cli: Cli, options: tuple[str, ...], deployment: Path
) -> None:
    assert "RECORDS NOT SEALED" in cli("check", *options).stderr
    path = deployment / "config/gateway.yaml"
    path.write_text(path.read_text().replace('/cdr"}', '/cdr", texts: true}'))

    assert "numbers and TEXTS" in cli("check", *options).stderr


@pytest.mark.usefixtures("with_keys")
def test_check_is_content_where_there_are_keys(cli: Cli, options: tuple[str, ...]) -> None:
    assert "RECORDS" not in cli("check", *options).stderr


def test_r73_the_journals_are_verified_and_the_first_broken_row_is_named(
    work: Work, archive: RecordArchive, deployment: Path
) -> None:
    assert archive.directory.is_dir()
    work("records", "purge", "--by", "lin")
    whole = work("audit", "verify")
    purges = json.loads(work("audit", "verify", "--json").stdout)[1]
    with closing(
        sqlite3.connect(deployment / "var/smsward.db", isolation_level=None)
    ) as connection:
        connection.execute("DROP TRIGGER tr_purge_log_update")
        connection.execute("UPDATE purge_log SET by = 'nobody'")

    broken = work("audit", "verify")

    assert (whole.returncode, broken.returncode) == (0, 1)
    assert purges["head"] in whole.stdout
    assert (purges["journal"], purges["rows"], purges["problem"]) == ("purge_log", 1, "")
    assert "it was changed" in broken.stdout
