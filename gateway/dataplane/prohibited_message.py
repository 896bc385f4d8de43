"""Prohibited content that was stopped, as the shell hears of it: the authority is told (R60)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.dataplane.submit_request import SubmitRequest
from gateway.domain.verdict import Action, Finding, Verdict
from gateway.smpp.commands import CommandId
from gateway.smpp.text import readings


@dataclass(frozen=True, slots=True)
class ProhibitedMessage:
    """One message that was stopped for what it says; its answer is another matter.

    `message_id` is the gateway's own: that of the held message, or that in the record of the
    decision. `destination` is the first of so many `recipients`, `finding` what was found in
    `text`. It was judged `at` that moment, in epoch seconds.
    """

    message_id: int
    system_id: str
    source: bytes
    destination: bytes = field(repr=False)
    recipients: int
    finding: Finding
    action: Action
    digest: str
    text: str = field(repr=False)
    at: float


def told_of(
    message: SubmitRequest,
    verdict: Verdict,
    finding: Finding,
    destinations: Sequence[bytes],
    identity: tuple[int, float],
) -> ProhibitedMessage:
    """Return what the authority is told of a message that `verdict` stops for `finding`.

    `identity` is the gateway's message id, and when it was judged, in epoch seconds.
    """
    message_id, at = identity
    # A new text for a message is taken or refused; it is never held.
    is_replacement = message.command_id == CommandId.REPLACE_SM
    return ProhibitedMessage(
        message_id=message_id,
        system_id=message.account.system_id,
        source=message.source,
        destination=destinations[0],
        recipients=len(destinations),
        finding=finding,
        action=Action.REJECT if is_replacement else verdict.action,
        digest=verdict.digest,
        text=_text_of(message),
        at=at,
    )


def _text_of(message: SubmitRequest) -> str:
    """Return the likeliest reading: of a part, together with the parts beside it."""
    care = message.care
    read = care.readings if care is not None else None
    texts = read or readings(message.octets, message.data_coding)
    return texts[0] if texts else ""
