"""What SMSCs send: answers mapped back to who asked, deliveries passed to their SP and recorded.

Receipts are as frequent as messages. Those in the usual words are read in 1 us, others with
the reader of gateway.smpp in 15. Nothing raises: what cannot be read is on record as that.
"""

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

from gateway.dataplane import attention
from gateway.dataplane.link import Link
from gateway.dataplane.plane import Turn, own_answer
from gateway.dataplane.relay import (
    MAX_ID_OCTETS,
    SEQUENCE,
    SEQUENCE_AT,
    TOO_MUCH,
    control,
    keep_rest,
    look_ahead,
    relay_answer,
    relay_request,
)
from gateway.domain.msisdn import is_mobile, msisdn_of, with_plus
from gateway.domain.records import About, DeliveryNames, DeliveryRow, Text, Told
from gateway.domain.sender import foreign_number
from gateway.session.operations import Ruling, Side, ruling
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.pdu import BARE_ABROAD, DELIVER_SM, HEADER, HEADER_OCTETS, Pdu, decode, fault_in
from gateway.smpp.receipt import Receipt, read_receipt
from gateway.smpp.status import CommandStatus, DecodeError
from gateway.smpp.udh import split_udh

_DELIVER_SM = int(CommandId.DELIVER_SM)
_UDHI, _MESSAGE_TYPE = 0x40, 0x3C  # of esm_class (SMPP 3.4, 5.2.12)
_MAX_WORD = 20  # of what a receipt says; stat has 7 letters, a date 10 or 12 digits

# A deliver_sm that is a receipt and nothing else, as gateway.smpp.framing has submit_sm. The
# last group ends before the x of "text:": what stands behind it is another's message.
_RECEIPT = re.compile(
    rb"[^\0]{0,5}\0%b..([^\0]{0,20})\0..([^\0]{0,20})\0\x04..\0[^\0]{0,16}\0....(.)"
    rb"id:([0-9A-Za-z-]{1,64}) ([^x\0]{0,120})" % BARE_ABROAD,
    re.DOTALL,
)
_WORDS = re.compile(
    r"(?:sub:\d{1,3} )?(?:dlvrd:\d{1,3} )?submit date:(\d{6,14}) done date:(\d{6,14})"
    r" stat:([A-Z]{7}) err:([0-9A-Za-z]{1,10})(?: (?:[Tt]e)?)?",
    re.ASCII,
)

# TLVs behind a receipt in the usual forms: short ones, and one receipted_message_id among them.
_SHORT_TLVS = rb"(?:(?!\0\x1e)..\0(?:%b))*" % b"|".join(
    rb"\x%02x.{%d}" % (length, length) for length in range(17)
)
_TLVS = re.compile(rb"%b(?:\0\x1e\0(.)([^\0]{0,64})\0%b)?" % (_SHORT_TLVS, _SHORT_TLVS), re.DOTALL)

REPLY: Told = ("reply", "", "", "", "")
ALERT: Told = ("alert", "", "", "", "")
UNREAD: Told = ("unread", "", "", "", "")
_TYPES: dict[int, Told] = {
    0x00: REPLY,
    0x08: ("acknowledgement", "", "", "", ""),  # by the phone (SMPP 3.4, 5.2.12)
    0x10: ("acknowledgement", "", "", "", ""),  # and by its owner
}
_OTHER: Told = ("other", "", "", "", "")
RECEIPTS = frozenset({"receipt", "notification"})

# source, destination, the message_id that a receipt is about, what it is, its text.
_Read = tuple[bytes, bytes, bytes, Told, Text | None]


def delivery(
    about: About, sequence: int, pdu: bytes, at: float, *, keeps_texts: bool
) -> DeliveryRow:
    """Return the row of what is delivered to an SP, or is to be.

    The words of a subscriber to a port are kept where texts are (N136, R70), those of one
    person to another never, nor what a receipt quotes.
    """
    match = _RECEIPT.match(pdu, HEADER_OCTETS) if about[2] == _DELIVER_SM else None
    if match is not None:
        source, destination, sm_length, message_id, words = match.groups()
        told = _told(words)
        end = match.end(3) + sm_length[0]
        is_whole = match.end() <= end <= len(pdu)
        if told is not None and is_whole and _names_one_id(pdu, end, message_id):
            return ("m", at, about, sequence, source, destination, message_id, told, None)
    read = (_reply(pdu) if about[2] == _DELIVER_SM else None) or read_carefully(pdu)
    source, destination, message_id, told, text = read
    if text is not None and (not keeps_texts or not text[1] or is_mobile(destination)):
        text = None
    return ("m", at, about, sequence, source, destination, message_id, told, text)


def _names_one_id(pdu: bytes, end: int, message_id: bytes) -> bool:
    """Tell whether what is behind `end` are whole TLVs and none names another id."""
    if end == len(pdu):
        return True
    tlvs = _TLVS.fullmatch(pdu, end)
    if tlvs is None:
        return False
    length, named = tlvs.groups()
    return named is None or (named == message_id and length[0] == len(named) + 1)


def _reply(pdu: bytes) -> _Read | None:
    match = DELIVER_SM.match(pdu, HEADER_OCTETS)
    if match is None:
        return None
    source, destination, esm_class, _, _, coding, sm_length = match.groups()
    text_at = match.end()
    if esm_class != b"\0" or text_at + sm_length[0] != len(pdu):
        return None
    return source, destination, b"", REPLY, (coding[0], pdu[text_at:])


@lru_cache(maxsize=1024)
def _told(words: bytes) -> Told | None:
    """Return what a receipt says behind its id; None for any but the usual words.

    Thousands of receipts of a minute say the same.
    """
    match = _WORDS.fullmatch(words.decode("latin-1"))
    if match is None:
        return None
    submitted, done, stat, err = match.groups()
    return "receipt", stat, err, submitted, done


def read_carefully(pdu: bytes) -> _Read:
    """Return source, destination, the message_id it is about, what it is, and its text."""
    try:
        return _read(decode(pdu))
    except DecodeError:
        match = DELIVER_SM.match(pdu, HEADER_OCTETS)
        addresses = (match[1], match[2]) if match is not None else (b"", b"")
        return *addresses, b"", UNREAD, None


def _read(pdu: Pdu) -> _Read:
    """Read any delivery. Raises DecodeError."""
    source = with_plus(pdu.octets("source_addr"), pdu.number("source_addr_ton"))
    if pdu.command_id == CommandId.ALERT_NOTIFICATION:
        return source, pdu.octets("esme_addr"), b"", ALERT, None
    destination = pdu.octets("destination_addr")
    receipt = read_receipt(pdu)
    if receipt is not None:
        message_id = receipt.message_id.encode("latin-1", "replace")[:MAX_ID_OCTETS]
        return source, destination, message_id, _told_by(receipt), None
    told = _TYPES.get(pdu.number("esm_class") & _MESSAGE_TYPE, _OTHER)
    return source, destination, b"", told, (pdu.number("data_coding"), _text_of(pdu))


def _told_by(receipt: Receipt) -> Told:
    what = "notification" if receipt.is_intermediate else "receipt"
    words = (receipt.stat, receipt.err, receipt.submit_date, receipt.done_date)
    stat, err, submitted, done = (word[:_MAX_WORD] for word in words)
    return what, stat, err, submitted, done


def _text_of(pdu: Pdu) -> bytes:
    octets = pdu.text_octets
    if octets and pdu.number("esm_class") & _UDHI:
        try:
            return split_udh(octets)[1]
        except DecodeError:
            return octets  # there is no header: it is evidence as it came
    return octets


# A look-up on an enumeration is Python code in 3.11: 0.05 us, several times for each receipt.
_SMSC, _RELAY, _BIND_RESP, _IGNORE = Side.SMSC, Ruling.RELAY, Ruling.BIND_RESP, Ruling.IGNORE
_SUBMIT_SM = int(CommandId.SUBMIT_SM)
_SUBMIT_SM_RESP = int(CommandId.SUBMIT_SM_RESP)
_RINVDSTADR = int(CommandStatus.ESME_RINVDSTADR)
_RX_T_APPN = int(CommandStatus.ESME_RX_T_APPN)
_MAX_PLAIN = HEADER_OCTETS + MAX_ID_OCTETS + 1  # of a submit_sm_resp without TLVs
_WITH_TEXT = frozenset({_DELIVER_SM, int(CommandId.DATA_SM)})


def resp(turn: Turn, chunks: Iterable[tuple[Link, bytes]]) -> None:
    """Take octets of many SMSC links; leave what to write and attend to in the turn's batch."""
    for link, octets in chunks:
        _walk(turn, link, octets)


def _walk(  # noqa: C901, PLR0912, PLR0915 - one loop: a call per answer costs as much again
    turn: Turn, link: Link, octets: bytes
) -> None:
    """Frame what an SMSC has sent; runs of answers to one session stay one piece."""
    data = link.tail + octets if link.tail else octets
    find = data.find
    link.is_blocked = False
    batch, now, at_epoch = turn.batch, turn.now, turn.at
    outstanding, rows, answers = link.outstanding, batch.rows, turn.plane.tally.answers
    latencies, strangers = turn.plane.tally.latency_us, turn.plane.tally.unknown
    limit, unpack = turn.plane.pdu_octets, HEADER.unpack_from
    reads_answers = link.state.can_submit
    buffer: bytearray | None = None
    asker: Link | None = None
    owner: Link | None = None
    about = (0, link.system_id, _SUBMIT_SM)
    run_start = run_end = waited_us = accepted = latency_us = magnitude = 0
    began = now  # when the request went that the last answer was to
    at, end = 0, len(data)
    while end - at >= HEADER_OCTETS:
        length, command_id, status, sequence = unpack(data, at)
        stop = at + length
        if not HEADER_OCTETS <= length <= limit or stop > end:
            break
        entry = outstanding.get(sequence) if command_id == _SUBMIT_SM_RESP else None
        if entry is not None and reads_answers:
            session, asked, operation, sent_at, context = entry
            # One with a context has more to it than to be passed on.
            if (
                context is None
                and session is not None
                and operation == _SUBMIT_SM
                and (
                    (
                        (nul := find(0, at + HEADER_OCTETS, stop)) == stop - 1
                        and length <= _MAX_PLAIN
                    )
                    or length == HEADER_OCTETS
                    or not fault_in(data[at:stop])
                )
            ):
                # relay_answer, unfolded: this is the one path that every answer takes.
                del outstanding[sequence]
                session.under_way -= 1
                if session.detours and link in session.detours:
                    session.detours[link] -= 1
                if status:
                    answers[status] = answers.get(status, 0) + 1
                    if status == _RINVDSTADR:
                        strangers[session.system_id] = strangers.get(session.system_id, 0) + 1
                    elif status in TOO_MUCH:
                        link.slow_down(status, sent_at, now)
                else:
                    accepted += 1
                if sent_at != began:  # most answers of a read are to requests of one turn
                    began, latency_us = sent_at, int((now - sent_at) * 1e6)
                    magnitude = latency_us.bit_length()
                latencies[magnitude] += 1
                waited_us += latency_us
                if session is not owner:
                    owner, about = session, (session.number, session.system_id, _SUBMIT_SM)
                message_id = data[at + HEADER_OCTETS : nul] if nul > 0 else b""
                rows.append(
                    ("o", at_epoch, about, asked, status, message_id, latency_us, "answered")
                )
                if buffer is None:
                    buffer = bytearray(data)
                SEQUENCE.pack_into(buffer, at + SEQUENCE_AT, asked)
                if at != run_end or session is not asker:
                    if asker is not None and run_end > run_start:
                        _answer(turn, asker, buffer[run_start:run_end])
                    run_start, asker = at, session
                at = run_end = stop
                continue
        what = ruling(_SMSC, link.state, command_id)
        if what is _BIND_RESP and sequence != link.sequence:
            what = _IGNORE  # it answers nothing that we asked: our bind was the last
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
    if accepted:
        answers[0] = answers.get(0, 0) + accepted
        if link.allowed < link.window:
            link.hasten(accepted)
    keep_rest(turn, link, data, at)
    if run_end:
        link.clocks.last_traffic_at = now
    if link.is_blocked:
        look_ahead(turn, link, _act)
    if link.waiting:
        batch.free_sharers(link)
    turn.note_ids(link.smsc)


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


def _deliver(turn: Turn, link: Link, pdu: bytes, header: tuple[int, int, int, int]) -> None:
    _, command_id, _, sequence = header
    plane = turn.plane
    if plane.is_overloaded and command_id in _WITH_TEXT:
        # The SMSC has it on record and keeps it: nothing is passed that can not be written.
        turn.batch.refuse(link, command_id | RESPONSE_BIT, _RX_T_APPN, sequence)
        return
    about = (link.number, link.system_id, command_id)
    row = delivery(about, sequence, pdu, turn.at, keeps_texts=plane.keeps_texts)
    session, system_id = link.peer, link.system_id
    if link.is_shared:
        system_id = _owner_of(turn, link, row)
        session = plane.session_of(system_id)
        row = (*row[:2], (link.number, system_id, command_id), *row[3:])
    turn.batch.rows.append(row)
    if row[7] is UNREAD:
        _turn_back(turn, link, pdu)
        return
    has_text = command_id in _WITH_TEXT
    if has_text and row[5] in plane.complaint_codes and row[7][0] not in RECEIPTS:
        link.clocks.last_traffic_at = turn.now
        turn.batch.attention.append(
            attention.SubscriberMessage(link, pdu, system_id, is_withheld=True, is_complaint=True)
        )
        return
    # What persons of two networks write to each other is theirs, and receipts cost nothing more.
    is_theirs = system_id in plane.rules.port_owners.peers and (
        row[7][0] in RECEIPTS or is_mobile(row[5])
    )
    is_heard = has_text and plane.rules.replies is not None and not is_theirs
    # The gateway itself answers the SMSC. No receipt is heard, and one may need our id.
    is_unattended = link.is_shared and session is None and row[7][0] not in RECEIPTS
    if is_heard and (is_unattended or plane.withholds(pdu, system_id)):
        link.clocks.last_traffic_at = turn.now
        message = attention.SubscriberMessage(link, pdu, system_id, is_withheld=True)
        turn.batch.attention.append(message)
        return
    if command_id == _DELIVER_SM and system_id in plane.watched:
        turn.batch.attention.append(attention.ReleaseReceipt(link, pdu, system_id))
    else:
        deliver(turn, link, session, pdu, system_id, row[4:8])
    if is_heard:
        turn.batch.attention.append(attention.SubscriberMessage(link, pdu, system_id))


def _owner_of(turn: Turn, link: Link, row: DeliveryRow) -> str:
    """Return the SP that a delivery on a shared link is for; "" if it is not known.

    A receipt for a port that several share is for the SP with the message, all else for who wrote
    last to that subscriber. A number of no SP is another network's, if one has written from it.
    """
    plane = turn.plane
    address = row[5].decode("latin-1")
    port, of_port = plane.rules.port_owners.port_of(address)
    owners: Collection[str] = of_port or plane.rules.port_owners.peers
    if len(of_port) == 1 or not owners:
        return of_port[0] if of_port else ""
    if row[7][0] not in RECEIPTS:
        last = plane.writers.last(port or foreign_number(address), msisdn_of(row[4]))
        return last if last in owners else "".join(of_port[:1])
    turn.note_ids(link.smsc)  # the answer with its id may have come just before
    owner = plane.ids.owner_of(link.smsc, row[6]) if plane.ids is not None else ""
    if owner in owners:
        return owner
    plane.tally.receipts_unowned += 1
    return ""


def _turn_back(turn: Turn, link: Link, pdu: bytes) -> None:
    """Answer a malformed delivery with the status of its field; an alert has no answer."""
    _, command_id, _, sequence = HEADER.unpack_from(pdu)
    status = 0
    turn.plane.tally.malformed += 1
    if command_id != CommandId.ALERT_NOTIFICATION:
        status = int(fault_in(pdu))
        turn.batch.refuse(link, command_id | RESPONSE_BIT, status, sequence)
    turn.batch.rows.append(own_answer(link, pdu, status, turn.at, "malformed"))


def deliver(
    turn: Turn,
    link: Link,
    session: Link | None,
    pdu: bytes,
    system_id: str,
    names: DeliveryNames | None = None,
) -> None:
    """Pass a delivery to the SP of `system_id`; if none can take it, the SMSC shall try again.

    The SMSC hears ESME_ROK only when the SP said so. On a shared link it is kept for the SP, and
    on any behind what is kept from that subscriber. `names` is what was read of it, if it was.
    """
    _, command_id, _, sequence = HEADER.unpack_from(pdu)
    plane, has_text = turn.plane, command_id in _WITH_TEXT
    waits = (
        has_text
        and system_id in plane.backlogged
        and plane.overtakes(system_id, names or read_carefully(pdu)[:4])
    )
    if session is not None and session.state.can_deliver and not waits:
        relay_request(turn, link, session, pdu)
        link.clocks.last_traffic_at = session.clocks.last_traffic_at = turn.now
        return
    if waits or (link.is_shared and system_id and has_text):
        turn.batch.attention.append(attention.UndeliverableMessage(link, pdu, system_id))
        return
    status = 0
    if command_id != CommandId.ALERT_NOTIFICATION:
        status = _RX_T_APPN
        turn.batch.refuse(link, command_id | RESPONSE_BIT, status, sequence)
    turn.batch.rows.append(own_answer(link, pdu, status, turn.at, "nobody", system_id))
