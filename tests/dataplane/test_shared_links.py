"""Binds of the gateway's own: what comes on them goes to the SP whose port it is for."""

from collections.abc import Callable

import pytest

from gateway.dataplane.attention import (
    OwnAnswer,
    OwnRequest,
    ReleaseReceipt,
    SubscriberMessage,
    UndeliverableMessage,
)
from gateway.dataplane.link import Link
from gateway.dataplane.part_table import SmscMessageIds
from gateway.dataplane.plane import Batch
from gateway.dataplane.smsc_side import read_carefully
from gateway.domain.policy import RepliesRule
from gateway.domain.records import DeliveryNames, OutcomeRow
from gateway.domain.sender import Port, Purpose, Route, RouteTable
from gateway.session.operations import SessionState, Side
from gateway.smpp.commands import CommandId
from gateway.smpp.pdu import HEADER, make
from gateway.smpp.status import CommandStatus
from simulators import builders
from tests.dataplane.conftest import (
    AT,
    SPAM,
    SUBSCRIBER,
    World,
    advert,
    answer,
    header,
    outcomes,
    sender,
    sent,
    sequence_of,
    unnumbered,
)

FIRST, SECOND, NOBODY = "10690001", "10690002", "10699999"
TEMPORARY = CommandStatus.ESME_RX_T_APPN


def receipt(to: str, sequence: int = 70) -> bytes:
    text = "id:0A1b submit date:1309300834 done date:1309300835 stat:DELIVRD err:000"
    return builders.deliver_sm(
        SUBSCRIBER, to, text.encode(), data_coding=0, esm_class=4, sequence=sequence
    )


def reply(text: str, to: str, sequence: int = 70) -> bytes:
    return builders.deliver_sm(SUBSCRIBER, to, builders.ucs2(text), sequence=sequence)


def receipts(batch: Batch, session: Link) -> list[bytes]:
    """Return what a batch delivers to a session."""
    return [pdu for pdu in sent(batch, session) if header(pdu)[0] == CommandId.DELIVER_SM]


class Shared(World):
    """Two SPs with a port each, and one bind at the SMSC that is the gateway's own."""

    def __post_init__(self) -> None:
        self.senders = (
            sender(ports=(Port(FIRST, 4),)),
            sender("sp2", ports=(Port(SECOND), Port("BANK"))),
        )
        super().__post_init__()
        self.sessions: dict[str, Link] = {}
        self.plane.session_of = self.sessions.get
        self.link = Link(99, Side.SMSC, 100, self.now, SessionState.BOUND_TRX, "gw")
        self.link.is_shared = True

    def bound(self, system_id: str) -> Link:
        """Return the session of an SP that takes deliveries; it has no bind at the SMSC."""
        session = self.session(system_id)
        session.peer = None
        self.sessions[system_id] = session
        return session


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.mark.parametrize(
    ("to", "system_id"), [(FIRST, "sp1"), (FIRST + "0042", "sp1"), (SECOND, "sp2"), ("BANK", "sp2")]
)
def test_what_comes_on_a_bind_of_the_gateways_own_goes_to_the_sp_whose_port_it_is_for(
    shared: Shared, to: str, system_id: str
) -> None:
    sessions = {one: shared.bound(one) for one in ("sp1", "sp2")}

    batch = shared.resp(shared.link, receipt(to))

    session = sessions[system_id]
    assert [unnumbered(pdu) for pdu in sent(batch, session)] == [unnumbered(receipt(to))]
    assert set(batch.writes) == {session}  # the SMSC hears nothing before the SP has answered
    assert batch.rows[0][2] == (99, system_id, CommandId.DELIVER_SM)


@pytest.mark.parametrize("status", [CommandStatus.ESME_ROK, CommandStatus.ESME_RX_P_APPN])
def test_the_smsc_hears_what_the_sp_said_and_the_record_names_the_sp(
    shared: Shared, status: CommandStatus
) -> None:
    session = shared.bound("sp2")
    shared.resp(shared.link, reply("好", SECOND, sequence=71))

    batch = shared.submit(session, make(CommandId.DELIVER_SM_RESP, 1, status))

    assert [header(pdu) for pdu in sent(batch, shared.link)] == [
        (CommandId.DELIVER_SM_RESP, status, 71)
    ]
    (row,) = outcomes(batch)
    assert row[2:7] == (99, "sp2", CommandId.DELIVER_SM, 71, status)


def test_what_no_sp_owns_stays_with_the_smsc(shared: Shared) -> None:
    batch = shared.resp(shared.link, receipt(NOBODY))

    assert [header(pdu)[1] for pdu in sent(batch, shared.link)] == [TEMPORARY]
    assert [row[2][1] for row in batch.rows if row[0] != "e"] == ["", ""]


def test_what_an_sp_can_not_take_is_handed_over_to_be_kept(shared: Shared) -> None:
    batch = shared.resp(shared.link, receipt(FIRST))

    assert batch.attention == [UndeliverableMessage(shared.link, receipt(FIRST), "sp1")]
    assert batch.writes == {}  # the SMSC is answered when it is kept
    assert [row[2][1] for row in batch.rows if row[0] == "m"] == ["sp1"]


def test_a_subscribers_word_to_an_sp_that_is_not_there_is_withheld_until_it_was_acted_on(
    shared: Shared,
) -> None:
    shared.plane.rules.replies = RepliesRule("已退订", "已恢复")

    batch = shared.resp(shared.link, reply("TD", FIRST))

    (item,) = batch.attention
    assert item == SubscriberMessage(shared.link, reply("TD", FIRST), "sp1", is_withheld=True)
    assert batch.writes == {}


def test_a_receipt_for_an_sp_that_is_not_there_gets_our_id_although_replies_are_heard(
    shared: Shared,
) -> None:
    shared.plane.rules.replies = RepliesRule("已退订", "已恢复")
    shared.plane.watched.add("sp1")

    batch = shared.resp(shared.link, receipt(FIRST))

    assert batch.attention[0] == ReleaseReceipt(shared.link, receipt(FIRST), "sp1")
    assert SubscriberMessage(shared.link, receipt(FIRST), "sp1", is_withheld=True) not in (
        batch.attention
    )


def test_an_alert_is_not_kept(shared: Shared) -> None:
    alert = make(CommandId.ALERT_NOTIFICATION, 9, source_addr=b"138", esme_addr=FIRST.encode())

    batch = shared.resp(shared.link, alert)

    assert (batch.attention, batch.writes) == ([], {})
    assert [row[9] for row in outcomes(batch)] == ["nobody"]


BOTH = "1069"
OTHER = "13900139000"


@pytest.fixture
def sharing(shared: Shared) -> Shared:
    """Let both SPs have one port, and be there to hear."""
    ports = (Port(BOTH, 4, Purpose.MARKETING, shared=True),)
    shared.reload(senders=(sender(ports=ports), sender("sp2", ports=ports), sender("sp3")))
    shared.plane.ids = SmscMessageIds()
    for system_id in ("sp1", "sp2"):
        session = shared.bound(system_id)
        session.peer = shared.link
        shared.link.share_with(session)
    return shared


def submitted(sharing: Shared, system_id: str, message_id: bytes, to: str = SUBSCRIBER) -> bytes:
    """Submit a message from the port of both; return the answer of the SMSC to it."""
    batch = sharing.submit(sharing.sessions[system_id], advert(source=BOTH, to=to))
    (pdu,) = sent(batch, sharing.link)
    return answer(sequence_of(pdu), message_id)


@pytest.mark.parametrize("system_id", ["sp1", "sp2"])
@pytest.mark.parametrize("is_apart", [True, False])
def test_a_receipt_for_a_shared_port_goes_to_the_sp_with_the_message(
    sharing: Shared, system_id: str, *, is_apart: bool
) -> None:
    answered = submitted(sharing, system_id, b"0A1b")
    if is_apart:
        sharing.resp(sharing.link, answered)
        answered = b""

    batch = sharing.resp(sharing.link, answered, receipt(BOTH))

    heard = {one for one, session in sharing.sessions.items() if receipts(batch, session)}
    assert heard == {system_id}
    assert sharing.plane.tally.receipts_unowned == 0


@pytest.mark.parametrize("message_id", [b"0a1b", b"A1b", b"77"])
def test_a_receipt_about_a_message_that_is_not_known_goes_to_nobody_and_is_counted(
    sharing: Shared, message_id: bytes
) -> None:
    sharing.resp(sharing.link, submitted(sharing, "sp2", message_id))

    batch = sharing.resp(sharing.link, receipt(BOTH))

    assert [header(pdu)[1] for pdu in sent(batch, sharing.link)] == [TEMPORARY]
    assert not any(session in batch.writes for session in sharing.sessions.values())
    assert sharing.plane.tally.receipts_unowned == 1


def test_a_receipt_of_another_smsc_or_about_a_third_sps_message_is_no_sharers(
    sharing: Shared,
) -> None:
    third = sharing.bound("sp3")
    third.peer = sharing.link
    (pdu,) = sent(sharing.submit(third, advert()), sharing.link)
    sharing.resp(sharing.link, answer(sequence_of(pdu), b"0A1b"))
    unknown = sharing.resp(sharing.link, receipt(BOTH))
    sharing.plane.ids = SmscMessageIds()
    sharing.resp(sharing.link, submitted(sharing, "sp1", b"0A1b"))
    sharing.link.smsc = "b"

    elsewhere = sharing.resp(sharing.link, receipt(BOTH))
    sharing.plane.ids = None
    unnoted = sharing.resp(sharing.link, receipt(BOTH))

    for batch in (unknown, elsewhere, unnoted):
        assert set(batch.writes) == {sharing.link}


def test_what_a_subscriber_writes_to_a_shared_port_goes_to_who_wrote_last(sharing: Shared) -> None:
    def heard(subscriber: str) -> str:
        pdu = builders.deliver_sm(subscriber, BOTH + "12", builders.ucs2("好"), sequence=70)
        batch = sharing.resp(sharing.link, pdu)
        return next(one for one, s in sharing.sessions.items() if receipts(batch, s))

    assert (heard(SUBSCRIBER), heard("ALERT")) == ("sp1", "sp1")  # the first named
    submitted(sharing, "sp2", b"1", SUBSCRIBER)
    assert (heard(SUBSCRIBER), heard("+86" + SUBSCRIBER), heard(OTHER)) == ("sp2", "sp2", "sp1")
    submitted(sharing, "sp1", b"2", SUBSCRIBER)
    assert heard(SUBSCRIBER) == "sp1"


def test_a_message_that_did_not_go_is_no_reason_and_one_to_many_is_one_for_each(
    sharing: Shared,
) -> None:
    session, msisdn = sharing.sessions["sp2"], 8613800138000
    sharing.submit(session, advert(SPAM, source=BOTH))
    assert sharing.plane.writers.last(BOTH, msisdn) == ""

    sharing.submit(session, builders.submit_multi(BOTH, [SUBSCRIBER, OTHER], builders.ucs2("好")))

    assert sharing.plane.writers.last(BOTH, msisdn) == "sp2"
    assert sharing.plane.writers.last(BOTH, 8613900139000) == "sp2"


def test_a_word_may_be_meant_for_all_who_share_a_port_unless_it_is_known_who_wrote_last(
    sharing: Shared,
) -> None:
    msisdn, plane = 8613800138000, sharing.plane
    before = plane.others_meant(BOTH + "12", msisdn, "sp1")
    submitted(sharing, "sp2", b"1")

    assert before == ("sp2",)
    assert plane.others_meant(BOTH, msisdn, "sp2") == ()
    assert plane.others_meant(BOTH, msisdn, "sp1") == ("sp2",)  # it wrote since
    assert plane.others_meant("95588", msisdn, "sp3") == ()


def test_who_was_the_last_to_write_and_has_the_port_no_more_hears_nothing(sharing: Shared) -> None:
    submitted(sharing, "sp2", b"1")
    ports = (Port(BOTH, 4, shared=True),)
    sharing.reload(senders=(sender(ports=ports), sender("sp3", ports=ports), sender("sp2")))

    batch = sharing.resp(sharing.link, reply("好", BOTH))

    assert receipts(batch, sharing.sessions["sp1"])


OPERATIONS = [
    (lambda one: builders.query_sm(one, BOTH, sequence=9), CommandStatus.ESME_RQUERYFAIL),
    (
        lambda one: builders.cancel_sm(one, BOTH, SUBSCRIBER, sequence=9),
        CommandStatus.ESME_RCANCELFAIL,
    ),
    (
        lambda one: builders.replace_sm(one, BOTH, b"new", sequence=9),
        CommandStatus.ESME_RREPLACEFAIL,
    ),
]


@pytest.mark.parametrize(("build", "status"), OPERATIONS)
@pytest.mark.parametrize("asked", ["42", "0042", "42 "])
def test_an_id_that_is_known_as_another_sps_is_refused(
    sharing: Shared, build: Callable[[str], bytes], status: CommandStatus, asked: str
) -> None:
    sharing.resp(sharing.link, submitted(sharing, "sp2", b"42"))

    batch = sharing.submit(sharing.sessions["sp1"], build(asked))

    assert set(batch.writes) == {sharing.sessions["sp1"]}
    assert [header(pdu)[1:] for pdu in sent(batch, sharing.sessions["sp1"])] == [(status, 9)]


@pytest.mark.parametrize(("build", "_status"), OPERATIONS)
@pytest.mark.parametrize("asked", ["42", "77"])
def test_its_own_and_one_that_is_not_known_go_to_the_smsc(
    sharing: Shared, build: Callable[[str], bytes], _status: CommandStatus, asked: str
) -> None:
    sharing.resp(sharing.link, submitted(sharing, "sp1", b"42"))

    batch = sharing.submit(sharing.sessions["sp1"], build(asked))

    assert len(sent(batch, sharing.link)) == 1


class Elsewhere:
    """Binds at other SMSCs, by name."""

    def __init__(self, sharing: Shared) -> None:
        self.link = Link(98, Side.SMSC, 2, sharing.now, SessionState.BOUND_TRX, "gw", "b")
        self.link.is_shared = True
        self.asked: list[tuple[str, str]] = []
        sharing.plane.bind_at = self.bind_at
        assert sharing.plane.ids is not None
        row: OutcomeRow = (
            "o",
            AT,
            (1, "sp1", int(CommandId.SUBMIT_SM)),
            1,
            0,
            b"42",
            9,
            "answered",
        )
        sharing.plane.ids.note("b", [row], sharing.now)

    def bind_at(self, system_id: str, smsc: str) -> Link | None:
        self.asked.append((system_id, smsc))
        return self.link if smsc == "b" else None


@pytest.mark.parametrize(("build", "status"), OPERATIONS)
@pytest.mark.parametrize("is_routed", [True, False])
def test_a_request_about_a_message_goes_to_the_smsc_that_took_it(
    sharing: Shared, build: Callable[[str], bytes], status: CommandStatus, *, is_routed: bool
) -> None:
    elsewhere, session = Elsewhere(sharing), sharing.sessions["sp1"]
    sharing.plane.routes = RouteTable((Route("x", "9"),)) if is_routed else None

    batch = sharing.submit(session, build("42"), advert(source=BOTH, sequence=10))

    assert len(sent(batch, elsewhere.link)) == len(sent(batch, sharing.link)) == 1
    assert elsewhere.asked == [("sp1", "b")]
    (pdu,) = sent(batch, elsewhere.link)
    back = sharing.resp(elsewhere.link, make(header(pdu)[0] | 1 << 31, sequence_of(pdu), status))
    assert [header(one)[1:] for one in sent(back, session)] == [(status, 9)]
    assert session.under_way == 1


@pytest.mark.parametrize(("build", "status"), OPERATIONS)
def test_without_room_at_that_smsc_it_is_refused(
    sharing: Shared, build: Callable[[str], bytes], status: CommandStatus
) -> None:
    elsewhere, session = Elsewhere(sharing), sharing.sessions["sp1"]
    elsewhere.link.allowed = 0

    batch = sharing.submit(session, build("42"))

    assert [header(pdu)[1:] for pdu in sent(batch, session)] == [(status, 9)]


def test_a_replacement_that_goes_elsewhere_counts_there_where_its_session_has_messages(
    sharing: Shared,
) -> None:
    elsewhere, session = Elsewhere(sharing), sharing.sessions["sp1"]
    session.detours[elsewhere.link] = 0
    sharing.plane.routes = RouteTable((Route("x", "9"),))

    sharing.submit(session, builders.replace_sm("42", BOTH, b"new", sequence=9))
    assert session.detours == {elsewhere.link: 1}

    sharing.plane.routes = None
    sharing.submit(session, builders.replace_sm("42", BOTH, b"new", sequence=10))
    assert session.detours == {elsewhere.link: 2}


def test_a_subscribers_word_is_heard_for_the_sp_whose_port_it_was_sent_to(shared: Shared) -> None:
    shared.plane.rules.replies = RepliesRule("已退订", "已恢复")
    shared.bound("sp2")

    batch = shared.resp(shared.link, reply("TD", SECOND))

    assert batch.attention == [SubscriberMessage(shared.link, reply("TD", SECOND), "sp2")]


def test_receipts_of_who_is_watched_are_handed_over_and_no_others(shared: Shared) -> None:
    shared.plane.watched.add("sp1")
    shared.bound("sp2")

    batch = shared.resp(shared.link, receipt(FIRST), receipt(SECOND))

    assert batch.attention == [ReleaseReceipt(shared.link, receipt(FIRST), "sp1")]


def test_the_answer_to_a_message_of_an_sp_is_on_record_under_that_sp(shared: Shared) -> None:
    session = shared.bound("sp1")
    query = builders.query_sm("ab12", FIRST, sequence=5)
    shared.pipeline.relay(session, shared.link, query, (shared.now, AT), None)
    own = OwnRequest("sp2")
    shared.link.register(None, 0, CommandId.SUBMIT_SM, shared.now, own)
    shared.link.register(session, 6, CommandId.SUBMIT_SM, shared.now, None)

    batch = shared.resp(
        shared.link,
        answer(1, command_id=CommandId.QUERY_SM_RESP, status=8),
        answer(2),
        answer(3),
    )

    assert [row[2:5] for row in outcomes(batch)] == [
        (session.number, "sp1", CommandId.QUERY_SM),
        (0, "sp2", CommandId.SUBMIT_SM),
        (session.number, "sp1", CommandId.SUBMIT_SM),
    ]
    assert batch.attention == [OwnAnswer(shared.link, own, answer(2))]
    assert HEADER.unpack_from(sent(batch, session)[-1])[3] == 6


def test_while_no_session_is_known_nothing_is_delivered(world: World) -> None:
    world.reload(senders=(sender(),))
    link = Link(99, Side.SMSC, 100, world.now, SessionState.BOUND_TRX, "gw")
    link.is_shared = True

    batch = world.resp(link, receipt(FIRST))

    assert batch.attention == [UndeliverableMessage(link, receipt(FIRST), "sp1")]


@pytest.mark.parametrize("is_shared", [True, False])
def test_what_would_overtake_what_is_kept_for_its_sp_is_kept_too(
    world: World, *, is_shared: bool
) -> None:
    world.reload(senders=(sender(),))
    session = world.session()
    link = session.peer
    assert link is not None
    link.is_shared = is_shared
    world.plane.session_of = lambda _system_id: session
    asked: list[tuple[str, DeliveryNames]] = []
    first, other_one = (read_carefully(one)[:4] for one in (receipt(FIRST), reply("TD", FIRST)))

    def overtakes(system_id: str, names: DeliveryNames) -> bool:
        asked.append((system_id, names))
        return names == first

    world.plane.backlogged.add("sp1")
    relayed = world.resp(link, receipt(FIRST))  # nothing is set up that could tell
    world.plane.overtakes = overtakes
    kept, other = world.resp(link, receipt(FIRST)), world.resp(link, reply("TD", FIRST))
    world.plane.backlogged.clear()
    later = world.resp(link, receipt(FIRST))

    assert kept.attention == [UndeliverableMessage(link, receipt(FIRST), "sp1")]
    assert [len(sent(one, session)) for one in (relayed, kept, other, later)] == [1, 0, 1, 1]
    assert asked == [("sp1", first), ("sp1", other_one)]


def test_the_addresses_of_every_delivery_can_be_told() -> None:
    data = make(CommandId.DATA_SM, 1, source_addr=b"1380", destination_addr=b"1069")
    alert = make(CommandId.DATA_SM, 1)[:20]

    found = [read_carefully(pdu)[:2] for pdu in (reply("TD", FIRST), data, alert)]

    assert found == [(SUBSCRIBER.encode(), FIRST.encode()), (b"1380", b"1069"), (b"", b"")]
