"""Measure how long a refusal takes to stop what an SP sends, whichever way it comes (R21, R31).

python -m benchmarks.optout_effect [--rate N] [--numbers N] [--json FILE]

A gateway on core 0, with the shipped policy; beside it, on core 1, an API, a simulated SMSC and
an SP that sends commercial messages at `--rate` a second to `--numbers` subscribers. Some of
them refuse, one after the other: by a message (TD), over the API (POST /v1/optouts, another
process), and by `smsward consent refuse` (a third). To whoever is about to refuse the SP sends
every hundredth of a second, before and after.

For each refusal, by the gateway's own records: how long after its commit the last message to that
number was passed on, and how many were that it had received more than a second after the commit.
The commit is dated by its change, which is written a moment before it.
Exit status: 0 measured and none was late, 1 some were, or a run did not come out even.
"""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, select

from benchmarks import bed
from benchmarks.processes import (
    LOAD_CORE,
    RunError,
    Server,
    free_port,
    gateway,
    is_listening,
    pin,
    wait_until,
)
from gateway.domain.policy import Enforcement
from gateway.records.writer import read_records
from gateway.runtime.tasks import spawn
from gateway.storage.tables import changes, consent_answers
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc

ROOT = Path(__file__).resolve().parent.parent
SP, PORT = "sp1", "10690001"
TEXT = builders.ucs2("【示例】秋冬新品五折，到店有礼，拒收请回复R")
FIRST = 13800000000
TOKEN = "the-token-of-the-benchmark-and-of-nobody-else"  # noqa: S105 - of a store that is thrown away
STEP_S = 0.01
WITHIN_S = 1.0
WARM_UP_S, PAUSE_S, COOL_DOWN_S = 2.0, 0.35, 2.0
_MAINLAND = 86_00000000000


@dataclass
class Campaign:
    """An SP's session that sends at a rate, more often to the numbers in `hot`."""

    esme: RawEsme
    rate: int
    numbers: range
    hot: list[str] = field(default_factory=list)
    sent: int = 0
    is_over: bool = False

    async def run(self) -> None:
        """Send a hundredth of a second's messages every hundredth of a second."""
        per_step, at = int(self.rate * STEP_S), 0
        due = time.perf_counter()
        while not self.is_over:
            some = [str(self.numbers[(at + i) % len(self.numbers)]) for i in range(per_step)]
            at += per_step
            await self.esme.send(b"".join(self._pdus([*some, *self.hot])))
            due += STEP_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))

    def _pdus(self, numbers: list[str]) -> Iterator[bytes]:
        self.sent += len(numbers)
        for number in numbers:
            yield builders.submit_sm(PORT, number, TEXT, sequence=self.esme.next_sequence())


@dataclass(frozen=True, slots=True)
class Way:
    """How subscribers refuse, and how many of them do."""

    name: str
    count: int
    refuse: Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one way came to; times are from the commit to the last message passed on."""

    refusals: int
    p50_ms: float
    p95_ms: float
    max_ms: float
    received_late: int


@dataclass(frozen=True, slots=True)
class Run:
    """What a run leaves for the books."""

    refused: dict[str, list[str]]
    sent: int
    elapsed_s: float


def write_bed(directory: Path, ports: bed.Ports, api_port: int) -> None:
    """Lay out a deployment and an API beside it."""
    bed.write_config(directory / "config", ports, f"sqlite:///{directory}/var/smsward.db")
    (directory / "var").mkdir()
    words = bed.absent_words([TEXT.decode("utf-16-be")], 1000)
    policies = directory / "policies"
    bed.write_policies(ROOT / "policies", policies, words, spam=False, rules=Enforcement.SHADOW)
    digest = sha256(TOKEN.encode()).hexdigest()
    (directory / "config" / "console.yaml").write_text(
        f"""\
version: 1
address: "127.0.0.1:{api_port}"
clients:
  - {{name: shop, role: sp, system_id: {SP}, token: "sha256:{digest}"}}
""",
        encoding="utf-8",
    )


def api(directory: Path, port: int) -> Server:
    """Start the API on the bed; it answers when this returns."""
    command = [sys.executable, "-m", "gateway", "console", "--config", "config"]
    server = Server("api", command, directory, port)
    pin(server.process.pid, LOAD_CORE)
    wait_until(lambda: is_listening(port), server.process)
    return server


def ways(
    smsc: SimulatedSmsc, client: httpx.AsyncClient, directory: Path, counts: tuple[int, int, int]
) -> tuple[Way, ...]:
    """Return the three ways a refusal comes; each returns once it is on record."""

    async def by_message(number: str) -> None:
        await smsc.deliver(SP, number, PORT, "TD")

    async def by_api(number: str) -> None:
        answer = await client.post("/v1/optouts", json={"numbers": [number]})
        answer.raise_for_status()

    async def by_command(number: str) -> None:
        command = ("consent", "refuse", "--system-id", SP, "--config", "config", number)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", *command),
            cwd=directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        _, complaint = await process.communicate()
        if process.returncode:
            raise RunError(f"smsward consent refuse: {complaint.decode()}")

    return tuple(map(Way, ("mo", "api", "cli"), counts, (by_message, by_api, by_command)))


@asynccontextmanager
async def sending(port: int, rate: int, numbers: range) -> AsyncIterator[Campaign]:
    """Bind and send until the end of the block."""
    esme = await RawEsme.connect("127.0.0.1", port)
    if await esme.bind(SP, "secret") != 0:
        raise RunError("the SP could not bind")
    campaign = Campaign(esme, rate, numbers)
    task = spawn(campaign.run(), name="campaign")
    try:
        yield campaign
    finally:
        campaign.is_over = True
        await task
        await esme.unbind()


async def refuse_all(
    options: argparse.Namespace, smsc: SimulatedSmsc, directory: Path, ports: tuple[int, int]
) -> Run:
    """Send, let subscribers refuse one after the other, and go on sending to them."""
    port, api_port = ports
    numbers = range(FIRST, FIRST + options.numbers)
    refused: dict[str, list[str]] = defaultdict(list)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    base = f"http://127.0.0.1:{api_port}"
    async with (
        httpx.AsyncClient(base_url=base, headers=headers, trust_env=False, timeout=10) as client,
        sending(port, options.rate, numbers) as campaign,
    ):
        began = time.perf_counter()
        await asyncio.sleep(WARM_UP_S)
        who = iter(range(FIRST + options.numbers, FIRST + 2 * options.numbers))
        for way in ways(smsc, client, directory, options.counts):
            for _ in range(way.count):
                number = str(next(who))
                campaign.hot.append(number)
                await asyncio.sleep(PAUSE_S)
                await way.refuse(number)
                refused[way.name].append(number)
                if len(campaign.hot) > 2 * COOL_DOWN_S / PAUSE_S:
                    campaign.hot.pop(0)
            await asyncio.sleep(COOL_DOWN_S)
            campaign.hot.clear()
        sent, elapsed_s = campaign.sent, time.perf_counter() - began
    return Run(dict(refused), sent, elapsed_s)


def commits(directory: Path) -> dict[str, float]:
    """Return when each refusal was committed, by the change that it is stamped with."""
    query = select(consent_answers.c.msisdn, changes.c.at).join(
        changes, changes.c.number == consent_answers.c.change
    )
    engine = create_engine(f"sqlite:///{directory}/var/smsward.db")
    with engine.connect() as connection:
        found = {str(n - _MAINLAND): at.timestamp() for n, at in connection.execute(query)}
    engine.dispose()
    return found


def passed_on(directory: Path, numbers: set[str]) -> dict[str, list[float]]:
    """Return when the gateway received what it passed on to each of `numbers`, epoch seconds."""
    found: dict[str, list[float]] = defaultdict(list)
    for file in sorted((directory / "var" / "cdr").glob("*.jsonl")):
        for record in read_records(file):
            destination = str(record.get("destination"))
            is_passed = record.get("action") in ("forward", "shadow")
            if record["kind"] == "decision" and is_passed and destination in numbers:
                found[destination].append(datetime.fromisoformat(str(record["at"])).timestamp())
    return found


def effects(run: Run, directory: Path) -> dict[str, Effect]:
    """Return what each way came to. Raises RunError when a refusal is not on record."""
    committed = commits(directory)
    everyone = {number for numbers in run.refused.values() for number in numbers}
    if missing := everyone - committed.keys():
        raise RunError(f"{len(missing)} refusals are not on record")
    passed = passed_on(directory, everyone)
    if everyone - passed.keys():
        raise RunError("some subscribers got no message before they refused")
    measured = {}
    for name, numbers in run.refused.items():
        spans = sorted(max(0.0, max(passed[n]) - committed[n]) * 1000 for n in numbers)
        late = [at for n in numbers for at in passed[n] if at > committed[n] + WITHIN_S]
        measured[name] = Effect(
            refusals=len(numbers),
            p50_ms=round(spans[len(spans) // 2], 1),
            p95_ms=round(spans[min(len(spans) - 1, int(len(spans) * 0.95))], 1),
            max_ms=round(spans[-1], 1),
            received_late=len(late),
        )
    return measured


async def measure(
    options: argparse.Namespace, console: Console
) -> tuple[dict[str, object], dict[str, Effect]]:
    """Return what is kept: figures, and enough to repeat them, but nothing of this machine."""
    behaviour = Behaviour(journal_limit=0)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smsward-optout-")))
        async with SimulatedSmsc(behaviour=behaviour) as smsc:
            ports = bed.Ports(esme=free_port(), smsc=smsc.port, metrics=free_port())
            api_port = free_port()
            write_bed(directory, ports, api_port)
            servers = stack.enter_context(ExitStack())
            servers.enter_context(await asyncio.to_thread(gateway, directory, ports))
            servers.enter_context(await asyncio.to_thread(api, directory, api_port))
            console.log(f"{options.rate} messages a second, {sum(options.counts)} refusals")
            run = await refuse_all(options, smsc, directory, (ports.esme, api_port))
            # In a thread: the SMSC answers the gateway's farewell.
            await asyncio.to_thread(servers.close)
        measured = effects(run, directory)
    found: dict[str, object] = {
        "command": f"python -m benchmarks.optout_effect --rate {options.rate}",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": {
            "cores": os.cpu_count(),
            "architecture": platform.machine(),
            "python": platform.python_version(),
        },
        "numbers": options.numbers,
        "sent_per_s": round(run.sent / run.elapsed_s),
        "results": {name: asdict(effect) for name, effect in measured.items()},
    }
    return found, measured


def table_of(found: dict[str, object], results: dict[str, Effect]) -> Table:
    title = f"from a refusal's commit to the last message, at {found['sent_per_s']} a second"
    table = Table(title=title)
    for column in ("way", "refusals", "p50 ms", "p95 ms", "max ms", "received late"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for name, one in results.items():
        table.add_row(
            name,
            str(one.refusals),
            f"{one.p50_ms:.1f}",
            f"{one.p95_ms:.1f}",
            f"{one.max_ms:.1f}",
            str(one.received_late),
        )
    return table


def counts_of(text: str) -> tuple[int, int, int]:
    by_message, by_api, by_command = map(int, text.split(","))
    return by_message, by_api, by_command


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure how fast a refusal takes effect.")
    parser.add_argument("--rate", type=int, default=5000, help="messages a second")
    parser.add_argument("--numbers", type=int, default=3000, help="subscribers they go to")
    parser.add_argument(
        "--counts",
        type=counts_of,
        default=(40, 40, 20),
        help="how many refuse by message, over the API, and by command",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    return parser.parse_args()


def main() -> int:
    options = parse()
    console = Console()
    pin(os.getpid(), LOAD_CORE)
    try:
        found, results = asyncio.run(measure(options, console))
    except RunError as error:
        console.print(f"[red]no figures:[/] {error}")
        return 1
    console.print(table_of(found, results))
    if options.json:
        text = json.dumps(found, indent=2, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")
    return int(any(one.received_late for one in results.values()))


if __name__ == "__main__":
    sys.exit(main())
