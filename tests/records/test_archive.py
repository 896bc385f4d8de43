import gzip
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.records.archive import (
    ArchiveBusyError,
    RecordArchive,
    hour_of,
    replacing,
    start_of,
)
from gateway.records.writer import HourFiles

HOUR = hour_of(datetime(2013, 9, 30, 9, tzinfo=UTC))


@pytest.fixture
def archive(tmp_path: Path) -> RecordArchive:
    return RecordArchive(tmp_path)


def write(directory: Path, name: str, *numbers: int) -> None:
    lines = b"".join(b'{"n":%d}\n' % number for number in numbers)
    (directory / name).write_bytes(gzip.compress(lines) if name.endswith(".gz") else lines)


def numbers(archive: RecordArchive, hour: int = HOUR) -> list[object]:
    return [record["n"] for record in archive.read(hour)]


def test_an_hour_is_read_in_the_order_of_its_parts(archive: RecordArchive) -> None:
    for name, number in (
        ("cdr-20130930-09.jsonl", 5),
        ("cdr-20130930-09.2.jsonl", 4),
        ("cdr-20130930-09.10.jsonl", 4.5),
        ("cdr-20130930-09.jsonl.gz", 1),
        ("cdr-20130930-09.1.jsonl.gz", 3),
        ("cdr-20130930-10.jsonl", 9),
    ):
        write(archive.directory, name, int(number * 10))

    assert numbers(archive) == [10, 30, 40, 45, 50]
    assert archive.hours() == [HOUR, HOUR + 1]


def test_of_a_closed_file_and_its_sealed_copy_only_one_is_read(archive: RecordArchive) -> None:
    write(archive.directory, "cdr-20130930-09.0.jsonl", 1, 2)
    write(archive.directory, "cdr-20130930-09.jsonl.gz", 1, 2)

    assert numbers(archive) == [1, 2]
    assert archive.superseded() == [archive.directory / "cdr-20130930-09.0.jsonl"]


@pytest.mark.parametrize(
    "name",
    [
        "cdr-20130930-25.jsonl",
        "cdr-20131330-09.jsonl",
        "cdr-20130930-09.json",
        "cdr-20130930-09.x.jsonl",
        ".cdr-20130930-09.jsonl.gz.part",
        "notes.txt",
    ],
)
def test_other_files_are_no_records(archive: RecordArchive, name: str) -> None:
    write(archive.directory, name, 1)

    assert archive.files() == []
    assert archive.hours() == []


def test_an_hour_that_is_sealed_while_it_is_read_is_read_whole(
    archive: RecordArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(archive.directory, "cdr-20130930-09.jsonl", 1, 2)
    listed = archive.files()
    (archive.directory / "cdr-20130930-09.jsonl").rename(
        archive.directory / "cdr-20130930-09.0.jsonl"
    )
    looks = iter([listed])
    look_again = archive.files
    monkeypatch.setattr(archive, "files", lambda: next(looks, None) or look_again())

    assert numbers(archive) == [1, 2]


def test_an_hour_that_stays_gone_is_said(
    archive: RecordArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(archive.directory, "cdr-20130930-09.jsonl", 1)
    listed = archive.files()
    listed[0].path.unlink()
    monkeypatch.setattr(archive, "files", lambda: listed)

    with pytest.raises(FileNotFoundError):
        numbers(archive)


def test_a_file_is_closed_once_its_writer_lets_go(archive: RecordArchive) -> None:
    files = HourFiles(archive.directory)
    files.append(HOUR, b'{"n":1}\n')
    (found,) = archive.files()

    assert archive.close(found) is None
    files.close()
    closed = archive.close(found)

    assert closed is not None
    assert closed.path.name == "cdr-20130930-09.0.jsonl"
    assert archive.close(closed) is closed
    assert archive.files() == [closed]


def test_rows_that_come_after_an_hour_was_closed_begin_a_part_of_their_own(
    archive: RecordArchive,
) -> None:
    for number in (1, 2, 3):
        files = HourFiles(archive.directory)
        files.append(HOUR, b'{"n":%d}\n' % number)
        files.close()
        archive.close(archive.files()[-1])

    assert [file.path.name for file in archive.files()] == [
        "cdr-20130930-09.0.jsonl",
        "cdr-20130930-09.1.jsonl",
        "cdr-20130930-09.2.jsonl",
    ]
    assert [file.sealed_path.name for file in archive.files()] == [
        "cdr-20130930-09.jsonl.gz",
        "cdr-20130930-09.1.jsonl.gz",
        "cdr-20130930-09.2.jsonl.gz",
    ]
    assert numbers(archive) == [1, 2, 3]


def test_a_file_that_was_taken_away_meanwhile_is_not_closed(archive: RecordArchive) -> None:
    write(archive.directory, "cdr-20130930-09.jsonl", 1)
    (found,) = archive.files()
    fd = os.open(found.path, os.O_RDONLY)
    found.path.rename(archive.directory / "cdr-20130930-09.0.jsonl")
    write(archive.directory, "cdr-20130930-09.jsonl", 2)
    os.close(fd)

    closed = archive.close(found)

    assert closed is not None
    assert closed.path.name == "cdr-20130930-09.1.jsonl"


def test_only_one_process_works_on_a_directory(archive: RecordArchive) -> None:
    with (
        archive.alone(),
        pytest.raises(ArchiveBusyError, match="is being worked on"),
        archive.alone(),
    ):
        pass

    with archive.alone():
        pass


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "cdr-20130930-09.jsonl.gz"
    path.write_bytes(b"before")

    def fail() -> None:
        with replacing(path) as out:
            out.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [(path.name, b"before")]

    with replacing(path) as out:
        out.write(b"after")

    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [(path.name, b"after")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_hours_begin_on_the_hour() -> None:
    assert start_of(HOUR) == datetime(2013, 9, 30, 9, tzinfo=UTC)
    assert hour_of(datetime(2013, 9, 30, 9, 59, 59, tzinfo=UTC)) == HOUR
