"""What people who watch the console's first page cost the messages of SPs.

Prints one JSON object: `python -m benchmarks.viewers [--viewers N] [--seconds S] [--json FILE]`. A
gateway with its console serves one SP: 50 messages a second, each text another. The time from when
one was due to its answer, and the CPU seconds of the gateway's process, are taken in phases of S
seconds: without viewers and with N of them, in turn. Viewers are in a process of their own, at the
console's priority, and read every event.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from socket import socket
from urllib.parse import urlencode

import httpx

from benchmarks.machine import write_results
from gateway.console.live_streams import MOST_STREAMS_OF_USER
from gateway.domain.permissions import UserRole
from gateway.runtime.child_process import give_way
from gateway.runtime.logging import LogLevel, configure_logging
from gateway.stores import open_store
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from tests.promises.deployment import PASSWORD, Account, Deployment, source_of
from tests.systems.users.people import PASSWORD as OF_USERS
from tests.systems.users.people import enrolled

_EVERY_S = 0.02
_PHASES = ("without", "with", "without", "with", "without")
_WITHIN_S = 60.0
_APART_S = 0.1


def _free_port() -> int:
    with socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def _cookies(base: str, store: str, count: int) -> list[dict[str, str]]:
    """Return the cookies of so many users, who have signed in."""
    found: list[dict[str, str]] = []
    stores = await open_store(store, deadline_s=30)
    try:
        for number in range(count):
            now = datetime.now(UTC)  # noqa: TID251 - the benchmark's own clock
            name = f"viewer{number}"
            person = await enrolled(stores, name, now, role=UserRole.VIEWER)
            async with httpx.AsyncClient(base_url=base, timeout=_WITHIN_S) as client:
                form = {"name": name, "password": OF_USERS, "code": person.code(now)}
                headers = {"Sec-Fetch-Site": "same-origin"}
                answer = await client.post("/sign-in", content=urlencode(form), headers=headers)
                assert answer.status_code == 303, answer.status_code
                found.append(dict(client.cookies))
    finally:
        await stores.close()
    return found


async def _watch(base: str, cookies: list[dict[str, str]], count: int, orders: Connection) -> None:
    """Watch with `count` streams until `orders` says so; send how many events came to each."""
    events = [0] * count

    async def view(number: int) -> None:
        await asyncio.sleep(number * _APART_S)  # they are of one address, which has its share
        own = cookies[number % len(cookies)]
        async with (
            httpx.AsyncClient(base_url=base, timeout=_WITHIN_S, cookies=own) as client,
            client.stream("GET", "/live/events") as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            async for line in answer.aiter_lines():
                events[number] += not line

    tasks = [asyncio.create_task(view(number)) for number in range(count)]  # noqa: TID251 - no gateway
    while not orders.poll():
        await asyncio.sleep(0.1)
        failed = [one for one in tasks if one.done()]
        assert not failed, failed
    for one in tasks:
        one.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    orders.send(min(events))


def _watch_apart(base: str, cookies: list[dict[str, str]], count: int, orders: Connection) -> None:
    give_way()
    asyncio.run(_watch(base, cookies, count, orders))


def _cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def _submit(esme: RawEsme, chance: random.Random, seconds: float) -> list[float]:
    """Submit for so long; return the seconds from when each was due to its answer."""
    taken_s: list[float] = []
    due = time.perf_counter()
    for _ in range(int(seconds / _EVERY_S)):
        due += _EVERY_S
        await asyncio.sleep(due - time.perf_counter())
        text = f"您的验证码{chance.randrange(10**6):06}，尾号{chance.randrange(10**4)}"
        await esme.submit(source_of("sp1"), f"138{chance.randrange(10**8):08}", text)
        taken_s.append(time.perf_counter() - due)
    return taken_s


async def measure(place: Path, viewers: int, seconds: float) -> dict[str, object]:
    """Return what messages took in each phase."""
    context, chance = multiprocessing.get_context("spawn"), random.Random(1)
    port = _free_port()
    base, store = f"http://127.0.0.1:{port}", f"sqlite:///{place}/var/smsward.db"
    phases: list[dict[str, object]] = []
    async with SimulatedSmsc(behaviour=Behaviour(journal_limit=0)) as smsc:
        deployment = Deployment(place, smsc.port, [Account("sp1")])
        console = f'version: 1\naddress: "127.0.0.1:{port}"\n'
        (place / "config" / "console.yaml").write_text(console, encoding="utf-8")
        await deployment.start()
        pid = deployment.running.pid
        try:
            await _until_answers(base)
            users = -(-viewers // (MOST_STREAMS_OF_USER - 1))
            cookies = await _cookies(base, store, users)
            async with await RawEsme.connect("127.0.0.1", deployment.port) as esme:
                await esme.bind("sp1", PASSWORD)
                await _submit(esme, chance, 2.0)
                for phase in _PHASES:
                    orders, its_orders = context.Pipe()
                    given = (base, cookies, viewers, its_orders)
                    apart = context.Process(target=_watch_apart, args=given)
                    if phase == "with":
                        apart.start()
                        await asyncio.sleep(5.0 + viewers * _APART_S)  # until all have begun
                    cpu_s = _cpu_s(pid)
                    taken_s = await _submit(esme, chance, seconds)
                    cpu_ms = 1000 * (_cpu_s(pid) - cpu_s) / len(taken_s)
                    shown = {"viewers": phase, **_quantiles_ms(taken_s), "cpu_ms": round(cpu_ms, 3)}
                    if phase == "with":
                        orders.send("stop")
                        await asyncio.to_thread(apart.join)
                        shown["fewest_events"] = orders.recv()
                    phases.append(shown)
        finally:
            await deployment.stop()
    return {"viewers": viewers, "seconds": seconds, "phases": phases, **_compared(phases)}


async def _until_answers(base: str) -> None:
    async with httpx.AsyncClient(timeout=_WITHIN_S) as client, asyncio.timeout(_WITHIN_S):
        while True:
            try:
                (await client.get(f"{base}/readyz")).raise_for_status()
            except httpx.HTTPError:
                await asyncio.sleep(0.1)
            else:
                return


def _quantiles_ms(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return {"p50_ms": round(1e3 * cuts[49], 2), "p99_ms": round(1e3 * cuts[98], 2)}


def _compared(phases: list[dict[str, object]]) -> dict[str, float]:
    """Return the median of each figure with viewers over that without."""
    found = {}
    for name in ("p50_ms", "p99_ms", "cpu_ms"):
        means = {
            one: statistics.median(float(str(p[name])) for p in phases if p["viewers"] == one)
            for one in ("with", "without")
        }
        found[f"{name.partition('_')[0]}_ratio"] = round(means["with"] / means["without"], 3)
    return found


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    given = parser.parse_args()
    configure_logging(level=LogLevel.ERROR)
    with tempfile.TemporaryDirectory() as place:
        found = asyncio.run(measure(Path(place), given.viewers, given.seconds))
    print(json.dumps(found, indent=2))
    if given.json is not None:
        command = (
            f"python -m benchmarks.viewers --viewers {given.viewers} --seconds {given.seconds:g}"
        )
        write_results(given.json, command, found)


if __name__ == "__main__":
    main()
