"""Records are followed: each line once, while files are closed and sealed, and over restarts."""

import gzip
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.records import record_tail
from gateway.records.archive import RecordArchive, hour_of
from gateway.records.record_tail import KEPT_HOURS, RecordTail, TailPosition

HOUR = hour_of(datetime(2013, 11, 4, 9, tzinfo=UTC))
START = TailPosition(0, {})


def new_of(tail: RecordTail) -> list[bytes]:
    return [line for some in tail.read(HOUR + 100) for line in some.lines[some.new_from :]]


def file_of(place: Path, hour: int = HOUR, part: str = "") -> Path:
    stamp = datetime.fromtimestamp(3600 * hour, UTC)
    return place / f"cdr-{stamp:%Y%m%d-%H}{part}.jsonl"


def write(path: Path, *lines: str, end: str = "\n") -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}{end}" for line in lines)


def seal(place: Path, part: int, hour: int = HOUR) -> None:
    """Pack a closed part, with longer lines, as sealing makes them."""
    closed = file_of(place, hour, f".{part}")
    lines = closed.read_bytes().splitlines()
    name = closed.name if part else file_of(place, hour).name
    with gzip.open(place / f"{name}.gz", "wb") as file:
        file.writelines(b"sealed " + line + b"\n" for line in lines)
    closed.unlink()


def test_what_is_written_is_returned_once(tmp_path: Path) -> None:
    tail = RecordTail(RecordArchive(tmp_path), START)
    write(file_of(tmp_path), "a", "b")

    first, second = new_of(tail), new_of(tail)
    write(file_of(tmp_path), "c")
    write(file_of(tmp_path), "half", end="")

    assert (first, second) == ([b"a", b"b"], [])
    assert new_of(tail) == [b"c"]
    write(file_of(tmp_path), " a line")
    assert new_of(tail) == [b"half a line"]


@pytest.mark.parametrize("is_restarted", [False, True])
def test_r95_closing_and_sealing_return_nothing_twice_and_lose_nothing(
    tmp_path: Path, *, is_restarted: bool
) -> None:
    place = RecordArchive(tmp_path)
    write(file_of(tmp_path), "a", "b")
    tail = RecordTail(place, START)
    assert new_of(tail) == [b"a", b"b"]

    write(file_of(tmp_path), "c")
    file_of(tmp_path).rename(file_of(tmp_path, part=".0"))
    write(file_of(tmp_path), "late")
    tail = RecordTail(place, tail.position()) if is_restarted else tail
    closed = new_of(tail)
    seal(tmp_path, 0)
    tail = RecordTail(place, tail.position()) if is_restarted else tail
    sealed = new_of(tail)
    file_of(tmp_path).rename(file_of(tmp_path, part=".1"))
    seal(tmp_path, 1)
    tail = RecordTail(place, tail.position()) if is_restarted else tail

    assert (closed, sealed) == ([b"c", b"late"], [])
    assert new_of(tail) == []


def test_lines_that_are_not_read_before_their_file_is_sealed_are_read_from_it(
    tmp_path: Path,
) -> None:
    write(file_of(tmp_path), "a")
    tail = RecordTail(RecordArchive(tmp_path), START)
    new_of(tail)
    write(file_of(tmp_path), "b")
    file_of(tmp_path).rename(file_of(tmp_path, part=".0"))
    seal(tmp_path, 0)

    assert new_of(tail) == [b"sealed b"]


def test_after_a_restart_old_lines_of_the_newest_hours_are_given_as_old(tmp_path: Path) -> None:
    for hour in (HOUR - 2, HOUR - 1, HOUR):
        write(file_of(tmp_path, hour), f"{hour - HOUR}")
    before = RecordTail(RecordArchive(tmp_path), START)
    new_of(before)
    write(file_of(tmp_path), "new")

    found = list(RecordTail(RecordArchive(tmp_path), before.position()).read(HOUR))

    assert [(one.hour - HOUR, one.lines, one.new_from) for one in found] == [
        (-1, [b"-1"], 1),
        (0, [b"0", b"new"], 1),
    ]


def test_hours_long_past_are_done(tmp_path: Path) -> None:
    old, new = HOUR, HOUR + KEPT_HOURS + 1
    tail = RecordTail(RecordArchive(tmp_path), START)
    write(file_of(tmp_path, old), "old")
    before = new_of(tail)
    write(file_of(tmp_path, new), "new")

    assert (before, new_of(tail)) == ([b"old"], [b"new"])
    assert tail.position() == TailPosition(old + 1, {new: 1})


def test_what_cannot_be_read_is_told_once_and_hinders_no_other_hour(tmp_path: Path) -> None:
    file_of(tmp_path).with_suffix(".jsonl.gz").write_bytes(b"no gzip")
    write(file_of(tmp_path, HOUR + 1), "a")
    tail = RecordTail(RecordArchive(tmp_path), START)

    assert new_of(tail) == [b"a"]
    assert list(tail.unread) == [HOUR]
    tail.unread.clear()
    assert new_of(tail) == []
    assert not tail.unread


def test_files_that_could_not_be_opened_are_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_file(*_args: object) -> None:
        raise OSError(24, "Too many open files")

    write(file_of(tmp_path), "a")
    tail = RecordTail(RecordArchive(tmp_path), START)
    with monkeypatch.context() as patched:
        patched.setattr(RecordArchive, "opened", no_file)
        assert new_of(tail) == []

    assert (tail.unread, new_of(tail)) == ({HOUR: "Too many open files"}, [b"a"])


def test_r95_a_new_file_with_the_inode_of_a_sealed_one_is_read_from_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As file systems give inodes: that of the file that went away is the next one's.
    monkeypatch.setattr(record_tail, "_inode", lambda raw: raw.name.endswith(".gz"))
    tail = RecordTail(RecordArchive(tmp_path), START)
    write(file_of(tmp_path), "a", "b")
    assert new_of(tail) == [b"a", b"b"]

    file_of(tmp_path).rename(file_of(tmp_path, part=".0"))
    seal(tmp_path, 0)
    write(file_of(tmp_path), "c", "d", "e")

    assert new_of(tail) == [b"c", b"d", b"e"]


def test_r95_an_hour_ahead_waits_and_ends_none_before_it(tmp_path: Path) -> None:
    ahead = HOUR + 10 * KEPT_HOURS
    write(file_of(tmp_path, ahead), "ahead")
    write(file_of(tmp_path), "a")
    tail = RecordTail(RecordArchive(tmp_path), START)

    first = [line for some in tail.read(HOUR) for line in some.lines]
    write(file_of(tmp_path), "b")
    then = [line for some in tail.read(ahead) for line in some.lines]

    assert (first, then) == ([b"a"], [b"b", b"ahead"])


def test_r95_at_any_point_of_a_kill_each_line_is_counted_once(tmp_path: Path) -> None:
    chance, place = random.Random(95), RecordArchive(tmp_path)  # noqa: S311 - no secret
    position, counted, written, parts = START, [], [], 0
    for turn in range(300):
        match chance.randrange(4):
            case 0 | 1:
                write(file_of(tmp_path), f"line {turn}")
                written.append(f"line {turn}".encode())
            case 2 if file_of(tmp_path).exists():
                file_of(tmp_path).rename(file_of(tmp_path, part=f".{parts}"))
                parts += 1
            case _ if parts and file_of(tmp_path, part=f".{parts - 1}").exists():
                seal(tmp_path, parts - 1)
        tail = RecordTail(place, position)
        for some in tail.read(HOUR + 100):
            if chance.random() < 0.3:  # killed before the commit
                break
            counted += [line.removeprefix(b"sealed ") for line in some.lines[some.new_from :]]
            position = tail.position()
    tail = RecordTail(place, position)
    counted += [line.removeprefix(b"sealed ") for line in new_of(tail)]

    assert counted == written


def test_r95_a_caller_that_stops_half_way_goes_on_there(tmp_path: Path) -> None:
    block = 1 << 20
    write(file_of(tmp_path), "a" * block, "b" * block, "c" * block)
    tail = RecordTail(RecordArchive(tmp_path), START)
    before: list[bytes] = []
    for some in tail.read(HOUR + 100):
        before += some.lines
        break

    assert [line[:1] for line in (*before, *new_of(tail))] == [b"a", b"b", b"c"]
