import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.domain.records import DecisionRow, OutcomeRow
from gateway.records.writer import HourFiles, Records, lock_alone, read_records
from gateway.runtime.logging import configure_logging
from gateway.runtime.snapshot import RecordsHealth
from gateway.runtime.tasks import spawn

Decision = Callable[..., DecisionRow]
Outcome = Callable[..., OutcomeRow]


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    records = Records(tmp_path / "cdr", maximum_rows=10, retry_s=0.01)
    yield records
    records.close(5.0)


@pytest.fixture
def wait_for(log_lines: list[dict[str, object]]) -> Callable[[str], None]:
    """Return a function that waits until an event is logged."""
    del log_lines  # it puts the log back afterwards
    seen: list[str] = []
    changed = threading.Condition()

    def note(line: bytes) -> None:
        with changed:
            seen.append(line.decode())
            changed.notify_all()

    def wait(event: str) -> None:
        with changed:
            assert changed.wait_for(lambda: any(f'"{event}"' in line for line in seen), 10)

    configure_logging(json=True, strict=True, sink=note)
    return wait


def written(directory: Path) -> list[object]:
    return [
        line["sequence_number"]
        for path in sorted(directory.glob("cdr-*.jsonl"))
        for line in read_records(path)
    ]


def test_messages_wait_for_a_writer_that_is_behind_and_not_for_one_that_hangs(
    tmp_path: Path, decision: Decision
) -> None:
    records = Records(tmp_path / "cdr", maximum_rows=10)
    few = [records.is_behind(now) for now in (100.0, 200.0)]
    records.rows += [decision(sequence_number=number) for number in range(6)]

    hanging = records.is_behind(300.0)
    records.rows += [decision(sequence_number=number) for number in range(3)]
    records._writer.written = 1
    writing = [records.is_behind(now) for now in (300.0, 300.9)]
    hanging_again = records.is_behind(301.1)

    assert few == [False, False]
    assert not hanging
    assert writing == [True, True]
    assert not hanging_again
    records._writer.written = 0


def test_rows_are_on_disk_in_their_order_after_close(
    tmp_path: Path, decision: Decision, outcome: Outcome
) -> None:
    records = Records(tmp_path)
    for number in range(2000):
        records.rows.append(decision(sequence_number=number))
        if number % 700 == 0:
            records.flush()
    records.rows.append(outcome())

    assert records.close(10.0) == 0

    assert written(tmp_path) == [*range(2000), 7]
    assert records.health() == RecordsHealth(
        pending=0, failing=False, written=2001, lost=0, malformed=0, failures=0
    )


def test_the_hot_path_may_keep_the_list(records: Records, decision: Decision) -> None:
    append = records.rows.append

    append(decision())
    records.flush()
    append(decision())

    assert len(records.rows) == 1
    assert records.close(5.0) == 0
    assert records.health().written == 2


def test_nothing_to_write_starts_no_thread_and_no_file(records: Records, tmp_path: Path) -> None:
    records.flush()

    assert records.close(5.0) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_few_rows_wait_and_many_become_lines_at_once(
    records: Records, decision: Decision
) -> None:
    records.rows.append(decision())
    records.settle()
    waiting = list(records.rows)
    records.rows.extend(decision() for _ in range(15))
    records.settle()

    assert (len(waiting), records.rows, records.pending(), records.lost) == (1, [], 15, 1)
    assert records.health().written == 0


def test_much_is_handed_over_before_its_time(tmp_path: Path, decision: Decision) -> None:
    records = Records(tmp_path)
    records.rows.extend(decision(sequence_number=number) for number in range(5000))

    records.settle()

    assert records._thread is not None
    assert records.close(10.0) == 0
    assert written(tmp_path) == list(range(5000))


def test_long_texts_fill_the_records_before_many_rows_do(
    tmp_path: Path, decision: Decision
) -> None:
    records = Records(tmp_path, maximum_octets=100_000)
    records.rows.extend(decision(text=(8, bytes(5_000) + b"%d" % n)) for n in range(16))

    records.settle()
    was_full = records.is_full
    records.flush()

    assert was_full
    assert records.close(10.0) == 0
    assert not records.is_full


def test_a_quiet_gateway_lets_go_of_its_file_so_that_it_can_be_sealed(
    tmp_path: Path, decision: Decision, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, really = threading.Semaphore(0), HourFiles.close

    def close(files: HourFiles) -> None:
        really(files)
        closed.release()

    monkeypatch.setattr("gateway.records.writer._IDLE_S", 0.01)
    monkeypatch.setattr(HourFiles, "close", close)
    records = Records(tmp_path)
    records.rows.append(decision(sequence_number=1))
    records.flush()
    for _ in range(2):  # once before the file is opened, once when nothing more comes
        assert closed.acquire(timeout=10)

    (path,) = tmp_path.iterdir()
    with path.open("rb") as file:
        assert lock_alone(file.fileno())
    records.rows.append(decision(sequence_number=2))
    assert records.close(10.0) == 0
    assert written(tmp_path) == [1, 2]


async def test_rows_are_flushed_regularly(
    records: Records, decision: Decision, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed = asyncio.Event()
    flush = records.flush

    def note() -> None:
        flush()
        flushed.set()

    monkeypatch.setattr(records, "flush", note)
    records.rows.append(decision())

    task = spawn(records.flush_regularly(0.001), name="records")
    await asyncio.wait_for(flushed.wait(), 60)
    task.cancel()
    await asyncio.wait([task])

    assert records.rows == []
    assert records.pending() <= 1


def test_a_disk_that_refuses_fills_the_records_and_recovers(
    tmp_path: Path, records: Records, decision: Decision, wait_for: Callable[[str], None]
) -> None:
    in_the_way = tmp_path / "cdr"
    in_the_way.write_text("not a directory")
    records.rows.extend(decision(sequence_number=number) for number in range(10))
    records.flush()
    wait_for("records.failed")

    assert records.health().failing
    assert records.health().failures >= 1
    was_full = records.is_full
    records.rows.append(decision(sequence_number=10))
    assert (was_full, records.is_full) == (False, True)
    assert records.pending() == 11

    in_the_way.unlink()
    wait_for("records.recovered")
    assert records.close(5.0) == 0
    assert not records.failing
    assert written(in_the_way) == list(range(11))


def test_rows_past_all_room_are_dropped_and_counted(
    tmp_path: Path, records: Records, decision: Decision, wait_for: Callable[[str], None]
) -> None:
    (tmp_path / "cdr").write_text("not a directory")
    for number in range(40):
        records.rows.append(decision(sequence_number=number))
        records.flush()

    wait_for("records.lost")
    assert records.pending() == 15
    assert records.lost == 25

    (tmp_path / "cdr").unlink()
    assert records.close(5.0) == 0
    assert written(tmp_path / "cdr") == list(range(15))


@pytest.mark.usefixtures("log_lines")
def test_close_gives_up_at_its_deadline_and_says_what_was_left(
    tmp_path: Path, records: Records, decision: Decision
) -> None:
    (tmp_path / "cdr").write_text("not a directory")
    records.rows.extend([decision(), decision()])

    assert records.close(0.05) == 2
    assert records._thread is not None
    assert not records._thread.is_alive()


def test_rows_after_close_are_counted_as_lost(
    records: Records, decision: Decision, log_lines: list[dict[str, object]]
) -> None:
    records.close(5.0)
    records.rows.append(decision())
    records.flush()

    assert (records.lost, records.pending()) == (1, 0)
    assert [line["event"] for line in log_lines] == ["records.lost"]


def test_a_writer_that_breaks_is_not_silent(
    records: Records,
    decision: Decision,
    wait_for: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def break_down(_files: HourFiles, _hour: int, _lines: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr(HourFiles, "append", break_down)
    records.rows.append(decision())
    records.flush()

    wait_for("task.failed")
    assert records.failing
    assert records.close(5.0) == 1


FULL_DISK = """
import resource, sys, threading
from pathlib import Path
from gateway.runtime.logging import configure_logging
from gateway.records.writer import Records

failed, recovered = threading.Event(), threading.Event()
def note(line):
    if b"records.failed" in line:
        failed.set()
    if b"records.recovered" in line:
        recovered.set()
configure_logging(json=True, strict=True, sink=note)

directory = Path(sys.argv[1])
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
records = Records(directory, maximum_rows=2000, retry_s=0.5)  # at rest while it is looked at
def row(number):
    return ("d", 1_380_530_096.5, (1, "sp1", 4), number, b"1069", b"8613800138000",
            ("forward", "", "", "", "0123456789ab", "", "", (), "", ""), 0, None)
records.rows.extend(map(row, range(1500)))
records.flush()
assert failed.wait(20), "the disk never filled"
assert records.failing
records.rows.extend(map(row, range(1500, 3000)))
records.flush()
assert records.is_full
(path,) = directory.iterdir()
assert path.read_bytes().endswith(b"}\\n"), "half a line was left"
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
assert recovered.wait(20), "the writer did not recover"
assert records.close(20.0) == 0
assert records.lost == 0
assert not records.failing
print(records.health().written)
"""


def test_a_full_disk_loses_nothing_doubles_nothing_and_leaves_no_half_line(
    tmp_path: Path,
) -> None:
    # In a process of its own: the limit holds for every file a process writes.
    done = subprocess.run(  # noqa: S603 - our own script above
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "cdr")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "3000\n", "")
    assert written(tmp_path / "cdr") == list(range(3000))
