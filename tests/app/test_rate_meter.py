"""Rates, reasons and latencies of the last minutes, from counters."""

from datetime import UTC, datetime

import pytest

from gateway.app.live import RateMeter
from gateway.dataplane.plane import Tally

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def tally(monkeypatch: pytest.MonkeyPatch) -> Tally:
    monkeypatch.setattr("gateway.app.live.monotonic", lambda: 0.0)
    monkeypatch.setattr("gateway.app.live.utcnow", lambda: NOW)
    return Tally()


def test_a_history_has_a_quarter_of_an_hour_in_steps_of_fifteen_seconds(tally: Tally) -> None:
    rates = RateMeter(tally, ())
    for step in range(1, 1000):
        tally.sender("sp1", "forward", 50)
        tally.sender("sp1", "reject", step % 2)
        rates.sample(5.0 * step)

    history = rates.history()

    assert len(history) == 60
    assert {one.per_s["forwarded"] for one in history} == {10.0}
    assert {one.p99_ms for one in history} == {None}


def test_reasons_are_those_of_the_last_minute(tally: Tally) -> None:
    tally.verdict("reject", "CONTENT", 100)
    rates = RateMeter(tally, ())
    tally.verdict("reject", "CONTENT", 3)
    tally.verdict("quarantine", "CAMPAIGN")

    assert rates.reasons() == {"reject CONTENT": 3, "quarantine CAMPAIGN": 1}


def test_latencies_are_quantiles_of_the_last_minute(tally: Tally) -> None:
    tally.latency_us[20] = 1000
    rates = RateMeter(tally, ())
    assert rates.latency_ms() == {}

    tally.latency_us[10] = 98  # 512 to 1024 us
    tally.latency_us[14] = 2  # 8192 to 16384 us
    found = rates.latency_ms()

    assert found["p50"] == pytest.approx(0.77, abs=0.02)
    assert 8.192 <= found["p99"] <= 16.384
