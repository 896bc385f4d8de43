"""An hour of each flood, its clock passed in: memory and log stay within what is documented."""

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.dataplane.part_table import PartIds, PartTable
from gateway.dataplane.parts import Joint, part_of
from gateway.dataplane.submit_request import PartPosition
from gateway.proxy import gate
from gateway.proxy.gate import STRANGERS_ROWS, StrangerLog
from gateway.records.writer import Records
from gateway.runtime.logging import configure_logging
from gateway.session.stranger_limits import ConnectionRate, Lockouts
from gateway.smpp.udh import Concat
from simulators import builders
from tests.promises.deployment import tell

pytestmark = pytest.mark.slow

HOUR_S = 3600.0
MIB = 1 << 20
# As docs/reference/growth.md has them, and for what Python takes beside what is counted.
PARTS_OCTETS, LOCKOUT_OCTETS, RATE_OCTETS, PART_IDS_OCTETS = 128 * MIB, 30 * MIB, 4 * MIB, 40 * MIB
SLACK = 1.25
LOG_OCTETS_A_MINUTE = 24_000


def moments(per_s: float) -> Iterator[float]:
    """Yield an hour's moments, in seconds."""
    return (number / per_s for number in range(int(HOUR_S * per_s)))


def grown(flood: Callable[[], object]) -> int:
    """Return the octets that are still in use after a flood; what it returns lives until then."""
    tracemalloc.start()
    try:
        kept = flood()
        octets, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept is not None
    return octets


def parts_of_four_senders() -> PartTable:
    """Fill the memory of parts with 65 kB each, then 6 a second of 1 kB that no other follows."""
    parts = PartTable(ttl_s=60.0)

    def add(number: int, octets: bytes, now: float) -> None:
        owner = (f"sp{number % 4}", b"10690001", 8613800000000 + number)
        part = part_of(8, octets, octets.decode("utf-16-be"))
        parts.add(owner, Concat("sar", number % 65_536, 2, 1), part, now)

    for number in range(256):
        add(number, builders.ucs2(f"{number:08}" * 4_000), 0.0)
    for number, now in enumerate(moments(6), start=256):
        add(number, builders.ucs2(f"{number:08}" * 64), now)
        if number % 6 == 0:
            parts.expire(now)
    return parts


def bad_binds() -> Lockouts:
    """Guess names, 10 a second, from three addresses and from as many as there are."""
    lockouts = Lockouts(per_minute=10)
    for number, now in enumerate(moments(10)):
        address = (
            f"127.0.0.{number % 3}" if number % 2 else f"10.{number >> 16}.{number >> 8 & 255}.1"
        )
        lockouts.failed(address, f"guess{number}", now)
        lockouts.may_check(address, f"guess{number}", now)
    return lockouts


def connections() -> ConnectionRate:
    """Connect 15 times a second, each time from another address."""
    rate = ConnectionRate(100, 1000)
    for number, now in enumerate(moments(15)):
        rate.admits(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", now)
    return rate


def ids_of_parts() -> PartIds:
    """Have 20 parts a second accepted for later, none of which is ever replaced."""
    ids = PartIds()
    for number, now in enumerate(moments(20)):
        joint = Joint((("sp1", b"10690001", number), 7, 2), 2, now)
        ids.note(f"sp{number % 4}", b"%d" % number, (PartPosition(joint, 1, True, False),), now)
    return ids


@pytest.mark.parametrize(
    ("flood", "bound"),
    [
        (parts_of_four_senders, PARTS_OCTETS),
        (bad_binds, LOCKOUT_OCTETS),
        (connections, RATE_OCTETS),
        (ids_of_parts, PART_IDS_OCTETS),
    ],
)
def test_memory_stays_within_its_bound(flood: Callable[[], object], bound: int) -> None:
    octets = grown(flood)

    tell(f"{flood.__name__}: {octets / MIB:.1f} of {bound / MIB:.0f} MiB")
    assert bound / 100 < octets < SLACK * bound


def test_the_log_of_strangers_stays_within_its_bound(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines: list[bytes] = []
    configure_logging(json=True, strict=True, sink=lines.append)
    records = Records(tmp_path)
    log, now = StrangerLog(records), 0.0
    monkeypatch.setattr(gate, "monotonic", lambda: now)

    for number, now in enumerate(moments(5)):
        log.closed("command_length", f"10.0.0.{number % 200}")
        log.refused("credentials", f"10.0.1.{number % 200}", f"guess{number}", has_proved=False)
        log.summarise(now)

    octets = sum(map(len, lines))
    tell(f"strangers' log: {octets / 1e3:.0f} kB, {len(records.rows)} records")
    assert 0 < octets <= 60 * LOG_OCTETS_A_MINUTE
    assert len(records.rows) <= 60 * (STRANGERS_ROWS * 2 + 2)
