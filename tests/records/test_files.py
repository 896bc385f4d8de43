import errno
import fcntl
import gzip
import os
import resource
import stat
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.records.writer import (
    MAX_LINE_OCTETS,
    HourFiles,
    lock_alone,
    prepare_directory,
    read_records,
)

HOUR = 1_380_531_600 // 3600  # 2013-09-30, 09 UTC


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "var" / "cdr"


@pytest.fixture
def files(directory: Path) -> Iterator[HourFiles]:
    files = HourFiles(directory)
    yield files
    files.close()


@contextmanager
def file_size_limit(octets: int) -> Iterator[None]:
    """Let the system refuse every octet past `octets` of any file, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_lines_go_to_the_file_of_their_hour(files: HourFiles, directory: Path) -> None:
    assert files.append(HOUR, b"1\n") == (2, None)
    assert files.append(HOUR + 1, b"2\n") == (2, None)
    assert files.append(HOUR, b"3\n") == (2, None)

    assert (directory / "cdr-20130930-09.jsonl").read_bytes() == b"1\n3\n"
    assert (directory / "cdr-20130930-10.jsonl").read_bytes() == b"2\n"


def test_nobody_else_may_read_them(files: HourFiles, directory: Path) -> None:
    umask = os.umask(0)
    try:
        files.append(HOUR, b"1\n")
    finally:
        os.umask(umask)

    assert mode(directory) == 0o700
    assert mode(files.path_of(HOUR)) == 0o600


def test_only_one_file_is_open(files: HourFiles) -> None:
    before = open_files()

    for hour in range(50):
        files.append(HOUR + hour, b"1\n")

    assert open_files() == before + 1
    files.close()
    assert open_files() == before


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        (b"", b""),
        (b"1\n", b"1\n"),
        (b"1\n2", b"1\n"),
        (b"torn", b""),
        (b"1\n" + b"x" * 200_000, b"1\n"),
        (b"1" * 65_535 + b"\n" + b"x" * 65_536, b"1" * 65_535 + b"\n"),
    ],
)
def test_half_a_line_left_by_a_crash_is_cut_off(
    files: HourFiles,
    directory: Path,
    found: bytes,
    kept: bytes,
    log_lines: list[dict[str, object]],
) -> None:
    prepare_directory(directory)
    files.path_of(HOUR).write_bytes(found)

    files.append(HOUR, b"2\n")

    assert files.path_of(HOUR).read_bytes() == kept + b"2\n"
    assert [line["octets"] for line in log_lines] == (
        [len(found) - len(kept)] if found != kept else []
    )


@given(st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=8), st.integers(0, 300))
def test_a_full_disk_keeps_whole_lines_and_the_rest_can_be_given_again(
    tmp_path_factory: pytest.TempPathFactory, texts: list[bytes], room: int
) -> None:
    lines = b"".join(text.replace(b"\n", b" ") + b"\n" for text in texts)
    files = HourFiles(tmp_path_factory.mktemp("cdr"))

    with file_size_limit(room):
        kept, fault = files.append(HOUR, lines)
    found = files.path_of(HOUR).read_bytes()
    rest = files.append(HOUR, lines[kept:])
    files.close()

    assert (fault is None) is (room >= len(lines))
    assert found == lines[:kept]
    assert kept == lines.rfind(b"\n", 0, room) + 1 or room >= len(lines)
    assert rest == (len(lines) - kept, None)
    assert files.path_of(HOUR).read_bytes() == lines


def test_a_directory_that_cannot_be_made_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "cdr").write_text("a file stands in the way")
    files = HourFiles(tmp_path / "cdr")

    kept, fault = files.append(HOUR, b"1\n")

    assert kept == 0
    assert isinstance(fault, FileExistsError)
    (tmp_path / "cdr").unlink()
    assert files.append(HOUR, b"1\n") == (2, None)
    files.close()


def test_a_file_taken_away_is_made_anew(files: HourFiles) -> None:
    files.append(HOUR, b"1\n")
    files.path_of(HOUR).unlink()

    files.append(HOUR, b"2\n")

    assert files.path_of(HOUR).read_bytes() == b"2\n"


def test_a_link_in_the_place_of_a_file_is_not_followed(files: HourFiles, directory: Path) -> None:
    prepare_directory(directory)
    victim = directory.parent / "victim"
    victim.write_text("precious")
    files.path_of(HOUR).symlink_to(victim)

    kept, fault = files.append(HOUR, b"1\n")

    assert kept == 0
    assert fault is not None
    assert victim.read_text() == "precious"


def test_a_directory_without_permission_is_refused_at_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write anywhere, so the system's word is given here.
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)

    with pytest.raises(PermissionError, match="cannot write records"):
        prepare_directory(tmp_path)


def test_a_line_that_is_still_being_written_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "cdr.jsonl"
    path.write_bytes(b'{"kind":"a"}\n{"kind":"b"}\n{"kind":')

    assert list(read_records(path)) == [{"kind": "a"}, {"kind": "b"}]


def test_a_line_that_is_no_json_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "cdr.jsonl"
    path.write_bytes(b"torn\n")

    with pytest.raises(orjson.JSONDecodeError):
        list(read_records(path))


def test_a_packed_file_is_read_like_any_other(directory: Path) -> None:
    directory.mkdir(parents=True)
    path = directory / "cdr-20130930-09.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"n":1}\n{"n":2}\n{"n":'))

    assert list(read_records(path)) == [{"n": 1}, {"n": 2}]


def test_a_line_without_end_is_refused_before_it_fills_the_memory(directory: Path) -> None:
    directory.mkdir(parents=True)
    path = directory / "cdr-20130930-09.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"n":1}\n' + bytes(64 << 20)))
    tracemalloc.start()

    with pytest.raises(ValueError, match="does not end within"):
        list(read_records(path))

    _, peak_octets = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_octets < 5 * MAX_LINE_OCTETS


def test_a_row_that_comes_while_its_hour_is_taken_away_begins_a_new_file(
    files: HourFiles, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.mkdir(parents=True)
    path = directory / "cdr-20130930-09.jsonl"
    path.write_bytes(b"1\n")
    sealing = os.open(path, os.O_RDONLY)
    assert lock_alone(sealing)
    really = fcntl.flock

    def flock(fd: int, operation: int) -> None:
        path.rename(path.with_suffix(".0.jsonl"))
        monkeypatch.setattr(fcntl, "flock", really)
        really(fd, operation)

    monkeypatch.setattr(fcntl, "flock", flock)

    assert files.append(HOUR, b"2\n") == (2, None)

    os.close(sealing)
    assert path.read_bytes() == b"2\n"
    assert path.with_suffix(".0.jsonl").read_bytes() == b"1\n"


def test_a_file_that_lost_its_name_before_it_was_locked_is_not_written(
    files: HourFiles, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, path = fcntl.flock, directory / "cdr-20130930-09.jsonl"

    def flock(fd: int, operation: int) -> None:
        path.rename(path.with_suffix(".0.jsonl"))
        monkeypatch.setattr(fcntl, "flock", really)
        really(fd, operation)

    monkeypatch.setattr(fcntl, "flock", flock)

    assert files.append(HOUR, b"2\n") == (2, None)

    assert path.read_bytes() == b"2\n"
    assert path.with_suffix(".0.jsonl").read_bytes() == b""


def test_an_hour_that_another_process_holds_is_tried_again_later(
    files: HourFiles, directory: Path
) -> None:
    directory.mkdir(parents=True)
    path = directory / "cdr-20130930-09.jsonl"
    path.touch()
    held = os.open(path, os.O_RDONLY)
    assert lock_alone(held)
    before = open_files()

    kept, fault = files.append(HOUR, b"1\n")

    assert (kept, type(fault)) == (0, BlockingIOError)
    assert open_files() == before
    os.close(held)
    assert files.append(HOUR, b"1\n") == (2, None)


def test_on_a_disk_without_locks_records_are_written_and_never_taken_away(
    files: HourFiles, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(_fd: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)

    assert files.append(HOUR, b"1\n") == (2, None)

    fd = os.open(directory / "cdr-20130930-09.jsonl", os.O_RDONLY)
    assert not lock_alone(fd)
    os.close(fd)
