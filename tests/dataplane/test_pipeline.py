"""The interface: every state with every command, whatever octets, and what never comes."""

import itertools
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dataplane.attention import FramingFault, Operation, OwnAnswer, SmscDelivery
from gateway.dataplane.link import Link
from gateway.dataplane.pipeline import Pipeline
from gateway.domain.verdict import Reason
from gateway.policy.bundle import Bundle
from gateway.policy.checks.opt_out import OptOut
from gateway.records.lines import RecordLines
from gateway.session.operations import Ruling, SessionState, Side, ruling
from gateway.smpp.commands import LAYOUTS, RESPONSE_BIT, CommandId
from gateway.smpp.fields import SmeAddress
from gateway.smpp.pdu import HEADER, make
from gateway.smpp.status import CommandStatus
from simulators import builders
from tests.dataplane.conftest import (
    AT,
    BUNDLE,
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
    rule,
    sent,
    sequence_of,
    smsc,
    status_of,
    unnumbered,
    up,
)

UNKNOWN = 0x0BAD
COMMANDS = [*CommandId, UNKNOWN, UNKNOWN | RESPONSE_BIT]
FORWARDED = {Ruling.JUDGE, Ruling.RELAY, Ruling.RELAY_RESPONSE}
STATES = list(SessionState)


def any_pdu(command_id: int, sequence: int = 5) -> bytes:
    """Build a sound PDU of any command, one that would pass if it may."""
    if command_id not in LAYOUTS:
        return HEADER.pack(16, command_id, 0, sequence)
    names = {field.name for field in LAYOUTS[command_id]}
    values = {
        "source_addr": PORT.encode(),
        "destination_addr": SUBSCRIBER.encode(),
        "short_message": b"R",
        "dest_address": (SmeAddress(1, 1, SUBSCRIBER.encode()),),
    }
    return make(command_id, sequence, **{k: v for k, v in values.items() if k in names})  # type: ignore[arg-type]


def waiting(link: Link, asker: Link, command_id: int) -> None:
    """Note that `link` was asked what `command_id` answers, under number 5."""
    request = CommandId.DELIVER_SM if link.side is Side.ESME else CommandId.SUBMIT_SM
    if command_id != CommandId.GENERIC_NACK:
        request = CommandId(command_id & ~RESPONSE_BIT)
    link.outstanding[5] = (asker, 77, int(request), 1000.0, None)


@pytest.mark.parametrize(("state", "command_id"), list(itertools.product(STATES, COMMANDS)))
def test_every_command_from_an_sp_in_every_state(state: SessionState, command_id: int) -> None:
    world = World()
    session = world.session()
    session.state = state
    link = smsc(session)
    what = ruling(Side.ESME, state, command_id)
    if what is Ruling.RELAY_RESPONSE:
        waiting(session, link, command_id)

    batch = world.submit(session, any_pdu(command_id))

    if what is Ruling.RELAY and command_id == CommandId.CANCEL_SM:  # it names no message_id
        assert batch.attention == [Operation(session, any_pdu(command_id))]
        return
    assert len(sent(batch, link)) == (what in FORWARDED)
    check_answer(what, command_id, [header(pdu) for pdu in sent(batch, session)])
    assert_attended(what, [type(item).__name__ for item in batch.attention])
    assert session.tail == (any_pdu(command_id) if what is Ruling.AWAIT_BIND else b"")
    is_looked_at = state is not SessionState.CLOSED
    assert world.plane.tally.stray == (what is Ruling.IGNORE and is_looked_at)


@pytest.mark.parametrize(("state", "command_id"), list(itertools.product(STATES, COMMANDS)))
def test_every_command_from_an_smsc_in_every_state(state: SessionState, command_id: int) -> None:
    world = World()
    session = world.session()
    link = smsc(session)
    link.state, link.sequence = state, 5
    what = ruling(Side.SMSC, state, command_id)
    if what is Ruling.RELAY_RESPONSE:
        waiting(link, session, command_id)

    batch = world.resp(link, any_pdu(command_id))

    assert len(sent(batch, session)) == (what in FORWARDED)
    check_answer(what, command_id, [header(pdu) for pdu in sent(batch, link)])
    assert_attended(what, [type(item).__name__ for item in batch.attention])
    assert link.tail == b""
    assert world.plane.tally.stray == (what is Ruling.IGNORE)


def check_answer(what: Ruling, command_id: int, replies: list[tuple[int, int, int]]) -> None:
    response_id = command_id | RESPONSE_BIT
    expected = {
        Ruling.ENQUIRE_LINK: [(CommandId.ENQUIRE_LINK_RESP, 0, 5)],
        Ruling.REFUSE_STATE: [(response_id, CommandStatus.ESME_RINVBNDSTS, 5)],
        Ruling.PUT_OFF: [(response_id, CommandStatus.ESME_RX_T_APPN, 5)],
        Ruling.ALREADY_BOUND: [(response_id, CommandStatus.ESME_RALYBND, 5)],
        Ruling.NACK_COMMAND: [(CommandId.GENERIC_NACK, CommandStatus.ESME_RINVCMDID, 5)],
        Ruling.OUTBIND: [(CommandId.GENERIC_NACK, CommandStatus.ESME_RINVCMDID, 5)],
    }
    assert replies == expected.get(what, [])


def assert_attended(what: Ruling, items: list[str]) -> None:
    expected = {
        Ruling.BIND: ["Bind"],
        Ruling.BIND_RESP: ["BindAnswer"],
        Ruling.UNBIND: ["Unbind"],
        Ruling.UNBIND_RESP: ["Unbound"],
    }
    assert items == expected.get(what, [])


@pytest.mark.parametrize("state", [s for s in STATES if not s.can_submit])
def test_nothing_is_forwarded_for_an_sp_that_may_not_submit(state: SessionState) -> None:
    world = World()
    session = world.session()
    session.state = state
    requests = [c for c in CommandId if not c & RESPONSE_BIT]

    batch = world.submit(session, *map(any_pdu, requests))

    assert not up(batch, session)
    assert not smsc(session).outstanding


octets = st.one_of(
    st.binary(max_size=80),
    st.builds(
        lambda command_id, body: HEADER.pack(16 + len(body), command_id, 0, 1) + body,
        st.sampled_from(COMMANDS),
        st.binary(max_size=80),
    ),
    st.builds(
        lambda esm, coding, text, tail: _with_tail(
            advert(octets=text, esm_class=esm, data_coding=coding), tail
        ),
        st.integers(0, 255),
        st.integers(0, 255),
        st.binary(max_size=60),
        st.binary(max_size=12),
    ),
    st.sampled_from([any_pdu(command_id) for command_id in COMMANDS]),
)


def _with_tail(pdu: bytes, tail: bytes) -> bytes:
    return (len(pdu) + len(tail)).to_bytes(4, "big") + pdu[4:] + tail


@given(
    chunks=st.lists(octets, max_size=8),
    state=st.sampled_from(STATES),
    window=st.integers(0, 3),
    side=st.sampled_from(Side),
)
def test_whatever_a_peer_sends_nothing_raises_and_nothing_unbounded_is_kept(
    chunks: list[bytes], state: SessionState, window: int, side: Side
) -> None:
    world = World(pdu_octets=300)
    session = world.session(window=window)
    link = session if side is Side.ESME else smsc(session)
    link.state = state
    records = RecordLines()

    for chunk in chunks:
        batch = world.submit(link, chunk) if side is Side.ESME else world.resp(link, chunk)
        for row in batch.rows:
            records.line(row)

    assert records.malformed == 0
    if not link.is_blocked:
        assert len(link.tail) < 300
    assert len(smsc(session).outstanding) <= max(window, 0)
    if link.state is SessionState.CLOSED:
        assert link.tail == b""


@given(text=st.binary(max_size=120), coding=st.integers(0, 255), esm=st.integers(0, 255))
def test_every_submit_is_forwarded_held_or_answered(text: bytes, coding: int, esm: int) -> None:
    world = World()
    session = world.session()

    batch = world.submit(session, advert(octets=text, data_coding=coding, esm_class=esm))

    fates = len(up(batch, session)) + len(sent(batch, session)) + len(batch.attention)
    assert fates == len(batch.rows) == 1


# What never comes.


def test_a_request_is_answered_for_after_its_time(world: World) -> None:
    session = world.session()
    world.submit(session, advert(sequence=7))
    world.now += 10
    world.submit(session, advert(sequence=8))

    world.now += 19.9
    early = world.expire(smsc(session), session)
    world.now += 0.1
    batch = world.expire(smsc(session), session)

    assert not early.writes
    assert [header(pdu) for pdu in sent(batch, session)] == [
        (CommandId.SUBMIT_SM_RESP, CommandStatus.ESME_RSYSERR, 7)
    ]
    assert [(row[5], row[6], row[7], row[9]) for row in outcomes(batch)] == [
        (7, CommandStatus.ESME_RSYSERR, b"", "timeout")
    ]
    assert len(smsc(session).outstanding) == 1
    assert world.plane.tally.timeouts == 1


def test_a_late_answer_is_recorded_and_told_to_nobody(world: World) -> None:
    session = world.session()
    world.submit(session, advert(sequence=7))
    world.now += 30
    world.expire(smsc(session))
    world.now += 5

    batch = world.resp(smsc(session), answer(1))
    again = world.resp(smsc(session), answer(1))

    assert not batch.writes
    assert [(row[5], row[7], row[8], row[9]) for row in outcomes(batch)] == [
        (7, b"ab12", 35_000_000, "late")
    ]
    assert not again.rows
    assert (world.plane.tally.late, world.plane.tally.stray) == (1, 1)


def test_a_late_answer_of_the_wrong_type_is_a_stray(world: World) -> None:
    session = world.session()
    world.submit(session, advert(sequence=7))
    world.now += 30
    world.expire(smsc(session))

    world.resp(smsc(session), answer(1, command_id=CommandId.DATA_SM_RESP))
    batch = world.resp(smsc(session), answer(1))

    assert [row[9] for row in outcomes(batch)] == ["late"]


def test_a_timeout_frees_who_was_waiting(world: World) -> None:
    session = world.session(window=1)
    world.submit(session, advert(), advert(sequence=2))
    world.now += 30

    batch = world.expire(smsc(session))

    assert batch.freed == {session}
    assert len(up(world.submit(session), session)) == 1


def test_a_delivery_the_sp_does_not_answer_shall_come_again(world: World) -> None:
    session = world.session()
    link = smsc(session)
    world.resp(link, any_pdu(CommandId.DELIVER_SM, 70))
    world.now += 30

    batch = world.expire(session)
    late = world.submit(session, make(CommandId.DELIVER_SM_RESP, 1))

    assert [header(pdu) for pdu in sent(batch, link)] == [
        (CommandId.DELIVER_SM_RESP, CommandStatus.ESME_RX_T_APPN, 70)
    ]
    assert [(row[2], row[5], row[6], row[9]) for row in outcomes(batch) + outcomes(late)] == [
        (link.number, 70, CommandStatus.ESME_RX_T_APPN, "timeout"),
        (link.number, 70, 0, "late"),
    ]
    assert not late.writes


def test_an_outbound_message_that_is_not_answered_is_handed_over_and_so_is_its_late_answer(
    world: World,
) -> None:
    link = smsc(world.session())
    own = link.register(None, 0, CommandId.SUBMIT_SM, world.now, "release")
    world.now += 30

    batch = world.expire(link)
    late = world.resp(link, answer(own))

    assert batch.attention == [OwnAnswer(link, "release", None)]
    assert late.attention == [OwnAnswer(link, "release", answer(own))]


def test_a_lost_smsc_is_answered_for_at_once_and_nothing_is_sent_again(world: World) -> None:
    session = world.session()
    link = smsc(session)
    for pdu in (advert(sequence=7), builders.query_sm("ab", PORT, sequence=8)):
        world.submit(session, pdu)
    link.register(None, 0, CommandId.SUBMIT_SM, world.now, "release")

    batch = world.lose(link)

    assert sorted(header(pdu) for pdu in sent(batch, session)) == [
        (CommandId.QUERY_SM_RESP, CommandStatus.ESME_RSYSERR, 8),
        (CommandId.SUBMIT_SM_RESP, CommandStatus.ESME_RSYSERR, 7),
    ]
    assert [row[9] for row in outcomes(batch)] == ["link_lost"] * 3
    assert batch.attention == [OwnAnswer(link, "release", None)]
    assert link not in batch.writes
    assert link.state is SessionState.CLOSED
    assert not link.outstanding
    assert world.plane.tally.link_lost == 3


def test_a_lost_link_keeps_nothing_and_waits_for_nothing(world: World) -> None:
    session = world.session(window=1)
    world.submit(session, advert(), advert())

    world.lose(session)
    batch = world.submit(session)

    assert (session.tail, session.looked, session.is_blocked) == (b"", 0, False)
    assert not batch.writes


def test_a_lost_sp_lets_the_smsc_try_again_elsewhere(world: World) -> None:
    session = world.session()
    link = smsc(session)
    world.resp(link, any_pdu(CommandId.DELIVER_SM, 70))

    batch = world.lose(session)

    assert [header(pdu) for pdu in sent(batch, link)] == [
        (CommandId.DELIVER_SM_RESP, CommandStatus.ESME_RX_T_APPN, 70)
    ]


def test_a_lost_sp_frees_an_smsc_that_waited_for_it() -> None:
    world = World(deliver_window=1)
    session = world.session()
    link = smsc(session)
    world.resp(link, *[any_pdu(CommandId.DELIVER_SM, n) for n in (70, 71)])

    freed = world.lose(session).freed
    batch = world.resp(link)

    assert freed == {link}
    assert [status_of(pdu) for pdu in sent(batch, link)] == [CommandStatus.ESME_RX_T_APPN]


def test_what_a_lost_sp_sent_is_still_recorded_when_it_is_answered(world: World) -> None:
    session = world.session()
    world.submit(session, advert(sequence=7))

    lost = world.lose(session)
    batch = world.resp(smsc(session), answer(1))

    assert not lost.writes
    assert [row[9] for row in outcomes(batch)] == ["answered"]


def test_after_both_are_lost_nobody_is_answered(world: World) -> None:
    session = world.session()
    world.submit(session, advert(sequence=7))

    world.lose(session)
    batch = world.lose(smsc(session))

    assert not batch.writes
    assert len(outcomes(batch)) == 1


# The rest of the interface.


def test_messages_under_way_finish_under_the_rules_they_started_with(world: World) -> None:
    session = world.session()
    world.submit(session, advert(SPAM[:2], sequence=7))

    world.reload(replace(world.bundle, digest="ffffffffffff"))
    batch = world.resp(smsc(session), answer(1))

    assert [header(pdu) for pdu in sent(batch, session)] == [(CommandId.SUBMIT_SM_RESP, 0, 7)]


def test_a_part_stopped_by_a_later_list_is_stopped_though_it_began_before(world: World) -> None:
    session = world.session()
    first, second = long_advert(["新", "词"])
    world.reload(Bundle("old", "old", ()))
    world.submit(session, first)

    world.reload(Bundle("new", "new", (replace(world.bundle.keyword_lists[0], words=("新词",)),)))
    batch = world.submit(session, second)

    assert [status_of(pdu) for pdu in sent(batch, session)] == [CommandStatus.ESME_RSUBMITFAIL]


def test_a_list_that_is_over_stops_nothing_once_a_second_has_passed(world: World) -> None:
    session = world.session()
    over = replace(world.bundle.keyword_lists[0], not_after=date(2023, 11, 14))
    world.reload(Bundle("new", "new", (over,)))

    before = world.submit(session, advert(SPAM))
    world.expire(session)
    after = world.submit(session, advert(SPAM))

    assert (up(before, session), bool(up(after, session))) == ([], True)


def test_a_request_is_relayed_on_behalf_of_a_session(world: World) -> None:
    session = world.session()
    query = builders.query_sm("ab12", PORT, sequence=5)

    batch = world.pipeline.relay(session, smsc(session), query, (world.now, AT), None)

    assert [unnumbered(pdu) for pdu in up(batch, session)] == [unnumbered(query)]
    assert smsc(session).outstanding[1][:3] == (session, 5, CommandId.QUERY_SM)


def test_a_delivery_looked_into_is_delivered_after_all(world: World) -> None:
    session = world.session()
    pdu = any_pdu(CommandId.DELIVER_SM, 70)
    item = SmscDelivery(smsc(session), pdu, "sp1")

    batch = world.pipeline.deliver(item, session, pdu, (world.now, AT))
    gone = world.pipeline.deliver(item, None, pdu, (world.now, AT))

    assert [unnumbered(p) for p in sent(batch, session)] == [unnumbered(pdu)]
    assert [status_of(p) for p in sent(gone, smsc(session))] == [CommandStatus.ESME_RX_T_APPN]


def test_a_tick_without_octets_brings_forth_nothing(world: World) -> None:
    session = world.session()

    batches = [
        world.submit(session),
        world.resp(smsc(session)),
        world.expire(session, smsc(session)),
        Pipeline(world.plane).submit([], world.now, AT),
    ]

    assert all(not (b.writes or b.attention or b.freed or b.rows) for b in batches)


def test_exceptions_stay_in_the_order_they_came(world: World) -> None:
    session = world.session()

    batch = world.submit(session, advert(DUBIOUS), advert(DUBIOUS, 2), b"\0\0\0\x02")

    assert [type(item).__name__ for item in batch.attention] == ["FramingFault", "Hold", "Hold"]
    assert isinstance(batch.attention[0], FramingFault)
    assert [sequence_of(pdu) for pdu in sent(batch, session)] == [0]


def test_r31_a_tick_that_comes_too_long_after_the_store_was_read_passes_no_advert() -> None:
    refused = rule("R21", OptOut())
    world = World(bundle=replace(BUNDLE, rules=(refused,)))
    session = world.session()
    world.sets.read_by = world.now + 1

    in_time = world.submit(session, advert())
    world.now += 1.1
    too_late = world.submit(session, advert(sequence=2))

    assert len(up(in_time, session)) == 1
    assert up(too_late, session) == []
    assert [row[9] for row in decisions(too_late)] == [Reason.CONSENT_UNCHECKED]
