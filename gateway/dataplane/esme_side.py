"""What SPs send: framed, judged and passed on, all sessions of a tick together."""

from collections.abc import Iterable

from gateway.dataplane import attention
from gateway.dataplane.forward import pass_on
from gateway.dataplane.judge_batch import judge_texts
from gateway.dataplane.link import Link
from gateway.dataplane.plane import Turn, decision, found, operation, own_answer
from gateway.dataplane.relay import control, keep_rest, look_ahead, relay_answer, relay_request
from gateway.dataplane.request_reader import carry, is_gateway_id, link_about, timing_of, way_of
from gateway.dataplane.submit_request import SubmitRequest
from gateway.domain.verdict import Action, Finding, Reason
from gateway.session.operations import Ruling, SessionState, Side, ruling
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.pdu import HEADER, HEADER_OCTETS, SUBMIT_SM, Pdu, decode
from gateway.smpp.status import CommandStatus, DecodeError

_SUBMIT_SM = int(CommandId.SUBMIT_SM)
# Ten parts, the most that many handsets show as one message, hold 1 600 octets. Longer requests
# than this are judged one at a time, and only while the plane takes them.
LONG_PDU_OCTETS = 4 * 1024
_UDHI = 0x40
_CLOSED = SessionState.CLOSED
_REQUESTS = frozenset({Ruling.JUDGE, Ruling.RELAY})
_CANCEL_SM = int(CommandId.CANCEL_SM)
_OPERATIONS = frozenset({int(CommandId.QUERY_SM), _CANCEL_SM, int(CommandId.REPLACE_SM)})
_FAILED = {
    int(CommandId.QUERY_SM): CommandStatus.ESME_RQUERYFAIL,
    _CANCEL_SM: CommandStatus.ESME_RCANCELFAIL,
}
_WITH_NUMBERS = frozenset(
    map(int, (CommandId.SUBMIT_SM, CommandId.SUBMIT_MULTI, CommandId.DATA_SM))
)
_OVERLOADED = Finding(
    "OVERLOAD", Reason.OVERLOADED, Action.REJECT, "the gateway can not take it now"
)


class _Ways:
    """The links that the messages of one session go on in this turn, where there are routes."""

    def __init__(self, turn: Turn, session: Link) -> None:
        self._turn = turn
        self._session = session
        self._room: dict[Link, int] = {}
        self._taken: dict[Link, int] = {}

    def find(self, pdu: bytes, command_id: int) -> Link | None:
        """Return the link for the next request, None if none stands; the session waits for room.

        Then it `is_blocked`, as it is where its link may come back in a moment.
        """
        session, turn = self._session, self._turn
        goes_by_number = command_id in _WITH_NUMBERS
        link = way_of(turn.plane, session, pdu) if goes_by_number else session.peer
        if link is None:
            session.is_blocked, session.awaits = turn.now < session.wait_until, session
        elif link.is_leaving or not link.state.can_submit or self._room_on(link) <= 0:
            session.is_blocked, session.awaits = True, link
        return link

    def _room_on(self, link: Link) -> int:
        room = self._room.get(link)
        if room is None:
            claimed = self._turn.claimed.setdefault(link, 0)
            room = link.room_for(self._session.system_id, claimed) + (self._session in link.called)
            self._room[link] = room
        return room

    def take(self, link: Link, message: SubmitRequest) -> None:
        """Note that a message goes on `link`, if it is not on another already."""
        detours, is_detour = self._turn.detours, link is not self._session.peer
        link = detours.setdefault(message, link) if is_detour else detours.get(message, link)
        self._room[link] = self._room_on(link) - 1
        self._taken[link] = self._taken.get(link, 0) + 1

    def write(self, link: Link) -> None:
        """Note that the request was written on `link`."""
        self._room[link] -= 1

    def close(self) -> None:
        """Count what was taken as if it were written, until it is known which are."""
        session, turn = self._session, self._turn
        for link, taken in self._taken.items():
            turn.claimed[link] += taken
            if link in session.detours:
                session.detours[link] += taken
                turn.detoured.setdefault(session, {})[link] = taken


def submit(turn: Turn, chunks: Iterable[tuple[Link, bytes]]) -> None:
    """Take octets of many sessions; leave what to write and attend to in the turn's batch.

    A chunk may end inside a PDU and may be empty: what a session could not process before
    is taken up first.
    """
    walks = [(session, *_walk(turn, session, octets)) for session, octets in chunks]
    judge_texts(turn.plane, [m for _, _, messages in walks for m in messages], turn.at)
    for session, data, messages in walks:
        session.under_way -= turn.claimed.get(session, 0)
        for link, taken in turn.detoured.get(session, {}).items():
            session.detours[link] -= taken
        if messages:
            _pass(turn, session, data, messages)
            if session.system_id in turn.plane.rules.port_owners.sharing:
                _note_writer(turn, messages)
        if session.is_blocked and not session.waits_long and _can_go_on(session):
            turn.batch.freed.add(session)
    for trial, count in turn.on_trial.items():
        turn.plane.tally.verdict("shadow", trial.reason, count)
        turn.plane.tally.found(trial.rules, count)
    if turn.claimed:
        _line_up(turn)


def _line_up(turn: Turn) -> None:
    """Let the sessions on shared links go on in their turn, as far as there is room."""
    for one, served in turn.claimed.items():
        if one.side is Side.ESME:
            for link in (one.peer, *one.detours):
                if link is not None:
                    link.line_up(one, served)
    for one in turn.claimed:
        if one.waiting:
            turn.batch.free_sharers(one)


def _pass(turn: Turn, session: Link, data: bytes, messages: list[SubmitRequest]) -> None:
    """Pass messages on, each on its link: those of one link stay in their order."""
    peer = session.peer
    assert peer is not None  # noqa: S101 - without an SMSC nothing is judged
    if not turn.detours:
        pass_on(turn, session, data, messages, peer)
        return
    on: dict[Link, list[SubmitRequest]] = {}
    for message in messages:
        on.setdefault(turn.detours.get(message, peer), []).append(message)
    for link, some in on.items():
        pass_on(turn, session, data, some, link)


def _note_writer(turn: Turn, messages: list[SubmitRequest]) -> None:
    """Note to which subscribers an SP has written from a port that others own, too."""
    for message in messages:
        if message.verdict is None and message.port is not None and message.port.shared:
            to = message.care.addressees if message.care is not None else ()
            for one in (message, *(each.message for each in to)):
                if one.verdict is None and one.msisdn is not None:
                    system_id = message.account.system_id
                    turn.plane.writers.note(message.port.number, one.msisdn, system_id)


def has_smsc(session: Link) -> bool:
    """Tell whether the session's bind at the SMSC takes requests."""
    peer = session.peer
    return peer is not None and peer.state.is_bound and not peer.is_leaving


def _can_go_on(session: Link) -> bool:
    """Tell whether a blocked session has room where it waits for it."""
    if session.awaits is None:
        return has_smsc(session) and session.room() > 0
    link = session.awaits
    stands = link is not session and link.state.can_submit and not link.is_leaving
    return stands and session.room() > 0


def _refuses(turn: Turn, session: Link, *, is_linked: bool) -> bool:
    """Tell whether new requests are refused now with ESME_RMSGQFUL, never passed unseen."""
    plane = turn.plane
    if plane.is_overloaded or session.is_leaving or session.account is None:
        return True
    if plane.keeps_texts and session.system_id in plane.stopped:
        return True
    return not is_linked and turn.now >= session.wait_until


def _walk(  # noqa: C901, PLR0912, PLR0915 - one loop over octets: a call per PDU costs as much as a stage
    turn: Turn, session: Link, octets: bytes
) -> tuple[bytes, list[SubmitRequest]]:
    """Frame what a session has sent; return the octets, and the messages.

    What is about an earlier message has its turn when the messages before it have gone on, or
    are kept: a cancel_sm that names no message_id is about those (SMPP 3.4, 4.9.1).
    """
    data = session.tail + octets if session.tail else octets
    session.is_blocked = session.waits_long = False
    session.awaits = None
    session.awaits_commit = session.awaits_commit and session.held > 0
    messages: list[SubmitRequest] = []
    account = session.account = turn.plane.rules.accounts.get(session.system_id)
    peer = session.peer
    is_linked = peer is not None and peer.state.is_bound and not peer.is_leaving
    refuses = _refuses(turn, session, is_linked=is_linked)
    is_shared = is_linked and peer is not None and peer.is_shared
    claimed = turn.claimed.get(peer, 0) if is_shared and peer is not None else 0
    room = session.room(claimed) if is_linked else 0
    ways = _Ways(turn, session) if is_shared and turn.plane.routes is not None else None
    way: Link | None = None
    if ways is not None:
        room = session.own_room()
    submits = session.state.can_submit and not refuses
    limit, now, most = turn.plane.pdu_octets, turn.now, turn.plane.session_octets
    judge_address, unpack, match_submit = (
        turn.plane.rules.judge_address,
        HEADER.unpack_from,
        SUBMIT_SM.match,
    )
    at, end = 0, 0 if session.state is _CLOSED else len(data)
    last = min(end - HEADER_OCTETS, most - 1)  # where a PDU may begin
    while at <= last:
        length, command_id, _, sequence = unpack(data, at)
        stop = at + length
        if not HEADER_OCTETS <= length <= limit or stop > end:
            break
        if command_id in _OPERATIONS and submits and (messages or session.held):
            if messages:
                turn.batch.freed.add(session)
            else:
                session.is_blocked = session.awaits_commit = True
            break
        if (
            ways is not None
            and not refuses
            and room > 0
            and ruling(Side.ESME, session.state, command_id) in _REQUESTS
        ):
            way = ways.find(data[at:stop], command_id)
            if session.is_blocked:
                break
            if way is None:
                _refuse(turn, session, data[at:stop], unpack(data, at))
                at = stop
                continue
        if length > LONG_PDU_OCTETS and submits and room > 0 and _is_judged(session, command_id):
            if not turn.plane.takes_long:
                session.is_blocked = session.waits_long = True
                break
            turn.plane.takes_long = False
        if command_id == _SUBMIT_SM and submits and account is not None:
            if room <= 0:
                session.is_blocked = True
                break
            match = match_submit(data, at + HEADER_OCTETS, stop)
            message: SubmitRequest | None
            if match is None:
                message = carry(turn, session, account, data[at:stop], (at, stop))
            else:
                source, destination, esm, validity, registered, coding, sm_length = match.groups()
                text_at = match.end()
                if text_at + sm_length[0] == stop and not esm[0] & _UDHI and sm_length[0]:
                    message = SubmitRequest(
                        session,
                        account,
                        (command_id, sequence, at, stop),
                        (source, destination),
                        (coding[0], data[text_at:stop], registered[0]),
                    )
                    if validity:
                        message.timing = timing_of(b"", validity, turn.at)
                    judge_address(message, now)
                    room -= 1
                    messages.append(message)
                    if ways is not None and way is not None:
                        ways.take(way, message)
                    at = stop
                    continue
                message = carry(turn, session, account, data[at:stop], (at, stop))
            if message is not None:
                room -= 1
                messages.append(message)
                most -= message.care.weight if message.care is not None else 0
                last = min(last, most - 1)
                if ways is not None and way is not None:
                    ways.take(way, message)
        else:
            what = ruling(Side.ESME, session.state, command_id)
            if what is Ruling.AWAIT_BIND or (what in _REQUESTS and not refuses and room <= 0):
                session.is_blocked = True
                break
            if what is Ruling.JUDGE and not refuses and account is not None:
                message = carry(turn, session, account, data[at:stop], (at, stop))
                if message is not None:
                    room -= 1
                    messages.append(message)
                    most -= message.care.weight if message.care is not None else 0
                    last = min(last, most - 1)
                    if ways is not None and way is not None:
                        ways.take(way, message)
            else:
                _act(turn, session, what, data[at:stop])
                room = 0 if session.awaits_commit else room - (what is Ruling.RELAY)
                if ways is not None and way is not None and what is Ruling.RELAY:
                    ways.write(way)
                submits = session.state.can_submit and not refuses
                if session.state is _CLOSED:
                    stop = end  # what else it sent is not looked at
        at = stop
    if most <= at < end:  # the others have their turn first
        turn.batch.freed.add(session)
    keep_rest(turn, session, data, at)
    if messages:
        session.clocks.last_traffic_at = now
        session.submits += len(messages)
    if session.is_blocked:
        look_ahead(turn, session, _act)
    if is_shared and peer is not None:
        taken = turn.claimed[session] = len(messages)
        session.under_way += taken  # as if they were written, until it is known which are
        turn.claimed[peer] = claimed + (taken if ways is None else 0)
        peer.called.discard(session)
        if ways is not None:
            ways.close()
    for link in session.detours:  # the places there that it did not take are for others
        turn.claimed.setdefault(session, 0)
        turn.claimed.setdefault(link, 0)
        link.called.discard(session)
    return data, messages


def _is_judged(session: Link, command_id: int) -> bool:
    return ruling(Side.ESME, session.state, command_id) is Ruling.JUDGE


def _act(turn: Turn, session: Link, what: Ruling, pdu: bytes) -> None:
    """Deal with a PDU that is not judged."""
    header = HEADER.unpack_from(pdu)
    match what:
        case Ruling.JUDGE:
            _refuse(turn, session, pdu, header)
        case Ruling.RELAY:
            _relay(turn, session, pdu, header)
        case Ruling.RELAY_RESPONSE:
            relay_answer(turn, session, pdu)
        case Ruling.OUTBIND:
            smsc = turn.plane.smsc_of(session, pdu)
            if not smsc:
                control(turn, session, Ruling.NACK_COMMAND, header)
                return
            session.state = SessionState.BINDING
            turn.batch.attention.append(attention.Outbind(session, smsc))
        case Ruling.BIND:
            session.state = SessionState.BINDING
            turn.batch.attention.append(attention.Bind(session, pdu))
        case _:
            control(turn, session, what, header)


def _refuse(turn: Turn, session: Link, pdu: bytes, header: tuple[int, int, int, int]) -> None:
    _, command_id, _, sequence = header
    status = CommandStatus.ESME_RMSGQFUL
    turn.batch.refuse(session, command_id | RESPONSE_BIT, status, sequence)
    turn.plane.tally.verdict(Action.REJECT.value, Reason.OVERLOADED.value)
    turn.plane.tally.sender(session.system_id, Action.REJECT.value)
    match = SUBMIT_SM.match(pdu, HEADER_OCTETS) if command_id == _SUBMIT_SM else None
    addresses = (match[1], match[2]) if match is not None else (b"", b"")
    why = found(turn.plane.rules.digest, Action.REJECT.value, _OVERLOADED, status.name)
    request = (command_id, sequence)
    turn.batch.rows.append(decision(turn.at, session, request, addresses, why))


def _owns(session: Link, request: Pdu) -> bool:
    """Tell whether the source_addr of a query_sm or cancel_sm is a port of the SP."""
    account = session.account
    source = request.octets("source_addr").decode("latin-1")
    return account is not None and account.sender.port_of(source) is not None


def _relay(turn: Turn, session: Link, pdu: bytes, header: tuple[int, int, int, int]) -> None:
    """Pass a query_sm or cancel_sm on, or hand it over when it may be about a message we hold.

    What comes behind a cancel_sm that names no message_id waits until that is settled.
    """
    _, command_id, _, sequence = header
    if _refuses(turn, session, is_linked=has_smsc(session)) or session.peer is None:
        status = CommandStatus.ESME_RMSGQFUL
        turn.batch.refuse(session, command_id | RESPONSE_BIT, status, sequence)
        return
    try:
        request = decode(pdu)
    except DecodeError as error:
        turn.plane.tally.malformed += 1
        turn.batch.refuse(session, command_id | RESPONSE_BIT, error.status, sequence)
        return
    if session.peer.is_shared and not _owns(session, request):
        # The SMSC knows the gateway alone: it would do it to another SP's message, too.
        status = _FAILED[command_id]
        turn.batch.refuse(session, command_id | RESPONSE_BIT, status, sequence)
        return
    message_id = request.octets("message_id")
    is_for_all = command_id == _CANCEL_SM and not message_id
    if is_gateway_id(message_id) or is_for_all:
        session.held += 1
        session.awaits_commit = is_for_all
        turn.batch.attention.append(attention.Operation(session, pdu))
        return
    link = link_about(turn.plane, session, message_id)
    turn.batch.rows.append(operation(session, request, turn.at))
    if link is None:
        status = _FAILED[command_id]
        turn.batch.refuse(session, command_id | RESPONSE_BIT, status, sequence)
        turn.batch.rows.append(own_answer(session, pdu, status, turn.at, "answered"))
        return
    relay_request(turn, session, link, pdu)
    session.clocks.last_traffic_at = turn.now
