"""How much a tick takes on, so that it lasts a few milliseconds."""

from gateway.proxy.tick import TICK_S, Pace


def test_a_tick_takes_on_what_it_has_time_for() -> None:
    pace = Pace()
    for _ in range(100):
        pace.learn(10_000, 10_000 * 1e-7)

    assert abs(pace.octets - TICK_S / 1e-7) < 1_000


def test_dear_texts_make_the_next_ticks_smaller_and_cheap_ones_larger_within_bounds() -> None:
    pace = Pace()
    at_first = pace.octets

    for _ in range(100):
        pace.learn(65_000, 0.5)
    dear = pace.octets
    for _ in range(100):
        pace.learn(100_000, 0.0)

    assert dear == 2 * 1024
    assert pace.octets == 128 * 1024
    assert dear < at_first < pace.octets


def test_a_tick_with_little_in_it_tells_nothing() -> None:
    pace = Pace()
    before = pace.octets

    pace.learn(200, 0.5)

    assert pace.octets == before
