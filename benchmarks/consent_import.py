"""How long an import of answers takes, and what a gateway at the same store feels of it.

Prints one JSON object: `python benchmarks/consent_import.py [--answers N] [--form csv|plain]`.
The command runs as a process of its own. Beside it this one does what a gateway does: it
holds messages, records refusals, and follows the store until it knows them.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import sys
import tempfile
import time
from array import array
from asyncio.subprocess import DEVNULL, PIPE, Process
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.quarantine import HeldMessage
from gateway.policy.knowledge import ConsentSets
from gateway.runtime.sealing import Keys
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores, open_store
from gateway.systems.consent.follower import ConsentFollower

LIMIT_S = 120.0
_FIRST, _COUNT = 13000000000, 7_000_000_000  # mainland mobile numbers, 13… to 19…
_DAYS = [f"{month:02}-{day:02}" for month in range(1, 11) for day in range(1, 31) if month != 2]
_FOLLOW_EVERY_S = 0.2  # as gateway.app.followers
_HOLD_EVERY_S = 0.05
_REFUSE_EVERY_S = 0.5
_PROBE = 8612345000000
_GATEWAY = """\
version: 1
listeners: [{{name: plain, address: "127.0.0.1:2775"}}]
smscs: [{{name: main, address: "127.0.0.1:2776"}}]
store: {{url: "sqlite:///{directory}/smsward.db"}}
records: {{directory: "{directory}/cdr"}}
"""
_SENDERS = """\
version: 1
allow_plain_passwords: true
senders:
  - {system_id: shop, password: "plain:secret", ports: [{number: "10690001", purpose: marketing}]}
"""


def write_list(path: Path, answers: int, form: str) -> None:
    """Write numbers from all over the country, in no order, and answers of many days."""
    numbers = array("Q", range(answers))
    step = _COUNT // answers
    chance = random.Random(answers)
    chance.shuffle(numbers)
    with path.open("w", encoding="ascii") as file:
        if form == "csv":
            file.write("number,system_id,answer,since,channel\n")
        rest = [
            f",shop,refused,2025-{day}T09:30:00+08:00,letter" if form == "csv" else ""
            for day in _DAYS
        ]
        file.writelines(
            f"{_FIRST + place * step + chance.randrange(step)}{rest[place % len(rest)]}\n"
            for place in numbers
        )


class Neighbour:
    """What a gateway does at the store, and the worst it felt."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._sets = ConsentSets()
        self._follower = ConsentFollower(
            stores.consent, stores.subscriptions, stores.changes, self._sets
        )
        self.holds: list[float] = []
        self.refusals: list[float] = []
        self.failures = 0

    async def hold(self) -> None:
        number = 0
        while True:
            number += 1
            started = time.perf_counter()
            try:
                await self._stores.quarantine.hold([_message(number)])
            except StoreUnavailable:
                self.failures += 1
            self.holds.append(time.perf_counter() - started)
            await asyncio.sleep(_HOLD_EVERY_S)

    async def follow(self) -> None:
        while True:
            try:
                await self._follower.catch_up()
            except StoreUnavailable:
                self.failures += 1
            await asyncio.sleep(_FOLLOW_EVERY_S)

    async def refuse(self) -> None:
        number = _PROBE
        while True:
            number += 1
            started = time.perf_counter()
            refusal = ConsentAnswer(number, "shop", Answer.REFUSED, datetime.now(UTC), "mo")  # noqa: TID251 - the benchmark's own clock
            try:
                await self._stores.consent.record([refusal])
            except StoreUnavailable:
                self.failures += 1
                continue
            while not self._sets.is_refused("shop", number):  # noqa: ASYNC110 - as the tick asks
                await asyncio.sleep(0.01)
            self.refusals.append(time.perf_counter() - started)
            await asyncio.sleep(_REFUSE_EVERY_S)


def _message(number: int) -> HeldMessage:
    now = datetime.now(UTC)  # noqa: TID251 - the benchmark's own clock
    return HeldMessage(
        message_id=number,
        system_id="shop",
        source="10690001",
        destination="13800138000",
        pdu=bytes(200),
        reason="CONTENT",
        rule="K-LOAN",
        category="loan",
        evidence="",
        digest="",
        receipt_asked=False,
        held_at=now,
        expires_at=now + timedelta(days=1),
    )


def _keys_in(directory: Path) -> Keys:
    """Write a file of one key, and return it."""
    path, key = directory / "keys.yaml", random.Random(1).randbytes(64)
    path.touch(0o600)
    path.write_text(f"k1: {b64encode(key).decode()}\n", encoding="ascii")
    return Keys({"k1": key}, "k1")


async def imported(
    directory: Path, keys: Keys | None, *, beside: bool
) -> tuple[float, Process, Neighbour]:
    """Run the command to its end; return the seconds it took."""
    stores = await open_store(f"sqlite:///{directory}/smsward.db", keys=keys)
    neighbour = Neighbour(stores)
    works = (neighbour.hold(), neighbour.follow(), neighbour.refuse()) if beside else ()
    tasks = [asyncio.ensure_future(work) for work in works]  # noqa: TID251 - ends with the run
    command = ("consent", "import", "answers", "--json", "--config", str(directory))
    said = ("--system-id", "shop", "--answer", "refused")
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", *command, *said,
        cwd=directory, stdout=PIPE, stderr=DEVNULL,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    output, _ = await process.communicate()
    took_s = time.perf_counter() - started
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await stores.close()
    assert json.loads(output)["rejected"] == 0
    return took_s, process, neighbour


async def measure(
    answers: int, form: str, *, beside: bool, again: bool, is_sealed: bool
) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        keys = _keys_in(directory) if is_sealed else None
        privacy = f"privacy: {{keys: {directory}/keys.yaml, current: k1}}\n" if is_sealed else ""
        gateway = _GATEWAY.format(directory=name) + privacy
        (directory / "gateway.yaml").write_text(gateway, encoding="utf-8")
        (directory / "senders.yaml").write_text(_SENDERS, encoding="utf-8")
        write_list(directory / "answers", answers, form)
        took_s, _, neighbour = await imported(directory, keys, beside=beside)
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        figures: dict[str, object] = {
            "answers": answers,
            "form": form,
            "seconds": round(took_s, 1),
            "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
            "answers_per_s": round(answers / took_s),
            "peak_mb": round(usage.ru_maxrss / 1000),
            "store_mb": round((directory / "smsward.db").stat().st_size / 1e6),
        }
        if beside:
            figures["beside"] = {
                "holds": len(neighbour.holds),
                "worst_hold_ms": round(1000 * max(neighbour.holds)),
                "refusals": len(neighbour.refusals),
                "worst_refusal_ms": round(1000 * max(neighbour.refusals, default=0)),
                "failures": neighbour.failures,
            }
        if again:
            took_s, _, _ = await imported(directory, keys, beside=False)
            figures["seconds_again"] = round(took_s, 1)
        return figures


def main() -> int:
    """Measure once and return 1 if ten million would take longer than the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=10_000_000)
    parser.add_argument("--form", choices=("csv", "plain"), default="csv")
    parser.add_argument("--alone", action="store_true", help="no gateway's work beside it")
    parser.add_argument("--sealed", action="store_true", help="numbers sealed in the store")
    parser.add_argument("--again", action="store_true", help="repeat the import")
    arguments = parser.parse_args()
    figures = asyncio.run(
        measure(
            arguments.answers,
            arguments.form,
            beside=not arguments.alone,
            again=arguments.again,
            is_sealed=arguments.sealed,
        )
    )
    print(json.dumps(figures, indent=2))
    return int(arguments.answers >= 10_000_000 and float(str(figures["seconds"])) > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
