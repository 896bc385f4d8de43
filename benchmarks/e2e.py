"""Measure the gateway end to end, between a load generator and an SMSC sink.

python -m benchmarks.e2e --perf-dir DIR [--relay] [--unique] [--spam] [--shipped | --full]
    [--json FILE]

DIR holds the sources of the load pair, which live outside this repository: sp_load.c,
smsc_sink.c and gen_texts.py. The gateway has core 0 to itself, load and sink share core 1.
Each figure is the median of three runs after a warm-up, with 1 000 000 refused numbers in
the store and 10 000 keywords beside the shipped lists (benchmarks/bed.py says what is turned to
shadow, and why): what always holds. With --shipped every rule of the shipped bundle is asked as
well, with --full every rule there is. A run counts only when the sink received exactly what the
load sent.
Exit status: 0 measured, 1 a run did not come out even, 3 the load pair is absent.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks import bed
from benchmarks.new_texts import new_texts, write_new_texts
from benchmarks.processes import (
    LoadPair,
    LoadReport,
    RunError,
    Server,
    Sink,
    free_port,
    gateway,
    relay,
)
from gateway.domain.policy import Enforcement

ROOT = Path(__file__).resolve().parent.parent
ABSENT = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """So many sessions, each with so many messages outstanding; `count` messages a run."""

    sessions: int
    window: int
    count: int

    @property
    def name(self) -> str:
        return f"{self.sessions} x {self.window}"


SHAPES = (
    Shape(sessions=10, window=50, count=300_000),
    Shape(sessions=64, window=1, count=120_000),
    Shape(sessions=1, window=10, count=120_000),
    Shape(sessions=1, window=100, count=200_000),
)
# The floods must outlast the light session's three seconds.
FLOOD = Shape(sessions=8, window=1000, count=1_200_000)
LIGHT_PER_S, LIGHT_COUNT = 200, 600
# A relay moves two million messages a second: fewer would be gone before the clock ticks.
RELAY_TIMES = 5


@dataclass(frozen=True, slots=True)
class Figures:
    """What one shape costs; `cpu_us` is the measured process's own time per message."""

    msgs_per_s: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


def middle(runs: Sequence[Figures]) -> Figures:
    return Figures(
        msgs_per_s=round(median(run.msgs_per_s for run in runs)),
        cpu_us=round(median(run.cpu_us for run in runs), 2),
        p50_ms=round(median(run.p50_ms for run in runs), 3),
        p99_ms=round(median(run.p99_ms for run in runs), 3),
    )


@dataclass(frozen=True, slots=True)
class Bench:
    """A server to measure, and what it is measured with."""

    pair: LoadPair
    sink: Sink
    server: Server
    texts: Path
    spam: bool = False
    times: int = 1

    def load(self, shape: Shape, count: int) -> LoadReport:
        return self.pair.load(
            *self.traffic("sp1", "10690001"),
            *("--sessions", str(shape.sessions), "--window", str(shape.window)),
            *("--count", str(count)),
        )

    def traffic(self, system_id: str, source: str) -> tuple[str, ...]:
        return (
            *("--port", str(self.server.port), "--texts", str(self.texts)),
            *("--system-id", system_id, "--password", "secret", "--src", source),
        )

    def run(self, shape: Shape) -> Figures:
        """Measure `shape` once. Raises RunError when load and sink do not agree."""
        self.sink.counters()
        before_s = self.server.cpu_s()
        report = self.load(shape, shape.count * self.times)
        cpu_s = self.server.cpu_s() - before_s
        self.compare(report)
        return figures(report, cpu_s)

    def compare(self, *reports: LoadReport) -> None:
        """Raise RunError unless the sink got exactly what was sent and acknowledged.

        With --spam some messages are refused and others acknowledged into the quarantine:
        then only that every message was answered once can be asked.
        """
        received = self.sink.counters()
        if not all(report.is_answered for report in reports):
            raise RunError(f"not every message was answered once: {reports}")
        if self.spam:
            return
        acknowledged = sum(report.ok for report in reports)
        content = sum(int(report.content_sum, 16) for report in reports) % 2**64
        if (received.submit_sm, int(received.content_sum, 16)) != (acknowledged, content):
            raise RunError(f"the sink received {received}, the load sent {reports}")
        if not all(report.clean for report in reports):
            raise RunError(f"the load was not answered cleanly: {reports}")

    def measure(self, shape: Shape, runs: int) -> Figures:
        self.load(shape, shape.count // 4)
        return middle([self.run(shape) for _ in range(runs)])

    def fairness(self) -> Figures:
        """Return what a light, paced session of another SP feels beside eight floods."""
        self.sink.counters()
        before_s = self.server.cpu_s()
        flood = self.pair.start(
            *self.traffic("sp1", "10690001"),
            *("--sessions", str(FLOOD.sessions), "--window", str(FLOOD.window)),
            *("--count", str(FLOOD.count)),
        )
        time.sleep(0.5)  # until the floods have filled their windows
        light = self.pair.load(
            *self.traffic("sp2", "10680001"),
            *("--sessions", "1", "--window", "10"),
            *("--rate", str(LIGHT_PER_S), "--count", str(LIGHT_COUNT)),
        )
        if flood.poll() is not None:
            raise RunError("the floods ended before the light session: nothing was measured")
        heavy = self.pair.report(flood)
        self.compare(light, heavy)
        felt, total = figures(light, 0), figures(heavy, self.server.cpu_s() - before_s)
        return Figures(total.msgs_per_s, total.cpu_us, felt.p50_ms, felt.p99_ms)


def figures(report: LoadReport, cpu_s: float) -> Figures:
    return Figures(
        msgs_per_s=report.rate,
        cpu_us=cpu_s / report.msgs * 1e6,
        p50_ms=report.lat_us.p50 / 1000,
        p99_ms=report.lat_us.p99 / 1000,
    )


def all_figures(bench: Bench, runs: int, say: Callable[[str], None]) -> dict[str, Figures]:
    """Measure every shape, one after the other."""
    measured = {}
    for shape in SHAPES:
        say(f"{bench.server.name}: {shape.name}")
        measured[shape.name] = bench.measure(shape, runs)
    return measured


def fairness(bench: Bench, runs: int, say: Callable[[str], None]) -> Figures:
    say(f"{bench.server.name}: fairness")
    return middle([bench.fairness() for _ in range(runs)])


def prepare(options: argparse.Namespace, directory: Path, ports: bed.Ports) -> Path:
    """Lay the bed in `directory`; return the file of texts."""
    unique: bool = options.unique
    if unique:
        texts = write_new_texts(directory / "new.txt", bed.NEW_TEXTS)
        sample = list(new_texts(2_000))
    else:
        texts = bed.write_common_texts(options.perf_dir, directory)
        sample = texts.read_text(encoding="utf-8").splitlines()
    store_url = f"sqlite:///{directory}/var/smsward.db"
    bed.write_config(directory / "config", ports, store_url)
    words = bed.absent_words(sample, bed.KEYWORDS)
    rules = Enforcement.SHADOW if options.shipped or options.full else Enforcement.OFF
    policies = directory / "policies"
    bed.write_policies(ROOT / "policies", policies, words, spam=options.spam, rules=rules)
    (directory / "var").mkdir()
    asyncio.run(bed.refuse(store_url))
    if options.full:
        bed.turn_on_all(policies)
        asyncio.run(bed.agree(store_url))
    return texts


def measure(options: argparse.Namespace, console: Console) -> dict[str, dict[str, Figures]]:
    """Return the figures of each server: the gateway and, when asked for, the relay."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smsward-e2e-")))
        console.log("building the load pair and the bed")
        pair = LoadPair.build(options.perf_dir, directory)
        ports = bed.Ports(esme=free_port(), smsc=free_port(), metrics=free_port())
        texts = prepare(options, directory, ports)
        sink = stack.enter_context(Sink(pair.smsc_sink, ports.smsc))
        ward = Bench(
            pair, sink, stack.enter_context(gateway(directory, ports)), texts, options.spam
        )
        results = {"gateway": all_figures(ward, options.runs, console.log)}
        results["gateway"]["fairness"] = fairness(ward, options.runs, console.log)
        if options.relay:
            blind = stack.enter_context(relay(directory, free_port(), ports.smsc))
            floor = Bench(pair, sink, blind, texts, times=RELAY_TIMES)
            results["relay"] = all_figures(floor, options.runs, console.log)
        return results


def table_of(results: dict[str, dict[str, Figures]]) -> Table:
    table = Table(title="end to end, one core, medians")
    for column in ("server", "sessions x window", "msg/s", "CPU us/msg", "p50 ms", "p99 ms"):
        table.add_column(column, justify="left" if column == "server" else "right")
    for server, measured in results.items():
        for name, one in measured.items():
            table.add_row(
                server,
                name,
                f"{one.msgs_per_s:,.0f}",
                f"{one.cpu_us:.2f}",
                f"{one.p50_ms:.2f}",
                f"{one.p99_ms:.2f}",
            )
    table.caption = "fairness: rate and CPU of the floods, latency of the light session"
    return table


def document(
    options: argparse.Namespace, results: dict[str, dict[str, Figures]]
) -> dict[str, object]:
    """Return what is kept: figures, and enough to repeat them, but nothing of this machine."""
    flags = [
        f"--{name}"
        for name in ("relay", "unique", "spam", "shipped", "full")
        if vars(options)[name]
    ]
    return {
        "command": " ".join(["python -m benchmarks.e2e --perf-dir DIR", *flags]),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": {
            "cores": os.cpu_count(),
            "architecture": platform.machine(),
            "python": platform.python_version(),
        },
        "runs": options.runs,
        "results": {
            server: {name: asdict(one) for name, one in measured.items()}
            for server, measured in results.items()
        },
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the gateway end to end.")
    parser.add_argument("--perf-dir", type=Path, required=True, help="sources of the load pair")
    parser.add_argument("--relay", action="store_true", help="measure a blind TCP relay beside it")
    parser.add_argument("--unique", action="store_true", help="no two texts alike: no text cache")
    parser.add_argument("--shipped", action="store_true", help="every shipped rule, on trial")
    parser.add_argument(
        "--full", action="store_true", help="every rule asked, 1 000 000 consents in the store"
    )
    parser.add_argument("--spam", action="store_true", help="let the shipped lists act")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    return parser.parse_args()


def main() -> int:
    options = parse()
    console = Console()
    missing = [
        name
        for name in ("sp_load.c", "smsc_sink.c", "smpp_util.h", "gen_texts.py")
        if not (options.perf_dir / name).is_file()
    ]
    if (os.cpu_count() or 1) < 2:
        missing.append("a second core")
    if missing:
        console.print(f"cannot measure, missing: {', '.join(missing)}")
        return ABSENT
    try:
        results = measure(options, console)
    except RunError as error:
        console.print(f"[red]no figures:[/] {error}")
        return 1
    console.print(table_of(results))
    if options.json:
        text = json.dumps(document(options, results), indent=2, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
