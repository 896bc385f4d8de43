"""Attack a gateway and look at its neighbours: what one SP or a stranger does, nobody else feels.

python -m benchmarks.neighbours [--only NAME ...] [--seconds 6] [--json FILE]

For each attack of tests/promises/attacks.py, at the rates of a hostile review and ten times them: a
fresh gateway with the shipped policy and a model in shadow mode on core 0; on core 1 an SMSC, the
API, the attacker and the victim, an SP that sends an advert or a notice each 50 ms from an address
that attackers share. It is measured alone first and then beside the attack. All the time it binds
anew once a second, /livez, /readyz and /v1/health are asked, and a clerk records a refusal over the
API.

An SP and an SMSC have machines of their own, which no attack on the gateway slows: here they run
before all others of their core (SCHED_FIFO: root or CAP_SYS_NICE is needed), the attacker last.

A bound is broken when the victim's median is more than three times its own before, when it hears a
status that its policy did not ask for, when none of its binds is accepted, or when a probe takes
over a second or fails.
Exit status: 0 all bounds held, 1 one was broken or nothing could be measured.
"""

import argparse
import asyncio
import itertools
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import bed
from benchmarks.machine import commit, write_results
from benchmarks.new_texts import new_texts
from benchmarks.pairs import sink_in_python
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
from benchmarks.usage import Usage
from simulators import builders
from simulators.esme import RawEsme
from tests.promises.attacks import ATTACKS, SHARED_ADDRESS, Order, attack_by
from tests.promises.bystanders import LightSender, Message, Probes, Question, named

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "the-token-of-the-benchmark-and-of-nobody-else"  # noqa: S105 - of a store that is thrown away
ACCOUNTS = (
    bed.Account("sp1", "10690001"),
    bed.Account("sp2", "10690002"),
    bed.Account("sp3", "10690003", purpose="service"),
    *(bed.Account(f"sp{number}", f"1069000{number}") for number in range(4, 8)),
)
WARM_UP_S, IDLE_S, EVERY_S = 2.0, 5.0, 0.05
SLOWER_AT_MOST, PROBED_WITHIN_S = 3.0, 1.0
# The rates are in the names of some attacks, and those are not multiplied.
TIMES = (1, 10)
# What takes longer to build up.
_LONGER = {"parts-of-four-senders": 2.5, "slow-bodies": 2.0}


@dataclass(frozen=True, slots=True)
class Case:
    """One attack at some rate."""

    attack: str
    times: int

    @property
    def name(self) -> str:
        return self.attack if self.attack.endswith("-per-s") else f"{self.attack} x{self.times}"


def cases(only: list[str]) -> Iterator[Case]:
    """Yield what to measure: all, or those whose names begin with one of `only`."""
    for attack, times in itertools.product(ATTACKS, TIMES):
        is_wanted = not only or any(attack.startswith(prefix) for prefix in only)
        if is_wanted and not (attack.endswith("-per-s") and times != 1):
            yield Case(attack, times)


@dataclass(frozen=True, slots=True)
class Bed:
    """A deployment with its API, running."""

    directory: Path
    ports: bed.Ports
    api_port: int
    server: Server


def lay(directory: Path, ports: bed.Ports, api_port: int, model: Path) -> None:
    """Write the deployment: the shipped policy, a model, a clerk."""
    store_url = f"sqlite:///{directory}/var/smsward.db"
    bed.write_config(directory / "config", ports, store_url, ACCOUNTS)
    (directory / "var").mkdir()
    digest = sha256(TOKEN.encode()).hexdigest()
    (directory / "config" / "console.yaml").write_text(
        f"""\
version: 1
address: "127.0.0.1:{api_port}"
clients:
  - {{name: hall, role: clerk, channels: [hall], token: "sha256:{digest}"}}
""",
        encoding="utf-8",
    )
    shutil.copytree(ROOT / "policies", directory / "policies")
    bed.install_model(directory, model)


def victim_messages(attack: str) -> Iterator[Message]:
    """Yield adverts and notices, no two alike; beside floods of parts, such as have two parts."""
    texts = (text for text in new_texts(10**6, seed=41) if not text.isascii())
    for n, text in enumerate(texts):
        octets = builders.ucs2(text)
        if attack.startswith("parts"):
            parts = tuple(builders.udh_parts(octets + builders.ucs2(next(texts)), n % 256))
        else:
            parts = (octets,)
        yield Message("10690002", str(13500135000 + n % 10_000), parts)


async def binds(port: int, is_over: asyncio.Event) -> Counter[int]:
    """Bind once a second from the address that attackers share; return the statuses."""
    heard: Counter[int] = Counter()
    while not is_over.is_set():
        esme = await RawEsme.connect("127.0.0.1", port, local=SHARED_ADDRESS)
        try:
            heard[await esme.bind("sp2", "secret")] += 1
        except (ConnectionError, TimeoutError):
            heard[-1] += 1
        esme.abort()
        await asyncio.sleep(1.05)
    return heard


def prefer(pid: int) -> None:
    """Let a process, but none that it starts, run before all others of its core.

    Raises RunError where that is not allowed.
    """
    try:
        os.sched_setscheduler(pid, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except PermissionError as error:
        raise RunError("run it as root, or with CAP_SYS_NICE: it sets priorities") from error


def questions(one: Bed) -> tuple[Question, ...]:
    metrics, api = f"http://127.0.0.1:{one.ports.metrics}", f"http://127.0.0.1:{one.api_port}"
    refusal = {"numbers": ["13900139000"], "all_senders": True}
    return (
        Question("livez", "GET", f"{metrics}/livez"),
        Question("readyz", "GET", f"{metrics}/readyz"),
        Question("api", "GET", f"{api}/v1/health"),
        Question("clerk", "POST", f"{api}/v1/optouts", token=TOKEN, json=refusal),
    )


async def measure(one: Bed, case: Case, seconds: float) -> dict[str, Any]:
    """Measure the victim alone, then beside the attack."""
    esme = await RawEsme.connect("127.0.0.1", one.ports.esme, local=SHARED_ADDRESS)
    if status := await esme.bind("sp2", "secret"):
        raise RunError(f"the victim could not bind: {status}")
    victim = LightSender(esme, victim_messages(case.attack), EVERY_S)
    is_over = asyncio.Event()
    probes = Probes(questions(one))
    order = Order(case.attack, one.ports.esme, one.api_port, seconds, case.times, is_idle=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(probes.run(is_over))
        binding = group.create_task(binds(one.ports.esme, is_over))
        await victim.send(WARM_UP_S)
        idle = await victim.send(IDLE_S)
        before = Usage.of(one.server, one.directory)
        attacking = group.create_task(attack(order))
        felt = await victim.send(3 * seconds + 60, attacking_ended(attacking))
        is_over.set()
    return {
        "attack": attacking.result(),
        "victim": {"idle": idle.summary(), "beside": felt.summary()},
        "binds": named(binding.result()),
        "probes": probes.summary(),
        "usage": Usage.of(one.server, one.directory).since(before),
    }


def attacking_ended(task: asyncio.Task[Any]) -> asyncio.Event:
    ended = asyncio.Event()
    task.add_done_callback(lambda _: ended.set())
    return ended


async def attack(order: Order) -> dict[str, Any]:
    """Let a process attack; return what it counted, and how often a second."""
    counted = await attack_by(order)
    return {
        "seconds": order.seconds,
        "counted": counted,
        "per_s": {
            name: round(counted[name] / order.seconds, 1)
            for name in ("sent", "connections", "octets")
            if name in counted
        },
    }


def broken(found: Mapping[str, Any]) -> list[str]:
    """Return the bounds that did not hold."""
    victim: Mapping[str, Any] = found["victim"]
    idle, beside = victim["idle"], victim["beside"]
    binds_heard: Mapping[str, int] = found["binds"]
    faults = []
    if beside["p50_ms"] > SLOWER_AT_MOST * idle["p50_ms"]:
        faults.append(f"median {idle['p50_ms']} ms alone, {beside['p50_ms']} ms beside it")
    if unasked := beside["statuses"].keys() - {"0x0"}:
        faults.append(f"statuses {sorted(unasked)}: {beside['statuses']}")
    if "0x0" not in binds_heard:
        faults.append(f"no bind was accepted: {binds_heard}")
    for name, probe in found["probes"].items():
        if probe["max_ms"] > PROBED_WITHIN_S * 1e3 or set(probe["answers"]) != {"200"}:
            faults.append(f"{name}: {probe['max_ms']} ms, {probe['answers']}")
    return faults


def run(case: Case, model: Path, seconds: float) -> dict[str, Any]:
    """Start everything, measure one case, and end everything."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smsward-near-")))
        ports = bed.Ports(esme=free_port(), smsc=free_port(), metrics=free_port())
        api_port = free_port()
        lay(directory, ports, api_port, model)
        smsc = stack.enter_context(sink_in_python(ports.smsc))
        prefer(smsc.pid)
        server = stack.enter_context(gateway(directory, ports))
        command = [sys.executable, "-m", "gateway", "console", "--config", "config"]
        api = stack.enter_context(Server("api", command, directory, api_port, core=LOAD_CORE))
        wait_until(lambda: is_listening(api_port), api.process)
        lasting = seconds * _LONGER.get(case.attack, 1.0)
        found = asyncio.run(measure(Bed(directory, ports, api_port, server), case, lasting))
        return {**found, "broken": broken(found)}


def table_of(results: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(title="a victim beside attacks")
    columns = ("attack", "per s", "p50 ms", "p99", "max", "statuses", "binds", "slowest probe")
    for column in (*columns, "log kB/s", "records kB/s", "broken"):
        table.add_column(column)
    for name, found in results.items():
        idle, beside = found["victim"]["idle"], found["victim"]["beside"]
        table.add_row(
            name,
            " ".join(f"{key} {value:,.0f}" for key, value in found["attack"]["per_s"].items()),
            f"{idle['p50_ms']} -> {beside['p50_ms']}",
            f"{idle['p99_ms']} -> {beside['p99_ms']}",
            f"{beside['max_ms']}",
            str(beside["statuses"]),
            str(found["binds"]),
            f"{max(probe['max_ms'] for probe in found['probes'].values())}",
            f"{found['usage']['log_kb_per_s']}",
            f"{found['usage']['records_kb_per_s']}",
            str(len(found["broken"]) or ""),
        )
    return table


def kept(path: Path | None) -> dict[str, dict[str, Any]]:
    """Return the cases of an earlier run, each with the commit it was taken at."""
    if path is None or not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: {"commit": found["commit"], **result} for name, result in found["results"].items()
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Attack a gateway, and look at its neighbours.")
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help="attacks, or prefixes; the file keeps what it has of the others",
    )
    parser.add_argument("--seconds", type=float, default=6.0, help="how long each attack lasts")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    return parser.parse_args()


def main() -> int:
    options = parse()
    console = Console(soft_wrap=True)
    pin(os.getpid(), LOAD_CORE)
    prefer(os.getpid())
    results = kept(options.json) if options.only else {}
    with tempfile.TemporaryDirectory(prefix="smsward-model-") as place:
        console.log("training a model")
        model = bed.train_model(Path(place))
        for case in cases(options.only):
            console.log(case.name)
            results[case.name] = {"commit": commit(), **run(case, model, options.seconds)}
            for fault in results[case.name]["broken"]:
                console.print(f"  [red]broken[/] {fault}")
            if options.json:  # all of them take a quarter of an hour
                command = f"python -m benchmarks.neighbours --seconds {options.seconds:g}"
                write_results(options.json, command, results)
    console.print(table_of(results))
    return int(any(found["broken"] for found in results.values()))


if __name__ == "__main__":
    sys.exit(main())
