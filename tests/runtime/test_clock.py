from datetime import timedelta

from gateway.runtime import clock


def test_monotonic_time_never_steps_back() -> None:
    readings = [clock.monotonic() for _ in range(1000)]

    assert readings == sorted(readings)


def test_the_wall_clock_is_aware_utc_and_agrees_with_the_epoch() -> None:
    before = clock.epoch()
    now = clock.utcnow()
    after = clock.epoch()

    assert now.utcoffset() == timedelta(0)
    assert before - 1 <= now.timestamp() <= after + 1
