"""What both directions share: control PDUs, relayed requests, relayed answers."""

from collections.abc import Callable
from dataclasses import replace
from struct import Struct

from gateway.dataplane import attention
from gateway.dataplane.link import Link, Outstanding
from gateway.dataplane.plane import Turn, outcome, requester_of
from gateway.dataplane.submit_request import PartContext, PartPosition, Schedule, split_accepted
from gateway.session.operations import Ruling, SessionState, Side, ruling
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.fields import FieldValue, UnsuccessSme
from gateway.smpp.pdu import (
    HEADER,
    HEADER_OCTETS,
    Pdu,
    decode,
    encode,
    enquire_link_resp,
    fault_in,
    generic_nack,
    header_only,
)
from gateway.smpp.status import CommandStatus, DecodeError

SEQUENCE = Struct(">I")
SEQUENCE_AT = 12
STATUS_SEQUENCE = Struct(">II")
STATUS_AT = 8
MAX_ID_OCTETS = 64
# What an SMSC answers that gets more than it takes.
TOO_MUCH = frozenset({int(CommandStatus.ESME_RTHROTTLED), int(CommandStatus.ESME_RMSGQFUL)})
_MAX_REFUSALS = 255  # that one octet can count
_LENGTH = Struct(">I")
_ID_AT, _RESPONSE_OCTET, _NO_STATUS = 4, RESPONSE_BIT >> 24, bytes(4)
# A look-up on an enumeration is Python code in 3.11.
_NACK, _ALERT = int(CommandId.GENERIC_NACK), int(CommandId.ALERT_NOTIFICATION)
_SMSC = Side.SMSC
_REFUSALS = {
    Ruling.REFUSE_STATE: CommandStatus.ESME_RINVBNDSTS,
    Ruling.PUT_OFF: CommandStatus.ESME_RX_T_APPN,
    Ruling.ALREADY_BOUND: CommandStatus.ESME_RALYBND,
}
_OVERTAKING = frozenset({Ruling.RELAY_RESPONSE, Ruling.ENQUIRE_LINK, Ruling.ENQUIRE_LINK_RESP})
# Control PDUs before a bind: an SP needs a few enquire_links and an unbind. A flood of them would
# delay all other SPs.
CONTROLS_UNBOUND = 20
# Control PDUs of a bound link: enquire_links and unexpected answers. Beyond these numbers its
# socket is not read for a while, so they are answered late; none is dropped.
CONTROLS_PER_S = 500
CONTROLS_AT_ONCE = 2000
_DRIFT_S = 1e-6
_INTERVAL_S = 1 / CONTROLS_PER_S
_TOLERANCE_S = CONTROLS_AT_ONCE / CONTROLS_PER_S

Header = tuple[int, int, int, int]


def control(turn: Turn, link: Link, what: Ruling, header: Header) -> None:
    """Act on a PDU that is neither judged nor relayed, within the limits for control PDUs."""
    if charge_control(turn, link):
        _control(turn, link, what, header)


def _control(turn: Turn, link: Link, what: Ruling, header: Header) -> None:
    _, command_id, _, sequence = header
    answer, batch = command_id | RESPONSE_BIT, turn.batch
    match what:
        case Ruling.ENQUIRE_LINK:
            batch.write(link, enquire_link_resp(sequence))
        case Ruling.ENQUIRE_LINK_RESP:
            pass  # any octets are a sign of life: Clocks.heard has it
        case Ruling.REFUSE_STATE | Ruling.PUT_OFF | Ruling.ALREADY_BOUND:
            batch.refuse(link, answer, _REFUSALS[what], sequence)
        case Ruling.NACK_COMMAND:
            batch.write(link, generic_nack(CommandStatus.ESME_RINVCMDID, sequence))
        case Ruling.UNBIND:
            link.state = SessionState.UNBINDING
            batch.attention.append(attention.Unbind(link, sequence))
        case Ruling.UNBIND_RESP:
            batch.attention.append(attention.Unbound(link))
        case _:
            turn.plane.tally.stray += 1


def charge_control(turn: Turn, link: Link) -> bool:
    """Count a control PDU; tell whether to act on it. Those of the SMSC always pass.

    A link that has not bound is closed after CONTROLS_UNBOUND. A bound link may send
    CONTROLS_AT_ONCE and then CONTROLS_PER_S. Beyond that its PDUs are still acted on, but its
    socket is not read for a while.
    """
    if link.side is _SMSC or link.state is SessionState.CLOSED:
        return True
    if not link.system_id:
        link.controls += 1
        if link.controls <= CONTROLS_UNBOUND:
            return True
        link.state = SessionState.CLOSED
        problem = f"{CONTROLS_UNBOUND} control PDUs and no bind"
        turn.batch.attention.append(attention.FramingFault(link, problem))
        return False
    was_waiting = control_wait_s(link, turn.now) > 0
    link.control_due_at = max(link.control_due_at, turn.now) + _INTERVAL_S
    if not was_waiting and control_wait_s(link, turn.now) > 0:
        turn.batch.attention.append(attention.Wait(link))
    return True


def control_wait_s(link: Link, now: float) -> float:
    """Return how many seconds to stop reading a bound SP for its excess of control PDUs, or 0."""
    wait_s = link.control_due_at - now - _TOLERANCE_S
    return wait_s if wait_s > _DRIFT_S else 0.0


def keep_rest(turn: Turn, link: Link, data: bytes, at: int) -> None:
    """Keep the octets from `at` on for later; close the link if their length is impossible.

    The length is checked as soon as its four octets are there, so that the gateway neither waits
    for nor stores what a false length announces (the first line of an HTTP request announces
    1 213 486 160 octets).
    """
    if at == len(data):
        link.tail, link.looked = b"", 0
        link.clocks.heard(turn.now, has_whole=True, has_rest=False)
        return
    rest = data[at:] if at else data
    if link.state is SessionState.CLOSED:  # there is no one to answer
        link.tail = b""
        return
    if len(rest) >= _LENGTH.size and not link.is_blocked:
        (length,) = _LENGTH.unpack_from(rest)
        if not HEADER_OCTETS <= length <= turn.plane.pdu_octets:
            _framing_lost(turn, link, rest, length)
            return
    link.tail = rest
    link.looked = max(0, link.looked - at) if link.is_blocked else 0
    link.clocks.heard(turn.now, has_whole=at > 0 or link.is_blocked, has_rest=bool(rest))
    if link.is_blocked:
        link.clocks.partial_since = None


def _framing_lost(turn: Turn, link: Link, rest: bytes, length: int) -> None:
    is_whole = len(rest) >= HEADER_OCTETS
    sequence = SEQUENCE.unpack_from(rest, SEQUENCE_AT)[0] if is_whole else 0
    turn.plane.tally.framing_faults += 1
    link.state = SessionState.CLOSED
    link.tail = b""
    turn.batch.write(link, generic_nack(CommandStatus.ESME_RINVCMDLEN, sequence))
    turn.batch.attention.append(attention.FramingFault(link, f"command_length {length}"))


def renumbered(pdu: bytes, sequence: int) -> bytes:
    """Return `pdu` with another sequence_number.

    The command_status of a request becomes 0 (SMPP 3.4, 5.1.3); nothing else is changed.
    """
    is_answer = pdu[_ID_AT] & _RESPONSE_OCTET
    status = pdu[STATUS_AT:SEQUENCE_AT] if is_answer else _NO_STATUS
    return b"".join((pdu[:STATUS_AT], status, SEQUENCE.pack(sequence), pdu[HEADER_OCTETS:]))


def relay_request(
    turn: Turn, asker: Link, target: Link, pdu: bytes, context: object = None
) -> None:
    """Pass a request on with a sequence_number of the target.

    If `context` is octets, it is the message id that the answer must have.
    """
    _, command_id, _, sequence = HEADER.unpack_from(pdu)
    turn.plane.tally.relayed += 1
    if command_id == _ALERT:  # it has no answer to wait for
        turn.batch.write(target, renumbered(pdu, target.next_sequence()))
        return
    own = target.register(asker, sequence, command_id, turn.now, context)
    turn.batch.write(target, renumbered(pdu, own))


def relay_answer(turn: Turn, link: Link, pdu: bytes) -> None:
    """Pass an answer that came on `link` to the link that asked.

    Drop an unexpected one, and a malformed one of the SMSC.
    """
    pdu, is_malformed = _examined(link, pdu)
    _, command_id, status, _ = HEADER.unpack_from(pdu)
    entry, is_late = _take_entry(turn, link, pdu, is_malformed=is_malformed)
    if entry is None:
        return
    asker, asked, _, _, _ = entry
    free_peer(turn, link)
    system_id = requester_of(link, entry)
    context = _note_parts(turn, system_id, pdu, entry[4])
    how, message_id = "late" if is_late else "answered", b""
    if link.side is _SMSC:
        message_id = message_id_of(pdu)
        _heed(turn, link, entry, status)
    moment = (turn.now, turn.at)
    turn.batch.rows.append(outcome(link, entry, (status, message_id), moment, how))
    turn.plane.tally.late += is_late
    is_unasked = isinstance(context, attention.Ask) and bool(status or command_id == _NACK)
    if asker is None or is_unasked:
        # The gateway's own context: even a late answer settles a doubt.
        turn.batch.attention.append(attention.OwnAnswer(link, context, pdu))
    schedule = None if context is None else _schedule_in(context)
    if schedule is not None and not status and command_id != _NACK:
        its_id = schedule.message_id or message_id
        taken = attention.ScheduledAtSmsc(system_id, schedule, its_id, link.smsc)
        turn.batch.attention.append(taken)
    if asker is not None and not is_late:
        accepted, others = split_accepted(_refusals_in(context))
        if accepted and not status and command_id != _NACK:
            kept, failed = (_with_refusals(pdu, r) for r in (others, (*others, *accepted)))
            asker.held += 1
            turn.batch.attention.append(
                attention.AcceptedRefusals(
                    asker,
                    asked,
                    message_id,
                    0,
                    accepted,
                    renumbered(kept, asked),
                    renumbered(failed, asked),
                )
            )
            return
        completed = pdu if context is None else _completed(pdu, context)
        turn.batch.write(asker, renumbered(completed, asked))
        if asker.is_blocked:
            turn.batch.freed.add(asker)


def free_peer(turn: Turn, link: Link) -> None:
    """Let the other side of a link go on if it waits: the room may be of another's request."""
    if link.peer is not None and link.peer.is_blocked:
        turn.batch.freed.add(link.peer)


def _heed(turn: Turn, link: Link, entry: Outstanding, status: int) -> None:
    """Count an answer of the SMSC, and slow down if it gets too much."""
    asker, _, command_id, sent_at, _ = entry
    tally = turn.plane.tally
    tally.answers[status] = tally.answers.get(status, 0) + 1
    if status in TOO_MUCH:
        link.slow_down(status, sent_at, turn.now)
    elif not status and link.allowed < link.window:
        link.hasten(1)
    is_unknown = status == CommandStatus.ESME_RINVDSTADR
    if is_unknown and asker is not None and command_id == CommandId.SUBMIT_SM:
        tally.unknown[asker.system_id] = tally.unknown.get(asker.system_id, 0) + 1


def _examined(link: Link, answer: bytes) -> tuple[bytes, bool]:
    """Return an answer as it may go on, and whether it is a malformed one of the SMSC.

    An error has no body (SMPP 3.4, 4.4.2), so of a malformed one the header is enough.
    """
    if link.side is not _SMSC or not fault_in(answer):
        return answer, False
    _, command_id, status, sequence = HEADER.unpack_from(answer)
    if status:
        return header_only(command_id, status, sequence), False
    return answer, True


def parts_in(context: object) -> tuple[tuple[PartPosition, ...], object]:
    """Return the places that a context tells of, and what else it is."""
    match context:
        case PartContext(places, other):
            return places, other
        case attention.Ask(message=message) if message.care is not None:
            return tuple(p for p in message.care.places if p.joint.total > 1), context
        case _:
            return (), context


def _schedule_in(context: object) -> Schedule | None:
    match context:
        case Schedule():
            return context
        case attention.Ask(message=message) if message.care is not None:
            # A request for consent is itself commercial (R23).
            return message.care.schedule
        case _:
            return None


def _note_parts(turn: Turn, system_id: str, answer: bytes, context: object) -> object:
    """Note the SMSC's id of a part, or that the SMSC rejected it; return what else it has."""
    places, rest = parts_in(context)
    _, command_id, status, _ = HEADER.unpack_from(answer)
    if status or command_id == _NACK:
        for place in places:
            place.joint.doubt(place.number)
    elif places:
        turn.plane.part_ids.note(system_id, message_id_of(answer), places, turn.now)
    return rest


def _take_entry(
    turn: Turn, link: Link, pdu: bytes, *, is_malformed: bool
) -> tuple[Outstanding | None, bool]:
    """Return the request that an answer belongs to, and whether it had already timed out.

    An answer of the wrong type leaves the request outstanding: the right one may come. So does a
    malformed one, unless the gateway writes it anew.
    """
    _, command_id, _, sequence = HEADER.unpack_from(pdu)
    is_late = sequence not in link.outstanding
    table = link.late if is_late else link.outstanding
    entry = table.get(sequence)
    if entry is None or (command_id != _NACK and entry[2] != command_id & ~RESPONSE_BIT):
        turn.plane.tally.stray += 1
        charge_control(turn, link)
        return None, False
    if is_malformed and not _refusals_in(parts_in(entry[4])[1]):
        turn.plane.tally.malformed += 1
        return None, False
    if is_late:
        del table[sequence]
    else:
        link.settle(sequence)
    return entry, is_late


def _completed(pdu: bytes, context: object) -> bytes:
    """Return an answer with what its context adds."""
    refused = _refusals_in(context)
    if refused:
        return _with_refusals(pdu, refused)
    return _with_id(pdu, context) if isinstance(context, bytes) else pdu


def _refusals_in(context: object) -> tuple[UnsuccessSme, ...]:
    """Return the destinations of a submit_multi that the gateway rejected."""
    match context:
        case tuple():
            return context
        case Schedule(refused=refused):
            return refused
        case _:
            return ()


def _with_id(pdu: bytes, message_id: bytes) -> bytes:
    """Put our id into the answer to a request that we sent with the SMSC's id."""
    answer = decode(pdu)  # a malformed one is dropped
    if "message_id" not in answer.fields:
        return pdu
    return encode(replace(answer, fields={**answer.fields, "message_id": message_id}))


def _with_refusals(pdu: bytes, refused: tuple[UnsuccessSme, ...]) -> bytes:
    """Add the destinations that the gateway rejected to a submit_multi_resp that succeeded.

    An answer that has no list, or cannot be read, gets one: the SP must be told.
    """
    _, command_id, status, sequence = HEADER.unpack_from(pdu)
    if status or command_id != CommandId.SUBMIT_MULTI_RESP:
        return pdu
    try:
        answer = decode(pdu)
    except DecodeError:
        answer = Pdu(command_id, status, sequence, {})
    before = answer.fields.get("unsuccess_sme", ())
    listed = before if isinstance(before, tuple) else ()
    theirs = [sme for sme in listed if isinstance(sme, UnsuccessSme)]
    fields: dict[str, FieldValue] = {
        "message_id": message_id_of(pdu),
        "unsuccess_sme": (*theirs[: _MAX_REFUSALS - len(refused)], *refused),
    }
    return encode(replace(answer, fields=fields))


def message_id_of(answer: bytes) -> bytes:
    """Return the message_id at the start of an answer's body, at most MAX_ID_OCTETS long."""
    return answer[HEADER_OCTETS:].partition(b"\0")[0][:MAX_ID_OCTETS]


def look_ahead(turn: Turn, link: Link, act: Callable[[Turn, Link, Ruling, bytes], None]) -> None:
    """Let `act` deal with what may overtake the requests that wait in a blocked link.

    Answers and enquire_links must not wait for a window. Octets already examined are not examined
    again.
    """
    data, at = link.tail, link.looked
    kept = [data[:at]]
    while len(data) - at >= HEADER_OCTETS:
        length, command_id, _, _ = HEADER.unpack_from(data, at)
        if not HEADER_OCTETS <= length <= turn.plane.pdu_octets or len(data) - at < length:
            break
        pdu = data[at : at + length]
        what = ruling(link.side, link.state, command_id)
        if what in _OVERTAKING:
            act(turn, link, what, pdu)
        else:
            kept.append(pdu)
        at += length
    link.looked = sum(map(len, kept))
    link.tail = b"".join((*kept, data[at:]))
