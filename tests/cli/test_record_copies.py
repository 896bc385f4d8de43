"""Hours of records are copied once beside a backup, and come back with their digests compared."""

import json
import os
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from io import BufferedWriter
from pathlib import Path
from subprocess import CompletedProcess
from typing import NoReturn

import pytest

from gateway.cli.backups.record_copies import (
    LIST,
    RecordCopies,
    RestoredRecords,
    copy_records,
    restore_records,
)
from gateway.domain.quarantine import HeldMessage
from gateway.records.archive import RecordArchive, replacing, start_of
from gateway.terminal.failure import CommandError
from tests.records.finding_rows import HOUR

Cli = Callable[..., CompletedProcess[str]]
Hold = Callable[..., HeldMessage]

NOW = start_of(HOUR + 3) + timedelta(minutes=5)
SEALED, CLOSED, LAST = (
    "cdr-20130930-08.jsonl.gz",
    "cdr-20130930-09.0.jsonl",
    "cdr-20130930-10.jsonl",
)

OPEN, CLOSED_NOW = "cdr-20130930-07.jsonl", "cdr-20130930-07.0.jsonl"


class Place:
    """Records of three hours, and where their copies go. The hour of now is the fourth."""

    def __init__(self, directory: Path) -> None:
        self.records, self.copies = directory / "cdr", directory / "backup" / "records"
        self.archive = RecordArchive(self.records)
        self.records.mkdir()
        for name in (SEALED, CLOSED, LAST):
            self.write(name, f"{name}\n")

    def write(self, name: str, text: str) -> None:
        (self.records / name).write_text(text, encoding="ascii")

    def copy(self, *, sealed_only: bool = False) -> RecordCopies:
        return copy_records(self.archive, self.copies, NOW, bool, sealed_only=sealed_only)

    def restore(self) -> RestoredRecords:
        return restore_records(self.copies, self.archive, bool)

    def names(self) -> set[str]:
        return {one.name for one in self.copies.iterdir()} - {LIST}


def fail(*_: object) -> NoReturn:
    raise OSError("the power failed")


def replacing_once() -> Callable[[Path], AbstractContextManager[BufferedWriter]]:
    """Return what replaces one file, and fails from then on."""
    ways = iter([replacing])

    def replace_once(path: Path) -> AbstractContextManager[BufferedWriter]:
        return next(ways, fail)(path)

    return replace_once


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_hours_that_are_over_are_copied_once(place: Place) -> None:
    first, again = place.copy(), place.copy()

    assert (first.copied, first.kept) == (2, 0)  # rows of the last hour may still come
    assert (again.copied, again.kept) == (0, 2)
    assert place.names() == {SEALED, CLOSED}
    assert {one.stat().st_mode & 0o077 for one in (place.copies, *place.copies.iterdir())} == {0}


def test_the_list_is_one_that_sha256sum_reads(place: Place) -> None:
    place.copy()

    done = subprocess.run(  # noqa: S603
        ["/usr/bin/sha256sum", "--check", "--strict", LIST],
        cwd=place.copies,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": OK") == 2


def test_where_there_are_keys_no_copy_is_open(place: Place) -> None:
    place.copy()

    told = place.copy(sealed_only=True)
    place.write(CLOSED.replace(".0.jsonl", ".jsonl.gz"), "sealed\n")
    (place.records / CLOSED).unlink()
    after = place.copy(sealed_only=True)

    assert (told.copied, told.waiting, told.gone) == (0, 1, 0)
    assert (after.copied, after.waiting, after.gone) == (1, 0, 0)
    assert place.names() == {SEALED, "cdr-20130930-09.jsonl.gz"}


def test_what_was_rewritten_is_copied_again_and_what_is_gone_is_counted(place: Place) -> None:
    place.copy()
    place.write(SEALED, "only what a hold keeps\n")
    (place.records / CLOSED).unlink()

    told = place.copy()

    assert (told.copied, told.kept, told.gone) == (1, 0, 1)
    assert (place.copies / CLOSED).exists()  # a disk may have lost it


def test_a_copy_that_is_made_anew_is_listed_with_no_digest_of_before(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.copy()
    place.write(SEALED, "only what a hold keeps\n")
    with monkeypatch.context() as at_the_end:  # the power fails once the copy has its name
        at_the_end.setattr("gateway.cli.backups.record_copies.sync_directory", fail)
        at_the_end.setattr("gateway.cli.backups.record_copies.replacing", replacing_once())
        with pytest.raises(CommandError, match="not copied: the power failed"):
            place.copy()

    assert (place.copies / SEALED).read_bytes() == (place.records / SEALED).read_bytes()
    assert SEALED.encode() not in (place.copies / LIST).read_bytes()
    assert place.copy().copied == 1
    assert restore_records(place.copies, None, bool).damaged == []


def test_a_copy_that_cannot_be_made_anew_stays_what_it_was(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.copy()
    place.write(SEALED, "only what a hold keeps\n")
    with monkeypatch.context() as full:
        full.setattr("gateway.cli.backups.record_copies.copied", fail)
        with pytest.raises(CommandError, match="not copied"):
            place.copy()

    assert restore_records(place.copies, None, bool).damaged == []
    assert SEALED.encode() in (place.copies / LIST).read_bytes()


def test_a_copy_that_was_interrupted_is_made_again(place: Place) -> None:
    place.copies.mkdir(parents=True)
    (place.copies / f".{SEALED}.part").write_text("half", encoding="ascii")
    (place.copies / CLOSED).write_text("not in the list", encoding="ascii")

    assert place.copy().copied == 2
    assert place.names() == {SEALED, CLOSED}


def test_what_is_missing_comes_back_and_what_is_there_stays(place: Place) -> None:
    place.copy()
    before = (place.records / SEALED).read_bytes()
    (place.records / SEALED).unlink()
    place.write(CLOSED, "other\n")

    told = place.restore()

    assert (told.written, told.kept, told.damaged) == (1, 1, [])
    assert (place.records / SEALED).read_bytes() == before
    assert (place.records / CLOSED).read_text(encoding="ascii") == "other\n"
    assert {one.name for one in place.records.iterdir()} == {SEALED, CLOSED, LAST}


@pytest.mark.parametrize("is_rewritten", [False, True])
def test_an_hour_that_was_closed_since_is_copied_and_restored_once(
    place: Place, *, is_rewritten: bool
) -> None:
    place.write(OPEN, "two rows\nof one hour\n")
    place.copy()
    (place.records / OPEN).rename(place.records / CLOSED_NOW)  # as a purge does
    unlike = place.restore()
    if is_rewritten:
        place.write(CLOSED_NOW, "one row\n")

    told = place.copy()
    kept = (place.records / CLOSED_NOW).read_bytes()
    for one in place.archive.every_file():
        one.path.unlink()

    assert (unlike.written, unlike.kept) == (0, 3)
    assert (told.copied, told.kept, told.gone) == (is_rewritten, 3 - is_rewritten, 0)
    assert place.names() == {SEALED, CLOSED, CLOSED_NOW}
    assert (place.restore().written, place.restore().kept) == (3, 3)
    assert (place.records / CLOSED_NOW).read_bytes() == kept


def test_an_hour_that_was_closed_since_is_not_closed_twice_after_a_kill(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write(OPEN, "two rows\nof one hour\n")
    place.copy()
    (place.records / OPEN).rename(place.records / CLOSED_NOW)
    with monkeypatch.context() as killed:
        killed.setattr("gateway.cli.backups.record_copies.replacing", replacing_once())
        with pytest.raises(CommandError, match="not copied"):
            place.copy()

    assert restore_records(place.copies, None, bool).damaged == []
    assert (place.copy().gone, place.names()) == (0, {SEALED, CLOSED, CLOSED_NOW})


def test_rows_that_came_late_are_a_part_of_their_own_and_all_come_back(place: Place) -> None:
    place.write(OPEN, "late\n")
    place.write(CLOSED_NOW, "first\n")
    place.copy()
    (place.records / OPEN).unlink()  # a disk lost it

    told, restored = place.copy(), place.restore()
    (place.records / OPEN).rename(place.records / CLOSED_NOW.replace(".0.", ".1."))
    closed = place.copy()

    assert (told.gone, restored.written, restored.kept) == (1, 1, 3)
    assert (closed.copied, closed.gone) == (0, 0)
    assert place.names() == {SEALED, CLOSED, CLOSED_NOW, CLOSED_NOW.replace(".0.", ".1.")}


@pytest.mark.parametrize("copied", [CLOSED_NOW, "cdr-20130930-07.jsonl.gz"])
def test_a_late_row_after_a_lost_disk_stands_for_no_hour(place: Place, copied: str) -> None:
    place.write(copied, "an hour\nof rows\n")
    place.copy()
    (place.records / copied).unlink()  # a disk lost it
    place.write(OPEN, "late\n")

    assert place.restore().written == 1
    assert (place.records / copied).read_text(encoding="ascii") == "an hour\nof rows\n"


def test_an_open_copy_stands_for_no_late_row(place: Place) -> None:
    place.write(OPEN, "an hour\nof rows\n")
    place.copy()
    (place.records / OPEN).unlink()
    place.write(CLOSED_NOW, "late\n")

    assert place.restore().written == 1


def test_a_part_that_a_purge_left_some_rows_of_stands_for_its_copy(place: Place) -> None:
    place.write(OPEN, "purged\nheld\n")
    place.copy()
    (place.records / OPEN).unlink()
    place.write(CLOSED_NOW, "held\n")

    assert place.restore().written == 0


def test_a_sealed_part_stands_for_no_other_part_of_its_hour(place: Place) -> None:
    late = CLOSED.replace(".0.", ".1.")
    place.write(late, "late\n")
    place.copy()
    (place.records / CLOSED).rename(place.records / CLOSED.replace(".0.jsonl", ".jsonl.gz"))
    (place.records / late).unlink()  # a disk lost it

    told, restored = place.copy(sealed_only=True), place.restore()

    assert (told.copied, told.gone, restored.written, restored.kept) == (1, 1, 1, 2)
    assert (place.records / late).read_text(encoding="ascii") == "late\n"


def test_of_a_sealed_copy_and_an_open_one_beside_it_one_is_restored(place: Place) -> None:
    place.copy()
    sealed = CLOSED.replace(".0.jsonl", ".jsonl.gz")
    place.write(sealed, "sealed\n")
    (place.records / CLOSED).unlink()
    lines = (place.copies / LIST).read_bytes()
    before = (place.copies / CLOSED).read_bytes()
    place.copy(sealed_only=True)
    (place.copies / CLOSED).write_bytes(before)  # the backup was killed before it took that away
    with (place.copies / LIST).open("ab") as file:
        file.write(lines)
    for one in place.archive.every_file():
        one.path.unlink()

    told = place.restore()

    assert (told.written, told.kept, told.damaged) == (2, 1, [])
    assert {one.name for one in place.records.iterdir()} == {SEALED, sealed}


def test_what_was_deleted_from_the_copies_by_hand_is_not_missed(place: Place) -> None:
    place.copy()
    for directory in (place.records, place.copies):
        (directory / CLOSED).unlink()

    assert (place.copy().gone, place.restore().damaged) == (0, [])


def test_a_copy_of_an_hour_that_was_sealed_since_stays_out(place: Place) -> None:
    place.copy()
    (place.records / CLOSED).rename(place.records / "cdr-20130930-09.jsonl.gz")

    assert place.restore().written == 0


def test_a_copy_that_was_changed_or_is_gone_is_named_and_the_rest_comes_back(place: Place) -> None:
    place.copy()
    for name in (SEALED, CLOSED):
        (place.records / name).unlink()
    os.truncate(place.copies / CLOSED, 3)

    compared = restore_records(place.copies, None, bool)
    told = place.restore()
    (place.copies / SEALED).unlink()

    assert compared.damaged == told.damaged == [CLOSED]
    assert (compared.written, told.written) == (0, 1)
    assert {one.name for one in place.records.iterdir()} == {SEALED, LAST}
    assert restore_records(place.copies, None, bool).damaged == [SEALED, CLOSED]


def test_two_backups_do_not_copy_to_one_place_at_once(place: Place) -> None:
    place.copy()

    with RecordArchive(place.copies).alone(), pytest.raises(CommandError, match="another backup"):
        place.copy()


def test_a_place_that_cannot_be_written_is_said(place: Place) -> None:
    place.copies.parent.mkdir()
    place.copies.write_text("a file", encoding="ascii")

    with pytest.raises(CommandError, match="not copied: File exists"):
        place.copy()


def test_records_come_back_with_their_store(
    cli: Cli, deployment: Path, options: tuple[str, ...], hold: Hold
) -> None:
    hold()
    cdr, copies, backup = (str(deployment / one) for one in ("var/cdr", "copies", "b.tar"))
    Path(cdr).mkdir(parents=True)
    (Path(cdr) / SEALED).write_bytes(b"sealed")

    made = cli("backup", backup, "--records", copies, *options)
    (Path(cdr) / SEALED).unlink()
    (deployment / "var/smsward.db").unlink()
    checked = cli("restore", backup, "--check", "--records", copies)
    done = cli("restore", backup, "--records", copies, "--json")

    assert "records: 1 file copied, 0 were there" in made.stdout
    assert (made.returncode, checked.returncode, done.returncode) == (0, 0, 0), done.stderr
    assert json.loads(done.stdout)["records"] == {"written": 1, "kept": 0, "damaged": []}
    assert (Path(cdr) / SEALED).read_bytes() == b"sealed"
    (Path(copies) / SEALED).write_bytes(b"another")
    damaged = cli("restore", backup, "--check", "--records", copies)
    as_json = cli("restore", backup, "--check", "--records", copies, "--json")
    assert (damaged.returncode, SEALED in damaged.stderr) == (1, True)
    assert json.loads(as_json.stdout)["records"]["damaged"] == [SEALED]
    nothing = cli("restore", backup, "--check", "--records", str(deployment))
    assert "there are no copies of records" in nothing.stderr
    without = cli("restore", backup, "--overwrite", "--records", str(deployment))
    assert (without.returncode, "there are no copies of records" in without.stderr) == (2, True)
    assert "restored as of" in without.stdout  # the store is


@pytest.mark.parametrize("name", ["var/cdr", "link", "var/cdr/copies"])
def test_records_are_not_copied_among_themselves(
    cli: Cli, deployment: Path, options: tuple[str, ...], hold: Hold, name: str
) -> None:
    hold()
    cdr, place = deployment / "var/cdr", str(deployment / name)
    cdr.mkdir()
    (cdr / SEALED).write_bytes(b"sealed")
    (deployment / "link").symlink_to(cdr)

    first, second = (str(deployment / one) for one in ("first.tar", "second.tar"))
    assert cli("backup", first, *options).returncode == 0

    made = cli("backup", second, "--records", place, *options)
    restored = cli("restore", first, "--overwrite", "--records", place)

    assert [one.returncode for one in (made, restored)] == [2, 2]
    assert all("copies of records are not kept at" in one.stderr for one in (made, restored))
    assert [one.name for one in cdr.iterdir()] == [SEALED]
    assert not list(deployment.glob("second*"))
    assert not list((deployment / "var").glob("*.before-*"))
