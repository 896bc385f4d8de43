"""Timers, as transcripts in seconds and against a peer of any rhythm."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.session.timers import Clocks, Due, Timers, due

TIMERS = Timers()
CLOSES = (Due.CLOSE_UNBOUND, Due.CLOSE_PARTIAL, Due.CLOSE_SILENT)


def test_defaults_are_those_of_the_configuration_contract() -> None:
    assert (
        Timers(
            session_init_s=5,
            pdu_read_s=10,
            enquire_link_s=30,
            response_s=30,
            inactivity_s=300,
            reconnect_max_s=15,
            drain_s=15,
        )
        == Timers()
    )


def test_a_connection_that_does_not_bind_is_closed_whatever_it_sends() -> None:
    clocks = Clocks.started(100)
    clocks.heard(104, has_whole=True, has_rest=False)

    assert due(TIMERS, clocks, is_bound=False, now=104.9) is Due.NOTHING
    assert due(TIMERS, clocks, is_bound=False, now=105) is Due.CLOSE_UNBOUND
    assert due(TIMERS, clocks, is_bound=True, now=105) is Due.NOTHING


def test_an_unbound_connection_is_neither_asked_nor_unbound() -> None:
    patient = replace(TIMERS, session_init_s=10_000)

    assert due(patient, Clocks.started(0), is_bound=False, now=9_999) is Due.NOTHING


def test_one_octet_every_nine_seconds_does_not_hold_a_session() -> None:
    clocks = Clocks.started(0)

    clocks.heard(0, has_whole=False, has_rest=True)
    clocks.heard(9, has_whole=False, has_rest=True)

    assert due(TIMERS, clocks, is_bound=True, now=9.9) is Due.NOTHING
    assert due(TIMERS, clocks, is_bound=True, now=10) is Due.CLOSE_PARTIAL


def test_each_pdu_has_the_whole_read_timer() -> None:
    clocks = Clocks.started(0)

    clocks.heard(0, has_whole=False, has_rest=True)
    clocks.heard(9, has_whole=True, has_rest=True)
    assert due(TIMERS, clocks, is_bound=True, now=18.9) is Due.NOTHING
    assert due(TIMERS, clocks, is_bound=True, now=19) is Due.CLOSE_PARTIAL
    clocks.heard(19, has_whole=True, has_rest=False)
    assert due(TIMERS, clocks, is_bound=True, now=29) is Due.NOTHING


def test_a_silent_peer_is_asked_and_then_closed() -> None:
    clocks = Clocks.started(0)

    assert due(TIMERS, clocks, is_bound=True, now=29.9) is Due.NOTHING
    assert due(TIMERS, clocks, is_bound=True, now=30) is Due.SEND_ENQUIRE_LINK
    clocks.enquiry_sent_at = 30
    assert due(TIMERS, clocks, is_bound=True, now=59.9) is Due.NOTHING
    assert due(TIMERS, clocks, is_bound=True, now=60) is Due.CLOSE_SILENT


def test_any_octets_after_the_enquiry_are_life() -> None:
    clocks = Clocks.started(0)
    clocks.enquiry_sent_at = 30

    clocks.heard(59, has_whole=False, has_rest=True)
    clocks.partial_since = None

    assert due(TIMERS, clocks, is_bound=True, now=88.9) is Due.NOTHING
    assert due(TIMERS, clocks, is_bound=True, now=89) is Due.SEND_ENQUIRE_LINK


def test_octets_in_the_very_moment_of_the_enquiry_are_life() -> None:
    clocks = Clocks.started(0)
    clocks.enquiry_sent_at = 30

    clocks.heard(30, has_whole=True, has_rest=False)

    assert due(TIMERS, clocks, is_bound=True, now=59.9) is Due.NOTHING
    assert due(TIMERS, clocks, is_bound=True, now=60) is Due.SEND_ENQUIRE_LINK


def test_enquiries_turned_off_neither_ask_nor_close_what_was_asked_before() -> None:
    timers = replace(TIMERS, enquire_link_s=0, inactivity_s=0)
    clocks = Clocks.started(0)
    clocks.enquiry_sent_at = 30

    assert due(timers, clocks, is_bound=True, now=1e9) is Due.NOTHING


def test_a_peer_that_only_answers_enquiries_is_unbound_as_idle() -> None:
    clocks = Clocks.started(0)
    clocks.heard(299, has_whole=True, has_rest=False)

    assert due(TIMERS, clocks, is_bound=True, now=299.9) is Due.NOTHING
    assert due(TIMERS, clocks, is_bound=True, now=300) is Due.UNBIND_IDLE
    clocks.last_traffic_at = 300
    assert due(TIMERS, clocks, is_bound=True, now=300) is Due.NOTHING


def test_a_peer_that_is_idle_and_to_be_asked_is_unbound_rather_than_asked() -> None:
    assert due(TIMERS, Clocks.started(0), is_bound=True, now=300) is Due.UNBIND_IDLE


def test_a_peer_that_is_idle_and_gone_is_closed_rather_than_unbound() -> None:
    clocks = Clocks.started(0)
    clocks.enquiry_sent_at = 270

    assert due(TIMERS, clocks, is_bound=True, now=300) is Due.CLOSE_SILENT


@pytest.mark.parametrize("is_bound", [True, False])
def test_an_unbind_without_an_answer_closes_and_nothing_else_is_asked(*, is_bound: bool) -> None:
    clocks = Clocks.started(0)
    clocks.unbind_sent_at = 300

    assert due(TIMERS, clocks, is_bound=is_bound, now=329.9) is Due.NOTHING
    assert due(TIMERS, clocks, is_bound=is_bound, now=330) is Due.CLOSE_SILENT


times = st.none() | st.floats(0, 1000)


@given(
    st.builds(
        Clocks,
        opened_at=st.floats(0, 1000),
        last_octets_at=st.floats(0, 1000),
        last_traffic_at=st.floats(0, 1000),
        partial_since=times,
        enquiry_sent_at=times,
        unbind_sent_at=times,
    ),
    st.sampled_from(["bound", "unbound"]),
    st.floats(1000, 5000),
    st.floats(0, 5000),
)
def test_a_close_that_is_due_stays_due_until_something_happens(
    clocks: Clocks, bound: str, now: float, later_s: float
) -> None:
    is_bound = bound == "bound"

    first = due(TIMERS, clocks, is_bound=is_bound, now=now)
    later = due(TIMERS, clocks, is_bound=is_bound, now=now + later_s)

    if first in CLOSES:
        assert later in CLOSES
    if not is_bound:
        assert first in (*CLOSES, Due.NOTHING)


class ASessionWatchedEverySecond(RuleBasedStateMachine):
    """The watcher does what is due; the ledger of the peer says what ought to have happened."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.connect()

    def connect(self) -> None:
        self.clocks = Clocks.started(self.now)
        self.heard_at = self.message_at = self.now
        self.began_at: int | None = None
        self.asked_at: list[int] = []

    @rule(seconds=st.sampled_from([1, 3, 10, 31, 61]))
    def the_peer_is_silent(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            self.watch()

    def watch(self) -> None:
        act = due(TIMERS, self.clocks, is_bound=True, now=self.now)
        assert act is self.expected()
        if act is Due.SEND_ENQUIRE_LINK:
            self.clocks.enquiry_sent_at = self.now
            self.asked_at.append(self.now)
        elif act is not Due.NOTHING:
            self.connect()

    def expected(self) -> Due:
        silence_s = self.now - self.heard_at
        if self.began_at is not None and self.now - self.began_at == 10:
            return Due.CLOSE_PARTIAL
        if silence_s == 60:
            return Due.CLOSE_SILENT
        if self.now - self.message_at == 300:
            return Due.UNBIND_IDLE
        return Due.SEND_ENQUIRE_LINK if silence_s == 30 else Due.NOTHING

    @rule()
    def a_message_comes(self) -> None:
        self.a_sign_of_life_comes()
        self.clocks.last_traffic_at = self.message_at = self.now

    @rule()
    def a_sign_of_life_comes(self) -> None:
        self.clocks.heard(self.now, has_whole=True, has_rest=False)
        self.heard_at = self.now
        self.began_at = None

    @rule()
    def an_octet_comes(self) -> None:
        self.clocks.heard(self.now, has_whole=False, has_rest=True)
        self.heard_at = self.now
        self.began_at = self.now if self.began_at is None else self.began_at

    @rule()
    def a_pdu_ends_and_the_next_begins(self) -> None:
        self.clocks.heard(self.now, has_whole=True, has_rest=True)
        self.heard_at = self.began_at = self.now

    @invariant()
    def a_peer_is_asked_once_in_each_silence(self) -> None:
        assert all(later - earlier > 30 for earlier, later in pairwise(self.asked_at))


TestASessionWatchedEverySecond = ASessionWatchedEverySecond.TestCase
