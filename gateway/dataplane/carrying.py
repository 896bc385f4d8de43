"""From a request that needs care (parts, TLVs, many destinations) to a message to judge."""

from dataclasses import replace

from gateway.dataplane import attention
from gateway.dataplane.carried import Care, Carried
from gateway.dataplane.carriers import Carrier, read_carrier
from gateway.dataplane.link import Link
from gateway.dataplane.parts import Owner, Part, part_of
from gateway.dataplane.rows import decision, found
from gateway.dataplane.turn import Turn
from gateway.domain.msisdn import msisdn_of
from gateway.domain.verdict import Action, Finding, Reason
from gateway.policy.account import Account
from gateway.policy.submission import Submission
from gateway.smpp.addresses import DistributionList, UnsuccessSme
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.errors import DecodeError
from gateway.smpp.framing import HEADER
from gateway.smpp.pdu import Destination, encode
from gateway.smpp.status import status_named
from gateway.smpp.udh import Concat

_OVERLOADED = Finding(
    "OVERLOAD", Reason.OVERLOADED, Action.REJECT, "too many long messages under way"
)
_CONFLICT = Finding(
    "PARTS", Reason.PARTS_CONFLICT, Action.QUARANTINE, "a part was sent again with another text"
)
_LISTS = Finding(
    "LISTS", Reason.LIST_DESTINATION, Action.REJECT, "a distribution list hides its subscribers"
)


def is_gateway_id(message_id: bytes) -> bool:
    """Tell whether an id has the form of the gateway's own (gateway.systems.quarantine.ids)."""
    return len(message_id) == 19 and message_id.startswith(b"8") and message_id.isdigit()


def carry(
    turn: Turn, session: Link, account: Account, pdu: bytes, place: tuple[int, int]
) -> Carried | None:
    """Read a request, judge its addresses, and return the message whose text is to be judged.

    Returns None when there is nothing left to do: a malformed field was answered with its
    own status, or a replace_sm is about a message in quarantine.
    """
    _, command_id, _, sequence = HEADER.unpack_from(pdu)
    try:
        carrier = read_carrier(pdu)
    except DecodeError as error:
        _refuse_malformed(turn, session, (command_id, sequence), error)
        return None
    if command_id == CommandId.REPLACE_SM and is_gateway_id(carrier.pdu.octets("message_id")):
        turn.batch.attention.append(attention.Operation(session, pdu))
        return None
    text = (carrier.data_coding, b"".join(carrier.pieces), carrier.registered)
    addresses = (carrier.source, carrier.destination)
    message = Carried(session, account, (command_id, sequence, *place), addresses, text)
    care = message.care = Care()
    if not carrier.is_simple:
        texts = carrier.texts()
        care.readings = tuple(dict.fromkeys(text for piece in texts for text in piece))
        care.is_unreadable = any(not any(map(_is_legible, piece)) for piece in texts)
        if carrier.concats:
            best = texts[0][0] if texts else ""
            care.part = part_of(message.data_coding, message.octets, best)
    if command_id == CommandId.REPLACE_SM:
        turn.plane.rules.judge_replacement(message, turn.now)
    elif command_id == CommandId.SUBMIT_MULTI:
        _judge_each(turn, message, care, carrier)
    else:
        _judge_addressed(turn, message, care, carrier)
    return message


def _refuse_malformed(
    turn: Turn, session: Link, request: tuple[int, int], error: DecodeError
) -> None:
    command_id, sequence = request
    turn.plane.tally.malformed += 1
    turn.plane.tally.verdict(Action.REJECT.value, Reason.MALFORMED.value)
    turn.plane.tally.sender(session.system_id, Action.REJECT.value)
    turn.batch.refuse(session, command_id | RESPONSE_BIT, error.status, sequence)
    finding = Finding("MALFORMED", Reason.MALFORMED, Action.REJECT, error.field)
    columns = found(Action.REJECT.value, finding, error.status.name)
    why = (*columns, turn.plane.rules.digest, 0)
    turn.batch.rows.append(decision(turn.at, session, request, (b"", b""), why))


def _is_legible(text: str) -> bool:
    return bool(text.strip("\N{REPLACEMENT CHARACTER}"))


def _judge_addressed(turn: Turn, one: Submission, care: Care, carrier: Carrier) -> None:
    """Judge the addresses of one message to one subscriber; read a part with its neighbours.

    A part that is not admitted leaves no trace: it was neither paid nor passed on, and its
    neighbours are charged and judged as if it had not been there.
    """
    # The same subscriber written with and without 86 assembles one message.
    to = msisdn_of(one.destination) or one.destination
    owner = (one.account.system_id, one.source, to)
    parts, now = turn.plane.parts, turn.now
    if carrier.concats:
        one.units = max(parts.units_of(owner, concat, now) for concat in carrier.concats)
    turn.plane.rules.judge_address(one, now)
    for concat in carrier.concats:
        if one.verdict is None and care.part is not None:
            _join(turn, one, care, care.part, (owner, concat))
    if one.verdict is None and carrier.concats and len(carrier.pieces) > 1:
        # Which of its texts the phone gets, and so what it puts together, nobody knows.
        _stop(turn, one, _CONFLICT)


def _join(turn: Turn, one: Submission, care: Care, part: Part, place: tuple[Owner, Concat]) -> None:
    """Read a part together with the parts seen before."""
    owner, concat = place
    added = turn.plane.parts.add(owner, concat, part, turn.now)
    if added is None:
        _stop(turn, one, _OVERLOADED)
        return
    joint, is_conflict = added
    joined = joint.texts(concat.number, part)
    care.readings = tuple(dict.fromkeys((*joined, *(care.readings or ()))))
    if is_conflict:
        joint.stopped = joint.stopped or _CONFLICT
    if joint.stopped is not None:
        _stop(turn, one, joint.stopped)
    else:
        care.joints += (joint,)


def _stop(turn: Turn, one: Submission, finding: Finding) -> None:
    one.findings += (finding,)
    one.verdict = turn.plane.rules.verdict(one, finding)


def _judge_each(turn: Turn, message: Carried, care: Care, carrier: Carrier) -> None:
    """Judge a submit_multi for each destination and leave only those that may get it."""
    passed: list[Destination] = []
    refused: list[UnsuccessSme] = []
    first: Submission | None = None
    for destination in carrier.destinations:
        one = _judge_one(turn, message, destination, care, carrier)
        if one.verdict is None:
            passed.append(destination)
            care.reached += (one.destination,)
            message.findings = tuple(dict.fromkeys(message.findings + one.findings))
        else:
            first = first or one
            refused.append(_refusal(destination, status_named(one.verdict.status)))
            care.turned_away += (one,)
    care.refused = tuple(refused)
    if not passed:
        assert first is not None  # noqa: S101 - the decoder refuses an empty list
        message.verdict = first.verdict
    elif refused:
        fields = {**carrier.pdu.fields, "dest_address": tuple(passed)}
        care.rebuilt = encode(replace(carrier.pdu, fields=fields))


def _judge_one(
    turn: Turn, message: Carried, destination: Destination, care: Care, carrier: Carrier
) -> Submission:
    if isinstance(destination, DistributionList):
        one = Submission(message.account, message.source, destination.name)
        _stop(turn, one, _LISTS)
        return one
    one = Submission(message.account, message.source, destination.address)
    before = care.readings
    _judge_addressed(turn, one, care, carrier)
    if one.verdict is not None:
        care.readings = before  # what this subscriber got before is nothing to the others
        if one.verdict.action is Action.QUARANTINE:
            # One of many can not be held: the answer has one message id for all.
            one.verdict = replace(one.verdict, action=Action.REJECT)
    return one


def _refusal(destination: Destination, status: int) -> UnsuccessSme:
    if isinstance(destination, DistributionList):
        return UnsuccessSme(0, 0, destination.name, status)
    return UnsuccessSme(destination.ton, destination.npi, destination.address, status)
