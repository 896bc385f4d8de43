"""Who has its turn when not everybody can have one."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.dataplane.link import Link
from gateway.proxy.tick import FairQueue
from gateway.session.operations import Side


def session(number: int, system_id: str, *, tail: bytes = b"") -> Link:
    link = Link(number, Side.ESME, 10, 0.0)
    link.system_id = system_id
    link.tail = tail
    return link


def test_all_that_fits_into_a_turn_is_given_out_at_once() -> None:
    queue = FairQueue()
    one, other = session(1, "sp1"), session(2, "sp2")
    queue.add(one, b"abc")
    queue.add(other, b"de")
    queue.add(one, b"fg")

    taken, octets = queue.take(1_000)

    assert taken == {one: b"abcfg", other: b"de"}
    assert octets >= 7
    assert len(queue) == 0
    assert queue.take(1_000) == ({}, 0)


def test_a_light_sender_is_next_however_many_sessions_a_heavy_one_has() -> None:
    queue = FairQueue()
    heavy = [session(number, "heavy") for number in range(64)]
    for link in heavy:
        queue.add(link, bytes(2_000))
    queue.take(5_000)
    light = session(99, "light")
    queue.add(light, bytes(160))

    taken, _ = queue.take(5_000)

    assert next(iter(taken)) is light


def test_a_sender_that_was_idle_has_no_credit_from_that() -> None:
    queue = FairQueue()
    one, other = session(1, "sp1"), session(2, "sp2")
    turns: list[Link] = []
    for _ in range(20):  # sp1 alone, always more than a turn
        queue.add(one, bytes(9_000))
        queue.take(1_000)
    for _ in range(10):
        for link in (one, other):
            if link not in queue:
                queue.add(link, bytes(9_000))
        turns += queue.take(1_000)[0]

    assert 4 <= turns.count(one) <= 6


def test_sessions_that_have_not_bound_are_one_sender_together() -> None:
    queue = FairQueue()
    strangers = [session(number, "") for number in range(10)]
    for link in strangers:
        queue.add(link, bytes(1_000))
    bound = session(99, "sp1")
    queue.add(bound, bytes(1_000))

    first, second = (list(queue.take(1_000)[0]) for _ in range(2))

    assert bound in first + second


def test_what_waits_of_before_counts_and_of_a_blocked_session_what_there_is_room_for() -> None:
    queue = FairQueue()
    waiting, blocked = session(1, "sp1", tail=bytes(5_000)), session(2, "sp2", tail=bytes(5_000))
    blocked.is_blocked, blocked.window = True, 2
    queue.add(waiting, b"")
    queue.add(blocked, b"")

    _, octets = queue.take(100_000)

    assert 5_000 < octets < 6_000


def test_a_session_that_is_gone_leaves_the_queue() -> None:
    queue = FairQueue()
    one, other = session(1, "sp1"), session(2, "sp1")
    queue.add(one, b"abc")
    queue.add(other, b"de")

    assert queue.remove(one) == b"abc"
    assert queue.remove(one) is None
    assert one not in queue
    assert queue.take(1) == ({other: b"de"}, queue_cost(b"de"))


def queue_cost(octets: bytes) -> int:
    queue = FairQueue()
    queue.add(session(1, "sp1"), octets)
    return queue.take(1_000)[1]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.binary(max_size=300)), max_size=60),
    st.integers(1, 2_000),
)
def test_nothing_is_lost_doubled_or_put_out_of_order(
    adds: list[tuple[int, int, bytes]], most: int
) -> None:
    queue = FairQueue()
    links = [session(number, f"sp{number % 3}") for number in range(6)]
    sent = dict.fromkeys(links, b"")
    got = dict.fromkeys(links, b"")
    for number, takes, octets in adds:
        queue.add(links[number], octets)
        sent[links[number]] += octets
        for _ in range(takes):
            for link, taken in queue.take(most)[0].items():
                got[link] += taken
    while len(queue):
        taken_now, _ = queue.take(most)
        assert taken_now
        for link, taken in taken_now.items():
            got[link] += taken

    assert got == sent
