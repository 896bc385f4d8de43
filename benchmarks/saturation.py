"""Saturate one core with new texts and look at everybody else: backpressure, not refusal.

python -m benchmarks.saturation [--perf-dir DIR] [--seconds 60] [--loop uvloop|asyncio|both]
    [--json FILE]

64 sessions with a window of 50 send texts of which no two are alike to three million numbers, under
the shipped policy with a model in shadow mode. Some of the numbers have refused. Beside it another
SP sends 20 messages a second, first alone; a third writes to subscribers who refuse in the meantime
by `smsward consent refuse`; /livez and /readyz are asked once a second. The gateway has core 0, all
else core 1, where the load lets the light sender's clock pass. DIR holds the sources of the load
pair in C; without it load and sink are written in Python, which may saturate less.

Exit status: 0 all bounds held, 1 one was broken or nothing could be measured.
"""

import argparse
import asyncio
import itertools
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, select

from benchmarks import bed
from benchmarks.machine import write_results
from benchmarks.metrics import decisions
from benchmarks.new_texts import new_texts, write_new_texts
from benchmarks.pairs import Flooded, Pair, pair_at
from benchmarks.processes import (
    LOAD_CORE,
    Loop,
    RunError,
    Server,
    free_port,
    gateway,
    let_pass,
    pin,
    wait_until,
)
from benchmarks.usage import Usage
from gateway.domain.policy import Enforcement
from gateway.runtime.tasks import spawn
from gateway.storage.tables import changes, consent_answers
from simulators import builders
from simulators.esme import RawEsme
from tests.promises.bystanders import LightSender, Log, Message, Probes, Question, named
from tests.promises.flood import Flood

ROOT = Path(__file__).resolve().parent.parent
SESSIONS, WINDOW = 64, 50
# The flood is as many messages as take its seconds; they may take more.
AT_MOST = 5.0
LIGHT_PER_S, IDLE_S = 20, 15
FIRST_NUMBER, NUMBERS = 8613100000000, 3_000_000
# One in a thousand of the load's numbers has refused its sender.
REFUSED_STEP = 1_000
REFUSED_ELSEWHERE = 100_000
ROK, RSUBMITFAIL = 0, 0x45
ACCOUNTS = (
    bed.Account("sp1", "1069", per_s=1_000_000, window=10_000),
    bed.Account("sp2", "1068"),
    bed.Account("sp3", "1067"),
)
# What must hold (issue: "saturation is backpressure, not refusal").
OBEYED_WITHIN_S, PROBED_WITHIN_S, SLOWER_AT_MOST = 1.0, 1.0, 5.0
SAMPLE_EVERY_S = 1.0
BEFORE_S, AFTER_S, TRIAL_AT_MOST_S = 1.0, 2.5, 60.0
# So many messages more than before tell that the flood has begun.
BEGUN = 1_000
_MAINLAND = 86_00000000000


@dataclass(slots=True)
class Watch:
    """Looks at the memory and the files of a process once a second, in a thread of its own."""

    server: Server
    directory: Path
    samples: list[Usage] = field(default_factory=list)
    _is_over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Sample until told to stop."""
        while not self._is_over.is_set():
            self.samples.append(Usage.of(self.server, self.directory))
            self._is_over.wait(SAMPLE_EVERY_S)

    def stop(self) -> None:
        self._is_over.set()

    def summary(self, messages: int) -> dict[str, object]:
        """Return growth, by message, and what an hour of it comes to.

        What fills once (caches) does not go on growing, so the hour is that of the second half.
        """
        first, middle, last = (
            self.samples[0],
            self.samples[len(self.samples) // 2],
            self.samples[-1],
        )
        grown = last.records + last.store - first.records - first.store
        return {
            "whole": last.since(first),
            "second_half": last.since(middle),
            "rss_most_mb": round(max(one.rss for one in self.samples) / 1e6, 1),
            "rss_mb_per_hour": round(
                (last.rss - middle.rss) / max(1.0, last.at - middle.at) * 3600 / 1e6, 1
            ),
            "disk_octets_per_message": round(grown / max(1, messages)),
        }


def messages(source: str, first: int, seed: int) -> Iterator[Message]:
    """Yield adverts and notices to number after number, no text twice."""
    for n, text in enumerate(new_texts(10**6, seed=seed)):
        if not text.isascii():
            yield Message(source, str(first + n % 10_000), (builders.ucs2(text),))


async def bound(port: int, system_id: str) -> RawEsme:
    esme = await RawEsme.connect("127.0.0.1", port)
    if status := await esme.bind(system_id, "secret"):
        raise RunError(f"{system_id} could not bind: {status}")
    return esme


@dataclass(slots=True)
class Refusals:
    """Subscribers who refuse, one after the other, while an SP writes to them all the time."""

    port: int
    directory: Path
    log: Log = field(default_factory=Log)
    numbers: list[str] = field(default_factory=list)

    async def run(self, is_over: asyncio.Event) -> None:
        """Let one after the other refuse until `is_over`; one at least."""
        esme = await bound(self.port, "sp3")
        for n in itertools.count():
            await self._try(esme, str(13600136000 + n), n)
            if is_over.is_set():
                break
        await esme.unbind()

    async def _try(self, esme: RawEsme, number: str, seed: int) -> None:
        texts = (
            Message("10670001", number, (builders.ucs2(text),))
            for text in new_texts(10**6, seed=100 + seed)
            if text.endswith("拒收请回复R")
        )
        is_enough = asyncio.Event()
        sender = LightSender(esme, texts, every_s=0.02)
        sending = spawn(sender.send(TRIAL_AT_MOST_S, is_enough), name="to who refuses")
        await asyncio.sleep(BEFORE_S)
        await self._refuse(number)
        await asyncio.sleep(AFTER_S)
        is_enough.set()
        self.numbers.append(number)
        self.log.answers += (await sending).answers

    async def _refuse(self, number: str) -> None:
        command = ("consent", "refuse", "--system-id", "sp3", "--config", "config", number)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", *command),
            cwd=self.directory,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        let_pass(process.pid)
        _, complaint = await process.communicate()
        if process.returncode:
            raise RunError(f"smsward consent refuse: {complaint.decode()}")

    def summary(self) -> dict[str, object]:
        """Return how long after the commit of each refusal the last ESME_ROK was heard."""
        committed = self._commits()
        late, unheard = [], 0
        for number in self.numbers:
            heard = [one for one in self.log.answers if one.destination == number]
            accepted = [one.answered_at for one in heard if one.status == ROK]
            late.append(max(0.0, max(accepted, default=0.0) - committed[number]))
            unheard += all(one.status != RSUBMITFAIL for one in heard)
        return {
            "tried": len(late),
            "never_obeyed": unheard,
            "obeyed_s": [round(one, 3) for one in late],
            "longest_s": round(max(late), 3),
            "statuses": named(self.log.statuses),
        }

    def _commits(self) -> dict[str, float]:
        query = select(consent_answers.c.msisdn, changes.c.at).join(
            changes, changes.c.number == consent_answers.c.change
        )
        numbers = [int(number) + _MAINLAND for number in self.numbers]
        engine = create_engine(f"sqlite:///{self.directory}/var/smsward.db")
        with engine.connect() as connection:
            rows = connection.execute(query.where(consent_answers.c.msisdn.in_(numbers))).all()
        engine.dispose()
        return {str(n - _MAINLAND): at.timestamp() for n, at in rows}


@dataclass(frozen=True, slots=True)
class Bed:
    """A deployment, running, with the sink and the load that it is measured with."""

    directory: Path
    ports: bed.Ports
    pair: Pair
    flood: Flood


def lay(directory: Path, ports: bed.Ports, model: Path) -> None:
    """Write the deployment: shipped policy, 10 000 words more, a model, refusals."""
    store_url = f"sqlite:///{directory}/var/smsward.db"
    bed.write_config(directory / "config", ports, store_url, ACCOUNTS)
    (directory / "var").mkdir()
    words = bed.absent_words(new_texts(2_000), bed.KEYWORDS)
    bed.write_policies(
        ROOT / "policies", directory / "policies", words, spam=True, rules=Enforcement.SHADOW
    )
    asyncio.run(bed.refuse(store_url, REFUSED_ELSEWHERE))
    some = range(FIRST_NUMBER, FIRST_NUMBER + NUMBERS, REFUSED_STEP)
    asyncio.run(bed.refuse_some(store_url, "sp1", some))
    bed.install_model(directory, model)


async def saturate(one: Bed, server: Server, console: Console) -> dict[str, object]:
    """Measure once; return what was found."""
    sp2 = LightSender(
        await bound(one.ports.esme, "sp2"), messages("10680001", 13500135000, 21), 1 / LIGHT_PER_S
    )
    await sp2.send(3)  # whatever is only done once
    idle = await sp2.send(IDLE_S)
    rate = await asyncio.to_thread(one.pair.warm_up, one.flood)
    console.log(f"idle {idle.summary()}; {rate:.0f} messages a second")
    before = await asyncio.to_thread(decisions, one.ports.metrics)
    received = await asyncio.to_thread(one.pair.received)
    is_over = asyncio.Event()
    probes = Probes(
        tuple(
            Question(path, "GET", f"http://127.0.0.1:{one.ports.metrics}/{path}")
            for path in ("livez", "readyz")
        )
    )
    refusals = Refusals(one.ports.esme, one.directory)
    watch = Watch(server, one.directory)
    cpu_s = server.cpu_s()
    flood = spawn(asyncio.to_thread(one.pair.saturate, one.flood, rate), name="flood")
    flood.add_done_callback(lambda _: is_over.set())
    enough = before.total() + BEGUN  # a load in C first reads its texts
    await asyncio.to_thread(
        wait_until, lambda: decisions(one.ports.metrics).total() >= enough, server.process
    )
    watching = spawn(asyncio.to_thread(watch.run), name="watch")
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(probes.run(is_over))
        tried = group.create_task(refusals.run(is_over))
        loaded = await sp2.send(AT_MOST * one.flood.seconds, is_over)
    load = await flood
    del asked, tried
    cpu_s = server.cpu_s() - cpu_s
    watch.stop()
    await watching
    after = await asyncio.to_thread(decisions, one.ports.metrics)
    received = await asyncio.to_thread(one.pair.received)
    # What an idle gateway takes may have changed meanwhile, with the machine.
    idle.answers += (await sp2.send(IDLE_S)).answers
    return {
        "load": {
            "messages": load.answered,
            "msgs_per_s": round(load.per_s),
            "cpu_us": round(cpu_s / max(1, load.answered) * 1e6, 2),
            "p50_ms": load.p50_ms,
            "p99_ms": load.p99_ms,
            "statuses": named(load.statuses),
        },
        "light": {"idle": idle.summary(), "loaded": loaded.summary()},
        "refusals": await asyncio.to_thread(refusals.summary),
        "probes": probes.summary(),
        "books": books(load, (loaded, refusals.log), received, (before, after)),
        "resources": watch.summary(load.answered),
    }


def books(
    load: Flooded,
    logs: tuple[Log, ...],
    received: int,
    metrics: tuple[Counter[str], Counter[str]],
) -> dict[str, object]:
    """Return both sides of the account: what SPs heard, what the SMSC got, what policy refused."""
    heard: Counter[int] = Counter(load.statuses)
    for log in logs:
        heard += Counter(log.statuses)
    before, after = metrics
    return {
        "sent": load.sent,
        "answered": load.answered,
        "odd_answers": load.odd,
        "heard": named(heard),
        "accepted": heard[ROK],
        "received_by_sink": received,
        "judged": {key: count for key in after if (count := after[key] - before[key])},
    }


def broken(found: Mapping[str, Any]) -> list[str]:
    """Return the bounds that did not hold."""
    book, light = found["books"], found["light"]
    judged, heard = book["judged"], book["heard"]
    refused, told = judged.get("reject OPTED_OUT", 0), heard.get("0x45", 0)
    idle_ms, loaded_ms = light["idle"]["p99_ms"], light["loaded"]["p99_ms"]
    obeyed_s = found["refusals"]["longest_s"]
    slow = {
        name: probe
        for name, probe in found["probes"].items()
        if probe["max_ms"] > PROBED_WITHIN_S * 1e3 or set(probe["answers"]) != {"200"}
    }
    faults = {
        f"decisions that the policy did not ask for: {judged}": any(map(_is_unasked, judged)),
        f"statuses that the policy did not ask for: {heard}": bool(heard.keys() - {"0x0", "0x45"}),
        f"{told} heard of a refusal, {refused} were refused": told != refused,
        f"{book['accepted']} accepted, {book['received_by_sink']} received": (
            book["accepted"] != book["received_by_sink"]
        ),
        f"{book['sent']} sent, {book['answered']} answered, {book['odd_answers']} odd": (
            book["sent"] != book["answered"] or book["odd_answers"] > 0
        ),
        f"a light sender's p99: {idle_ms} ms alone, {loaded_ms} ms beside": (
            loaded_ms > SLOWER_AT_MOST * idle_ms
        ),
        f"a refusal was obeyed after {obeyed_s} s": obeyed_s > OBEYED_WITHIN_S,
        "a refusal was never obeyed": found["refusals"]["never_obeyed"] > 0,
        f"probes: {slow}": bool(slow),
    }
    return [fault for fault, is_broken in faults.items() if is_broken]


def _is_unasked(decision: str) -> bool:
    """Tell whether a decision is not one of this policy's; rules in shadow mode stop nothing."""
    return decision not in {"forward", "reject OPTED_OUT"} and not decision.startswith("shadow")


def measure(
    options: argparse.Namespace, loop: Loop, model: Path, console: Console
) -> dict[str, object]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smsward-full-")))
        ports = bed.Ports(esme=free_port(), smsc=free_port(), metrics=free_port())
        console.log(f"{loop}: laying the bed")
        lay(directory, ports, model)
        texts = write_new_texts(directory / "new.txt", bed.NEW_TEXTS)
        pair = stack.enter_context(pair_at(ports.smsc, options.perf_dir, directory, texts))
        server = stack.enter_context(gateway(directory, ports, loop))
        flood = Flood(
            port=ports.esme,
            system_id="sp1",
            first_source=10690001,
            first=FIRST_NUMBER,
            numbers=NUMBERS,
            sessions=SESSIONS,
            window=WINDOW,
            seconds=options.seconds,
        )
        found = asyncio.run(saturate(Bed(directory, ports, pair, flood), server, console))
        return {"pair": pair.name, **found, "broken": broken(found)}


def table_of(results: Mapping[str, dict[str, object]]) -> Table:
    table = Table("", *results, title="one core, saturated")
    for group, keys in (
        ("load", ("msgs_per_s", "cpu_us", "p50_ms", "p99_ms", "statuses")),
        ("light", ("idle", "loaded")),
        ("refusals", ("longest_s", "tried", "statuses")),
        ("probes", ("livez", "readyz")),
        ("books", ("accepted", "received_by_sink", "judged")),
        ("resources", ("rss_most_mb", "rss_mb_per_hour", "disk_octets_per_message", "second_half")),
    ):
        for key in keys:
            table.add_row(f"{group} {key}", *(str(found[group][key]) for found in results.values()))
    return table


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Saturate a gateway, and look at its neighbours.")
    parser.add_argument("--perf-dir", type=Path, help="sources of the load pair in C")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--loop", choices=[*Loop, "both"], default="both")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    return parser.parse_args()


def main() -> int:
    options = parse()
    console = Console(soft_wrap=True)
    pin(os.getpid(), LOAD_CORE)
    loops = tuple(Loop) if options.loop == "both" else (Loop(options.loop),)
    try:
        with tempfile.TemporaryDirectory(prefix="smsward-model-") as place:
            console.log("training a model")
            model = bed.train_model(Path(place))
            results = {str(loop): measure(options, loop, model, console) for loop in loops}
    except RunError as error:
        console.print(f"[red]no figures:[/] {error}")
        return 1
    console.print(table_of(results))
    if options.json:
        command = f"python -m benchmarks.saturation --seconds {options.seconds:.0f}"
        write_results(options.json, command, results)
    faults = [f"{loop}: {fault}" for loop, found in results.items() for fault in found["broken"]]
    for fault in faults:
        console.print(f"[red]broken[/] {fault}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
