"""What a complaint costs from intake to its case, and how long that takes (R82).

Prints one JSON object: `python -m benchmarks.complaints [--complaints N] [--json FILE]`. Complaints
of some thousand campaigns, each text with a code and a link of its own, are taken down in batches
of 500 as the API does, and worked off as `smsward complaints match` does, on one SQLite file in
one process. Records are not searched: what that takes depends on them.

With `--beside` the store is that of a gateway which serves an SP meanwhile: 50 messages a second,
each text another, with the time from when one was due to its answer before, during and after.
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

from gateway.app.complaint_worker import CampaignCases
from gateway.domain.sender import BindLimits, Port, PortOwners, Rate, Sender, SenderState
from gateway.policy.hours import HolidayCalendar
from gateway.runtime.child_process import give_way
from gateway.runtime.logging import LogLevel, configure_logging
from gateway.stores import Stores, open_store
from gateway.systems.cases.service import CaseDesk
from gateway.systems.complaints.complaint_matcher import ComplaintMatcher
from gateway.systems.complaints.model import ComplaintSource, NewComplaint
from gateway.systems.complaints.service import ComplaintDesk
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from tests.promises.deployment import PASSWORD, Account, Deployment, source_of

_AT_ONCE = 500
_FIRST_NUMBER = 8613000000000
_FIRST_HAN, _LAST_HAN = 0x4E00, 0x6000
_PHASE_S, _EVERY_S = 30.0, 0.02


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the benchmark's own clock


class Subscribers:
    """Complain of campaigns, the larger ones more often."""

    def __init__(self, campaigns: int, ports: list[str]) -> None:
        self._chance = random.Random(campaigns)
        self._ports = ports
        self._texts = ["".join(self._letters(40)) for _ in range(campaigns)]
        self._taken = 0

    def _letters(self, count: int) -> list[str]:
        return [chr(self._chance.randrange(_FIRST_HAN, _LAST_HAN)) for _ in range(count)]

    def complain(self, count: int) -> list[NewComplaint]:
        chance, now = self._chance, _now()
        given = []
        for _ in range(count):
            self._taken += 1
            campaign = int(len(self._texts) * chance.random() ** 2)
            text = self._texts[campaign]
            given.append(
                NewComplaint(
                    source=ComplaintSource.CLIENT,
                    source_id=f"app:{self._taken}",
                    reported_at=now,
                    sender=self._ports[campaign % len(self._ports)],
                    text=f"{text}验证码{chance.randrange(10**6):06}，a{chance.randrange(999)}.cn",
                    reporter=_FIRST_NUMBER + chance.randrange(10**9),
                    received_at=now,
                )
            )
        return given


async def measure(stores: Stores, complaints: int, campaigns: int) -> dict[str, object]:
    """Return what it took."""
    ports = [f"1069{number:06}" for number in range(1000)]
    limits = BindLimits(8, frozenset(), ())
    owned = tuple(Port(one) for one in ports)
    sender = Sender("shop", "", "shop", SenderState.ACTIVE, limits, owned, Rate(10, 5), 100)
    owners = PortOwners([sender])
    desk = ComplaintDesk(stores.complaints, lambda: owners)
    calendar = HolidayCalendar("none")
    cases = CampaignCases(CaseDesk(stores.cases, lambda: calendar), stores.cases, "unicom/北京")
    matcher = ComplaintMatcher(stores.complaints, cases)
    subscribers = Subscribers(campaigns, ports)
    await matcher.work(_now())
    intake_s = match_s = 0.0
    waits: list[float] = []
    opened = joined = invalid = 0
    began = time.perf_counter()
    for _ in range(complaints // _AT_ONCE):
        given = subscribers.complain(_AT_ONCE)
        at, cpu = time.perf_counter(), time.process_time()
        await desk.receive(given)
        intake_s += time.process_time() - cpu
        cpu = time.process_time()
        counts = await matcher.work(_now())
        match_s += time.process_time() - cpu
        waits.append(time.perf_counter() - at)
        opened, joined = opened + counts.cases["open"], joined + counts.cases["join"]
        invalid += counts.invalid.total()
    total = len(waits) * _AT_ONCE
    elapsed = time.perf_counter() - began
    waits.sort()
    return {
        "complaints": total,
        "campaigns": campaigns,
        "cases_opened": opened,
        "joined": joined,
        "invalid": invalid,
        "seconds": round(elapsed, 1),
        "complaints_per_s": round(total / elapsed),
        "cpu_us_intake": round(1e6 * intake_s / total),
        "cpu_us_match": round(1e6 * match_s / total),
        "intake_to_case_s": {
            "p50": round(statistics.median(waits), 3),
            "p99": round(waits[int(len(waits) * 0.99)], 3),
            "max": round(waits[-1], 3),
        },
    }


async def _serve(place: Path, orders: Connection) -> dict[str, list[float]]:
    """Serve one SP at `place`, and say so; return the seconds of its messages by phase.

    What `orders` brings is the next phase, or "stop".
    """
    chance, phase, taken_s = random.Random(1), "before", dict[str, list[float]]()
    async with SimulatedSmsc(behaviour=Behaviour(journal_limit=0)) as smsc:
        deployment = Deployment(place, smsc.port, [Account("sp1")])
        await deployment.start()
        try:
            async with await RawEsme.connect("127.0.0.1", deployment.port) as esme:
                await esme.bind("sp1", PASSWORD)
                orders.send("ready")
                due = time.perf_counter()
                while phase != "stop":
                    due += _EVERY_S
                    await asyncio.sleep(due - time.perf_counter())
                    text = f"您的验证码{chance.randrange(10**6):06}，尾号{chance.randrange(10**4)}"
                    await esme.submit(source_of("sp1"), f"138{chance.randrange(10**8):08}", text)
                    taken_s.setdefault(phase, []).append(time.perf_counter() - due)
                    phase = orders.recv() if orders.poll() else phase
        finally:
            await deployment.stop()
    return taken_s


def _serve_apart(place: Path, orders: Connection) -> None:
    orders.send(
        {phase: _quantiles_ms(one) for phase, one in asyncio.run(_serve(place, orders)).items()}
    )


def _quantiles_ms(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return {"p50": round(1e3 * cuts[49], 2), "p99": round(1e3 * cuts[98], 2)}


def _measure_beside(complaints: int, campaigns: int) -> dict[str, object]:
    """Return what it took, and how long the messages of a gateway on the same store took."""
    context = multiprocessing.get_context("spawn")  # a fork would have this process's memory
    with tempfile.TemporaryDirectory() as place:
        orders, its_orders = context.Pipe()
        apart = context.Process(target=_serve_apart, args=(Path(place), its_orders))
        apart.start()
        give_way()  # as `smsward complaints match` and the console do
        assert orders.recv() == "ready"
        time.sleep(_PHASE_S)
        orders.send("during")
        measured = _run(Path(place) / "var" / "smsward.db", complaints, campaigns)
        orders.send("after")
        time.sleep(_PHASE_S)
        orders.send("stop")
        beside: dict[str, dict[str, float]] = orders.recv()
        apart.join()
    usual = (beside["before"]["p50"] + beside["after"]["p50"]) / 2
    ratio = round(beside["during"]["p50"] / usual, 2)
    return measured | {"messages_beside_ms": beside, "p50_during_to_others": ratio}


def _run(path: Path, complaints: int, campaigns: int) -> dict[str, object]:
    async def run() -> dict[str, object]:
        stores = await open_store(f"sqlite:///{path}", deadline_s=60)
        try:
            return await measure(stores, complaints, campaigns)
        finally:
            await stores.close()

    return asyncio.run(run()) | {"store_mib": round(path.stat().st_size / 2**20)}


def _measure_alone(complaints: int, campaigns: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as place:
        return _run(Path(place) / "smsward.db", complaints, campaigns)


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--complaints", type=int, default=100_000)
    parser.add_argument("--campaigns", type=int, default=3_000)
    parser.add_argument("--beside", action="store_true", help="with a gateway on the same store")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    given = parser.parse_args()
    configure_logging(level=LogLevel.ERROR)
    measuring = _measure_beside if given.beside else _measure_alone
    figures = json.dumps(measuring(given.complaints, given.campaigns), indent=2)
    print(figures)
    if given.json is not None:
        given.json.write_text(f"{figures}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
