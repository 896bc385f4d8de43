"""How often events of strangers are told."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.session.stranger_limits import EventQuota, EventRepeats


def test_the_first_event_of_an_address_is_told_and_the_others_are_counted() -> None:
    quota = EventQuota(rows=8)

    told = [quota.admits("esme.closed", "framing", "192.0.2.1", 0.01 * n) for n in range(1000)]

    assert told == [True] + [False] * 999
    assert quota.repeated(59.9) == []
    assert quota.repeated(60.0) == [EventRepeats("esme.closed", "framing", "192.0.2.1", "", 999)]
    assert quota.repeated(120.0) == []


def test_kinds_and_addresses_are_told_apart_and_an_ipv6_customer_is_one() -> None:
    quota = EventQuota(rows=8)

    assert quota.admits("esme.closed", "framing", "192.0.2.1", 0)
    assert quota.admits("esme.closed", "framing", "192.0.2.2", 0)
    assert quota.admits("esme.refused", "locked", "192.0.2.1", 0)
    assert quota.admits("esme.closed", "framing", "2001:db8::1", 0)
    assert not quota.admits("esme.closed", "framing", "2001:db8::2", 0)


def test_addresses_without_a_row_are_counted_together() -> None:
    quota = EventQuota(rows=2)

    told = sum(quota.admits("esme.closed", "framing", f"192.0.2.{n}", 0) for n in range(100))

    assert told == 2
    assert quota.repeated(60) == [EventRepeats("esme.closed", "framing", "", "", 98)]


def test_system_ids_are_told_apart_and_are_no_kinds_of_their_own() -> None:
    quota = EventQuota(rows=2)

    told = [quota.admits("esme.refused", "credentials", "192.0.2.1", 0, f"sp{n}") for n in range(9)]

    assert told == [True] * 2 + [False] * 7
    assert quota.repeated(60) == [EventRepeats("esme.refused", "credentials", "", "", 7)]


def test_what_comes_alone_is_told_each_minute() -> None:
    quota = EventQuota(rows=2)

    for minute in range(5):
        assert quota.admits("esme.closed", "framing", "192.0.2.1", 60.0 * minute)
        assert quota.repeated(60.0 * minute + 60) == []


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.floats(0, 1)), max_size=300),
    st.integers(1, 10),
)
def test_no_minute_has_more_lines_than_rows_twice_and_one_for_each_kind(
    events: list[tuple[str, int, float]], rows: int
) -> None:
    quota, now, lines, counted, began = EventQuota(rows), 0.0, 0, 0, 0.0
    for event, host, pause in events:
        now += pause
        told = quota.admits(event, "", f"192.0.2.{host}", now)
        lines, counted = lines + told, counted + (not told)
        for repeated in quota.repeated(now):
            counted -= repeated.times
            lines += 1
        if now - began >= 60:
            assert lines <= 2 * rows + 3
            began, lines = now, 0
    counted -= sum(one.times for one in quota.repeated(now + 60))

    assert counted == 0
