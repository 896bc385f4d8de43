"""How much of the log and the records strangers can fill."""

from pathlib import Path

import pytest

from gateway.proxy import gate
from gateway.proxy.gate import SENDERS_ROWS, STRANGERS_ROWS, StrangerLog
from gateway.records.writer import Records
from gateway.runtime.logging import configure_logging

CLOSED = (
    "command_length",
    "20 control PDUs and no bind",
    "it did not bind in time",
    "a PDU was begun and not finished",
    "it does not read its answers",
    "it gave no sign of life",
    "its TLS handshake failed",
    "its address opens too many connections a second",
    "as many sessions are bound as may be",
    "its PROXY header is missing or wrong",
)
# As docs/howto/operate.md has it.
LINES_A_MINUTE, OCTETS_A_MINUTE, ROWS_A_MINUTE = 80, 24_000, 68


class Clock:
    now = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(gate, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def octets() -> list[bytes]:
    lines: list[bytes] = []
    configure_logging(json=True, strict=True, sink=lines.append)
    return lines


def attack(log: StrangerLog, addresses: int) -> None:
    """Do all that strangers can, from so many addresses."""
    for number in range(addresses):
        address = f"2001:db8:{number:x}:ffff:ffff:ffff:ffff:ffff"
        for reason in CLOSED:
            log.closed(reason, address)
        for reason in ("credentials", "locked"):
            log.refused(reason, address, "s" * 15, has_proved=False)


@pytest.mark.parametrize("addresses", [1, 40, 200])
def test_whatever_strangers_do_a_minute_of_log_and_records_is_bounded(
    clock: Clock, octets: list[bytes], tmp_path: Path, addresses: int
) -> None:
    records = Records(tmp_path)
    log = StrangerLog(records)

    for second in (0, 1, 30, 59, 60, 61, 90, 119, 120, 121, 180):
        clock.now = float(second)
        attack(log, addresses)
        log.summarise(clock.now)

    assert 0 < len(octets) <= 3 * LINES_A_MINUTE
    assert sum(map(len, octets)) <= 3 * OCTETS_A_MINUTE
    assert len(records.rows) <= 3 * ROWS_A_MINUTE
    assert "locked" not in str(records.rows)


def test_the_counts_come_to_what_was_done(
    clock: Clock, octets: list[bytes], tmp_path: Path
) -> None:
    records = Records(tmp_path)
    log = StrangerLog(records)

    for _ in range(1000):
        log.refused("credentials", "192.0.2.1", "sp1", has_proved=False)
    clock.now = 60.0
    log.summarise(clock.now)

    assert len(records.rows) == 2
    assert "'count': 999" in str(records.rows[1])
    assert b'"count":999' in octets[-1]
    assert b'"of":"esme.refused"' in octets[-1]


@pytest.mark.usefixtures("clock")
def test_strangers_do_not_hide_why_an_sp_with_the_right_password_was_refused(
    octets: list[bytes], tmp_path: Path
) -> None:
    log = StrangerLog(Records(tmp_path))
    attack(log, STRANGERS_ROWS * 10)

    for number in range(SENDERS_ROWS):
        log.refused("suspended", "192.0.2.1", f"sp{number}", has_proved=True)

    assert sum(b'"suspended"' in line for line in octets) == SENDERS_ROWS
