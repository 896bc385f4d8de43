"""A load and a sink to saturate a gateway with: in C where its sources are given, or in Python."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from benchmarks.processes import (
    LOAD_CORE,
    LoadPair,
    Sink,
    is_listening,
    let_pass,
    pin,
    stop,
    wait_until,
)
from simulators.esme import UNANSWERED
from tests.promises.flood import Flood

_WARM_UP = 30_000
_WARM_UP_S = 5.0


@dataclass(frozen=True, slots=True)
class Flooded:
    """What became of a flood; `odd` are answers to nothing, or twice to the same.

    Only the load in C takes the time of each answer.
    """

    sent: int
    answered: int
    odd: int
    per_s: float
    statuses: Mapping[int, int]
    p50_ms: float | None = None
    p99_ms: float | None = None


class Pair(Protocol):
    """What saturates a gateway, and what receives what it passes on."""

    name: str

    def warm_up(self, flood: Flood) -> float:
        """Flood for a few seconds; return the messages a second."""

    def saturate(self, flood: Flood, per_s: float) -> Flooded:
        """Flood for as long as `flood` says, at some `per_s` messages a second."""

    def received(self) -> int:
        """Return how many submit_sm the sink has received since the last call."""


class PairInC:
    """sp_load and smsc_sink."""

    name = "C"

    def __init__(self, programs: LoadPair, sink: Sink, texts: Path) -> None:
        self._programs = programs
        self._sink = sink
        self._texts = texts

    def warm_up(self, flood: Flood) -> float:
        return self._load(flood, _WARM_UP).per_s

    def saturate(self, flood: Flood, per_s: float) -> Flooded:
        return self._load(flood, int(per_s * flood.seconds))

    def received(self) -> int:
        return self._sink.counters().submit_sm

    def _load(self, flood: Flood, count: int) -> Flooded:
        load = self._programs.start(
            *("--port", str(flood.port), "--texts", str(self._texts)),
            *("--system-id", flood.system_id, "--password", "secret"),
            *("--src", str(flood.first_source)),
            *("--dst-base", str(flood.first), "--dst-count", str(flood.numbers)),
            *("--sessions", str(flood.sessions), "--window", str(flood.window)),
            *("--count", str(count), "--seed", str(flood.seed)),
        )
        let_pass(load.pid)
        report = self._programs.report(load, within_s=5 * flood.seconds + 60)
        return Flooded(
            sent=report.sent,
            answered=report.msgs,
            odd=report.bad_seq + report.dup_resp + report.malformed + report.disconnects,
            per_s=report.rate,
            statuses={int(status): count for status, count in report.status.items()},
            p50_ms=round(report.lat_us.p50 / 1e3, 1),
            p99_ms=round(report.lat_us.p99 / 1e3, 1),
        )


class PairInPython:
    """tests.promises.flood and simulators.smsc."""

    name = "Python"

    def __init__(self, sink: subprocess.Popen[str]) -> None:
        self._sink = sink
        self._seen = 0

    def warm_up(self, flood: Flood) -> float:
        return self._load(replace(flood, seconds=_WARM_UP_S, seed=flood.seed + 1)).per_s

    def saturate(self, flood: Flood, per_s: float) -> Flooded:
        del per_s
        return self._load(flood)

    def received(self) -> int:
        assert self._sink.stdout is not None
        self._sink.send_signal(signal.SIGUSR1)
        seen = int(json.loads(self._sink.stdout.readline())["messages"])
        self._seen, before = seen, self._seen
        return seen - before

    def _load(self, flood: Flood) -> Flooded:
        command = [sys.executable, "-m", "tests.promises.flood", flood.as_json()]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        heard = json.loads(done.stdout)
        statuses = {int(status): count for status, count in heard["statuses"].items()}
        answered = sum(count for status, count in statuses.items() if status != UNANSWERED)
        return Flooded(
            sent=heard["sent"],
            answered=answered,
            odd=heard["strays"],
            per_s=answered / heard["took_s"],
            statuses=statuses,
        )


@contextmanager
def pair_at(smsc_port: int, perf_dir: Path | None, directory: Path, texts: Path) -> Iterator[Pair]:
    """Build and start a pair whose sink listens on `smsc_port`; `texts` is for that in C."""
    if perf_dir is not None:
        programs = LoadPair.build(perf_dir, directory)
        with Sink(programs.smsc_sink, smsc_port) as sink:
            yield PairInC(programs, sink, texts)
        return
    with sink_in_python(smsc_port) as process:
        yield PairInPython(process)


@contextmanager
def sink_in_python(port: int) -> Iterator[subprocess.Popen[str]]:
    """Start a simulated SMSC that keeps no journal."""
    process = subprocess.Popen(
        [sys.executable, "-m", "simulators.smsc", "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
    )
    pin(process.pid, LOAD_CORE)
    try:
        wait_until(lambda: is_listening(port), process)
        assert process.stdout is not None
        process.stdout.readline()
        yield process
    finally:
        stop(process)
