"""The exceptions that a tick hands to its shell: here objects are fine."""

from dataclasses import dataclass, field

from gateway.dataplane.carried import Carried, Place, Schedule
from gateway.dataplane.link import Link
from gateway.dataplane.prohibited import Prohibited
from gateway.domain.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Bind:
    """An SP asks to bind; its session is BINDING, and refuses requests, until it is answered."""

    session: Link
    pdu: bytes


@dataclass(frozen=True, slots=True)
class BindAnswer:
    """The SMSC answered our bind."""

    link: Link
    pdu: bytes


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
class Fault:
    """Framing is lost; the generic_nack is in the batch, the link is CLOSED."""

    link: Link
    problem: str


@dataclass(frozen=True, slots=True)
class Wait:
    """A bound SP sends more control PDUs than it may: it is not read for `control_wait_s`."""

    link: Link


@dataclass(frozen=True, slots=True)
class Hold:
    """A message to commit to the quarantine, and then to answer with its id.

    `session.held` counts it until the shell has answered and counts it off. `refused` goes into the
    answer of a submit_multi whose other destinations were refused. `place` is that of a part
    which waits for the others of its long message. `prohibited` is what the authority is told.
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
    place: Place | None = None
    prohibited: Prohibited | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for consent that may go if it is the first of its kind (R23); nobody else knows it.

    As with a Hold, the session's `held` counts it until the shell has settled it. `message_id`
    is the gateway's own, for the evidence; it was judged `at` that moment. It is the errand of
    what then goes to the SMSC.
    """

    message: Carried
    pdu: bytes
    msisdn: int
    text: str = field(repr=False)
    message_id: int
    at: float


@dataclass(frozen=True, slots=True)
class Operation:
    """A query_sm, cancel_sm or replace_sm for an id that the gateway gave."""

    session: Link
    pdu: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """A deliver_sm that may be about a message the gateway released. Not yet relayed."""

    link: Link
    pdu: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What a subscriber wrote to a port (MO). It is on its way to the SP, whatever it means.

    One that is withheld is neither on its way nor answered: it may be for the gateway alone.
    """

    link: Link
    pdu: bytes
    is_withheld: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer to a request of the gateway's own, or None: it will not come.

    And that the SMSC did not take what an Ask let go; its SP has the answer.
    """

    link: Link
    errand: object
    pdu: bytes | None


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The SMSC has taken a commercial message for later, under its `message_id` (R21).

    Or it has put off what it has under that id; the schedule then has no destinations.
    """

    link: Link
    schedule: Schedule
    message_id: bytes


Attention = (
    Bind
    | BindAnswer
    | Unbind
    | Unbound
    | Fault
    | Wait
    | Hold
    | Ask
    | Operation
    | Receipt
    | Reply
    | Answered
    | Scheduled
)
