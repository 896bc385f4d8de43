"""The record of each decision and each outcome."""

from gateway.dataplane.carried import Carried
from gateway.dataplane.link import Link, Outstanding
from gateway.domain.msisdn import is_mobile
from gateway.domain.records import DecisionRow, OutcomeRow
from gateway.domain.verdict import Finding

NOTHING_FOUND: tuple[str, str, str, str] = ("forward", "", "", "")
NO_TEXT: tuple[int, bytes] = (0, b"")


def found(action: str, finding: Finding | None, status: str = "") -> tuple[str, str, str, str]:
    """Return the columns action, reason, rule and status."""
    if finding is None:
        return (action, "", "", status)
    return (action, finding.reason.value, finding.rule, status)


def text_of(message: Carried, *, keeps: bool) -> tuple[int, bytes]:
    """Return what a record keeps of the text, where it `keeps` texts at all.

    Of what a subscriber's own number writes nothing: only ports are on record with their
    words (N136, R70).
    """
    if not keeps or is_mobile(message.source):
        return NO_TEXT
    return message.data_coding, message.octets


def decision(
    at: float,
    session: Link,
    request: tuple[int, int],
    addresses: tuple[bytes, bytes],
    why: tuple[str, str, str, str, str, int],
    text: tuple[int, bytes] = NO_TEXT,
) -> DecisionRow:
    """Return the row of a decision.

    `request` is (command_id, sequence_number), `addresses` (source, destination), `why` the
    four columns of `found`, the digest and the gateway's message id, `text` (data_coding,
    octets) where texts are kept.
    """
    return ("d", at, session.number, session.system_id, *request, *addresses, *why, *text)


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
    number = asker.number if asker is not None else 0
    latency_us = int((now - sent_at) * 1e6)
    return ("o", at, number, link.system_id, command_id, sequence, *answer, latency_us, how)
