"""Lines of records as they stand, for those that skip most of them."""

import gzip
from pathlib import Path

import pytest

import gateway.records.archive as archive_module
from gateway.records.archive import RecordArchive, scan_hour, size_of

HOUR = 380_529  # 2013-05-30, 09 UTC
NAME = "cdr-20130530-09"


@pytest.fixture
def archive(tmp_path: Path) -> RecordArchive:
    return RecordArchive(tmp_path)


def write(archive: RecordArchive, name: str, octets: bytes) -> None:
    packed = gzip.compress(octets) if name.endswith(".gz") else octets
    (archive.directory / name).write_bytes(packed)


def lines_of(archive: RecordArchive) -> list[tuple[str, int, bytes]]:
    return [
        (block.path.name, number, line)
        for block in scan_hour(archive, HOUR, lambda _octets: None)
        for number, line in enumerate(block.lines, block.first)
    ]


def test_lines_of_all_files_of_an_hour_come_in_their_order(archive: RecordArchive) -> None:
    write(archive, f"{NAME}.jsonl", b"5\n")
    write(archive, f"{NAME}.1.jsonl", b"3\n4\n")
    write(archive, f"{NAME}.jsonl.gz", b"1\n2\n")
    write(archive, "cdr-20130530-10.jsonl", b"6\n")

    assert lines_of(archive) == [
        (f"{NAME}.jsonl.gz", 1, b"1"),
        (f"{NAME}.jsonl.gz", 2, b"2"),
        (f"{NAME}.1.jsonl", 1, b"3"),
        (f"{NAME}.1.jsonl", 2, b"4"),
        (f"{NAME}.jsonl", 1, b"5"),
    ]


@pytest.mark.parametrize("block", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize("name", [f"{NAME}.jsonl", f"{NAME}.jsonl.gz"])
def test_lines_are_whole_however_the_file_is_read(
    archive: RecordArchive, name: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "_BLOCK_OCTETS", block)
    write(archive, name, b"one\n\ntwo\nthree\nhalf a li")

    found = lines_of(archive)

    assert [line for _, _, line in found] == [b"one", b"", b"two", b"three"]
    assert [number for _, number, _ in found] == [1, 2, 3, 4]


def test_what_is_told_adds_up_to_what_lies_on_the_disk(
    archive: RecordArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "_BLOCK_OCTETS", 300)
    write(archive, f"{NAME}.jsonl.gz", b"1\n" * 1000)
    write(archive, f"{NAME}.1.jsonl", b"2\n" * 1000)
    write(archive, "cdr-20130530-10.jsonl", b"3\n")
    told: list[int] = []

    for _ in scan_hour(archive, HOUR, told.append):
        pass

    assert sum(told) == size_of(archive, HOUR, HOUR) < size_of(archive, HOUR, HOUR + 1)


def test_a_line_without_end_is_no_record(
    archive: RecordArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "MAX_LINE_OCTETS", 10)
    monkeypatch.setattr(archive_module, "_BLOCK_OCTETS", 8)
    write(archive, f"{NAME}.jsonl", b"a\nb\n" + b"x" * 100)

    with pytest.raises(ValueError, match="line 3 does not end"):
        lines_of(archive)


def test_an_hour_that_is_sealed_meanwhile_is_read_whole(
    archive: RecordArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(archive, f"{NAME}.jsonl", b"1\n")
    listed = archive.files()
    (archive.directory / f"{NAME}.jsonl").rename(archive.directory / f"{NAME}.0.jsonl")
    looks = iter([listed, listed])
    look_again = archive.files
    monkeypatch.setattr(archive, "files", lambda: next(looks, None) or look_again())

    assert size_of(archive, HOUR, HOUR) == 0
    assert [line for _, _, line in lines_of(archive)] == [b"1"]


def test_an_hour_that_stays_gone_is_said(
    archive: RecordArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(archive, f"{NAME}.jsonl", b"1\n")
    listed = archive.files()
    listed[0].path.unlink()
    monkeypatch.setattr(archive, "files", lambda: listed)

    with pytest.raises(FileNotFoundError):
        lines_of(archive)
