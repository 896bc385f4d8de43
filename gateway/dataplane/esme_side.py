"""What SPs send: framed, judged and passed on, all sessions of a tick together."""

from collections.abc import Iterable

from gateway.dataplane import attention
from gateway.dataplane.forward import pass_on
from gateway.dataplane.judge_batch import judge_texts
from gateway.dataplane.link import Link
from gateway.dataplane.plane import Turn, decision, found, operation
from gateway.dataplane.relay import control, keep_rest, look_ahead, relay_answer, relay_request
from gateway.dataplane.request_reader import carry, is_gateway_id, timing_of
from gateway.dataplane.submit_request import SubmitRequest
from gateway.domain.verdict import Action, Finding, Reason
from gateway.session.operations import Ruling, SessionState, Side, ruling
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.pdu import HEADER, HEADER_OCTETS, SUBMIT_SM, decode
from gateway.smpp.status import CommandStatus, DecodeError

_SUBMIT_SM = int(CommandId.SUBMIT_SM)
# Ten parts, the most that many handsets show as one message, hold 1 600 octets. Longer requests
# than this are judged one at a time, and only while the plane takes them.
LONG_PDU_OCTETS = 4 * 1024
_UDHI = 0x40
_CLOSED = SessionState.CLOSED
_REQUESTS = frozenset({Ruling.JUDGE, Ruling.RELAY})
_OVERLOADED = Finding(
    "OVERLOAD", Reason.OVERLOADED, Action.REJECT, "the gateway can not take it now"
)


def submit(turn: Turn, chunks: Iterable[tuple[Link, bytes]]) -> None:
    """Take octets of many sessions; leave what to write and attend to in the turn's batch.

    A chunk may end inside a PDU and may be empty: what a session could not process before
    is taken up first.
    """
    walks = [(session, *_walk(turn, session, octets)) for session, octets in chunks]
    judge_texts(turn.plane, [m for _, _, messages, _ in walks for m in messages], turn.at)
    for session, data, messages, behind in walks:
        if behind:
            messages = _pass_between(turn, session, data, messages, behind)  # noqa: PLW2901
        if messages:
            pass_on(turn, session, data, messages)
        awaits_room = session.is_blocked and not session.waits_long
        if awaits_room and has_smsc(session) and session.room() > 0:
            turn.batch.freed.add(session)


def _pass_between(
    turn: Turn,
    session: Link,
    data: bytes,
    messages: list[SubmitRequest],
    behind: list[tuple[int, bytes]],
) -> list[SubmitRequest]:
    """Pass on requests without a text, each behind the messages before it; return the rest.

    A cancel_sm that names no message_id is about what was submitted before it (SMPP 3.4, 4.9.1).
    """
    passed = 0
    for count, pdu in behind:
        if count > passed:
            pass_on(turn, session, data, messages[passed:count])
            passed = count
        _relay(turn, session, pdu, HEADER.unpack_from(pdu))
    return messages[passed:]


def has_smsc(session: Link) -> bool:
    """Tell whether the session's own bind at the SMSC stands."""
    return session.peer is not None and session.peer.state.is_bound


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
) -> tuple[bytes, list[SubmitRequest], list[tuple[int, bytes]]]:
    """Frame what a session has sent; return the octets, the messages, and what goes behind them.

    That are requests without a text, each with the number of messages before it.
    """
    data = session.tail + octets if session.tail else octets
    session.is_blocked = session.waits_long = False
    messages: list[SubmitRequest] = []
    behind: list[tuple[int, bytes]] = []
    account = session.account = turn.plane.rules.accounts.get(session.system_id)
    peer = session.peer
    is_linked = peer is not None and peer.state.is_bound
    refuses = _refuses(turn, session, is_linked=is_linked)
    room = session.room() if is_linked else 0
    submits = session.state.can_submit and not refuses
    limit, now, most = turn.plane.pdu_octets, turn.now, turn.plane.session_octets
    judge_address, unpack, match_submit = (
        turn.plane.rules.judge_address,
        HEADER.unpack_from,
        SUBMIT_SM.match,
    )
    at, end = 0, 0 if session.state is _CLOSED else len(data)
    while end - at >= HEADER_OCTETS and at < most:
        length, command_id, _, sequence = unpack(data, at)
        stop = at + length
        if not HEADER_OCTETS <= length <= limit or stop > end:
            break
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
                else:
                    message = carry(turn, session, account, data[at:stop], (at, stop))
            if message is not None:
                room -= 1
                messages.append(message)
                if message.care is not None:
                    most -= message.care.weight
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
            elif what is Ruling.RELAY and messages:
                behind.append((len(messages), data[at:stop]))
                room -= 1
            else:
                _act(turn, session, what, data[at:stop])
                room -= what is Ruling.RELAY
                submits = session.state.can_submit and not refuses
                if session.state is _CLOSED:
                    stop = end  # what else it sent is not looked at
        at = stop
    if most <= at < end:  # the others have their turn first
        turn.batch.freed.add(session)
    keep_rest(turn, session, data, at)
    if messages:
        session.clocks.last_traffic_at = now
    if session.is_blocked:
        look_ahead(turn, session, _act)
    return data, messages, behind


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


def _relay(turn: Turn, session: Link, pdu: bytes, header: tuple[int, int, int, int]) -> None:
    """Pass a query_sm or cancel_sm on, or hand it over when it is about a message we hold."""
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
    if is_gateway_id(request.octets("message_id")):
        turn.batch.attention.append(attention.Operation(session, pdu))
    else:
        turn.batch.rows.append(operation(session, request, turn.at))
        relay_request(turn, session, session.peer, pdu)
        session.clocks.last_traffic_at = turn.now
