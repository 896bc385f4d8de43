"""What a record costs: CPU per row, and how long writing keeps the loop waiting.

Prints one JSON object. `python benchmarks/records.py [--rows 200000]`
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

from gateway.domain.records import Row, Why
from gateway.records.lines import RecordLines
from gateway.records.writer import Records

_TICK_ROWS = 64
EPOCH = 1_380_530_096.0


def decisions(count: int, texts: int = 0) -> list[Row]:
    """Return rows of 64 messages a tick, ten sessions, every destination different.

    With `texts` they carry so many different texts of 140 octets.
    """
    said = [b"%06d" % number * 23 for number in range(texts)] or [b""]
    abouts = [(n, f"sp{n % 3}", 4) for n in range(10)]
    why = Why("forward", "", "", "", "0123456789ab")
    return [
        (
            "d",
            EPOCH + number // 64 * 0.001,
            abouts[number % 10],
            number,
            b"10690001",
            b"861380%07d" % (number % 10_000_000),
            why,
            0,
            (8, said[number % len(said)][:]) if texts else None,
        )
        for number in range(count)
    ]


def outcomes(count: int) -> list[Row]:
    abouts = [(n, f"sp{n % 3}", 4) for n in range(10)]
    return [
        (
            "o",
            EPOCH + number // 64 * 0.001,
            abouts[number % 10],
            number,
            0,
            b"%d" % (10**9 + number),
            1000 + number % 997,
            "answered",
        )
        for number in range(count)
    ]


def format_us(rows: list[Row]) -> float:
    """Return CPU microseconds to format one row, the best of five."""
    best = float("inf")
    for _ in range(5):
        lines = RecordLines()
        start = time.process_time()
        for at in range(0, len(rows), 512):
            for _part in lines.by_hour(rows[at : at + 512]):
                pass
        best = min(best, time.process_time() - start)
    return best / len(rows) * 1e6


def append_us(count: int) -> float:
    """Return CPU microseconds the tick pays: building one tuple and appending it."""
    rows: list[Row] = []
    source, destination = b"10690001", b"8613800138000"
    about, why = (1, "sp1", 4), Why("forward", "", "", "", "0123456789ab")
    start = time.process_time()
    for number in range(count):
        rows.append(  # noqa: PERF401 - the tick appends one by one
            (
                "d",
                EPOCH,
                about,
                number,
                source,
                destination,
                why,
                0,
                None,
            )
        )
    return (time.process_time() - start) / count * 1e6


def written_us(rows: list[Row]) -> float:
    """Return CPU microseconds of the whole process per row from `rows` to the disk."""
    with tempfile.TemporaryDirectory() as directory:
        records = Records(Path(directory), maximum_rows=len(rows))
        start = time.process_time()
        for at in range(0, len(rows), _TICK_ROWS):
            records.rows.extend(rows[at : at + _TICK_ROWS])
            records.settle()
        if records.close(60.0):
            sys.exit("rows were left unwritten")
        return (time.process_time() - start) / len(rows) * 1e6


def loop_waits_ms(rows: list[Row]) -> tuple[float, float]:
    """Return p99 and worst lateness of a loop that wakes every millisecond, ten ticks each."""
    with tempfile.TemporaryDirectory() as directory:
        records = Records(Path(directory), maximum_rows=len(rows))
        pause = threading.Event()
        late: list[float] = []
        due = time.monotonic()  # noqa: TID251 - a benchmark
        for number, at in enumerate(range(0, len(rows), _TICK_ROWS)):
            records.rows.extend(rows[at : at + _TICK_ROWS])
            records.settle()
            if number % 10 == 0:
                late.append((time.monotonic() - due) * 1e3)  # noqa: TID251 - a benchmark
                due = time.monotonic() + 0.001  # noqa: TID251 - a benchmark
                pause.wait(0.001)
        records.close(60.0)
    late.sort()
    return late[int(len(late) * 0.99)], late[-1]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=200_000)
    count = options.parse_args().rows
    rows = decisions(count // 2) + outcomes(count // 2)
    p99, worst = loop_waits_ms(rows)
    result = {
        "append_us": append_us(count),
        "format_decision_us": format_us(decisions(count // 2)),
        "format_decision_known_text_us": format_us(decisions(count // 2, 2_000)),
        "format_decision_new_text_us": format_us(decisions(count // 2, count)),
        "format_outcome_us": format_us(outcomes(count // 2)),
        "whole_us": written_us(rows),
        "loop_late_p99_ms": p99,
        "loop_late_worst_ms": worst,
    }
    print(json.dumps({name: round(value, 3) for name, value in result.items()}))


if __name__ == "__main__":
    main()
