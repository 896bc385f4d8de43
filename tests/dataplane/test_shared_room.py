"""Sessions of several SPs on one bind of the gateway's own: windows, fair parts, whose is whose."""

from collections import Counter

import pytest

from gateway.dataplane.link import Link
from gateway.domain.sender import Port
from gateway.session.operations import SessionState, Side
from gateway.smpp.commands import CommandId
from gateway.smpp.pdu import make
from gateway.smpp.status import CommandStatus
from simulators import builders
from tests.dataplane.conftest import (
    SPAM,
    SUBSCRIBER,
    World,
    advert,
    answer,
    header,
    outcomes,
    sender,
    sent,
    smsc,
)

PORTS = {"sp1": "10690001", "sp2": "10690002", "sp3": "10690003"}
WINDOW = 12


class Shared(World):
    """Three SPs with a port each, and one bind of the gateway's own that all are on."""

    def __post_init__(self) -> None:
        self.senders = tuple(sender(one, ports=(Port(port, 4),)) for one, port in PORTS.items())
        super().__post_init__()
        self.link = Link(99, Side.SMSC, WINDOW, self.now, SessionState.BOUND_TRX, "gw")
        self.link.is_shared = True

    def on_link(self, system_id: str = "sp1", window: int = 100) -> Link:
        session = self.session(system_id, window=window)
        session.peer = self.link
        self.link.sharers.setdefault(system_id, set()).add(session)
        return session


@pytest.fixture
def shared() -> Shared:
    return Shared()


def adverts(session: Link, count: int, first: int = 1) -> bytes:
    source = PORTS[session.system_id]
    return b"".join(advert(sequence=n, source=source) for n in range(first, first + count))


def test_one_sp_alone_has_the_whole_window(shared: Shared) -> None:
    session = shared.on_link()

    batch = shared.submit(session, adverts(session, 20))

    assert len(sent(batch, shared.link)) == WINDOW
    assert (session.under_way, session.is_blocked) == (WINDOW, True)


def test_a_session_never_has_more_under_way_than_its_own_window(shared: Shared) -> None:
    session = shared.on_link(window=3)

    batch = shared.submit(session, adverts(session, 20))

    assert len(sent(batch, shared.link)) == 3


def test_a_greedy_sp_leaves_room_for_a_newcomer(shared: Shared) -> None:
    greedy, light = shared.on_link(), shared.on_link("sp2")
    shared.submit(greedy, adverts(greedy, 100))
    assert greedy.under_way == WINDOW - WINDOW // 4

    batch = shared.submit(light, adverts(light, 1))

    assert len(sent(batch, shared.link)) == 1


def test_what_is_answered_goes_to_who_has_less_than_its_part(shared: Shared) -> None:
    greedy, light = shared.on_link(), shared.on_link("sp2")
    shared.submit(greedy, adverts(greedy, 100))
    shared.submit(light, adverts(light, 100))
    assert (greedy.under_way, light.under_way) == (9, 3)

    for own in list(shared.link.outstanding)[:3]:
        freed = shared.resp(shared.link, answer(own)).freed
        assert freed == {light}
        shared.submit_all((greedy, b""), (light, b""))

    assert (greedy.under_way, light.under_way) == (6, 6)


def test_many_sessions_of_one_sp_have_the_part_of_one(shared: Shared) -> None:
    crowd = [shared.on_link() for _ in range(9)]
    light = shared.on_link("sp2")
    shared.submit_all(*((one, adverts(one, 10)) for one in crowd))

    shared.submit(light, adverts(light, 10))

    assert sum(one.under_way for one in crowd) == 9
    assert light.under_way == 3


def test_sessions_of_one_tick_do_not_go_past_the_window_together(shared: Shared) -> None:
    sessions = [shared.on_link(one) for one in PORTS]

    batch = shared.submit_all(*((one, adverts(one, 10)) for one in sessions))

    assert len(sent(batch, shared.link)) == len(shared.link.outstanding) <= WINDOW
    assert [one.under_way for one in sessions] == [9, 3, 0]


def test_room_that_refused_messages_had_claimed_is_free_again(shared: Shared) -> None:
    first, second = shared.on_link(), shared.on_link("sp2")
    spam = b"".join(advert(SPAM, n, source=PORTS["sp1"]) for n in range(1, 10))

    batch = shared.submit_all((first, spam), (second, adverts(second, 10)))

    assert second in batch.freed
    assert shared.link.waiting


def test_an_answer_goes_to_its_asker_and_is_on_record_as_its(shared: Shared) -> None:
    sessions = [shared.on_link(one) for one in PORTS]
    shared.submit_all(*((one, adverts(one, 1, 7)) for one in sessions))

    batch = shared.resp(shared.link, *(answer(own) for own in list(shared.link.outstanding)))

    assert [header(*sent(batch, one))[2] for one in sessions] == [7, 7, 7]
    assert [row[3] for row in outcomes(batch)] == list(PORTS)
    assert [one.under_way for one in sessions] == [0, 0, 0]


def test_a_lost_link_answers_all_and_leaves_nothing_under_way(shared: Shared) -> None:
    first, second = shared.on_link(), shared.on_link("sp2")
    shared.submit_all((first, adverts(first, 2)), (second, adverts(second, 1)))

    batch = shared.lose(shared.link)

    answers = [header(pdu) for one in (first, second) for pdu in sent(batch, one)]
    status = CommandStatus.ESME_RSYSERR
    assert answers == [(CommandId.SUBMIT_SM_RESP, status, n) for n in (1, 2, 1)]
    assert first.under_way == second.under_way == 0


def test_what_is_not_answered_in_time_makes_room_for_all(shared: Shared) -> None:
    first, second = shared.on_link(), shared.on_link("sp2")
    shared.submit(first, adverts(first, 100))
    shared.submit(second, adverts(second, 100))
    shared.now += 31

    batch = shared.expire(shared.link)

    assert batch.freed >= {first, second}
    assert first.under_way == second.under_way == 0
    late = shared.resp(shared.link, answer(next(iter(shared.link.late))))
    assert first.under_way == 0
    assert not late.writes


def test_a_full_link_frees_nobody(shared: Shared) -> None:
    session = shared.on_link()
    shared.submit(session, adverts(session, 100))

    batch = shared.resp(shared.link, builders.enquire_link(5))

    assert not batch.freed
    assert shared.link.waiting


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (builders.cancel_sm("ab12", PORTS["sp2"], SUBSCRIBER), CommandStatus.ESME_RCANCELFAIL),
        (builders.cancel_sm("", PORTS["sp2"], SUBSCRIBER), CommandStatus.ESME_RCANCELFAIL),
        (builders.cancel_sm("ab12", "", ""), CommandStatus.ESME_RCANCELFAIL),
        (builders.query_sm("ab12", PORTS["sp2"]), CommandStatus.ESME_RQUERYFAIL),
    ],
)
def test_what_is_asked_about_another_sps_message_never_reaches_the_smsc(
    shared: Shared, request_: bytes, status: CommandStatus
) -> None:
    session = shared.on_link()

    batch = shared.submit(session, request_)

    assert [header(pdu)[1] for pdu in sent(batch, session)] == [status]
    assert not sent(batch, shared.link)


def test_an_sp_may_cancel_its_own_message(shared: Shared) -> None:
    session = shared.on_link()

    batch = shared.submit(session, builders.cancel_sm("ab12", PORTS["sp1"], SUBSCRIBER))
    assert session.under_way == 1
    (own,) = shared.link.outstanding
    told = shared.resp(shared.link, make(CommandId.CANCEL_SM_RESP, own))

    assert len(sent(batch, shared.link)) == 1
    assert [header(pdu)[1] for pdu in sent(told, session)] == [0]
    assert session.under_way == 0


TOO_MUCH = [CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL]


def test_an_smsc_that_gets_too_much_gets_half_and_the_sp_is_told(shared: Shared) -> None:
    session, status = shared.on_link(), CommandStatus.ESME_RTHROTTLED
    shared.submit(session, adverts(session, 9))
    shared.now += 0.1

    batch = shared.resp(shared.link, answer(1, status=status), answer(2, status=status))

    assert [header(pdu)[1] for pdu in sent(batch, session)] == [status, status]
    assert shared.link.allowed == WINDOW // 2  # once: both were sent at one time
    again = shared.submit(session, adverts(session, 5, 10))
    assert not sent(again, shared.link)
    assert session.is_blocked


def test_a_fault_of_a_message_slows_nothing_down_and_is_counted(shared: Shared) -> None:
    session = shared.on_link()
    shared.submit(session, adverts(session, 3))
    statuses = [CommandStatus.ESME_RSYSERR, CommandStatus.ESME_RINVDSTADR]

    shared.resp(shared.link, *(answer(own, status=s) for own, s in enumerate(statuses, start=1)))

    assert shared.link.allowed == WINDOW
    assert shared.plane.tally.answers == dict.fromkeys(statuses, 1)
    assert shared.plane.tally.unknown == {"sp1": 1}  # numbers that are not there
    assert session.under_way == 1


def test_what_is_throttled_has_its_whole_window_after_a_while() -> None:
    world = World()
    session = world.session(window=40)
    link = smsc(session)
    for own in (1, 2):  # one alone is too much, too
        world.submit(session, advert())
        assert link.allowed == {1: 1000, 2: 1}[own]
        world.resp(link, answer(own, status=TOO_MUCH[0]))
    assert (link.allowed, session.room()) == (0, 0)
    blocked = world.submit(session, advert(sequence=2))
    assert not sent(blocked, link)

    freed = world.expire(link).freed

    assert freed == {session}
    assert link.allowed == 1
    world.expire(link)
    assert link.allowed == 51
    for _ in range(30):
        world.expire(link)
    assert (link.allowed, session.room()) == (1000, 40)


def test_an_answer_with_more_to_it_slows_down_too_and_hastens_too() -> None:
    world = World()
    session = world.session()
    link = smsc(session)
    hello = builders.data_sm(PORTS["sp1"], SUBSCRIBER, b"hello", sequence=1)
    world.submit(session, hello)
    refusal = answer(1, status=TOO_MUCH[0], command_id=CommandId.DATA_SM_RESP)

    world.resp(link, refusal)

    assert link.allowed == 1
    for own in range(2, 10):
        world.submit(session, hello)
        world.resp(link, answer(own, command_id=CommandId.DATA_SM_RESP))
    assert link.allowed == 2


def test_an_smsc_that_refuses_some_at_any_speed_is_not_slowed_down_to_a_crawl() -> None:
    world = World()
    session = world.session(window=40)
    link = smsc(session)
    statuses = [TOO_MUCH[0], 0, 0, 0] * 10

    for own, status in enumerate(statuses, 1):
        world.submit(session, advert())
        world.resp(link, answer(own, status=status))
        assert link.allowed == 1  # one was too much, three were not: neither none nor two

    for own in range(41, 41 + 5 + 16 + 24):
        world.submit(session, advert())
        world.resp(link, answer(own))
    assert link.allowed == 4  # after 8 in all, after 16 and after 24
    world.submit(session, advert())
    world.resp(link, answer(86, status=TOO_MUCH[0]))
    assert link.allowed == 1


def test_what_was_on_its_way_when_one_alone_was_too_much_allows_nothing() -> None:
    world = World()
    session = world.session(window=40)
    link = smsc(session)
    world.submit(session, *[advert()] * 20)
    link.allowed = 1
    link.slow_down(TOO_MUCH[0], world.now, world.now)

    world.resp(link, *[answer(own) for own in range(1, 21)])

    assert link.allowed == 0


def test_who_goes_and_binds_anew_has_no_more_than_its_part(shared: Shared) -> None:
    other = shared.on_link("sp2")
    for _ in range(3):
        session = shared.on_link()
        shared.submit(session, adverts(session, 100))
        shared.lose(session)
        shared.link.part(session)

    assert len(shared.link.outstanding) < WINDOW
    assert other.room() > 0


def test_a_session_that_has_gone_counts_until_its_last_answer(shared: Shared) -> None:
    session = shared.on_link()
    shared.submit(session, adverts(session, 2))
    shared.lose(session)
    shared.link.part(session)
    own, last = shared.link.outstanding

    shared.resp(shared.link, answer(own))
    shared.expire(shared.link)
    before = {one: set(sessions) for one, sessions in shared.link.sharers.items()}
    shared.resp(shared.link, answer(last))
    shared.expire(shared.link)
    shared.link.part(session)

    assert before == {"sp1": {session}}
    assert not shared.link.sharers


@pytest.mark.parametrize(
    ("status", "allowed"),
    [(CommandStatus.ESME_RMSGQFUL, WINDOW), (CommandStatus.ESME_RTHROTTLED, WINDOW // 2)],
)
def test_a_full_inbox_of_one_sp_slows_no_other_and_throttling_halves(
    shared: Shared, status: CommandStatus, allowed: int
) -> None:
    session = shared.on_link()
    shared.submit(session, adverts(session, 1))

    shared.resp(shared.link, answer(next(iter(shared.link.outstanding)), status=status))

    assert shared.link.allowed == allowed


@pytest.mark.parametrize(("allowed", "sessions"), [(1, 1), (2, 1), (3, 1), (1, 3), (2, 3)])
def test_senders_have_their_turns_while_less_is_allowed_than_there_are(
    shared: Shared, allowed: int, sessions: int
) -> None:
    shared.link.allowed = allowed
    crowd = [shared.on_link("sp1") for _ in range(sessions)]
    all_of_them = [*crowd, shared.on_link("sp2"), shared.on_link("sp3")]
    freed = shared.submit_all(*((one, adverts(one, 90)) for one in all_of_them)).freed
    served: Counter[str] = Counter()

    for _ in range(60):
        own, entry = next(iter(shared.link.outstanding.items()))
        assert entry[0] is not None
        served[entry[0].system_id] += 1
        freed |= shared.resp(shared.link, answer(own)).freed
        freed = shared.submit_all(*((one, b"") for one in sorted(freed, key=id))).freed

    assert max(served.values()) - min(served.values()) <= allowed + 1
    assert len(served) == 3


def test_a_session_that_goes_gives_back_its_place_in_the_line(shared: Shared) -> None:
    first, second = shared.on_link(), shared.on_link("sp2")
    shared.link.allowed = 1
    shared.submit(first, adverts(first, 2))
    shared.submit(second, adverts(second, 2))
    assert shared.resp(shared.link, answer(1)).freed == {first}

    shared.lose(first)
    shared.link.part(first)

    assert shared.expire(shared.link).freed == {second}
    assert sent(shared.submit(second, b""), shared.link)


def test_what_the_gateway_itself_asks_for_has_a_quarter_of_a_shared_link(shared: Shared) -> None:
    link, session = shared.link, shared.on_link()
    before = link.room_of_own()
    own = link.register(None, 0, CommandId.SUBMIT_SM, shared.now, "ours")

    after = link.room_of_own()
    link.settle(own)
    link.is_shared = False

    assert (before, after) == (WINDOW // 4, WINDOW // 4 - 1)
    assert link.own_under_way == session.under_way == 0
    assert link.room_of_own() > 1000
