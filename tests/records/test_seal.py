import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from gateway.domain.records import DecisionRow
from gateway.records import upkeep as record_seal
from gateway.records.archive import RecordArchive
from gateway.records.lines import RecordLines
from gateway.records.sealed_values import opened
from gateway.records.upkeep import SealResult, due, seal_closed
from gateway.records.writer import HourFiles, read_records
from gateway.runtime.sealing import Sealer

Decision = Callable[..., DecisionRow]

SEALER = Sealer({"k1": bytes(64)}, "k1")
HOUR = 383_480  # 2013-09-30, 08 UTC
NOW = HOUR + 3


def write(directory: Path, decision: Decision, *sequences: int, hour: int = HOUR) -> None:
    files, lines = HourFiles(directory), RecordLines()
    rows = [
        decision(epoch=hour * 3600.0 + n / 1000, sequence_number=n, text=(8, b"TD%d" % (n % 7)))
        for n in sequences
    ]
    files.append(hour, b"".join(map(lines.line, rows)))
    files.close()


def seal(directory: Path, hour: int = NOW) -> SealResult:
    return seal_closed(RecordArchive(directory), SEALER, hour, lambda _: None)


def sequences(directory: Path, hour: int = HOUR) -> list[object]:
    """Return what decisions an hour has, opened, each with its text beside it."""
    found: list[object] = []
    texts: set[object] = set()
    for record in RecordArchive(directory).read(hour):
        plain = opened(record, SEALER)
        if plain["kind"] == "text":
            texts.add(plain["id"])
            continue
        assert plain["text"] in texts
        assert plain["destination"] == "8613800138000"
        found.append(plain["sequence_number"])
    return found


def test_r73_a_closed_hour_holds_no_number_and_no_text(tmp_path: Path, decision: Decision) -> None:
    write(tmp_path, decision, *range(100))

    assert seal(tmp_path) == SealResult(files=1, rows=107, busy=0)

    (path,) = tmp_path.iterdir()
    assert path.name == "cdr-20130930-08.jsonl.gz"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    said = b"".join(orjson.dumps(record) for record in read_records(path))
    assert b"13800138000" not in said
    assert b"octets_sealed" in said
    assert b"10690001" in said
    assert sequences(tmp_path) == list(range(100))


def test_the_current_hour_and_the_one_before_stay_as_they_are(
    tmp_path: Path, decision: Decision
) -> None:
    write(tmp_path, decision, 1, hour=NOW)
    write(tmp_path, decision, 2, hour=NOW - 1)

    assert seal(tmp_path) == SealResult(0, 0, 0)

    assert {path.suffix for path in tmp_path.iterdir()} == {".jsonl"}


def test_an_hour_that_is_still_being_written_waits(tmp_path: Path, decision: Decision) -> None:
    files = HourFiles(tmp_path)
    files.append(HOUR, RecordLines().line(decision()))

    assert seal(tmp_path) == SealResult(files=0, rows=0, busy=1)
    files.close()
    assert seal(tmp_path).files == 1


def test_rows_that_come_late_are_sealed_beside_the_others(
    tmp_path: Path, decision: Decision
) -> None:
    write(tmp_path, decision, 1, 2)
    seal(tmp_path)
    write(tmp_path, decision, 3)

    assert sequences(tmp_path) == [1, 2, 3]
    seal(tmp_path)

    assert sequences(tmp_path) == [1, 2, 3]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cdr-20130930-08.1.jsonl.gz",
        "cdr-20130930-08.jsonl.gz",
    ]


def test_sealing_again_changes_nothing(tmp_path: Path, decision: Decision) -> None:
    write(tmp_path, decision, 1)
    seal(tmp_path)
    before = [path.read_bytes() for path in tmp_path.iterdir()]

    assert seal(tmp_path) == SealResult(0, 0, 0)

    assert [path.read_bytes() for path in tmp_path.iterdir()] == before


def test_half_a_line_that_a_crash_left_is_no_row(tmp_path: Path, decision: Decision) -> None:
    write(tmp_path, decision, 1)
    with (tmp_path / "cdr-20130930-08.jsonl").open("ab") as file:
        file.write(b'{"kind":"decis')

    seal(tmp_path)

    assert sequences(tmp_path) == [1]


@pytest.mark.parametrize("line", [b"no JSON, of 13800138000", b"[13800138000]", b"\xff\xfe"])
def test_a_line_that_is_no_record_is_kept_sealed(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "cdr-20130930-08.jsonl").write_bytes(line + b"\n")

    seal(tmp_path)

    (record,) = RecordArchive(tmp_path).read(HOUR)
    assert record.keys() == {"kind", "row_sealed"}
    assert opened(record, SEALER) == {"kind": "malformed", "row": line.decode("latin-1")}


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace", "pathlib.Path.unlink"])
def test_what_fails_half_way_is_done_again(
    tmp_path: Path, decision: Decision, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    write(tmp_path, decision, *range(50))

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(step, fail)
        with pytest.raises(OSError, match="No space"):
            seal(tmp_path)

    assert sequences(tmp_path) == list(range(50))
    seal(tmp_path)
    assert sequences(tmp_path) == list(range(50))
    assert [path.name for path in tmp_path.iterdir()] == ["cdr-20130930-08.jsonl.gz"]


def test_progress_is_told_in_octets(
    tmp_path: Path, decision: Decision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_seal, "_TOLD_OCTETS", 1_000)
    write(tmp_path, decision, *range(100))
    archive, told = RecordArchive(tmp_path), list[int]()
    (file,) = due(archive, NOW)
    octets = file.path.stat().st_size

    seal_closed(archive, SEALER, NOW, told.append)

    assert sum(told) == octets
    assert len(told) > 10


SEAL = """
import sys
from pathlib import Path
from gateway.records.archive import RecordArchive
from gateway.records.upkeep import seal_closed
from gateway.records import upkeep
from gateway.runtime.sealing import Sealer

upkeep._TOLD_OCTETS = 1
told = 0
def tell(_octets):
    global told
    told += 1
    if told == int(sys.argv[2]):
        print("here", flush=True)
        sys.stdin.read()  # until we are killed
seal_closed(RecordArchive(Path(sys.argv[1])), Sealer({"k1": bytes(64)}, "k1"), %d, tell)
print("done", flush=True)
"""


@pytest.mark.parametrize("rows_done", [1, 250, 999, 1_000, 1_500])
def test_r73_killed_in_the_middle_of_sealing_nothing_is_lost_and_nothing_comes_twice(
    tmp_path: Path, decision: Decision, rows_done: int
) -> None:
    write(tmp_path, decision, *range(993))
    write(tmp_path, decision, *range(993), hour=HOUR + 1)
    process = subprocess.Popen(  # noqa: S603 - our own script above
        [sys.executable, "-c", SEAL % NOW, str(tmp_path), str(rows_done)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        process.send_signal(signal.SIGKILL)
        process.wait(30)

    assert sequences(tmp_path) == list(range(993))
    assert sequences(tmp_path, HOUR + 1) == list(range(993))
    seal(tmp_path, NOW + 1)

    assert sequences(tmp_path) == list(range(993))
    assert sequences(tmp_path, HOUR + 1) == list(range(993))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cdr-20130930-08.jsonl.gz",
        "cdr-20130930-09.jsonl.gz",
    ]


def test_what_has_no_line_end_is_sealed_in_pieces_that_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "cdr-20130930-08.jsonl"
    path.write_bytes(bytes(3 << 20) + b'\n{"kind":"outcome"}\n')

    assert seal(tmp_path).files == 1

    read = [opened(record, SEALER) for record in RecordArchive(tmp_path).read(HOUR)]
    assert [one["kind"] for one in read] == ["malformed"] * 4 + ["outcome"]
    assert sum(len(str(one["row"])) for one in read[:-1]) == 3 << 20
