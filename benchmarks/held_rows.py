"""How a review stands up to millions of held messages on SQLite: lists, filters, a release.

Prints one JSON object: `python -m benchmarks.held_rows [--rows N] [--directory DIR] [--gateway]`. A
store is filled with N held messages, each text another: 200 SPs, the larger ones with more, some
hundred thousand campaigns, all categories, one message in ten decided on. With `--directory` it is
kept, and found again by the next call. Then each list that a reviewer may ask for is read as the
console and the commands do, and a campaign of 10 000 messages is released: by the desk alone, and
with `--gateway` until a gateway on that store has sent all of them to a simulated SMSC.

Goals: the first page within 200 ms, any filter within a second, the release within a minute.
"""

import argparse
import asyncio
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.machine import write_results
from gateway.domain.categories import CATEGORIES
from gateway.domain.msisdn import spellings_of
from gateway.domain.quarantine import HoldState
from gateway.runtime.logging import LogLevel, configure_logging
from gateway.stores import Stores, open_store
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import HeldFilter, QuarantineDesk, find_held
from gateway.systems.quarantine.sql import QuarantineStore
from simulators.builders import submit_sm, ucs2
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from tests.promises.deployment import PASSWORD, Account, Deployment, source_of

_FIRST_ID = 8_1764072000000_01_000
_SPS, _RELEASED, _AT_ONCE, _PAGE = 200, 10_000, 20_000, 50
_RARE = 40  # messages of the smallest SP, and of the rarest category
_FIRST_HAN, _LAST_HAN = 0x4E00, 0x6000
_LARGE, _RARE_SP, _RARE_CATEGORY = "c" + "f" * 16, "sp199", "fraud_prize"
_HUGE = "c" + "e" * 16  # a tenth of all messages are of this campaign
_NUMBER = spellings_of(8613800001111)
_DEADLINE_S = 600.0
_TIMES = 5
_GOALS_S = {"first_page": 0.2, "filter": 1.0, "release": 60.0}
_OVER = (HoldState.RELEASED, HoldState.DISCARDED, HoldState.EXPIRED, HoldState.REFUSED)


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the benchmark's own clock


def _micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


class HeldRows:
    """Makes rows of held_messages; the campaign that will be released is strewn among them."""

    def __init__(self, rows: int) -> None:
        self._chance = random.Random(rows)
        self._rows = rows
        self._campaigns = max(10, rows // 50)
        self._every = max(1, rows // _RELEASED)
        self._names = [one.id for one in CATEGORIES if one.id != _RARE_CATEGORY]
        self._held_at = _micros(_now()) - 10**6 * 86_400
        self._expires_at = _micros(_now() + timedelta(days=3))

    def batches(self) -> Iterator[list[tuple[object, ...]]]:
        """Yield all rows, by rising id."""
        for first in range(0, self._rows, _AT_ONCE):
            yield [self._row(at) for at in range(first, min(first + _AT_ONCE, self._rows))]

    def _row(self, at: int) -> tuple[object, ...]:
        chance = self._chance
        is_large = at % self._every == 0 and at // self._every < _RELEASED
        is_rare = at % max(1, self._rows // _RARE) == 1
        number = int((_SPS - 1) * chance.random() ** 2)
        system_id = "sp1" if is_large else _RARE_SP if is_rare else f"sp{number}"
        campaign = _HUGE if at % 10 == 3 else f"c{chance.randrange(self._campaigns):016x}"
        words = "".join(chr(chance.randrange(_FIRST_HAN, _LAST_HAN)) for _ in range(30))
        subscriber = f"13{chance.randrange(10**9):09}"
        source, destination = source_of(system_id), _NUMBER[1] if is_rare else subscriber
        is_over = not is_large and chance.random() < 0.1
        return (
            _FIRST_ID + at,
            system_id,
            source,
            destination,
            submit_sm(source, destination, ucs2(f"{words}，回复TD退订，{at}")),
            "CONTENT",
            f"K-{number % 20}",
            _RARE_CATEGORY if is_rare else self._names[number % len(self._names)],
            words[:4],
            f"{number:012x}",
            1,
            self._held_at + at,
            self._expires_at,
            (chance.choice(_OVER) if is_over else HoldState.HELD).value,
            "none",
            "",
            "",
            "",
            _LARGE if is_large else campaign,
        )


_COLUMNS = (
    *("message_id", "system_id", "source", "destination", "pdu", "reason", "rule", "category"),
    *("evidence", "digest", "receipt_asked", "held_at", "expires_at", "state", "receipt"),
    *("smsc_message_id", "note", "joined", "campaign"),
)


def fill(path: Path, rows: int) -> float:
    """Fill the empty store at `path`, its indexes at the end; return how many seconds it took."""
    began = time.perf_counter()
    made = HeldRows(rows)
    marks = ", ".join("?" * len(_COLUMNS))
    insert = f"INSERT INTO held_messages ({', '.join(_COLUMNS)}) VALUES ({marks})"  # noqa: S608
    with closing(sqlite3.connect(path, isolation_level=None)) as store:
        for pragma in ("synchronous=OFF", "cache_size=-262144", "temp_store=FILE"):
            store.execute(f"PRAGMA {pragma}")
        indexes = store.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
            " AND tbl_name = 'held_messages'"
        ).fetchall()
        for name, _ in indexes:
            store.execute(f"DROP INDEX {name}")
        for batch in made.batches():
            store.execute("BEGIN")
            store.executemany(insert, batch)
            store.execute("COMMIT")
        for _, sql in indexes:
            store.execute(sql)
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return time.perf_counter() - began


def filters(rows: int) -> dict[str, tuple[HeldFilter, int | None]]:
    """Return what reviewers ask for, and from which id on."""
    middle = _FIRST_ID + rows // 2
    return {
        "first page": (HeldFilter(), None),
        "page in the middle": (HeldFilter(), middle),
        "state held": (HeldFilter(HoldState.HELD), None),
        "state in_doubt, none": (HeldFilter(HoldState.IN_DOUBT), None),
        "SP, large": (HeldFilter(system_id="sp0"), None),
        "SP, small": (HeldFilter(system_id=_RARE_SP), None),
        "SP, none": (HeldFilter(system_id="nobody"), None),
        "SP small, released": (HeldFilter(HoldState.RELEASED, _RARE_SP), None),
        "category, many": (HeldFilter(category="loan"), None),
        "category, rare": (HeldFilter(category=_RARE_CATEGORY), None),
        "category rare, SP large": (HeldFilter(system_id="sp0", category=_RARE_CATEGORY), None),
        "category rare, held": (HeldFilter(HoldState.HELD, category=_RARE_CATEGORY), None),
        "campaign, large": (HeldFilter(campaign=_LARGE), None),
        "campaign, small": (HeldFilter(campaign=f"c{7:016x}"), None),
        "campaign large, SP": (HeldFilter(system_id="sp1", campaign=_LARGE), None),
        "campaign large, SP none of it": (HeldFilter(system_id="sp0", campaign=_LARGE), None),
        "campaign large, category": (
            HeldFilter(campaign=_LARGE, category=_RARE_CATEGORY),
            None,
        ),
        "campaign of a tenth": (HeldFilter(campaign=_HUGE), None),
        "campaign of a tenth, rule none of it": (HeldFilter(campaign=_HUGE, rule="K-99"), None),
        "campaign of a tenth, SP small": (HeldFilter(campaign=_HUGE, system_id=_RARE_SP), None),
        "campaign of a tenth, category rare": (
            HeldFilter(campaign=_HUGE, category=_RARE_CATEGORY),
            None,
        ),
        "campaign large, rule none of it": (HeldFilter(campaign=_LARGE, rule="K-0"), None),
        "undecided": (HeldFilter(HoldState.HELD, is_undecided=True), None),
        "escalated, none": (HeldFilter(HoldState.HELD, is_escalated=True), None),
        "port, large": (HeldFilter(source=source_of("sp0")), None),
        "port, small": (HeldFilter(source=source_of(_RARE_SP)), None),
        "port, none": (HeldFilter(source="1"), None),
        "port large, rule none of it": (HeldFilter(source=source_of("sp0"), rule="K-1"), None),
        "port large, category rare": (
            HeldFilter(source=source_of("sp0"), category=_RARE_CATEGORY),
            None,
        ),
        "rule, many": (HeldFilter(rule="K-0"), None),
        "rule, none": (HeldFilter(rule="K-99"), None),
        "rule many, SP small": (HeldFilter(system_id=_RARE_SP, rule="K-0"), None),
        "rule none of it, SP large": (HeldFilter(system_id="sp0", rule="K-1"), None),
        "rule many, category rare": (HeldFilter(category=_RARE_CATEGORY, rule="K-0"), None),
        "number": (HeldFilter(destinations=_NUMBER), None),
        "number, held, SP large": (
            HeldFilter(HoldState.HELD, system_id="sp0", destinations=_NUMBER),
            None,
        ),
        "time, a hundredth in the middle": (
            HeldFilter(from_id=middle, below_id=middle + rows // 100),
            None,
        ),
        "time in the middle, SP small": (
            HeldFilter(system_id=_RARE_SP, from_id=middle, below_id=middle + rows // 100),
            None,
        ),
        "time in the middle, rule, none": (
            HeldFilter(rule="K-99", from_id=middle, below_id=middle + rows // 100),
            None,
        ),
    }


async def _timed(work: Callable[[], Awaitable[object]]) -> dict[str, float]:
    """Return how long the first call took, and the median of those that follow."""
    took: list[float] = []
    for _ in range(_TIMES + 1):
        began = time.perf_counter()
        await work()
        took.append(time.perf_counter() - began)
        if took[-1] > 20 * _GOALS_S["filter"]:
            break
    rest = took[1:] or took
    return {
        "first_ms": round(1000 * took[0], 1),
        "median_ms": round(1000 * statistics.median(rest), 1),
    }


async def read(stores: Stores, rows: int) -> dict[str, object]:
    """Return how long every list took, and every count that goes with one."""
    store = stores.quarantine
    lists: dict[str, dict[str, float]] = {}
    for name, (wanted, before) in filters(rows).items():

        async def page(wanted: HeldFilter = wanted, before: int | None = before) -> object:
            return await find_held(store, wanted, before, _PAGE)

        lists[name] = await _timed(page)
    lists["open campaigns"] = await _timed(stores.campaigns.open_campaigns)
    counts = {
        "all": await _timed(store.count_by_state),
        "SP, large": await _timed(lambda: store.count_by_state(system_id="sp0")),
        "campaign, large": await _timed(lambda: store.count_by_state(campaign=_LARGE)),
        "campaign of a tenth": await _timed(lambda: store.count_by_state(campaign=_HUGE)),
        "waiting, at a start": await _timed(store.count_waiting),
    }
    return {"lists": lists, "counts": counts}


async def release(store: QuarantineStore) -> dict[str, object]:
    """Return how long it took until the release of the large campaign was on record."""
    desk = QuarantineDesk(store, MessageIds(worker=99))
    began, after, asked = time.perf_counter(), 0, 0
    while ids := await store.held_of(_LARGE, after_id=after, limit=100):
        asked += len(await desk.request_release_each(ids, "lin", _now(), "reviewed"))
        after = ids[-1]
    return {"messages": asked, "seconds": round(time.perf_counter() - began, 2)}


async def send(directory: Path) -> dict[str, object]:
    """Return how long a gateway took to start on the store, and to send what was released."""
    async with SimulatedSmsc() as smsc:
        deployment = Deployment(directory, smsc.port, [Account("sp1", window=200)])
        began = time.perf_counter()
        await deployment.start()
        started = time.perf_counter()
        try:
            async with await RawEsme.connect("127.0.0.1", deployment.port) as esme:
                assert await esme.bind("sp1", PASSWORD) == 0
                await smsc.received(_RELEASED)
                sent = time.perf_counter()
        finally:
            await deployment.stop()
    return {
        "start_s": round(started - began, 1),
        "messages": len(smsc.journal),
        "seconds": round(sent - started, 1),
    }


async def measure(directory: Path, rows: int, *, has_gateway: bool) -> dict[str, object]:
    """Return all figures of a store in `directory`, which is filled where it is not yet."""
    path = directory / "var" / "smsward.db"
    url = f"sqlite:///{path}"
    is_new = not path.exists()
    await (await open_store(url, deadline_s=_DEADLINE_S)).close()
    results: dict[str, object] = {"rows": rows, "goals_s": _GOALS_S}
    if is_new:
        results["filled_in_s"] = round(fill(path, rows))
    results["store_mib"] = path.stat().st_size >> 20
    stores = await open_store(url, deadline_s=_DEADLINE_S)
    try:
        results |= await read(stores, rows)
        results["release_on_record"] = await release(stores.quarantine)
    finally:
        await stores.close()
    if has_gateway:
        print(json.dumps(results, ensure_ascii=False), file=sys.stderr, flush=True)
        results["release_at_the_smsc"] = await send(directory)
    return results


def main() -> None:
    """Measure, and print or write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--directory", type=Path, help="keep the store here, or use the one there")
    parser.add_argument("--gateway", action="store_true", help="send what is released, too")
    parser.add_argument("--json", type=Path, help="write the result here, too")
    given = parser.parse_args()
    configure_logging(level=LogLevel.ERROR)
    with tempfile.TemporaryDirectory() as temporary:
        directory = given.directory or Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        results = asyncio.run(measure(directory, given.rows, has_gateway=given.gateway))
    print(json.dumps(results, indent=2, ensure_ascii=False))
    if given.json is not None:
        command = f"python -m benchmarks.held_rows --rows {given.rows}"
        write_results(given.json, f"{command}{' --gateway' * given.gateway}", results)


if __name__ == "__main__":
    main()
