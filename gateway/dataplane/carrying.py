"""From a request that needs care (parts, TLVs, many destinations) to a message to judge."""

from dataclasses import replace

from gateway.dataplane import attention
from gateway.dataplane.carried import Care, Carried
from gateway.dataplane.carriers import Carrier, read_carrier
from gateway.dataplane.link import Link
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
from gateway.smpp.text import readings

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
    if len(carrier.pieces) > 1:
        care.readings = _all_readings(carrier)
    if carrier.concat is not None:
        _join(turn, message, care, carrier)
    if message.verdict is None:
        _judge_addresses(turn, message, care, carrier)
    return message


def _refuse_malformed(
    turn: Turn, session: Link, request: tuple[int, int], error: DecodeError
) -> None:
    command_id, sequence = request
    turn.plane.tally.malformed += 1
    turn.plane.tally.verdict(Action.REJECT.value, Reason.MALFORMED.value)
    turn.batch.refuse(session, command_id | RESPONSE_BIT, error.status, sequence)
    finding = Finding("MALFORMED", Reason.MALFORMED, Action.REJECT, error.field)
    columns = found(Action.REJECT.value, finding, error.status.name)
    why = (*columns, turn.plane.rules.digest, 0)
    turn.batch.rows.append(decision(turn.at, session, request, (b"", b""), why))


def _all_readings(carrier: Carrier) -> tuple[str, ...]:
    return tuple(t for piece in carrier.pieces for t in readings(piece, carrier.data_coding))


def _join(turn: Turn, message: Carried, care: Care, carrier: Carrier) -> None:
    """Read a part together with the parts seen before."""
    concat, parts, rules = carrier.concat, turn.plane.parts, turn.plane.rules
    assert concat is not None  # noqa: S101 - the caller asked
    # The same subscriber written with and without 86 assembles one message.
    to = msisdn_of(message.destination) or message.destination
    owner = (message.account.system_id, message.source, to)
    joint = parts.joint_of(owner, concat, turn.now)
    if joint is None:
        message.findings = (_OVERLOADED,)
        message.verdict = rules.verdict(message, _OVERLOADED)
        return
    message.units, is_conflict = parts.add(joint, concat, message.data_coding, message.octets)
    care.joint = joint
    care.readings = joint.texts(concat.number)
    if is_conflict:
        care.readings += _all_readings(carrier)
        joint.stopped = joint.stopped or _CONFLICT
    if joint.stopped is not None:
        message.findings = (joint.stopped,)


def _judge_addresses(turn: Turn, message: Carried, care: Care, carrier: Carrier) -> None:
    rules = turn.plane.rules
    if message.command_id == CommandId.REPLACE_SM:
        rules.judge_replacement(message, turn.now)
    elif message.command_id == CommandId.SUBMIT_MULTI:
        _judge_each(turn, message, care, carrier)
    else:
        rules.judge_address(message, turn.now)
    if message.verdict is None and message.findings:
        rules.judge_content(message, ())  # its earlier parts were stopped


def _judge_each(turn: Turn, message: Carried, care: Care, carrier: Carrier) -> None:
    """Judge a submit_multi for each destination and leave only those that may get it."""
    passed: list[Destination] = []
    refused: list[UnsuccessSme] = []
    first: Submission | None = None
    for destination in carrier.destinations:
        one = _judge_one(turn, message, destination)
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


def _judge_one(turn: Turn, message: Carried, destination: Destination) -> Submission:
    rules = turn.plane.rules
    if isinstance(destination, DistributionList):
        one = Submission(message.account, message.source, destination.name)
        one.findings = (_LISTS,)
        one.verdict = rules.verdict(one, _LISTS)
        return one
    one = Submission(message.account, message.source, destination.address)
    rules.judge_address(one, turn.now)
    return one


def _refusal(destination: Destination, status: int) -> UnsuccessSme:
    if isinstance(destination, DistributionList):
        return UnsuccessSme(0, 0, destination.name, status)
    return UnsuccessSme(destination.ton, destination.npi, destination.address, status)
