"""Measure the gateway end to end, between a load generator and an SMSC sink.

python -m benchmarks.e2e --perf-dir DIR [--policy words|shipped|full] [--same] [--relay]
    [--texts N] [--spam] [--json FILE]
python -m benchmarks.e2e --perf-dir DIR --all --json benchmarks/results/e2e.json

DIR holds the sources of the load pair, which live outside this repository: sp_load.c,
smsc_sink.c, smpp_util.h and gen_texts.py. The gateway has core 0 to itself, load and sink share
core 1. Each figure is the median of three runs after a warm-up, of some seconds each at the rate
of the warm-up. A run counts only when the sink received exactly what the load sent.

The texts are a million of which no two are alike, drawn at random; with --same they are 2000 that
come again and again, nearly all answered from the gateway's memory of texts. They go to three
million numbers. The store has 1 000 000 refusals of others, and the policy 10 000 keywords beside
the shipped lists, which are turned to shadow (benchmarks/bed.py says why): that is `words`. With
`shipped` every rule of the shipped bundle is asked as well, with `full` every rule there is, with
an agreement of each of the numbers; a small model is in force, which the rules ask in shadow mode.
--all measures each policy with either kind of texts, and a blind relay.
Exit status: 0 measured, 1 a run did not come out even, 3 the load pair is absent.
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks import bed
from benchmarks.machine import about
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


class Policy(StrEnum):
    """How much is asked of each message."""

    WORDS = "words"
    SHIPPED = "shipped"
    FULL = "full"


class Kind(StrEnum):
    """Whether texts come again."""

    NEW = "new"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Shape:
    """So many sessions, each with so many messages outstanding; `count` messages a run at most."""

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
# A run sends no more than the warm-up's rate sends in so long: machines differ threefold.
RUN_S, FLOOD_S = 5.0, 12.0
FLOOD_AT_LEAST = 30_000
# A relay moves two million messages a second: fewer would be gone before the clock ticks. A text
# that is new costs some three times one that is known.
RELAY_TIMES, NEW_SHARE = 5.0, 0.4


@dataclass(frozen=True, slots=True)
class Figures:
    """What one shape costs; `cpu_us` is the measured process's own time per message."""

    msgs_per_s: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


Measured = dict[str, Figures]


def middle(runs: Sequence[Figures]) -> Figures:
    return Figures(
        msgs_per_s=round(median(run.msgs_per_s for run in runs)),
        cpu_us=round(median(run.cpu_us for run in runs), 2),
        p50_ms=round(median(run.p50_ms for run in runs), 3),
        p99_ms=round(median(run.p99_ms for run in runs), 3),
    )


@dataclass(frozen=True, slots=True)
class Texts:
    """What the load sends, and the few that the light session sends: it reads them at once."""

    kind: Kind
    load: Path
    light: Path


@dataclass(frozen=True, slots=True)
class Bench:
    """A server to measure, and what it is measured with. `times` is how many times the counts."""

    pair: LoadPair
    sink: Sink
    server: Server
    texts: Texts
    spam: bool = False
    times: float = 1.0

    def load(self, shape: Shape, count: float) -> LoadReport:
        return self.pair.load(
            *self.traffic("sp1", "10690001", self.texts.load),
            *("--dst-base", str(bed.LOAD_FROM), "--dst-count", str(bed.LOAD_NUMBERS)),
            *("--sessions", str(shape.sessions), "--window", str(shape.window)),
            *("--count", str(int(count))),
        )

    def traffic(self, system_id: str, source: str, texts: Path) -> tuple[str, ...]:
        return (
            *("--port", str(self.server.port), "--texts", str(texts)),
            *("--system-id", system_id, "--password", "secret", "--src", source),
        )

    def run(self, shape: Shape, per_s: float) -> Figures:
        """Measure `shape` once. Raises RunError when load and sink do not agree."""
        self.sink.counters()
        before_s = self.server.cpu_s()
        report = self.load(shape, min(shape.count * self.times, per_s * RUN_S))
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

    def warm_up(self) -> float:
        """Let everything be warm; return the messages a second."""
        return self.load(SHAPES[0], SHAPES[0].count * self.times / 2).rate

    def all_figures(self, runs: int, per_s: float, say: Callable[[str], None]) -> Measured:
        """Measure every shape, one after the other; `per_s` is the rate of the warm-up."""
        measured = {}
        for shape in SHAPES:
            say(shape.name)
            measured[shape.name] = middle([self.run(shape, per_s) for _ in range(runs)])
        return measured

    def fairness(self, per_s: float) -> Figures:
        """Return what a light, paced session of another SP feels beside eight floods."""
        self.sink.counters()
        before_s = self.server.cpu_s()
        enough = max(per_s * FLOOD_S, FLOOD_AT_LEAST)
        flood = self.pair.start(
            *self.traffic("sp1", "10690001", self.texts.load),
            *("--dst-base", str(bed.LOAD_FROM), "--dst-count", str(bed.LOAD_NUMBERS)),
            *("--sessions", str(FLOOD.sessions), "--window", str(FLOOD.window)),
            *("--count", str(int(min(FLOOD.count * self.times, enough)))),
        )
        self.wait_for_flood()
        light = self.pair.load(
            *self.traffic("sp2", "10680001", self.texts.light),
            *("--sessions", "1", "--window", "10"),
            *("--rate", str(LIGHT_PER_S), "--count", str(LIGHT_COUNT)),
        )
        if flood.poll() is not None:
            raise RunError("the floods ended before the light session: nothing was measured")
        heavy = self.pair.report(flood)
        self.compare(light, heavy)
        felt, total = figures(light, 0), figures(heavy, self.server.cpu_s() - before_s)
        return Figures(total.msgs_per_s, total.cpu_us, felt.p50_ms, felt.p99_ms)

    def wait_for_flood(self) -> None:
        """Wait until the floods, which first read their texts, have filled their windows."""
        before_s, deadline = self.server.cpu_s(), time.perf_counter() + 60
        while self.server.cpu_s() - before_s < 0.5:
            if time.perf_counter() > deadline:
                raise RunError("the floods did not begin")
            time.sleep(0.05)


def figures(report: LoadReport, cpu_s: float) -> Figures:
    return Figures(
        msgs_per_s=report.rate,
        cpu_us=cpu_s / report.msgs * 1e6,
        p50_ms=report.lat_us.p50 / 1000,
        p99_ms=report.lat_us.p99 / 1000,
    )


@dataclass(frozen=True, slots=True)
class Ground:
    """What every bed of one command lies on: programs, texts, words, a model, a store."""

    directory: Path
    pair: LoadPair
    texts: dict[Kind, Texts]
    words: Sequence[str]
    model: Path
    options: argparse.Namespace

    @classmethod
    def prepare(cls, options: argparse.Namespace, directory: Path) -> "Ground":
        same = bed.write_common_texts(options.perf_dir, directory)
        light = write_new_texts(directory / "light.txt", 2_000)
        new = write_new_texts(directory / "new.txt", options.texts, spam=True)
        sample = chain(new_texts(20_000, spam=True), same.read_text(encoding="utf-8").splitlines())
        store = directory / "store"
        store.mkdir()
        asyncio.run(bed.refuse(f"sqlite:///{store}/smsward.db"))
        return cls(
            directory=directory,
            pair=LoadPair.build(options.perf_dir, directory),
            texts={
                Kind.NEW: Texts(Kind.NEW, new, light),
                Kind.SAME: Texts(Kind.SAME, same, same),
            },
            words=bed.absent_words(sample, bed.KEYWORDS),
            model=bed.train_model(directory),
            options=options,
        )

    def lay(self, policy: Policy, ports: bed.Ports) -> Path:
        """Lay the bed for `policy`; return its directory."""
        place = self.directory / policy
        place.mkdir()
        store_url = f"sqlite:///{place}/var/smsward.db"
        bed.write_config(place / "config", ports, store_url)
        shutil.copytree(self.directory / "store", place / "var")
        rules = Enforcement.OFF if policy is Policy.WORDS else Enforcement.SHADOW
        policies = place / "policies"
        bed.write_policies(
            ROOT / "policies", policies, self.words, spam=self.options.spam, rules=rules
        )
        bed.install_model(place, self.model)
        if policy is Policy.FULL:
            bed.turn_on_all(policies)
            bed.agree(place)
        return place


@contextmanager
def benched(ground: Ground, policy: Policy, smsc_port: int) -> Iterator[Server]:
    """Start a gateway with `policy`; end it and drop its files afterwards."""
    ports = bed.Ports(esme=free_port(), smsc=smsc_port, metrics=free_port())
    place = ground.lay(policy, ports)
    with gateway(place, ports) as server:
        yield server
    shutil.rmtree(place)


def measure(options: argparse.Namespace, console: Console) -> dict[str, dict[str, Measured]]:
    """Return the figures of each policy by kind of texts, and of the relay if it was asked for."""
    policies = tuple(Policy) if options.all else (Policy(options.policy),)
    kinds = tuple(Kind) if options.all else ((Kind.SAME if options.same else Kind.NEW),)
    results: dict[str, dict[str, Measured]] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smsward-e2e-")))
        console.log("preparing texts, store and model")
        ground = Ground.prepare(options, directory)
        smsc_port = free_port()
        sink = stack.enter_context(Sink(ground.pair.smsc_sink, smsc_port))
        for policy in policies:
            console.log(f"{policy}: laying the bed")
            with benched(ground, policy, smsc_port) as server:
                results[policy] = {
                    kind: of_kind(ground, kind, (sink, server), console) for kind in kinds
                }
        if options.relay or options.all:
            blind = stack.enter_context(relay(directory, free_port(), smsc_port))
            floor = Bench(ground.pair, sink, blind, ground.texts[Kind.SAME], times=RELAY_TIMES)
            console.log("relay: warm-up")
            per_s = floor.warm_up()
            measured = floor.all_figures(
                options.runs, per_s, lambda said: console.log(f"relay: {said}")
            )
            results["relay"] = {"any": measured}
    return results


def of_kind(ground: Ground, kind: Kind, ends: tuple[Sink, Server], console: Console) -> Measured:
    """Measure a gateway with one kind of texts."""
    sink, server = ends
    times = NEW_SHARE if kind is Kind.NEW else 1.0
    bench = Bench(ground.pair, sink, server, ground.texts[kind], ground.options.spam, times)
    runs: int = ground.options.runs
    console.log(f"{kind}: warm-up")
    per_s = bench.warm_up()
    measured = bench.all_figures(runs, per_s, lambda said: console.log(f"{kind}: {said}"))
    console.log(f"{kind}: fairness")
    measured["fairness"] = middle([bench.fairness(per_s) for _ in range(runs)])
    return measured


def table_of(results: dict[str, dict[str, Measured]]) -> Table:
    table = Table(title="end to end, one core, medians")
    columns = ("policy", "texts", "sessions x window", "msg/s", "CPU us/msg", "p50 ms", "p99 ms")
    for column in columns:
        table.add_column(column, justify="left" if column in columns[:2] else "right")
    for policy, kinds in results.items():
        for kind, measured in kinds.items():
            for name, one in measured.items():
                table.add_row(
                    *(policy, kind, name),
                    f"{one.msgs_per_s:,.0f}",
                    f"{one.cpu_us:.2f}",
                    f"{one.p50_ms:.2f}",
                    f"{one.p99_ms:.2f}",
                )
    table.caption = "fairness: rate and CPU of the floods, latency of the light session"
    return table


def document(
    options: argparse.Namespace, results: dict[str, dict[str, Measured]]
) -> dict[str, object]:
    """Return what is kept: figures, and enough to repeat them, but nothing of this machine."""
    flags = [f"--{name}" for name in ("all", "same", "relay", "spam") if vars(options)[name]]
    if not options.all:
        flags += ["--policy", options.policy]
    return {
        "command": " ".join(["python -m benchmarks.e2e --perf-dir DIR", *flags]),
        **about(),
        "runs": options.runs,
        "texts": {
            "new": f"{options.texts} of which no two are alike, drawn at random",
            "same": "2000 that come again and again",
        },
        "numbers": bed.LOAD_NUMBERS,
        "results": {
            policy: {
                kind: {name: asdict(one) for name, one in measured.items()}
                for kind, measured in kinds.items()
            }
            for policy, kinds in results.items()
        },
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the gateway end to end.")
    parser.add_argument("--perf-dir", type=Path, required=True, help="sources of the load pair")
    parser.add_argument("--all", action="store_true", help="every policy, both kinds, the relay")
    parser.add_argument("--policy", choices=list(Policy), default=Policy.SHIPPED)
    parser.add_argument("--same", action="store_true", help="2000 texts that come again and again")
    parser.add_argument("--texts", type=int, default=bed.NEW_TEXTS, help="how many new ones")
    parser.add_argument("--relay", action="store_true", help="measure a blind TCP relay beside it")
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
