"""What SMSCs send: answers mapped back to who asked, deliveries passed to their SP."""

from collections.abc import Iterable

from gateway.dataplane import attention
from gateway.dataplane.deliveries import delivery
from gateway.dataplane.link import Link
from gateway.dataplane.relay import (
    MAX_ID_OCTETS,
    SEQUENCE,
    SEQUENCE_AT,
    control,
    keep_rest,
    look_ahead,
    relay_answer,
    relay_request,
)
from gateway.dataplane.rows import own_answer
from gateway.dataplane.turn import Turn
from gateway.session.operations import Ruling, ruling
from gateway.session.states import Side
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.framing import HEADER, HEADER_OCTETS
from gateway.smpp.status import CommandStatus

# A look-up on an enumeration is Python code in 3.11: 0.05 us, several times for each receipt.
_SMSC, _RELAY, _BIND_RESP = Side.SMSC, Ruling.RELAY, Ruling.BIND_RESP
_SUBMIT_SM = int(CommandId.SUBMIT_SM)
_SUBMIT_SM_RESP = int(CommandId.SUBMIT_SM_RESP)
_RINVDSTADR = int(CommandStatus.ESME_RINVDSTADR)
_RX_T_APPN = int(CommandStatus.ESME_RX_T_APPN)
_DELIVER_SM = int(CommandId.DELIVER_SM)
_WORDS = frozenset({_DELIVER_SM, int(CommandId.DATA_SM)})
_OVERTAKING = frozenset({Ruling.RELAY_RESPONSE, Ruling.ENQUIRE_LINK, Ruling.ENQUIRE_LINK_RESP})


def resp(turn: Turn, chunks: Iterable[tuple[Link, bytes]]) -> None:
    """Take octets of many SMSC links; leave what to write and attend to in the turn's batch."""
    for link, octets in chunks:
        _walk(turn, link, octets)


def _walk(  # noqa: C901, PLR0912, PLR0915 - one loop: a call per answer costs as much again
    turn: Turn, link: Link, octets: bytes
) -> None:
    """Frame what an SMSC has sent; runs of answers to one session stay one piece."""
    data = link.tail + octets if link.tail else octets
    link.is_blocked = False
    batch, now, at_epoch = turn.batch, turn.now, turn.at
    outstanding, rows, answers = link.outstanding, batch.rows, turn.plane.tally.answers
    latencies, strangers = turn.plane.tally.latency_us, turn.plane.tally.unknown
    system_id, limit, unpack = link.system_id, turn.plane.pdu_octets, HEADER.unpack_from
    reads_answers = link.state.can_submit
    buffer: bytearray | None = None
    asker: Link | None = None
    owner: Link | None = None
    about = (0, system_id, _SUBMIT_SM)
    run_start = run_end = waited_us = 0
    at, end = 0, len(data)
    while end - at >= HEADER_OCTETS:
        length, command_id, status, sequence = unpack(data, at)
        stop = at + length
        if not HEADER_OCTETS <= length <= limit or stop > end:
            break
        entry = outstanding.get(sequence) if command_id == _SUBMIT_SM_RESP else None
        # One with an errand has more to it than to be passed on.
        session = entry[0] if entry is not None and entry[4] is None else None
        if entry is not None and session is not None and entry[2] == _SUBMIT_SM and reads_answers:
            # relay_answer, unfolded: this is the one path that every answer takes.
            del outstanding[sequence]
            _, asked, _, sent_at, _ = entry
            answers[status] = answers.get(status, 0) + 1
            if status == _RINVDSTADR:
                strangers[session.system_id] = strangers.get(session.system_id, 0) + 1
            latency_us = int((now - sent_at) * 1e6)
            latencies[latency_us.bit_length()] += 1
            waited_us += latency_us
            if session is not owner:
                owner, about = session, (session.number, system_id, _SUBMIT_SM)
            message_id = data[at + HEADER_OCTETS : stop].partition(b"\0")[0][:MAX_ID_OCTETS]
            rows.append(("o", at_epoch, about, asked, status, message_id, latency_us, "answered"))
            if buffer is None:
                buffer = bytearray(data)
            SEQUENCE.pack_into(buffer, at + SEQUENCE_AT, asked)
            if at != run_end or session is not asker:
                if asker is not None and run_end > run_start:
                    _answer(turn, asker, buffer[run_start:run_end])
                run_start, asker = at, session
            run_end = stop
        else:
            what = ruling(_SMSC, link.state, command_id)
            if what is _RELAY and _is_crowded(turn, link):
                link.is_blocked = True
                break
            if asker is not None and buffer is not None:
                # A receipt must not overtake the answer that tells its id.
                _answer(turn, asker, buffer[run_start:run_end])
                asker, run_start = None, run_end
            _act(turn, link, what, data[at:stop])
            reads_answers = link.state.can_submit
            if what is _BIND_RESP:
                # What follows in the same read waits until the shell has moved both states:
                # an SMSC may deliver the moment it has bound us.
                at = stop
                link.is_blocked = True
                break
        at = stop
    if asker is not None and buffer is not None:
        _answer(turn, asker, buffer[run_start:run_end])
    turn.plane.tally.latency_us_total += waited_us
    keep_rest(turn, link, data, at)
    if run_end:
        link.clocks.last_traffic_at = now
    if link.is_blocked:
        look_ahead(turn, link, lambda pdu: _overtake(turn, link, pdu))


def _answer(turn: Turn, session: Link, octets: bytearray) -> None:
    turn.batch.write(session, octets)
    session.clocks.last_traffic_at = turn.now
    if session.is_blocked:
        turn.batch.freed.add(session)


def _is_crowded(turn: Turn, link: Link) -> bool:
    """Tell whether the SP has so many deliveries unanswered that more have to wait."""
    session = link.peer
    return session is not None and len(session.outstanding) >= turn.plane.deliver_window


def _act(turn: Turn, link: Link, what: Ruling, pdu: bytes) -> None:
    header = HEADER.unpack_from(pdu)
    if what is _RELAY:
        _deliver(turn, link, pdu, header)
        return
    match what:
        case Ruling.RELAY_RESPONSE:
            relay_answer(turn, link, pdu)
        case Ruling.BIND_RESP:
            turn.batch.attention.append(attention.BindAnswer(link, pdu))
        case _:
            control(turn, link, what, header)


def _overtake(turn: Turn, link: Link, pdu: bytes) -> bool:
    what = ruling(Side.SMSC, link.state, HEADER.unpack_from(pdu)[1])
    if what in _OVERTAKING:
        _act(turn, link, what, pdu)
        return True
    return False


def _deliver(turn: Turn, link: Link, pdu: bytes, header: tuple[int, int, int, int]) -> None:
    _, command_id, _, sequence = header
    plane = turn.plane
    if plane.is_overloaded and command_id in _WORDS:
        # The SMSC has it on record and keeps it: nothing is passed that can not be written.
        turn.batch.refuse(link, command_id | RESPONSE_BIT, _RX_T_APPN, sequence)
        return
    about = (link.number, link.system_id, command_id)
    row = delivery(about, sequence, pdu, turn.at, keeps_texts=plane.keeps_texts)
    turn.batch.rows.append(row)
    is_heard = command_id in _WORDS and plane.rules.replies is not None
    if is_heard and plane.withholds(pdu):
        link.clocks.last_traffic_at = turn.now
        turn.batch.attention.append(attention.SubscriberMessage(link, pdu, is_withheld=True))
        return
    if command_id == _DELIVER_SM and link.system_id in plane.watched:
        turn.batch.attention.append(attention.ReleaseReceipt(link, pdu))
    else:
        deliver(turn, link, link.peer, pdu)
    if is_heard:
        turn.batch.attention.append(attention.SubscriberMessage(link, pdu))


def deliver(turn: Turn, link: Link, session: Link | None, pdu: bytes) -> None:
    """Pass a delivery to an SP; without one that can take it, the SMSC shall try again.

    The SMSC hears ESME_ROK only when the SP said so.
    """
    _, command_id, _, sequence = HEADER.unpack_from(pdu)
    if session is not None and session.state.can_deliver:
        relay_request(turn, link, session, pdu)
        link.clocks.last_traffic_at = session.clocks.last_traffic_at = turn.now
        return
    status = 0
    if command_id != CommandId.ALERT_NOTIFICATION:
        status = _RX_T_APPN
        turn.batch.refuse(link, command_id | RESPONSE_BIT, status, sequence)
    turn.batch.rows.append(own_answer(link, pdu, status, turn.at, "nobody"))
