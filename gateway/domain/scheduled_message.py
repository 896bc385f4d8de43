"""Scheduled messages (定时短信): the SMSC has accepted them and will deliver them later."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ScheduledMessage:
    """One commercial message to one subscriber; a refusal must still stop it (R21).

    The addresses are exactly those of the request: the SMSC compares them when it is asked to
    cancel. `message_id` is the SMSC's, `smsc` its name. `number` is 0 until the store has given
    one.
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
