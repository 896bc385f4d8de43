"""Turn a request that needs care (parts, TLVs, many destinations) into a message to judge."""

import re
from datetime import UTC, datetime
from functools import lru_cache

from gateway.dataplane import attention
from gateway.dataplane.carriers import Carrier, is_unreadable, read_carrier
from gateway.dataplane.link import Link
from gateway.dataplane.part_table import CONFLICT, PartTable
from gateway.dataplane.parts import REACH_OCTETS, Joint, Owner, Part, part_of, subscriber_of
from gateway.dataplane.plane import Plane, Turn, decision, found
from gateway.dataplane.submit_request import (
    Addressee,
    Care,
    PartPosition,
    Schedule,
    SubmitRequest,
    narrow,
)
from gateway.domain.msisdn import msisdn_from, with_plus
from gateway.domain.policy import LongMessages
from gateway.domain.verdict import Action, Finding, Reason
from gateway.policy.submission import Account, DeliveryTimes, Submission
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.fields import Destination, DistributionList, SmeAddress, moment_of
from gateway.smpp.pdu import HEADER, HEADER_OCTETS, decode
from gateway.smpp.status import CommandStatus, DecodeError
from gateway.smpp.text import readings
from gateway.smpp.udh import Concat

_AWAITED = Finding("PARTS", Reason.PARTS_AWAITED, Action.DEFER, "the other parts have not come yet")
_TOO_FAST = Finding("R44", Reason.RATE, Action.THROTTLE, "over the sender's rate and burst")
_LISTS = Finding(
    "LISTS", Reason.LIST_DESTINATION, Action.REJECT, "a distribution list hides its subscribers"
)

_LISTED = frozenset(map(int, (CommandId.SUBMIT_MULTI, CommandId.CANCEL_SM)))
# Source, type and octets of the destination, in a submit_sm and in a data_sm.
_ADDRESSES = re.compile(rb"[^\0]{0,5}\0..([^\0]{0,64})\0(.).([^\0]{0,64})\0", re.DOTALL)

# One token of the sender's rate pays for this many characters, in all readings of a text together.
# Judging takes about 1 us per character, so a rate of 100/s takes a tenth of a core at most.
CHARACTERS_PER_TOKEN = 1_000
# A text longer than a short_message is read before it is judged, to know what it costs.
_LONG_OCTETS = 255
# A text with more characters, in all readings and orders together, is held for a person, even if
# the policy forwards unreadable texts. UCS-2 and ASCII that fill a PDU have fewer; UTF-8 under a
# binary data_coding has as many from 17 kB on, ten times what handsets show as one message.
MAX_CHARACTERS = 200_000
_TOO_MANY_WAYS = Finding(
    "CONTENT",
    Reason.CONTENT_UNREADABLE,
    Action.QUARANTINE,
    "it may be read in too many ways to look at all",
)
# An honest part is read with nine others, in a few readings: it has paid for that with its token.
_JOINED_TOKENS = 8


def is_gateway_id(message_id: bytes) -> bool:
    """Tell whether an id has the form of the gateway's own (gateway.systems.quarantine.model)."""
    return len(message_id) == 19 and message_id.startswith(b"8") and message_id.isdigit()


def way_of(plane: Plane, session: Link, pdu: bytes) -> Link | None:
    """Return the link that a request goes on: that of its session, if no route says otherwise.

    Return None if it does not stand now.
    """
    peer = session.peer
    group = route_of(plane, pdu) if peer is not None and peer.is_shared else ""
    return plane.way_to(session, group) if group else peer


def link_about(plane: Plane, session: Link, message_id: bytes) -> Link | None:
    """Return the link to ask about a message of an SMSC: at the SMSC that took it, if known.

    Return None if it is another SP's, or no such link has room now.
    """
    peer = session.peer
    if plane.ids is None or peer is None:
        return peer
    smscs = plane.ids.smscs_of(session.system_id, message_id)
    if peer.smsc in smscs:
        return peer
    if not smscs:
        is_anothers = peer.is_shared and plane.ids.is_anothers(
            session.system_id, peer.smsc, message_id
        )
        return None if is_anothers else peer
    links = (plane.bind_at(session.system_id, smsc) for smsc in smscs)
    ready = (one for one in links if one is not None and one.room_for(session.system_id) > 0)
    return next(ready, None)


def route_of(plane: Plane, pdu: bytes) -> str:
    """Return the group of SMSCs that a route by prefix names for a request, "" without one.

    A submit_multi goes by a destination if all of its destinations do.
    """
    if plane.routes is None:
        return ""
    groups = {plane.routes.group_of(*numbers) for numbers in addresses_of(pdu)}
    return groups.pop() if len(groups) == 1 else ""


def addresses_of(pdu: bytes) -> list[tuple[bytes, bytes]]:
    """Return source and destination of each message of a request, none if they cannot be read."""
    command_id = HEADER.unpack_from(pdu)[1]
    if command_id not in _LISTED:
        match = _ADDRESSES.match(pdu, HEADER_OCTETS)
        found = [] if match is None else [(match[1], match[2][0], match[3])]
    else:
        try:
            request = decode(pdu)
        except DecodeError:
            return []
        source, listed = request.octets("source_addr"), request.fields.get("dest_address")
        if not isinstance(listed, tuple):  # a cancel_sm
            to = SmeAddress(request.number("dest_addr_ton"), 0, request.octets("destination_addr"))
            listed = (to,)
        found = [(source, d.ton, d.address) for d in listed if isinstance(d, SmeAddress)]
    numbers = ((source, to, msisdn_from(to, ton)) for source, ton, to in found)
    return [(source, to if number is None else b"%d" % number) for source, to, number in numbers]


def carry(
    turn: Turn, session: Link, account: Account, pdu: bytes, place: tuple[int, int]
) -> SubmitRequest | None:
    """Read a request, judge its addresses, and return the message; its text is judged later.

    Return None if there is nothing left to do: a malformed field was answered with the status
    of that field, or a replace_sm is about a message in quarantine.
    """
    _, command_id, _, sequence = HEADER.unpack_from(pdu)
    try:
        carrier = read_carrier(pdu)
    except DecodeError as error:
        _refuse_malformed(turn, session, (command_id, sequence), error)
        return None
    link = session.peer
    if command_id == CommandId.REPLACE_SM:
        message_id = carrier.pdu.octets("message_id")
        if is_gateway_id(message_id):
            session.held += 1
            turn.batch.attention.append(attention.Operation(session, pdu))
            return None
        link = link_about(turn.plane, session, message_id)
        if link is None:
            status = CommandStatus.ESME_RREPLACEFAIL
            turn.batch.refuse(session, CommandId.REPLACE_SM_RESP, status, sequence)
            return None
    text = (carrier.data_coding, carrier.octets, carrier.registered)
    addresses = (carrier.source, carrier.destination)
    message = SubmitRequest(session, account, (command_id, sequence, *place), addresses, text)
    if link is not None and link is not session.peer:
        turn.detours[message] = link
    care = message.care = Care()
    is_long = carrier.octets_to_read >= _LONG_OCTETS
    if is_long and not account.bucket.has_one(turn.now):
        _stop(turn, message, _TOO_FAST)  # not read: reading it is the cost
        return message
    if is_long or not carrier.is_simple:
        _read(message, care, carrier)
    message.timing = _timing(carrier, turn.at)
    care.schedule = schedule_of(carrier, message.timing, turn.at)
    own, alone = care.characters(), care.readings
    care.is_oversized = own > MAX_CHARACTERS
    _judge_addresses(turn, message, care, carrier)
    care.weight = own if care.readings is alone else care.characters()
    free = 1 if care.weight == own else _JOINED_TOKENS
    account.bucket.charge(max(0, care.weight // CHARACTERS_PER_TOKEN - free))
    return message


def _judge_addresses(turn: Turn, message: SubmitRequest, care: Care, carrier: Carrier) -> None:
    """Judge the addresses of a message, and put a part beside the other parts."""
    if message.command_id == CommandId.REPLACE_SM:
        turn.plane.rules.judge_replacement(message, turn.now)
        message.units = 0  # the message that it changes was counted
        if message.verdict is None and care.is_oversized:
            _stop(turn, message, _TOO_MANY_WAYS)
        elif message.verdict is None:
            replace_part(turn, message, care, carrier)
    elif message.command_id == CommandId.SUBMIT_MULTI:
        _address_each(turn, message, care, carrier)
    else:
        _judge_addressed(turn, message, care, carrier)
        if carrier.concats and message.verdict is None:
            _await_others(turn, message, care)


def _read(message: SubmitRequest, care: Care, carrier: Carrier) -> None:
    """Note every reading of a text if data_coding and octets do not say enough."""
    texts = carrier.texts()
    care.readings = tuple(dict.fromkeys(text for piece in texts for text in piece))
    care.rivals = carrier.rivals(texts)
    care.is_unreadable = is_unreadable(texts)
    if carrier.concats and message.command_id != CommandId.REPLACE_SM:
        care.part = carrier.as_part(texts).cut(REACH_OCTETS)


@lru_cache(maxsize=1024)  # 4 us; the messages of a tick share their moment, and mostly their times
def timing_of(schedule: bytes, validity: bytes, at: float) -> DeliveryTimes:
    """Return what the two times of a request mean; a validity that cannot be read is ignored."""
    now = datetime.fromtimestamp(at, UTC)
    scheduled = moment_of(schedule, now)
    valid = moment_of(validity, scheduled or now)
    return DeliveryTimes(
        scheduled.timestamp() if scheduled is not None else None,
        valid.timestamp() if valid is not None else None,
        is_unclear=bool(schedule) and scheduled is None,
    )


def _timing(carrier: Carrier, at: float) -> DeliveryTimes | None:
    names = ("schedule_delivery_time", "validity_period")
    fields = carrier.pdu.fields
    schedule, validity = (carrier.pdu.octets(n) if n in fields else b"" for n in names)
    return timing_of(schedule, validity, at) if schedule or validity else None


def schedule_of(carrier: Carrier, timing: DeliveryTimes | None, at: float) -> Schedule | None:
    """Return when and where a request is to be delivered; None if it goes at once."""
    if timing is None or timing.scheduled_at is None or timing.scheduled_at <= at:
        return None
    pdu, scheduled_at = carrier.pdu, timing.scheduled_at
    source = SmeAddress(
        pdu.number("source_addr_ton"), pdu.number("source_addr_npi"), carrier.source
    )
    if pdu.command_id == CommandId.REPLACE_SM:
        return Schedule(scheduled_at, source, (), message_id=pdu.octets("message_id"))
    listed = tuple(each for each in carrier.destinations if isinstance(each, SmeAddress))
    if not listed:
        ton, npi = pdu.number("dest_addr_ton"), pdu.number("dest_addr_npi")
        listed = (SmeAddress(ton, npi, pdu.octets("destination_addr")),)
    return Schedule(scheduled_at, source, listed)


def _refuse_malformed(
    turn: Turn, session: Link, request: tuple[int, int], error: DecodeError
) -> None:
    command_id, sequence = request
    turn.plane.tally.malformed += 1
    turn.plane.tally.verdict(Action.REJECT.value, Reason.MALFORMED.value)
    turn.plane.tally.sender(session.system_id, Action.REJECT.value)
    turn.batch.refuse(session, command_id | RESPONSE_BIT, error.status, sequence)
    finding = Finding("MALFORMED", Reason.MALFORMED, Action.REJECT, error.field)
    why = found(turn.plane.rules.digest, Action.REJECT.value, finding, error.status.name)
    turn.batch.rows.append(decision(turn.at, session, request, (b"", b""), why))


def _judge_addressed(turn: Turn, one: Submission, care: Care, carrier: Carrier) -> None:
    """Judge the addresses of one message to one subscriber; read a part with its neighbours.

    A part that is not admitted leaves no trace: it was neither paid nor passed on. Its
    neighbours are charged and judged as if it had not been there.
    """
    owner = (one.account.system_id, one.source, subscriber_of(one.destination))
    parts, now = turn.plane.parts, turn.now
    if carrier.concats:
        one.units = max(parts.units_of(owner, concat, now) for concat in carrier.concats)
    turn.plane.rules.judge_address(one, now)
    for concat in carrier.concats:
        if one.verdict is None and care.part is not None:
            _join(turn, one, care, care.part, (owner, concat))
    if one.verdict is None and carrier.concats and len(carrier.pieces) > 1:
        # It is unknown which of its texts the phone gets, and so what it puts together.
        _stop(turn, one, CONFLICT)
    elif one.verdict is None and care.is_oversized:
        _stop(turn, one, _TOO_MANY_WAYS)


def _join(turn: Turn, one: Submission, care: Care, part: Part, place: tuple[Owner, Concat]) -> None:
    """Read a part together with the parts seen before.

    If a part goes to many subscribers and each has other parts, each combination is read until
    the total exceeds MAX_CHARACTERS; the part is then stopped.
    """
    if care.joined_characters > MAX_CHARACTERS:
        _stop(turn, one, _TOO_MANY_WAYS)
        return
    owner, concat = place
    added = turn.plane.parts.add(owner, concat, part, turn.now)
    joint, known = added.joint, len(care.joined)
    joined = joint.texts(concat.number, part, care.joined)
    if len(care.joined) > known:
        care.joined_characters += sum(map(len, joined))
    care.readings = tuple(dict.fromkeys((*joined, *(care.readings or ()))))
    if added.is_conflict:
        joint.stopped = joint.stopped or CONFLICT
    if joint.stopped is not None:
        _stop(turn, one, joint.stopped)
    else:
        care.places += (PartPosition(joint, concat.number, added.is_new, joint.is_whole),)


def _await_others(turn: Turn, message: SubmitRequest, care: Care) -> None:
    """Defer a part until the others have come, if long messages go on whole or not at all.

    A part of a submit_multi is not deferred: each of its subscribers has other parts.
    """
    content = turn.plane.rules.bundle.content
    if content.long_messages is LongMessages.PROGRESSIVE or care.places[0].joint.total == 1:
        return
    if len(care.places) > 1:
        # It is unknown which long message it is a part of.
        _stop(turn, message, CONFLICT)
        return
    message.findings += (_AWAITED,)
    due = turn.at + content.parts_ttl_s
    message.verdict = turn.plane.rules.verdict(message, _AWAITED, due)


def _stop(turn: Turn, one: Submission, finding: Finding) -> None:
    one.findings += (finding,)
    one.verdict = turn.plane.rules.verdict(one, finding)


def _address_each(turn: Turn, message: SubmitRequest, care: Care, carrier: Carrier) -> None:
    """Judge the addresses of a submit_multi one by one; its text is judged for those that pass."""
    care.request = carrier.pdu
    care.addressees = tuple(
        _addressee(turn, message, destination, care, carrier)
        for destination in carrier.destinations
    )
    if all(each.message.verdict is not None for each in care.addressees):
        narrow(message, care)


def _addressee(
    turn: Turn, message: SubmitRequest, destination: Destination, care: Care, carrier: Carrier
) -> Addressee:
    if isinstance(destination, DistributionList):
        one = Submission(message.account, message.source, destination.name)
        _stop(turn, one, _LISTS)
        return Addressee(destination, one)
    address = with_plus(destination.address, destination.ton)
    one = Submission(message.account, message.source, address)
    one.timing = message.timing
    readings, places = care.readings, care.places
    care.places = ()
    _judge_addressed(turn, one, care, carrier)
    addressee = Addressee(destination, one, care.places)
    if one.verdict is None:
        care.places += places
    else:
        # The earlier parts of this subscriber do not concern the others.
        care.readings, care.places = readings, places
    return addressee


def may_be_part(plane: Plane, system_id: str, carrier: Carrier, now: float) -> bool:
    """Tell whether a replace_sm changes a part, or makes a part of the message it changes."""
    message_id = carrier.pdu.octets("message_id")
    is_claimed = any(claim.total > 1 for claim in carrier.concats)
    return is_claimed or plane.part_ids.is_part(system_id, message_id, now)


def replace_part(turn: Turn, message: SubmitRequest, care: Care, carrier: Carrier) -> None:
    """Put the new text of a part beside its neighbours.

    It is marked as unplaced if too little is known to read it there: its id is unknown and it
    looks like a part, it claims another place than the old text, or the part was replaced before.
    """
    plane, system_id = turn.plane, message.account.system_id
    if not may_be_part(plane, system_id, carrier, turn.now):
        return
    place = plane.part_ids.place_of(system_id, carrier.pdu.octets("message_id"))
    which = _text_of(carrier)
    care.is_unplaced = True
    if place is None or which is None:
        return
    key, number = place
    if any((c.reference, c.total, c.number) != (*key[1:], number) for c in carrier.concats):
        return
    joint = plane.parts.find(key, turn.now)
    if not _is_replaceable(plane.parts, joint, number, turn.now):
        return
    part = _new_part(joint.parts[number], carrier, which)
    if part is None:
        return
    care.is_unplaced = False
    care.readings = tuple(dict.fromkeys((*joint.texts(number, part), *(care.readings or ()))))
    plane.parts.exchange(joint, number, part, turn.now)
    care.exchanged = joint, number


def _is_replaceable(parts: PartTable, joint: Joint, number: int, now: float) -> bool:
    """Tell whether all texts that a phone may have are known, and the part was not replaced yet."""
    is_known = number in joint.parts and number not in joint.former
    return is_known and joint.stopped is None and not parts.late.has_forgotten(joint.key, now)


def _new_part(before: Part, carrier: Carrier, which: int) -> Part | None:
    """Return the new text in the place of `before`; None if their language tables differ.

    A text without its own header may stand behind the header of the old one.
    """
    piece = carrier.pieces[which]
    octets, shift = piece.octets, piece.shift
    if shift != before.shift:
        return None
    bits = piece.fill_bits if carrier.concats else before.fill_bits
    coding = before.data_coding
    best = readings(octets, coding, fill_bits=bits, shift=shift)[0]
    return part_of(coding, octets, best, fill_bits=bits, shift=shift)


def _text_of(carrier: Carrier) -> int | None:
    """Return the index of the piece that is the text of the new part; None if it is unclear.

    If it claims to be a part, its text stands behind its header.
    """
    if not carrier.concats:
        return 0 if len(carrier.pieces) == 1 else None
    return 1 if len(carrier.pieces) == 2 else None
