"""A disk that fills up under a running gateway: the heaviest SP is stopped, and nobody else."""

import asyncio
import os
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.app import gateway as composition
from gateway.app import health
from gateway.app.gateway import Gateway
from gateway.app.health import DiskWatch, free_octets
from gateway.dataplane.plane import Plane
from gateway.domain.sender import Sender
from gateway.policy.disk_stages import DiskReserve, DiskStage
from simulators import builders
from simulators.esme import RawEsme
from simulators.wire import CommandStatus, header_of

BuildSender = Callable[..., Sender]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
LogLines = list[dict[str, object]]

SOURCE, DESTINATION = "10690001", "13800138000"
CLEAN, LOAN = "您的快递已到驿站，请及时领取", "低息贷款，当天到账"
OK, FULL = CommandStatus.ESME_ROK, CommandStatus.ESME_RMSGQFUL
MIB = 2**20


@pytest.fixture(autouse=True)
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let gateways look at their disks once, at the start, and then when a test does."""
    monkeypatch.setattr(health, "_EVERY_S", 3600.0)


@dataclass
class Disk:
    """A disk whose room a test sets; None is one that cannot be asked."""

    free: int | None = 2**40

    def __call__(self, _directory: Path) -> int:
        if self.free is None:
            raise OSError(5, "Input/output error")
        return self.free


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Stand in for the kernel."""
    disk = Disk()
    monkeypatch.setattr("gateway.app.gateway.free_octets", disk)
    return disk


async def look(gateway: Gateway) -> None:
    """Look at the disks, as the gateway itself does every two seconds."""
    records = gateway.settings.records.directory, gateway.records
    gateway.records.flush()
    await gateway.disk.look(records, gateway.store_file(), gateway._held_counts)


async def submit(esme: RawEsme, text: str = LOAN) -> int:
    return (await esme.submit(SOURCE, DESTINATION, text)).command_status


@pytest.fixture
async def two(
    disk: Disk, start: Start, attach: Attach, sender: BuildSender, tmp_path: Path
) -> tuple[Gateway, RawEsme, RawEsme]:
    """A gateway with a store on disk, a heavy SP and a light one."""
    assert disk.free
    other = sender(system_id="sp2", ports=sender().ports)
    url = f"sqlite:///{tmp_path / 'smsward.db'}"
    gateway = await start(senders=(sender(), other), store_url=url)
    heavy, light = await attach(gateway), await attach(gateway, "sp2")
    for number in range(20):
        assert await submit(heavy, f"{LOAN} {number}") == OK
    assert await submit(light) == OK
    return gateway, heavy, light


async def test_the_heaviest_sp_alone_has_nothing_more_held(
    two: tuple[Gateway, RawEsme, RawEsme], disk: Disk, log: LogLines
) -> None:
    gateway, heavy, light = two
    disk.free = 2**30 - 1

    await look(gateway)

    assert [await submit(heavy), await submit(heavy, CLEAN)] == [FULL, OK]
    assert [await submit(light), await submit(light, CLEAN)] == [OK, OK]
    stopped = [line["system_id"] for line in log if line["event"] == "disk.sender_stopped"]
    assert stopped == ["sp1"]


async def test_where_texts_are_recorded_the_heaviest_sp_is_taken_nothing_from(
    two: tuple[Gateway, RawEsme, RawEsme], disk: Disk
) -> None:
    gateway, heavy, light = two
    gateway.plane.keeps_texts = True
    disk.free = 2**30 - 1

    await look(gateway)

    assert await submit(heavy, CLEAN) == FULL
    assert await submit(light, CLEAN) == OK


async def test_a_full_disk_refuses_all_and_recovers_by_itself(
    two: tuple[Gateway, RawEsme, RawEsme], disk: Disk, log: LogLines
) -> None:
    gateway, heavy, light = two
    disk.free = 0
    await look(gateway)
    refused = [await submit(one, text) for one in (heavy, light) for text in (LOAN, CLEAN)]

    disk.free = 2**40
    await look(gateway)

    assert refused == [FULL] * 4
    assert [await submit(one, text) for one in (heavy, light) for text in (LOAN, CLEAN)] == [OK] * 4
    told = [line["event"] for line in log if str(line["event"]).startswith("disk.")]
    assert told.count("disk.full") == told.count("disk.recovered") == 2  # of the two volumes


async def test_a_disk_that_is_low_is_told_before_anybody_is_stopped(
    two: tuple[Gateway, RawEsme, RawEsme], disk: Disk, log: LogLines
) -> None:
    gateway, heavy, light = two
    disk.free = 5 * 2**30 - 1

    await look(gateway)

    assert gateway._standing is not None
    readiness = gateway._standing.readiness()
    assert readiness.is_degraded
    assert readiness.ready
    assert any("disk of the store" in warning for warning in readiness.warnings)
    assert [await submit(one) for one in (heavy, light)] == [OK, OK]
    assert [line["volume"] for line in log if line["event"] == "disk.low"] == ["records", "store"]
    health = gateway.disk.health()
    assert health.free_octets == {"store": disk.free, "records": disk.free}
    assert health.stages == {"store": 1, "records": 1}


async def test_a_disk_that_cannot_be_asked_stays_in_its_stage(
    two: tuple[Gateway, RawEsme, RawEsme], disk: Disk, log: LogLines
) -> None:
    gateway, heavy, _ = two
    disk.free = 2**30 - 1
    await look(gateway)
    disk.free = None

    await look(gateway)
    await look(gateway)

    assert gateway.disk.stage_of("store") is DiskStage.STOPPING
    assert await submit(heavy) == FULL
    unread = [line["volume"] for line in log if line["event"] == "disk.check_failed"]
    assert unread == ["records", "store"]


async def test_a_store_that_nears_its_own_bound_stops_the_heaviest_too(
    two: tuple[Gateway, RawEsme, RawEsme],
) -> None:
    gateway, heavy, light = two
    used = await gateway.stores.used_octets()
    store = replace(gateway.settings.store, max_octets=used + used // 20)
    gateway.settings = replace(gateway.settings, store=store)

    await look(gateway)

    assert gateway.disk.stage_of("records") is DiskStage.WELL
    assert [await submit(heavy), await submit(light)] == [FULL, OK]


async def test_a_store_without_a_file_is_not_looked_at(disk: Disk, start: Start) -> None:
    gateway = await start()

    await look(gateway)

    assert gateway.disk.health().free_octets == {"records": disk.free}


@pytest.mark.usefixtures("disk")
async def test_a_disk_that_does_not_answer_is_asked_once(
    start: Start, monkeypatch: pytest.MonkeyPatch, log: LogLines
) -> None:
    gateway = await start()
    await look(gateway)
    begun, back, asked = threading.Event(), threading.Event(), []

    def hang(directory: Path) -> int:
        asked.append(directory)
        begun.set()
        back.wait()
        return 0

    monkeypatch.setattr(health, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(gateway.disk, "_free", hang)
    try:
        await look(gateway)
        await asyncio.to_thread(begun.wait)
        await look(gateway)
    finally:
        back.set()

    assert len(asked) == 1
    assert gateway.disk.stage_of("records") is DiskStage.WELL
    assert [line["said"] for line in log if line["event"] == "disk.check_failed"] == [
        "no answer in time"
    ]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MiB of its own, which only root may make."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:  # noqa: S603
        pytest.skip("this account may not mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S603, S607


async def test_a_real_disk_that_one_sp_fills_takes_what_the_others_write(
    small_disk: Path,
    start: Start,
    attach: Attach,
    sender: BuildSender,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def small(free: Callable[[Path], int], _reserve: DiskReserve, plane: Plane) -> DiskWatch:
        return DiskWatch(free, DiskReserve(10 * MIB, 8 * MIB, MIB), plane)

    monkeypatch.setattr(composition, "DiskWatch", small)
    other = sender(system_id="sp2", ports=sender().ports)
    gateway = await start(
        senders=(sender(), other), store_url=f"sqlite:///{small_disk / 'smsward.db'}"
    )
    heavy, light = await attach(gateway), await attach(gateway, "sp2")

    told: list[int] = []
    while len(told) < 500 and FULL not in told:
        told += [await submit_heavy(heavy) for _ in range(5)]
        await look(gateway)
    free = free_octets(small_disk)

    assert told[0] == OK
    assert told[-1] == FULL
    assert gateway.disk.stage_of("store") is DiskStage.STOPPING
    assert free > 4 * MIB
    assert [await submit(light), await submit(light, CLEAN)] == [OK, OK]


async def submit_heavy(esme: RawEsme) -> int:
    """Submit a message of 60 kB that is held."""
    octets = builders.ucs2(LOAN + "贷" * 30_000)
    request = builders.submit_sm(
        SOURCE, DESTINATION, b"", tlvs=((0x0424, octets),), sequence=esme.next_sequence()
    )
    return header_of(await esme.request(request)).command_status
