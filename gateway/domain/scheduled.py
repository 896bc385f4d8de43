"""Scheduled messages (定时短信): what the SMSC has taken and will deliver later."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ScheduledMessage:
    """One commercial message to one subscriber, which a refusal is still to stop (R21).

    The addresses are those of the request, letter by letter: the SMSC compares them when it is
    asked to cancel. `message_id` is the SMSC's, `smsc` its name. `number` is 0 until the store
    has given one.
    """

    system_id: str
    smsc: str
    message_id: str
    source_ton: int
    source_npi: int
    source: str
    dest_ton: int
    dest_npi: int
    destination: str = field(repr=False)
    msisdn: int = field(repr=False)
    scheduled_at: datetime
    number: int = 0
