"""Routes by prefix: messages of one session on several shared links, each in its order."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.dataplane.link import Link
from gateway.dataplane.plane import Batch
from gateway.dataplane.request_reader import way_of
from gateway.domain.sender import Port, Route, RouteTable
from gateway.session.operations import SessionState, Side
from gateway.smpp.commands import CommandId
from gateway.smpp.pdu import decode, make
from gateway.smpp.status import CommandStatus
from simulators import builders
from tests.dataplane.conftest import (
    PORT,
    SPAM,
    World,
    advert,
    answer,
    decisions,
    header,
    long_advert,
    sender,
    sent,
    sequence_of,
)

HOME, ABROAD = "13800138000", "85291234567"
FIRST, CODES = "10690001", "10655"


class Routed(World):
    """An SP on a shared link of main, and one of abroad where its messages to 852 go."""

    def __post_init__(self) -> None:
        self.senders = (sender(ports=(Port(FIRST, 4), Port(CODES, 4))), sender("sp2"))
        super().__post_init__()
        self.plane.routes = RouteTable(
            (Route("abroad", destination="852"), Route("codes", source="10655"))
        )
        self.links = {one: self.shared_link(one, 40) for one in ("main", "abroad", "codes")}
        self.plane.way_to = self.way_to
        self.sp1 = self.on_main("sp1")

    def shared_link(self, name: str, window: int) -> Link:
        link = Link(90 + len(name), Side.SMSC, window, self.now, SessionState.BOUND_TRX, "gw", name)
        link.is_shared = True
        return link

    def on_main(self, system_id: str) -> Link:
        session = self.session(system_id)
        session.peer = self.links["main"]
        session.peer.share_with(session)
        return session

    def way_to(self, session: Link, group: str) -> Link | None:
        link = self.links.get(group)
        if link is not None and link is not session.peer and link not in session.detours:
            link.share_with(session)
            session.detours[link] = 0
        return link

    def numbers(self, batch: Batch, group: str) -> list[str]:
        """Return where the messages go that a batch writes to the link of a group."""
        return [
            decode(pdu).octets("destination_addr").decode()
            for pdu in sent(batch, self.links[group])
        ]


@pytest.fixture
def routed() -> Routed:
    return Routed()


def to(number: str, sequence: int = 1, text: str = "您好", source: str = FIRST) -> bytes:
    return advert(text, sequence, source=source, to=number)


@pytest.mark.parametrize(
    ("source", "number", "group"),
    [
        (FIRST, HOME, "main"),
        (FIRST, ABROAD, "abroad"),
        (FIRST, "+" + ABROAD, "abroad"),
        (FIRST, "00" + ABROAD, "abroad"),
        (CODES, HOME, "codes"),
        (CODES + "12", HOME, "codes"),
        (CODES, ABROAD, "abroad"),  # the destination decides first
        (FIRST, "852", "abroad"),
        (FIRST, "85", "main"),
    ],
)
def test_a_message_goes_to_the_group_of_its_prefix(
    routed: Routed, source: str, number: str, group: str
) -> None:
    routed.submit(routed.sp1, to(number, source=source))

    assert [one for one, link in routed.links.items() if link.outstanding] == [group]


def test_the_longest_prefix_wins() -> None:
    table = RouteTable(
        (
            Route("a", destination="86"),
            Route("b", destination="86138"),
            Route("c", "1069", "86138"),
            Route("d", "1069"),
            Route("e", "10690001"),
        )
    )

    def group(source: str, destination: str) -> str:
        return table.group_of(source.encode(), destination.encode())

    assert group("95588", "8613900000000") == "a"
    assert group("95588", "8613800000000") == "b"
    assert group("10690002", "8613800000000") == "c"
    assert (group("10690001", "8613900000000"), group("10690001", "85291234567")) == ("a", "e")
    assert (group("10690002", "1"), group("95588", "1"), group("", "")) == ("d", "", "")


def test_without_routes_all_goes_on_the_link_of_the_session(routed: Routed) -> None:
    routed.plane.routes = None

    batch = routed.submit(routed.sp1, to(ABROAD), to(HOME, 2))

    assert routed.numbers(batch, "main") == [ABROAD, HOME]


def test_on_a_bind_of_its_own_a_session_has_no_routes(routed: Routed) -> None:
    session = routed.session()

    batch = routed.submit(session, to(ABROAD))

    assert session.peer is not None
    assert len(sent(batch, session.peer)) == 1


@given(st.lists(st.sampled_from([HOME, ABROAD, "13900139000", "85290000000"]), max_size=60))
def test_the_messages_to_one_number_stay_in_their_order(numbers: list[str]) -> None:
    routed = Routed()
    at = {group: list[int]() for group in routed.links}
    routed.submit(routed.sp1, *(to(number, n) for n, number in enumerate(numbers, start=1)))
    while routed.sp1.under_way:
        for group, link in routed.links.items():
            at[group] += (entry[1] for entry in link.outstanding.values())
            routed.resp(link, *(answer(own) for own in list(link.outstanding)))
        routed.submit(routed.sp1)

    home = [n for n, number in enumerate(numbers, start=1) if number.startswith("1")]
    abroad = [n for n, number in enumerate(numbers, start=1) if number.startswith("8")]
    assert at == {"main": home, "abroad": abroad, "codes": []}
    assert (routed.sp1.under_way, set(routed.sp1.detours.values()) | {0}) == (0, {0})


def test_the_sp_hears_the_answers_of_all_its_links(routed: Routed) -> None:
    routed.submit(routed.sp1, to(HOME, 5), to(ABROAD, 6))
    assert (routed.sp1.under_way, routed.sp1.detours) == (2, {routed.links["abroad"]: 1})

    heard = [
        pdu
        for group in ("abroad", "main")
        for pdu in sent(routed.resp(routed.links[group], answer(1)), routed.sp1)
    ]

    assert [sequence_of(pdu) for pdu in heard] == [6, 5]
    assert (routed.sp1.under_way, routed.sp1.detours) == (0, {routed.links["abroad"]: 0})


def test_a_link_that_is_lost_answers_what_it_had_of_the_session(routed: Routed) -> None:
    routed.submit(routed.sp1, to(HOME, 5), to(ABROAD, 6))

    batch = routed.lose(routed.links["abroad"])

    assert [header(pdu)[1:] for pdu in sent(batch, routed.sp1)] == [(CommandStatus.ESME_RSYSERR, 6)]
    assert (routed.sp1.under_way, routed.sp1.detours) == (1, {routed.links["abroad"]: 0})


def test_who_waits_for_room_on_one_link_goes_on_when_there_is_some(routed: Routed) -> None:
    routed.links["abroad"].allowed = 1
    routed.submit(routed.sp1, to(ABROAD, 1), to(ABROAD, 2), to(HOME, 3))
    assert routed.sp1.awaits is routed.links["abroad"]
    assert list(routed.links["abroad"].waiting) == ["sp1"]
    assert not routed.links["main"].waiting

    freed = routed.resp(routed.links["abroad"], answer(1)).freed
    batch = routed.submit(routed.sp1)

    assert freed == {routed.sp1}
    assert len(routed.links["abroad"].outstanding) == 1
    assert routed.numbers(batch, "main") == [HOME]
    assert not routed.sp1.is_blocked


def overload(routed: Routed) -> None:
    routed.plane.is_overloaded = True


def reroute(routed: Routed) -> None:
    routed.plane.routes = None


def lose_peer(routed: Routed) -> None:
    routed.lose(routed.links["main"])
    routed.sp1.peer = None


@pytest.mark.parametrize("befalls", [overload, reroute, lose_peer])
def test_a_place_that_is_not_taken_is_anothers(
    routed: Routed, befalls: Callable[[Routed], None]
) -> None:
    link = routed.links["abroad"]
    link.allowed = 1
    routed.submit(routed.sp1, to(ABROAD, 1), to(ABROAD, 2))
    routed.resp(link, answer(1))
    assert link.called == {routed.sp1}
    befalls(routed)

    routed.submit(routed.sp1)

    assert (link.called, link.waiting) == (set(), {})


def test_places_that_nobody_takes_are_for_who_waits_behind(routed: Routed) -> None:
    link, anothers = routed.links["abroad"], routed.session("sp2")
    link.window = link.allowed = 1
    anothers.peer = link
    link.share_with(anothers)
    routed.submit(routed.sp1, to(ABROAD, 1), to(ABROAD, 2))
    routed.submit(anothers, to(ABROAD, 3, source=PORT))
    lose_peer(routed)

    freed = routed.resp(link, answer(1)).freed
    behind = routed.submit(routed.sp1).freed
    routed.submit(anothers)

    assert (freed, behind, len(link.outstanding)) == ({routed.sp1}, {anothers}, 1)


def test_a_session_that_waits_is_not_tried_again_before_there_is_room(routed: Routed) -> None:
    routed.links["abroad"].allowed = 1
    routed.submit(routed.sp1, to(ABROAD, 1), to(ABROAD, 2))

    assert routed.submit(routed.sp1).freed == set()


def test_what_is_refused_gives_its_room_back(routed: Routed) -> None:
    routed.links["abroad"].allowed = 2

    batch = routed.submit(
        routed.sp1, to(ABROAD, 1, SPAM), to(ABROAD, 2, SPAM), to(ABROAD, 3), to(HOME, 4)
    )

    assert routed.sp1 in batch.freed
    assert routed.sp1.detours == {routed.links["abroad"]: 0}
    routed.submit(routed.sp1)
    assert routed.sp1.detours == {routed.links["abroad"]: 1}
    assert routed.sp1.under_way == 2


def test_a_link_that_is_being_drained_gets_nothing_and_what_comes_waits(routed: Routed) -> None:
    routed.submit(routed.sp1, to(ABROAD, 1))
    routed.links["abroad"].is_leaving = True

    batch = routed.submit(routed.sp1, to(ABROAD, 2), to(HOME, 3))

    assert (batch.writes, batch.freed, routed.sp1.is_blocked) == ({}, set(), True)


def test_a_link_that_its_smsc_ends_gets_nothing_and_what_comes_waits(routed: Routed) -> None:
    routed.submit(routed.sp1, to(ABROAD, 1))
    link = routed.links["abroad"]
    link.state = SessionState.UNBINDING

    batch = routed.submit(routed.sp1, to(ABROAD, 2), to(HOME, 3))

    assert (batch.writes, batch.freed, routed.sp1.is_blocked) == ({}, set(), True)
    assert (len(link.outstanding), link.waiting) == (1, {})


def test_who_waits_for_room_leaves_the_turn_for_long_requests_to_others(routed: Routed) -> None:
    routed.links["abroad"].allowed = 1
    routed.submit(routed.sp1, to(ABROAD, 1))
    long = builders.data_sm(FIRST, ABROAD, builders.ucs2("好" * 3000), sequence=9)

    routed.submit(routed.sp1, long)

    assert (routed.sp1.is_blocked, routed.plane.takes_long) == (True, True)


def test_where_no_link_of_the_group_stands_messages_wait_and_are_refused_then(
    routed: Routed,
) -> None:
    gone = routed.links.pop("abroad")
    routed.sp1.wait_until = routed.now + 2

    waiting = routed.submit(routed.sp1, to(ABROAD, 1), to(HOME, 2))
    routed.now += 2
    refused = routed.submit(routed.sp1)

    assert (waiting.writes, waiting.freed) == ({}, set())
    assert [header(pdu)[1:] for pdu in sent(refused, routed.sp1)] == [
        (CommandStatus.ESME_RMSGQFUL, 1)
    ]
    assert routed.numbers(refused, "main") == [HOME]
    assert [row[9] for row in decisions(refused)] == ["OVERLOADED", ""]
    assert not gone.outstanding


def test_a_light_sp_has_its_part_of_a_link_whatever_it_has_elsewhere(routed: Routed) -> None:
    light = routed.on_main("sp2")
    port = light.account or routed.rules.accounts["sp2"]
    assert port.sender.ports
    routed.submit(routed.sp1, *(to(HOME, n) for n in range(1, 100)))
    routed.submit(routed.sp1, *(to(ABROAD, n) for n in range(100, 102)))

    routed.submit(light, *(to(HOME, n) for n in range(1, 31)))

    assert light.under_way_on(routed.links["main"]) == 10
    assert routed.sp1.under_way_on(routed.links["main"]) == 30


def test_a_long_message_and_a_data_sm_go_by_their_destination(routed: Routed) -> None:
    routed.submit(routed.sp1, *long_advert(["a" * 60, "b" * 60], to=ABROAD))
    data_sm = builders.data_sm(FIRST, ABROAD, builders.ucs2("您好"), sequence=9)
    routed.submit(routed.sp1, data_sm)

    assert len(routed.links["abroad"].outstanding) == 3
    assert routed.sp1.detours[routed.links["abroad"]] == 3


@pytest.mark.parametrize(
    ("numbers", "group"),
    [([ABROAD, "85290000000"], "abroad"), ([ABROAD, HOME], "main"), ([HOME], "main")],
)
def test_a_submit_multi_goes_by_its_destinations_if_all_agree(
    routed: Routed, numbers: list[str], group: str
) -> None:
    pdu = builders.submit_multi(FIRST, numbers, builders.ucs2("您好"), sequence=1)

    routed.submit(routed.sp1, pdu)

    assert [one for one, link in routed.links.items() if link.outstanding] == [group]


def test_what_cannot_be_read_is_refused_as_ever(routed: Routed) -> None:
    multi = make(CommandId.SUBMIT_MULTI, 1)[:-5]
    broken = multi[:3] + bytes((len(multi),)) + multi[4:]

    batch = routed.submit(routed.sp1, broken)

    assert [header(pdu)[0] for pdu in sent(batch, routed.sp1)] == [CommandId.SUBMIT_MULTI_RESP]


@pytest.mark.parametrize(
    ("number", "is_routed", "group"),
    [(ABROAD, True, "abroad"), (HOME, True, "main"), (ABROAD, False, "main")],
)
def test_a_cancel_without_an_id_goes_by_the_destination_of_the_messages_that_it_is_about(
    routed: Routed, number: str, group: str, *, is_routed: bool
) -> None:
    cancel = builders.cancel_sm("", FIRST, number, sequence=3)
    if not is_routed:
        reroute(routed)

    assert way_of(routed.plane, routed.sp1, cancel) is routed.links[group]


def test_a_cancel_stays_behind_the_messages_before_it(routed: Routed) -> None:
    cancel = builders.cancel_sm("17", FIRST, HOME, sequence=3)

    first = routed.submit(routed.sp1, to(HOME, 1), to(ABROAD, 2), cancel)
    batches = (first, routed.submit(routed.sp1), routed.submit(routed.sp1, cancel))

    main = routed.links["main"]
    commands = [[header(pdu)[0] for pdu in sent(batch, main)] for batch in batches]
    assert commands == [[CommandId.SUBMIT_SM], [CommandId.CANCEL_SM], [CommandId.CANCEL_SM]]
    assert routed.sp1 in first.freed
    assert routed.sp1.under_way_on(routed.links["main"]) == 3


def test_what_is_left_of_a_submit_multi_goes_by_the_routes_and_counts_there(
    routed: Routed,
) -> None:
    pdu = builders.submit_multi(FIRST, [ABROAD], builders.ucs2("您好"), distribution_lists=["x"])

    batch = routed.submit(routed.sp1, pdu)

    assert len(sent(batch, routed.links["abroad"])) == 1
    assert (routed.sp1.under_way, routed.sp1.detours[routed.links["abroad"]]) == (1, 1)


NUMBERS = [HOME, "13900139000", ABROAD, "85290000000"]


class Machine(RuleBasedStateMachine):
    """Sessions of two SPs on links with small windows, that answer, slow down and are lost."""

    def __init__(self) -> None:
        super().__init__()
        self.routed = routed = Routed()
        for name in ("main", "abroad"):
            routed.links[name].window = routed.links[name].allowed = 4
        self.sessions = [routed.sp1, routed.on_main("sp1"), routed.on_main("sp2")]
        self.sequence = 0
        self.written: dict[tuple[Link, str], list[int]] = {}
        self.table: RouteTable | None = None  # that another reload brings

    def take(self, batch: Batch) -> None:
        """Note what is written to each link; let those go on that may, until nobody does."""
        for _ in range(200):
            for link in batch.writes:
                if link.side is Side.SMSC:
                    for pdu in sent(batch, link):
                        entry = link.outstanding[sequence_of(pdu)]
                        assert entry[0] is not None
                        number = decode(pdu).octets("destination_addr").decode()
                        self.written.setdefault((entry[0], number), []).append(entry[1])
            if not batch.freed:
                return
            batch = self.routed.submit_all(*((one, b"") for one in batch.freed))
        raise AssertionError("they go on for ever")

    @rule(who=st.integers(0, 2), numbers=st.lists(st.sampled_from(NUMBERS), max_size=9))
    def submit(self, who: int, numbers: list[str]) -> None:
        first, self.sequence = self.sequence + 1, self.sequence + len(numbers)
        source = PORT if who == len(self.sessions) - 1 else FIRST
        pdus = [to(one, n, source=source) for n, one in enumerate(numbers, start=first)]
        self.take(self.routed.submit(self.sessions[who], *pdus))

    @rule(name=st.sampled_from(["main", "abroad"]), count=st.integers(1, 5))
    def answer(self, name: str, count: int) -> None:
        link = self.routed.links[name]
        own = list(link.outstanding)[:count]
        self.take(self.routed.resp(link, *(answer(one) for one in own)))

    @rule(name=st.sampled_from(["main", "abroad"]))
    def throttle(self, name: str) -> None:
        link = self.routed.links[name]
        for own in list(link.outstanding)[:1]:
            self.routed.now += 1
            status = CommandStatus.ESME_RTHROTTLED
            self.take(self.routed.resp(link, answer(own, status=status)))

    @rule(is_overloaded=st.booleans())
    def overload(self, *, is_overloaded: bool) -> None:
        self.routed.plane.is_overloaded = is_overloaded

    @rule()
    def reroute(self) -> None:
        table = self.routed.plane.routes
        self.routed.plane.routes, self.table = self.table, table

    @rule(name=st.sampled_from(["main", "abroad"]))
    def lose(self, name: str) -> None:
        gone = self.routed.links[name]
        batch = self.routed.lose(gone)
        sharers = [one for of in gone.sharers.values() for one in of]
        self.routed.links[name] = self.routed.shared_link(name, 4)
        for session in sharers:
            session.detours.pop(gone, None)
            if session.peer is gone:
                session.peer = None
        self.take(batch)
        self.take(self.routed.submit_all(*((one, b"") for one in sharers)))

    @rule()
    def join(self) -> None:
        main = self.routed.links["main"]
        sharers = [one for one in self.sessions if one.peer is None]
        for session in sharers:
            session.peer = main
            main.share_with(session)
        self.take(self.routed.submit_all(*((one, b"") for one in sharers)))

    @rule()
    def wait(self) -> None:
        self.routed.now += 1
        self.take(self.routed.expire(*self.routed.links.values()))

    @invariant()
    def each_request_is_counted_where_it_is(self) -> None:
        for session in self.sessions:
            on = {
                link: sum(entry[0] is session for entry in link.outstanding.values())
                for link in self.routed.links.values()
            }
            assert session.under_way == sum(on.values())
            joined = [link for link in on if link is session.peer or link in session.detours]
            assert all(session.under_way_on(link) == on[link] for link in joined)

    @invariant()
    def no_window_is_overrun_and_no_place_is_kept_for_nobody(self) -> None:
        for link in self.routed.links.values():
            assert len(link.outstanding) <= link.window
            assert all(one.is_blocked for one in link.called)

    @invariant()
    def what_goes_to_one_number_is_in_order(self) -> None:
        assert all(sent == sorted(sent) for sent in self.written.values())

    def teardown(self) -> None:
        """Answer all: nothing is left waiting then."""
        self.routed.plane.is_overloaded = False
        self.join()
        for _ in range(60):
            self.wait()
            for name in ("main", "abroad"):
                self.answer(name, 5)
        assert not any(session.tail or session.under_way for session in self.sessions)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
