"""The events that a tick hands to its shell. They are rare, so objects are cheap enough here."""

from dataclasses import dataclass, field

from gateway.dataplane.link import Link
from gateway.dataplane.submit_request import AcceptedSme, PartPosition, Schedule, SubmitRequest
from gateway.domain.verdict import Action, Finding, Verdict


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


@dataclass(frozen=True, slots=True)
class _ReceivedPdu:
    """A PDU that came on a link."""

    link: Link
    pdu: bytes


@dataclass(frozen=True, slots=True)
class SmscDelivery(_ReceivedPdu):
    """A delivery for the SP with `system_id`; "" if it came on a shared link and none owns it."""

    system_id: str


@dataclass(frozen=True, slots=True)
class OwnRequest:
    """The context of a request that the gateway itself writes, for the SP with `system_id`."""

    system_id: str


@dataclass(frozen=True, slots=True)
class Bind:
    """An SP asks to bind; its session is BINDING, and refuses requests, until it is answered."""

    session: Link
    pdu: bytes


@dataclass(frozen=True, slots=True)
class Outbind:
    """An SMSC has asked to be bound at on this connection; it is BINDING until that is done."""

    link: Link
    smsc: str


@dataclass(frozen=True, slots=True)
class BindAnswer(_ReceivedPdu):
    """The SMSC answered our bind."""


@dataclass(frozen=True, slots=True)
class Unbind:
    """The other side asked to unbind, with `sequence`; the link is UNBINDING."""

    link: Link
    sequence: int


@dataclass(frozen=True, slots=True)
class Unbound:
    """The other side answered our unbind: the connection can be closed."""

    link: Link


@dataclass(frozen=True, slots=True)
class FramingFault:
    """Framing is lost; the generic_nack is in the batch, the link is CLOSED."""

    link: Link
    problem: str


@dataclass(frozen=True, slots=True)
class Wait:
    """A bound SP sends more control PDUs than it may: it is not read for `control_wait_s`."""

    link: Link


@dataclass(frozen=True, slots=True)
class Hold:
    """A message to write to the quarantine; the SP is then answered with its id.

    `session.held` counts it until the shell has answered. `refused` goes into the answer of a
    submit_multi if other destinations were rejected. `place` is set for a part that waits for
    the other parts of its long message. `prohibited` is the report to the authority. With
    `is_refused` the message was rejected, and its SP hears that in a receipt only (`accept`).
    `known` is what else is known to be in its text, besides what decided.
    """

    session: Link
    sequence: int
    command_id: int
    message_id: int
    pdu: bytes
    source: bytes
    destination: bytes
    verdict: Verdict
    receipt_asked: bool
    joined: str
    refused: tuple[object, ...] = ()
    place: PartPosition | None = None
    prohibited: ProhibitedMessage | None = None
    is_refused: bool = False
    known: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class AcceptedRefusals:
    """Refused destinations of a submit_multi that are to be kept for receipts.

    `session.held` counts it until the shell has answered with `kept`, or with `failed` where the
    store failed. The receipts have `message_id`; `own_id` is that id where it is the gateway's
    and nothing is kept under it yet, else 0.
    """

    session: Link
    sequence: int
    message_id: bytes
    own_id: int
    smes: tuple[AcceptedSme, ...]
    kept: bytes
    failed: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for consent that may go only if it is the first of its kind (R23).

    Only the store can tell. As with a Hold, `session.held` counts it until the shell has settled
    it. `message_id` is the gateway's own id, for the evidence; `at` is when it was judged. If it
    goes to the SMSC, this object is the context of that request.
    """

    message: SubmitRequest
    pdu: bytes
    msisdn: int
    text: str = field(repr=False)
    message_id: int
    at: float


@dataclass(frozen=True, slots=True)
class Operation:
    """A query_sm, cancel_sm or replace_sm for an id of the gateway, or a cancel_sm without any.

    As with a Hold, `session.held` counts it until the shell has settled it.
    """

    session: Link
    pdu: bytes


@dataclass(frozen=True, slots=True)
class ReleaseReceipt(SmscDelivery):
    """A deliver_sm that may be about a message the gateway released. Not yet relayed."""


@dataclass(frozen=True, slots=True)
class SubscriberMessage(SmscDelivery):
    """What a subscriber wrote to a port (MO). It is already on its way to the SP.

    If `is_withheld`, it is neither relayed nor answered yet: it may be for the gateway alone. If
    `is_complaint`, it was sent to a report code, and no SP may have it (R80).
    """

    is_withheld: bool = False
    is_complaint: bool = False


@dataclass(frozen=True, slots=True)
class UndeliverableMessage(SmscDelivery):
    """A delivery on a shared link for an SP that cannot take it now. Not answered yet."""


@dataclass(frozen=True, slots=True)
class OwnAnswer:
    """An answer to a request of the gateway's own; `pdu` is None if no answer will come.

    Also used when the SMSC rejects a request for consent (Ask); its SP already has the answer.
    """

    link: Link
    context: object
    pdu: bytes | None


@dataclass(frozen=True, slots=True)
class ScheduledAtSmsc:
    """The SMSC has accepted a commercial message of an SP for later, under its `message_id` (R21).

    `smsc` is its name. Or it has changed the time of the message with that id; the schedule then
    has no destinations.
    """

    system_id: str
    schedule: Schedule
    message_id: bytes
    smsc: str = ""


Attention = (
    Bind
    | Outbind
    | BindAnswer
    | Unbind
    | Unbound
    | FramingFault
    | Wait
    | Hold
    | AcceptedRefusals
    | Ask
    | Operation
    | ReleaseReceipt
    | SubscriberMessage
    | UndeliverableMessage
    | OwnAnswer
    | ScheduledAtSmsc
)
