"""`smsward warnings watch`: records, complaints and refusals become early warnings."""

import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.app import detector_worker
from gateway.app.detector_worker import (
    DetectorWorker,
    WatchCounts,
    WatchDeployment,
    serve_detectors,
    step_of,
)
from gateway.domain.consent import Answer, ConsentAnswer, scope_of
from gateway.domain.detector import Baseline, Detector, DetectorLevel, Measure
from gateway.domain.sender import PEERS, Port, PortOwners
from gateway.domain.warning import WarningCode
from gateway.policy.bundle import Bundle
from gateway.records import archive
from gateway.records.archive import RecordArchive
from gateway.runtime.clock import utcnow
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.complaints.model import ComplaintSource, NewComplaint
from gateway.systems.complaints.service import ComplaintDesk
from gateway.terminal.deployment import bundle_in, load_settings
from gateway.terminal.failure import ExitCode
from tests.cli.conftest import cli, deployment, options, write
from tests.systems.complaints.conftest import SUBSCRIBER, sender

__all__ = ["cli", "deployment", "options", "write"]

Cli = Callable[..., CompletedProcess[str]]

NOON = datetime(2013, 11, 28, 4, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
OWNERS = PortOwners([sender("shop", Port("10690001", 4), Port("10690002", 4))])
HINTS = Detector(
    "hints", WarningCode.W2, Measure.NO_OPTOUT_HINT, Measure.COMMERCIAL, share=0.05, least=20
)
REFUSALS = Detector(
    "refusals",
    WarningCode.W11,
    Measure.OPTOUTS,
    Measure.FORWARDED,
    level=DetectorLevel.SENDER,
    baseline=Baseline.DAYS,
    share=0.003,
    least=20,
)
COMPLAINTS = Detector(
    "complaints", WarningCode.W6, Measure.COMPLAINTS, Measure.FORWARDED, share=0.0001, least=5
)
BUNDLE = Bundle("test", "0", detectors=(HINTS, REFUSALS, COMPLAINTS))
DETECTORS = """\
version: 1
detectors:
  hints: {warning: W2, counts: no_optout_hint, per: commercial, share: 0.05, least: 20}
"""


def file_of(place: Path, at: datetime) -> Path:
    return place / f"cdr-{at:%Y%m%d-%H}.jsonl"


def write_records(place: Path, at: datetime, count: int, *, without_hint: int = 0) -> None:
    place.mkdir(parents=True, exist_ok=True)
    with file_of(place, at).open("a", encoding="utf-8") as file:
        for number in range(count):
            found = [{"rule": "R30", "mode": "shadow", "reason": "NO_OPTOUT_HINT"}]
            line = {
                "kind": "decision",
                "at": f"{at:%Y-%m-%dT%H:%M:%S}.000Z",
                "session": 7,
                "system_id": "shop",
                "sequence_number": number,
                "source": "1069000112",
                "action": "forward",
                "class": "commercial",
                "gateway_id": 0,
                "findings": found if number < without_hint else [],
            }
            file.write(json.dumps(line, separators=(",", ":")) + "\n")


@asynccontextmanager
async def worker_on(
    stores: Stores, place: Path, now: datetime = NOON, history: timedelta = HOUR
) -> AsyncIterator[DetectorWorker]:
    worker = DetectorWorker(stores, BUNDLE, OWNERS, None)
    await worker.open(RecordArchive(place), now, history)
    yield worker


async def test_r95_what_rules_find_too_often_raises_a_warning_with_samples(
    stores: Stores, tmp_path: Path
) -> None:
    async with worker_on(stores, tmp_path) as worker:
        write_records(tmp_path, NOON + 2 * MINUTE, 400, without_hint=100)
        soon = await worker.work(NOON + 4 * MINUTE)
        done = await worker.work(NOON + 6 * MINUTE)
        later = await worker.work(NOON + 90 * MINUTE)

    assert (soon.lines, soon.raised, later.raised) == (400, [], [])
    (raised,) = done.raised
    assert await stores.warnings.find() == [raised]
    gathered = raised.gathered
    assert gathered.kind == (WarningCode.W2, "hints", "shop", "10690001")
    assert (gathered.count, gathered.on_trial, gathered.severity) == (100, 0, None)
    assert gathered.first_at == gathered.last_at == NOON + 6 * MINUTE
    assert gathered.samples == tuple(f"7:{number}" for number in range(95, 100))


async def test_r95_what_goes_on_is_counted_in_the_warning_every_two_hours(
    stores: Stores, tmp_path: Path
) -> None:
    raised = []
    async with worker_on(stores, tmp_path) as worker:
        for step in range(36):
            at = NOON + 5 * step * MINUTE
            write_records(tmp_path, at, 300, without_hint=60)
            raised += (await worker.work(at + 7 * MINUTE)).raised

    (warning,) = await stores.warnings.find()
    assert [one.number for one in raised] == [1]
    assert warning.gathered.count == 60 + 12 * 60  # after 5 minutes, and two hours later
    assert warning.gathered.last_at == NOON + 127 * MINUTE


async def test_r95_refusals_by_sms_are_judged_for_all_ports_of_the_sender(
    stores: Stores, tmp_path: Path
) -> None:
    def refused(channel: str, first: int, system_id: str = "shop") -> list[ConsentAnswer]:
        return [
            ConsentAnswer(
                SUBSCRIBER + first + number,
                scope_of(system_id, "10690001" if number % 2 else ""),
                Answer.REFUSED,
                NOON + MINUTE,
                channel,
            )
            for number in range(30)
        ]

    async with worker_on(stores, tmp_path) as worker:
        write_records(tmp_path, NOON + MINUTE, 1000)
        await stores.consent.record(refused("hall", 0))
        assert (await worker.work(NOON + 7 * MINUTE)).raised == []
        await stores.consent.record(refused("mo", 1000))
        await stores.consent.record(refused("mo", 2000, PEERS))  # nobody is warned of these
        (raised,) = (await worker.work(NOON + 12 * MINUTE)).raised

    assert raised.gathered.kind == (WarningCode.W11, "refusals", "shop", "")
    assert raised.gathered.count == 30


def complaints_of(first: int, *reporters: int | None) -> list[NewComplaint]:
    return [
        NewComplaint(
            source=ComplaintSource.CLIENT,
            source_id=str(first + number),
            sender="1069000112",
            text=f"spam {number}",
            reporter=None if reporter is None else SUBSCRIBER + reporter,
            reported_at=NOON,
            received_at=NOON,
        )
        for number, reporter in enumerate(reporters)
    ]


def desk_at(stores: Stores, taken_at: datetime, owners: PortOwners = OWNERS) -> ComplaintDesk:
    return ComplaintDesk(stores.complaints, lambda: owners, utcnow=lambda: taken_at)


async def test_r95_complaints_of_many_are_judged_and_those_of_one_count_once(
    stores: Stores, tmp_path: Path
) -> None:
    write_records(tmp_path, NOON, 1000)
    async with worker_on(stores, tmp_path) as worker:
        await desk_at(stores, NOON).receive(complaints_of(0, *(10 * [1])))
        one = await worker.work(NOON + 7 * MINUTE)
    async with worker_on(stores, tmp_path) as worker:  # a restart counts nobody twice
        later = desk_at(stores, NOON + 8 * MINUTE)
        await later.receive(complaints_of(100, 1, 2, 3, 4))
        few = await worker.work(NOON + 13 * MINUTE)
        await later.receive(complaints_of(200, 5, 6))
        many = await worker.work(NOON + 19 * MINUTE)

    assert (one.raised, few.raised) == ([], [])
    assert [raised.gathered.kind.code for raised in many.raised] == [WarningCode.W6]
    assert many.raised[0].gathered.count == 6


async def test_r95_reporters_who_are_only_named_or_absent_do_not_count(
    stores: Stores, tmp_path: Path
) -> None:
    write_records(tmp_path, NOON, 1000)
    async with worker_on(stores, tmp_path) as worker:
        desk = desk_at(stores, NOON)
        await desk.receive(complaints_of(0, *range(20)), are_proved=False)
        await desk.receive(complaints_of(100, *(20 * [None])))
        done = await worker.work(NOON + 7 * MINUTE)

    assert done.raised == []


async def test_r95_complaints_about_a_shared_port_count_for_each_sp_that_has_it(
    stores: Stores, tmp_path: Path
) -> None:
    port = Port("10690001", 4, shared=True)
    owners = PortOwners([sender("shop", port), sender("other", port)])
    write_records(tmp_path, NOON, 1000)
    worker = DetectorWorker(stores, BUNDLE, owners, None)
    await worker.open(RecordArchive(tmp_path), NOON, HOUR)
    await desk_at(stores, NOON, owners).receive(complaints_of(0, *range(8)))

    (raised,) = (await worker.work(NOON + 7 * MINUTE)).raised

    assert raised.gathered.kind == (WarningCode.W6, "complaints", "shop", "10690001")
    assert raised.gathered.count == 8
    steps = [row async for rows in stores.detectors.steps(0) for row in rows]
    assert {row[1]: row[3][Measure.COMPLAINTS] for row in steps} == {"shop": 8, "other": 8}


async def test_r95_what_comes_while_records_are_read_counts(stores: Stores, tmp_path: Path) -> None:
    write_records(tmp_path, NOON, 1000)
    soon = NOON + 7 * MINUTE
    async with worker_on(stores, tmp_path) as worker:
        await desk_at(stores, soon + timedelta(seconds=3)).receive(complaints_of(0, *range(8)))
        refused = soon + timedelta(seconds=3)
        await stores.consent.record(
            [ConsentAnswer(SUBSCRIBER, scope_of("shop", ""), Answer.REFUSED, refused, "mo")]
        )
        await worker.work(soon)

    counts = [row[3] async for rows in stores.detectors.steps(step_of(soon)) for row in rows]
    assert sum(one.get(Measure.COMPLAINTS, 0) for one in counts) == 8
    assert sum(one.get(Measure.OPTOUTS, 0) for one in counts) == 1


async def test_a_personal_number_used_as_a_port_is_masked_in_the_log(
    stores: Stores, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = "13800138000"
    write_records(tmp_path, NOON, 400, without_hint=100)
    file = file_of(tmp_path, NOON)
    file.write_text(file.read_text("utf-8").replace("1069000112", number), "utf-8")
    worker = DetectorWorker(stores, BUNDLE, PortOwners([sender("shop", Port(number, 0))]), None)
    await worker.open(RecordArchive(tmp_path), NOON, HOUR)
    done = await worker.work(NOON + 7 * MINUTE)
    logged = capsys.readouterr().out

    assert [one.gathered.kind.port for one in done.raised] == [number]
    assert "detector.hit" in logged
    assert "warning.raised" in logged
    assert number not in logged


class _KilledError(Exception):
    pass


async def test_r95_killed_at_any_commit_nothing_is_counted_twice_and_nothing_is_lost(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each commit is once lost before it is done, and once after it; each time a new process."""
    monkeypatch.setattr(detector_worker, "_LINES_AT_ONCE", 100)
    monkeypatch.setattr(detector_worker, "_REST_S", 0)
    add, kinds = stores.detectors.add, iter(range(10_000))

    async def dying(counts, state):  # type: ignore[no-untyped-def]
        turn = next(kinds) % 3
        if turn == 0:
            raise _KilledError
        await add(counts, state)
        if turn == 1:
            raise _KilledError

    monkeypatch.setattr(stores.detectors, "add", dying, raising=False)
    for hour in range(3):
        write_records(tmp_path, NOON + hour * HOUR, 500, without_hint=100)
    while True:
        async with worker_on(stores, tmp_path) as worker:
            try:
                await worker.work(NOON + 3 * HOUR)
                break
            except _KilledError:
                continue

    hours = [row async for rows in stores.detectors.hours(0) for row in rows]
    assert [counts[Measure.MESSAGES] for *_, counts in hours] == [500, 500, 500]
    assert [counts[Measure.NO_OPTOUT_HINT] for *_, counts in hours] == [100, 100, 100]
    (warning,) = await stores.warnings.find()
    assert warning.gathered.count == 100  # a restart keeps the silence


async def test_r95_what_the_store_did_not_take_is_tried_again_before_more_is_read(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, raise_warnings = stores.detectors.add, stores.detectors.raise_warnings
    left = [2, 2]

    async def slow(counts, state):  # type: ignore[no-untyped-def]
        await add(counts, state)
        left[0] -= 1
        if left[0] >= 0:
            raise StoreUnavailable("no answer in time")

    async def down(gathered, state):  # type: ignore[no-untyped-def]
        left[1] -= 1
        if left[1] >= 0:
            raise StoreUnavailable("down")
        return await raise_warnings(gathered, state)

    monkeypatch.setattr(stores.detectors, "add", slow, raising=False)
    monkeypatch.setattr(stores.detectors, "raise_warnings", down, raising=False)
    write_records(tmp_path, NOON, 500, without_hint=100)
    raised = []
    async with worker_on(stores, tmp_path) as worker:
        for _ in range(6):
            try:
                raised += (await worker.work(NOON + 7 * MINUTE)).raised
            except StoreUnavailable:
                continue

    assert [one.gathered.count for one in raised] == [100]
    (hour,) = [row async for rows in stores.detectors.hours(0) for row in rows]
    assert hour[3][Measure.MESSAGES] == 500


async def messages_in(stores: Stores) -> int:
    rows = [row async for rows in stores.detectors.hours(0) for row in rows]
    return sum(counts[Measure.MESSAGES] for *_, counts in rows)


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize("is_killed", [False, True])
async def test_r95_a_failed_commit_as_an_hour_turns_loses_and_doubles_nothing(
    stores: Stores,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    turn: int,
    is_kept: bool,
    is_killed: bool,
) -> None:
    monkeypatch.setattr(detector_worker, "_LINES_AT_ONCE", 900)
    monkeypatch.setattr(detector_worker, "_REST_S", 0)
    monkeypatch.setattr(archive, "_BLOCK_OCTETS", 40_000)  # about 170 lines
    add, turns = stores.detectors.add, iter(range(1000))

    async def failing(counts, state):  # type: ignore[no-untyped-def]
        fails = next(turns) == turn
        if is_kept or not fails:
            await add(counts, state)
        if fails:
            raise _KilledError if is_killed else StoreUnavailable("no answer in time")

    monkeypatch.setattr(stores.detectors, "add", failing, raising=False)
    write_records(tmp_path, NOON + 2 * MINUTE, 2100)
    write_records(tmp_path, NOON + 62 * MINUTE, 400)
    async with worker_on(stores, tmp_path) as worker:
        for _ in range(4):
            try:
                await worker.work(NOON + 64 * MINUTE)
            except StoreUnavailable:
                continue
            except _KilledError:
                break
    if is_killed:
        async with worker_on(stores, tmp_path) as worker:
            await worker.work(NOON + 64 * MINUTE)

    assert await messages_in(stores) == 2500


async def test_a_clock_that_is_far_ahead_ends_no_watch(stores: Stores, tmp_path: Path) -> None:
    async with worker_on(stores, tmp_path) as worker:
        write_records(tmp_path, NOON + 48 * HOUR, 400, without_hint=100)
        done = await worker.work(NOON + 7 * MINUTE)
        write_records(tmp_path, NOON + 12 * MINUTE, 400, without_hint=100)
        then = await worker.work(NOON + 17 * MINUTE)

    assert (done.lines, done.raised) == (0, [])
    assert [one.gathered.count for one in then.raised] == [100]


async def test_r95_history_is_counted_and_not_judged(stores: Stores, tmp_path: Path) -> None:
    for days in range(1, 10):
        write_records(tmp_path, NOON - 24 * days * HOUR, 300, without_hint=290)
    async with worker_on(stores, tmp_path, history=timedelta(days=8)) as worker:
        done = await worker.work(NOON + 7 * MINUTE)

    assert (done.lines, done.raised) == (8 * 300, [])
    assert len([row async for rows in stores.detectors.hours(0) for row in rows]) == 8


def test_r95_the_command_counts_and_says_what_it_raised(
    cli: Cli, options: tuple[str, ...], deployment: Path
) -> None:
    (deployment / "policies/detectors.yaml").write_text(DETECTORS, encoding="utf-8")
    cli("warnings", "watch", "--once", *options)
    place = Path(load_settings(deployment / "config").records.directory)
    now = utcnow()
    write_records(place, now - timedelta(seconds=1), 400, without_hint=100)

    ran = cli("warnings", "watch", "--once", "--json", *options)
    text = cli("warnings", "watch", "--once", *options)

    assert json.loads(ran.stdout) == {"lines": 400, "raised": []}  # its step is not over
    assert "lines of records: 0; warnings raised: 0" in text.stdout
    assert cli("warnings", "watch", "--history", "29", *options).returncode == ExitCode.MISUSED


def deployed(place: Path) -> WatchDeployment:
    config, policies = place / "config", place / "policies"
    return WatchDeployment(load_settings(config), bundle_in(policies), OWNERS, HOUR)


def test_the_process_works_until_it_is_told_to_stop(
    deployment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[datetime] = []

    async def work(_worker: DetectorWorker, now: datetime) -> WatchCounts:
        rounds.append(now)
        if len(rounds) == 1:
            raise StoreUnavailable("down")
        if len(rounds) == 2:
            raise ValueError("broken")
        os.kill(os.getpid(), signal.SIGTERM)
        return WatchCounts()

    monkeypatch.setattr(DetectorWorker, "work", work)
    monkeypatch.setattr(detector_worker, "_LOOK_EVERY_S", 0)

    assert serve_detectors(deployed(deployment)) == ExitCode.FINE
    assert len(rounds) >= 3


async def test_one_process_watches_a_store(deployment: Path) -> None:
    async with detector_worker._opened(deployed(deployment)):
        with pytest.raises(StoreUnavailable, match="another `smsward warnings watch`"):
            async with detector_worker._opened(deployed(deployment)):
                pass


async def test_what_cannot_be_read_is_logged(
    stores: Stores, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file_of(tmp_path, NOON).with_suffix(".jsonl.gz").write_bytes(b"no gzip")
    async with worker_on(stores, tmp_path) as worker:
        await worker.work(NOON)

    assert "detectors.records_unread" in capsys.readouterr().out


def test_steps_are_numbered_since_1970() -> None:
    assert step_of(datetime(1970, 1, 1, 0, 9, 59, tzinfo=UTC)) == 1
