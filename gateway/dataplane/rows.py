"""The record of each decision and each outcome."""

from functools import lru_cache

from gateway.dataplane.link import Link, Outstanding
from gateway.dataplane.submit_request import SubmitRequest
from gateway.domain.msisdn import is_mobile
from gateway.domain.records import DecisionRow, EventRow, OutcomeRow, Text, Why
from gateway.domain.verdict import Action, Finding
from gateway.session.operations import Side
from gateway.smpp.pdu import HEADER, Pdu


@lru_cache(maxsize=16)
def nothing_found(digest: str) -> Why:
    """Return what is said of all that passes by the policy of that digest: one object."""
    return Why(Action.FORWARD.value, "", "", "", digest)


def found(digest: str, action: str, finding: Finding | None, status: str = "") -> Why:
    """Return what was decided for `finding`, by the policy of that digest."""
    if finding is None:
        return Why(action, "", "", status, digest)
    of = (finding.category, finding.campaign)
    return Why(action, finding.reason.value, finding.rule, status, digest, *of)


def text_of(message: SubmitRequest) -> Text | None:
    """Return what a record keeps of the text, where records keep texts at all.

    Of what a subscriber's own number writes nothing: only ports are on record with their
    words (N136, R70). Nor is an empty text worth a line.
    """
    if not message.octets or is_mobile(message.source):
        return None
    return message.data_coding, message.octets


def decision(
    at: float,
    session: Link,
    request: tuple[int, int],
    addresses: tuple[bytes, bytes],
    why: Why,
    kept: tuple[int, Text | None] = (0, None),
) -> DecisionRow:
    """Return the row of a decision.

    `request` is (command_id, sequence_number), `addresses` (source, destination), `kept` the
    gateway's message id, 0 where it holds nothing, and the text, where texts are kept.
    """
    command_id, sequence = request
    about = (session.number, session.system_id, command_id)
    return ("d", at, about, sequence, *addresses, why, *kept)


def outcome(
    link: Link,
    entry: Outstanding,
    answer: tuple[int, bytes],
    moment: tuple[float, float],
    how: str,
) -> OutcomeRow:
    """Return the row of what became of a request that was written on `link`.

    `answer` is (command_status, message_id), `moment` (monotonic, epoch) seconds.
    """
    asker, sequence, command_id, sent_at, _ = entry
    now, at = moment
    # The gateway's own word is nobody's session's, but what it delivers has one.
    whose = link if asker is None and link.side is Side.ESME else asker
    about = (whose.number if whose is not None else 0, link.system_id, command_id)
    latency_us = int((now - sent_at) * 1e6)
    return ("o", at, about, sequence, *answer, latency_us, how)


def own_answer(link: Link, pdu: bytes, status: int, at: float, how: str) -> OutcomeRow:
    """Return the row of what became of a request that the gateway answered by itself.

    `link` is who asked with `pdu`.
    """
    _, command_id, _, sequence = HEADER.unpack_from(pdu)
    about = (link.number, link.system_id, command_id)
    return ("o", at, about, sequence, status, b"", 0, how)


def operation(session: Link, request: Pdu, at: float) -> EventRow:
    """Return the row of a query_sm, cancel_sm or replace_sm about an earlier message."""
    fields = {
        "session": session.number,
        "system_id": session.system_id,
        "command_id": request.command_id,
        "sequence_number": request.sequence_number,
        "message_id": request.octets("message_id"),
        "source": request.octets("source_addr"),
        "destination": request.octets("destination_addr"),
    }
    return ("e", at, "operation", fields)
