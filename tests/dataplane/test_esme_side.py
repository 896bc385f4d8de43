"""What SPs send: windows, waiting, refusing, handing over."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.dataplane.attention import Bind, Operation, Outbind, Unbind, Unbound
from gateway.dataplane.carriers import Carrier
from gateway.dataplane.esme_side import has_smsc
from gateway.dataplane.link import Link
from gateway.session.operations import SessionState, Side
from gateway.smpp.commands import CommandId
from gateway.smpp.pdu import HEADER, enquire_link_resp, make, unbind_resp
from gateway.smpp.status import CommandStatus
from simulators import builders
from simulators.wire import c_octets, pdu
from tests.dataplane.conftest import (
    AT,
    CLEAN,
    DUBIOUS,
    PORT,
    SPAM,
    SUBSCRIBER,
    World,
    advert,
    answer,
    decisions,
    header,
    long_advert,
    outcomes,
    sar,
    sent,
    sequence_of,
    slow,
    smsc,
    status_of,
    unnumbered,
    up,
)

OUR_ID = "8" + "0" * 18
FULL = CommandStatus.ESME_RMSGQFUL
QUERY = builders.query_sm("ab12", PORT, sequence=3)
CANCEL = builders.cancel_sm("ab12", PORT, SUBSCRIBER, sequence=4)
CANCEL_ALL = builders.cancel_sm("", PORT, SUBSCRIBER, sequence=6)


def adverts(count: int, first: int = 1) -> list[bytes]:
    return [advert(sequence=n) for n in range(first, first + count)]


def test_no_more_than_the_window_goes_on_and_the_rest_waits(world: World) -> None:
    session = world.session(window=2)

    batch = world.submit(session, *adverts(5))

    assert len(up(batch, session)) == 2
    assert session.is_blocked
    assert session.tail == b"".join(adverts(3, first=3))
    assert not batch.freed


def test_an_answer_frees_and_what_waited_goes_on_in_order(world: World) -> None:
    session = world.session(window=2)
    world.submit(session, *adverts(4))

    freed = world.resp(smsc(session), answer(2)).freed
    batch = world.submit(session)

    assert freed == {session}
    assert [unnumbered(pdu) for pdu in up(batch, session)] == [unnumbered(advert())]
    assert [entry[1] for entry in smsc(session).outstanding.values()] == [1, 3]
    assert session.is_blocked


def test_a_window_that_was_not_used_up_frees_at_once(world: World) -> None:
    session = world.session(window=1)

    batch = world.submit(session, advert(SPAM), advert())

    assert batch.freed == {session}
    assert len(up(world.submit(session), session)) == 1


def test_a_sender_of_nothing_but_refused_messages_is_served_to_the_end(world: World) -> None:
    session = world.session(window=1)
    batch = world.submit(session, *[advert(SPAM, n) for n in range(10)])
    refused = len(sent(batch, session))

    while batch.freed:
        batch = world.submit(session)
        refused += len(sent(batch, session))

    assert refused == 10
    assert not session.is_blocked


def test_enquiries_and_answers_overtake_what_waits(world: World) -> None:
    session = world.session(window=1)
    world.resp(smsc(session), builders.deliver_sm(SUBSCRIBER, PORT, b"", sequence=70))
    waiting = advert(sequence=2)

    batch = world.submit(
        session,
        advert(),
        waiting,
        builders.enquire_link(5),
        make(CommandId.DELIVER_SM_RESP, 1),
        enquire_link_resp(9),
        QUERY,
        waiting[:30],
    )

    assert [header(pdu) for pdu in sent(batch, session)] == [(CommandId.ENQUIRE_LINK_RESP, 0, 5)]
    assert [header(pdu) for pdu in up(batch, session)] == [
        (CommandId.DELIVER_SM_RESP, 0, 70),
        (CommandId.SUBMIT_SM, 0, 1),
    ]
    assert session.tail == waiting + QUERY + waiting[:30]


def test_an_smsc_that_calls_is_bound_at_and_a_stranger_s_call_is_an_unknown_command(
    world: World,
) -> None:
    world.plane.smsc_of = lambda _link, octets: "a" if b"known" in octets else ""
    links = [Link(number, Side.ESME, 10, world.now) for number in (1, 2)]
    calls = [pdu(CommandId.OUTBIND, 5, c_octets(one) + c_octets("")) for one in ("known", "other")]

    batch = world.submit_all(*zip(links, calls, strict=True))

    assert batch.attention == [Outbind(links[0], "a")]
    assert [one.state for one in links] == [SessionState.BINDING, SessionState.OPEN]
    assert sent(batch, links[0]) == []
    assert [header(one) for one in sent(batch, links[1])] == [
        (CommandId.GENERIC_NACK, CommandStatus.ESME_RINVCMDID, 5)
    ]


def test_what_was_looked_at_is_not_looked_at_again(world: World) -> None:
    session = world.session(window=1)
    world.submit(session, advert(), advert(), advert()[:20])
    assert session.looked == len(advert())

    world.submit(session, advert()[20:])
    looked = session.looked
    batch = world.submit(session, builders.enquire_link(5))

    assert looked == session.looked == 2 * len(advert())
    assert len(sent(batch, session)) == 1
    assert session.tail == advert() + advert()


def test_a_session_that_takes_up_some_of_what_waited_knows_what_it_looked_at(
    world: World,
) -> None:
    session = world.session(window=1)
    world.submit(session, *adverts(4))
    world.resp(smsc(session), answer(1))

    world.submit(session)

    assert session.tail == b"".join(adverts(2, first=3))
    assert session.looked == len(session.tail)
    world.resp(smsc(session), answer(2))
    session.window = 10
    world.submit(session)
    assert (session.tail, session.looked) == (b"", 0)


def test_a_false_length_behind_what_waits_is_found_in_its_turn(world: World) -> None:
    session = world.session(window=1)
    lie = b"\0\0\0\x02" + bytes(12)

    world.submit(session, advert(), advert(), lie)
    is_open_meanwhile = session.state is not SessionState.CLOSED
    world.resp(smsc(session), answer(1))
    batch = world.submit(session)

    assert is_open_meanwhile
    assert len(up(batch, session)) == 1
    assert session.state is SessionState.CLOSED


def test_queries_take_room_as_messages_do(world: World) -> None:
    session = world.session(window=2)

    batch = world.submit(session, *[QUERY] * 5)

    assert len(up(batch, session)) == 2
    assert session.room() == 0


def test_a_query_or_cancel_goes_on_and_its_answer_comes_back(world: World) -> None:
    session = world.session()

    batch = world.submit(session, QUERY, CANCEL)
    back = world.resp(
        smsc(session),
        make(CommandId.CANCEL_SM_RESP, 2),
        make(CommandId.QUERY_SM_RESP, 1, message_id=b"ab12"),
    )

    assert [unnumbered(pdu) for pdu in up(batch, session)] == [
        unnumbered(QUERY),
        unnumbered(CANCEL),
    ]
    assert [header(pdu) for pdu in sent(back, session)] == [
        (CommandId.CANCEL_SM_RESP, 0, 4),
        (CommandId.QUERY_SM_RESP, 0, 3),
    ]
    assert not decisions(batch)
    assert world.plane.tally.relayed == 2


def test_r70_what_an_sp_asks_of_an_earlier_message_is_on_record(world: World) -> None:
    session = world.session()

    asked = world.submit(session, QUERY, CANCEL)
    told = world.resp(smsc(session), make(CommandId.CANCEL_SM_RESP, 2))

    rows = [row for row in asked.rows if row[0] == "e"]
    assert [row[1:3] for row in rows] == [(AT, "operation")] * 2
    query, cancel = (row[3] for row in rows)
    about = {"session": session.number, "system_id": "sp1", "source": PORT.encode()}
    assert query == about | {
        "command_id": CommandId.QUERY_SM,
        "sequence_number": 3,
        "message_id": b"ab12",
        "destination": b"",
    }
    assert (cancel["destination"], cancel["sequence_number"]) == (SUBSCRIBER.encode(), 4)
    assert [row[2:7] for row in outcomes(told)] == [
        (session.number, "sp1", CommandId.CANCEL_SM, 4, 0)
    ]


@pytest.mark.parametrize(
    "pdu", [builders.query_sm(OUR_ID, PORT), builders.cancel_sm(OUR_ID, PORT, SUBSCRIBER)]
)
def test_a_query_about_a_message_that_may_be_held_is_handed_over(world: World, pdu: bytes) -> None:
    session = world.session()

    batch = world.submit(session, pdu)

    assert batch.attention == [Operation(session, pdu)]
    assert not batch.writes


def test_a_malformed_query_is_answered_with_its_status(world: World) -> None:
    session = world.session()
    pdu = HEADER.pack(18, CommandId.QUERY_SM, 0, 3) + b"ab"

    batch = world.submit(session, pdu)

    assert [header(p) for p in sent(batch, session)] == [
        (CommandId.QUERY_SM_RESP, CommandStatus.ESME_RINVMSGID, 3)
    ]
    assert world.plane.tally.malformed == 1


REQUESTS = [
    advert(),
    builders.data_sm(PORT, SUBSCRIBER, b"x"),
    builders.submit_multi(PORT, [SUBSCRIBER], b"x"),
    builders.replace_sm("17", PORT, b"x"),
    QUERY,
    CANCEL,
]


def overload(world: World, _session: Link) -> None:
    world.plane.is_overloaded = True


def leave(_world: World, session: Link) -> None:
    session.is_leaving = True


def lose_smsc(_world: World, session: Link) -> None:
    session.peer = None


def lose_bind(_world: World, session: Link) -> None:
    smsc(session).state = SessionState.CLOSED


def drain_smsc(_world: World, session: Link) -> None:
    smsc(session).is_leaving = True


def forget_sender(world: World, session: Link) -> None:
    del world.rules.accounts[session.system_id]


@pytest.mark.parametrize(
    "trouble", [overload, leave, lose_smsc, lose_bind, drain_smsc, forget_sender]
)
@pytest.mark.parametrize("pdu", REQUESTS)
def test_what_can_not_be_taken_is_refused_and_never_passed(
    trouble: Callable[[World, Link], None], pdu: bytes
) -> None:
    world = World()
    session = world.session()
    link = smsc(session)
    trouble(world, session)

    batch = world.submit(session, pdu)

    command_id, _, sequence = header(pdu)
    assert [header(p) for p in sent(batch, session)] == [(command_id | 0x80000000, FULL, sequence)]
    assert link not in batch.writes
    assert not link.outstanding


def test_a_message_refused_for_overload_is_recorded_with_its_addresses(world: World) -> None:
    world.plane.is_overloaded = True
    session = world.session()

    batch = world.submit(session, advert(sequence=7), builders.data_sm(PORT, SUBSCRIBER, b""))

    why = ("reject", "OVERLOADED", "OVERLOAD", "ESME_RMSGQFUL", "0123456789ab", 0)
    assert [row[5:14] for row in decisions(batch)] == [
        (7, b"10690001", b"13800138000", *why),
        (1, b"", b"", *why),
    ]
    assert world.plane.tally.verdicts == {("reject", "OVERLOADED"): 2}
    assert world.plane.tally.senders == {("sp1", "reject"): 2}


def test_a_malformed_message_is_refused_for_overload_without_being_read(world: World) -> None:
    world.plane.is_overloaded = True
    session = world.session()

    batch = world.submit(session, HEADER.pack(17, CommandId.SUBMIT_SM, 0, 1) + b"x")

    assert [status_of(pdu) for pdu in sent(batch, session)] == [FULL]


def test_requests_wait_a_while_for_an_smsc_that_was_lost(world: World) -> None:
    session = world.session()
    link = smsc(session)
    session.peer, session.wait_until = None, world.now + 5

    waiting = world.submit(session, advert(), builders.enquire_link())
    session.peer = link
    resumed = world.submit(session)

    assert [header(pdu)[0] for pdu in sent(waiting, session)] == [CommandId.ENQUIRE_LINK_RESP]
    assert not waiting.freed
    assert len(up(resumed, session)) == 1


def test_requests_that_waited_too_long_are_refused_in_order(world: World) -> None:
    session = world.session()
    session.peer, session.wait_until = None, world.now + 5
    world.submit(session, *adverts(2), QUERY)

    world.now += 5
    batch = world.submit(session)

    assert [(status_of(pdu), sequence_of(pdu)) for pdu in sent(batch, session)] == [
        (FULL, 1),
        (FULL, 2),
        (FULL, 3),
    ]
    assert not session.is_blocked


@pytest.mark.parametrize("pdu", REQUESTS)
def test_what_is_written_behind_a_bind_waits_for_its_answer(world: World, pdu: bytes) -> None:
    bound = world.session()
    session = Link(1, Side.ESME, 10, world.now)
    bind = builders.bind("sp1", "secret")

    binding = world.submit(session, bind, pdu, builders.unbind(9), builders.enquire_link(5))
    waiting = world.submit(session, builders.enquire_link(6))
    session.state, session.system_id = SessionState.BOUND_TRX, "sp1"
    session.peer = smsc(bound)
    served = world.submit(session)

    assert binding.attention == [Bind(session, bind)]
    assert [header(p) for p in sent(binding, session) + sent(waiting, session)] == [
        (CommandId.ENQUIRE_LINK_RESP, 0, 5),
        (CommandId.ENQUIRE_LINK_RESP, 0, 6),
    ]
    assert [unnumbered(p) for p in up(served, session)] == [unnumbered(pdu)]
    assert served.attention == [Unbind(session, 9)]


def test_what_is_written_behind_a_bind_that_only_receives_is_refused(world: World) -> None:
    session = Link(1, Side.ESME, 10, world.now)
    world.submit(session, builders.bind("sp1", "secret", kind="rx"), advert(sequence=2))
    session.state, session.system_id = SessionState.BOUND_RX, "sp1"

    batch = world.submit(session)

    assert [header(pdu) for pdu in sent(batch, session)] == [
        (CommandId.SUBMIT_SM_RESP, CommandStatus.ESME_RINVBNDSTS, 2)
    ]


MANY = builders.submit_multi(PORT, [SUBSCRIBER, "me"], builders.ucs2(CLEAN), sequence=9)


@pytest.mark.parametrize(
    ("written", "goes_out"),
    [
        ((advert(), CANCEL, advert()), "submit_sm cancel_sm submit_sm"),
        ((advert(), advert(), QUERY, CANCEL), "submit_sm submit_sm query_sm cancel_sm"),
        ((CANCEL, advert(), QUERY), "cancel_sm submit_sm query_sm"),
        ((MANY, CANCEL, MANY), "submit_multi cancel_sm submit_multi"),
        (
            (advert(), builders.replace_sm("17", PORT, b"x"), CANCEL),
            "submit_sm replace_sm cancel_sm",
        ),
        ((advert(SPAM), CANCEL, advert(), CANCEL), "cancel_sm submit_sm cancel_sm"),
    ],
)
def test_requests_written_together_keep_their_order(
    world: World, written: tuple[bytes, ...], goes_out: str
) -> None:
    session = world.session()

    pdus = went_out(world, session, *written)

    names = [CommandId(header(pdu)[0]).name.lower() for pdu in pdus]
    assert " ".join(names) == goes_out
    assert [sequence_of(pdu) for pdu in pdus] == sorted(smsc(session).outstanding)


def went_out(world: World, session: Link, *written: bytes) -> list[bytes]:
    """Return what goes to the SMSC of what an SP has written at once, in so many turns."""
    batch = world.submit(session, *written)
    pdus = up(batch, session)
    while session in batch.freed:
        batch = world.submit(session)
        pdus += up(batch, session)
    return pdus


def test_what_goes_behind_messages_takes_room_as_they_do(world: World) -> None:
    session = world.session(window=2)

    pdus = went_out(world, session, advert(), CANCEL, advert())

    assert len(pdus) == 2
    assert session.is_blocked


NEW_TEXT = builders.replace_sm("17", PORT, builders.ucs2(CLEAN), sequence=5)


@pytest.mark.parametrize("pdu", [CANCEL, QUERY, NEW_TEXT])
def test_what_is_about_an_earlier_message_waits_for_those_that_are_being_kept(
    world: World, pdu: bytes
) -> None:
    session = world.session()

    first = went_out(world, session, advert(DUBIOUS), pdu, advert())
    later = world.submit(session, advert())
    session.held = 0
    at_last = went_out(world, session)

    assert (first, up(later, session), session in later.freed) == ([], [], False)
    assert [unnumbered(one) for one in at_last] == list(map(unnumbered, (pdu, *2 * [advert()])))


def test_what_is_written_behind_a_cancel_without_an_id_waits_until_that_is_settled(
    world: World,
) -> None:
    session = world.session()

    batch = world.submit(session, CANCEL_ALL, advert())
    blocked = world.submit(session)
    session.held = 0
    at_last = world.submit(session)

    assert batch.attention == [Operation(session, CANCEL_ALL)]
    assert [len(up(one, session)) for one in (batch, blocked, at_last)] == [0, 0, 1]


def test_nobody_waits_for_room_on_a_shared_bind_who_waits_for_the_store(world: World) -> None:
    session = world.session()
    link = smsc(session)
    link.is_shared, link.sharers = True, {"sp1": {session}}
    world.submit(session, CANCEL_ALL, advert())

    batch = world.submit(session)

    assert (link.waiting, session in batch.freed) == ({}, False)


def test_a_second_bind_is_refused_and_the_session_stays(world: World) -> None:
    session = world.session()

    batch = world.submit(session, builders.bind("sp1", "secret", sequence=8), advert())

    assert [header(pdu) for pdu in sent(batch, session)] == [
        (CommandId.BIND_TRANSCEIVER_RESP, CommandStatus.ESME_RALYBND, 8)
    ]
    assert len(up(batch, session)) == 1


def test_what_comes_after_an_unbind_is_refused(world: World) -> None:
    session = world.session()

    batch = world.submit(session, advert(), builders.unbind(5), advert(sequence=6))

    assert batch.attention == [Unbind(session, 5)]
    assert len(up(batch, session)) == 1
    assert [header(pdu) for pdu in sent(batch, session)] == [
        (CommandId.SUBMIT_SM_RESP, CommandStatus.ESME_RINVBNDSTS, 6)
    ]


def test_an_unbind_waits_behind_the_messages_before_it(world: World) -> None:
    session = world.session(window=1)

    batch = world.submit(session, advert(), advert(), builders.unbind(5))

    assert not batch.attention
    world.resp(smsc(session), answer(1))
    assert world.submit(session).attention == [Unbind(session, 5)]


def test_an_answer_to_our_unbind_is_handed_over(world: World) -> None:
    session = world.session()
    session.state = SessionState.UNBINDING

    assert world.submit(session, unbind_resp(1)).attention == [Unbound(session)]


def test_an_answer_to_a_delivery_goes_to_the_smsc_and_frees_it(world: World) -> None:
    session = world.session()
    link = smsc(session)
    link.is_blocked = True
    own = session.register(link, 70, CommandId.DELIVER_SM, world.now, None)

    batch = world.submit(session, make(CommandId.DELIVER_SM_RESP, own))

    assert [header(pdu) for pdu in up(batch, session)] == [(CommandId.DELIVER_SM_RESP, 0, 70)]
    assert batch.freed == {link}
    assert [row[1:] for row in outcomes(batch)] == [
        (AT, link.number, "sp1", CommandId.DELIVER_SM, 70, 0, b"", 0, "answered")
    ]


def test_traffic_moves_the_inactivity_timer_and_enquiries_do_not(world: World) -> None:
    session = world.session()
    seen = []

    for octets in (builders.enquire_link(), advert(), QUERY):
        world.now += 10
        world.submit(session, octets)
        seen.append(session.clocks.last_traffic_at)

    assert seen == [1000.0, 1020.0, 1030.0]
    assert session.clocks.last_octets_at == 1030.0
    assert session.clocks.partial_since is None


def test_a_sender_taken_out_of_the_configuration_is_refused_after_the_reload() -> None:
    world = World()
    session = world.session()
    gone = replace(world.senders[1], system_id="other")
    world.reload(senders=(gone,))

    batch = world.submit(session, advert())

    assert [status_of(pdu) for pdu in sent(batch, session)] == [FULL]


def test_a_held_message_counts_against_the_window_of_the_same_read(world: World) -> None:
    session = world.session(window=2)

    batch = world.submit(session, advert(DUBIOUS), advert(), advert())

    assert len(batch.attention) == 1
    assert len(up(batch, session)) == 1
    assert session.room() == 0


def test_a_session_has_an_smsc_while_its_bind_stands(world: World) -> None:
    session = world.session()
    stands = [has_smsc(session)]
    for state in (SessionState.BINDING, SessionState.UNBINDING, SessionState.CLOSED):
        smsc(session).state = state
        stands.append(has_smsc(session))
    session.peer = None

    assert [*stands, has_smsc(session)] == [True, False, False, False, False]


def test_a_session_has_its_share_of_a_turn_and_the_rest_waits_for_the_next(world: World) -> None:
    session, other = world.session(), world.session("sp2")
    world.plane.session_octets = 3 * len(advert())

    first = world.submit_all(
        (session, b"".join(advert(sequence=n) for n in range(1, 8))), (other, advert())
    )
    second = world.submit(session)
    third = world.submit(session)

    assert [len(up(batch, session)) for batch in (first, second, third)] == [3, 3, 1]
    assert len(up(first, other)) == 1
    assert [session in batch.freed for batch in (first, second, third)] == [True, True, False]


def test_long_texts_use_up_a_turn_by_what_is_read_and_not_by_what_was_sent(world: World) -> None:
    session = world.session()
    world.plane.session_octets = 3_000
    parts = long_advert(["长" * 60] * 60)
    sent_first = [up(world.submit(session, part), session) for part in parts[:40]]

    batch = world.submit(session, *parts[40:])

    assert all(sent_first)
    # Each is read with two thousand characters before it, so that one is the turn of a session.
    assert len(up(batch, session)) == 1
    assert session in batch.freed


def test_a_text_costs_tokens_by_the_characters_that_are_read() -> None:
    world = slow(burst=10)
    session = world.session()
    payload = builders.payload_submit_sm(PORT, SUBSCRIBER, builders.ucs2("长" * 4_000))

    passed = [up(world.submit(session, payload), session) for _ in range(3)]
    throttled = world.submit(session, advert())

    assert [len(one) for one in passed] == [1, 1, 0]  # eight tokens each: GBK can be meant, too
    assert [status_of(one) for one in sent(throttled, session)] == [CommandStatus.ESME_RTHROTTLED]


@pytest.mark.parametrize(
    "request_of",
    [
        lambda octets: builders.payload_submit_sm(PORT, SUBSCRIBER, octets),
        lambda octets: advert(octets=b"", tlvs=[(0x0424, octets), *sar(1, b"\2\1")]),
        lambda octets: builders.submit_multi(PORT, [SUBSCRIBER], b"", tlvs=[(0x0424, octets)]),
    ],
)
def test_a_long_text_over_the_rate_is_not_even_read(
    request_of: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = slow(burst=1)
    session = world.session()
    world.submit(session, advert())

    def read(_carrier: Carrier) -> tuple[tuple[str, ...], ...]:
        raise AssertionError

    monkeypatch.setattr(Carrier, "texts", read)
    batch = world.submit(session, request_of(builders.ucs2("长" * 1_000)))

    assert [status_of(one) for one in sent(batch, session)] == [CommandStatus.ESME_RTHROTTLED]
    assert up(batch, session) == []


LONG = builders.payload_submit_sm(PORT, SUBSCRIBER, builders.ucs2("长" * 3_000))


def test_of_long_requests_one_is_judged_in_a_turn_and_the_next_when_the_plane_takes_it(
    world: World,
) -> None:
    session, other = world.session(), world.session("sp2")

    first = world.submit_all((session, LONG * 2 + advert()), (other, advert()))
    waiting, in_order = session.waits_long, session.tail == LONG + advert()
    world.takes_long = False
    second = world.submit(session)
    world.takes_long = True
    third = world.submit(session)

    assert [len(up(batch, session)) for batch in (first, second, third)] == [1, 0, 2]
    assert len(up(first, other)) == 1
    assert waiting
    assert in_order
    assert session not in first.freed | second.freed  # or the loop would turn for nothing
    assert not session.is_blocked
    assert not session.waits_long


def test_enquiries_overtake_a_long_request_that_waits(world: World) -> None:
    session = world.session()
    world.takes_long = False

    batch = world.submit(session, LONG, builders.enquire_link(9))

    assert [sequence_of(one) for one in sent(batch, session)] == [9]
    assert session.waits_long


def test_a_long_request_that_is_refused_anyhow_does_not_wait(world: World) -> None:
    session = world.session()
    world.takes_long, session.is_leaving = False, True

    batch = world.submit(session, LONG)

    assert [status_of(one) for one in sent(batch, session)] == [FULL]


def test_who_has_no_room_does_not_take_the_turn_of_a_long_request(world: World) -> None:
    full, other = world.session(window=1), world.session("sp2")
    world.submit(full, advert())

    batch = world.submit_all((full, LONG), (other, LONG))

    assert full.is_blocked
    assert not full.waits_long
    assert len(up(batch, other)) == 1


def test_a_long_pdu_that_is_not_judged_takes_no_turn(world: World) -> None:
    session, other = world.session(), world.session("sp2")

    batch = world.submit_all((session, pdu(0x777, 5, bytes(5_000))), (other, LONG))

    assert len(up(batch, other)) == 1


def test_a_session_that_is_lost_waits_for_nothing(world: World) -> None:
    session = world.session()
    world.takes_long = False
    world.submit(session, LONG)

    world.lose(session)

    assert not session.waits_long
