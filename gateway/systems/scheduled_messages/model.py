"""Messages that the SMSC keeps for later, and their store."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.domain.sender import NO_COMPANIONS, Companions


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


class ScheduledStore(Protocol):
    """Keeps messages that the SMSC accepted for later, until cancelled or due.

    A message is *refused* once its subscriber's refusal of its SP, of one of the SP's
    `companions` (gateway.domain.sender), or of all SPs is on record, from any process; it stays
    refused if the subscriber agrees again. A North American number without its plus reads as
    another number: the refusal of that number counts too, unless the subscriber's own number
    agreed to the same scope. Every call raises StoreUnavailable when the store does not answer.
    """

    async def keep(
        self, messages: Sequence[ScheduledMessage], companions: Companions = NO_COMPANIONS
    ) -> bool:
        """Keep messages; tell whether any of them is refused already.

        May be repeated: a message of the same SP, message_id and destination is kept once,
        with the time of the later call.
        """

    async def move(self, system_id: str, message_id: str, at: datetime) -> None:
        """Note that an SP has changed the scheduled time of `message_id` to `at`."""

    async def note_refusals(
        self, after: int, through: int, companions: Companions = NO_COMPANIONS
    ) -> bool:
        """Mark messages refused by answers with change numbers above `after`, to `through`.

        Tell whether there was any. With an `after` of 0 every answer on record counts. May be
        repeated.
        """

    async def waiting_senders(self, now: datetime) -> set[str]:
        """Return the SPs with refused messages that can still be cancelled."""

    async def take(
        self, now: datetime, until: datetime, senders: Collection[str], limit: int
    ) -> list[ScheduledMessage]:
        """Claim refused messages of at most 500 `senders`, the next to be delivered first.

        The claim ends at `until`; if the process dies before, the next caller takes them then.
        """

    async def put_back(self, number: int, at: datetime) -> None:
        """Let a claimed message be taken again from `at` on."""

    async def settle(self, number: int) -> bool:
        """Forget a message that needs no more action; False when it is gone already."""

    async def take_overdue(self, now: datetime, limit: int) -> list[ScheduledMessage]:
        """Forget and return refused messages past their time: they were not stopped.

        A claimed message is left alone until its claim ends.
        """

    async def prune(self, now: datetime) -> int:
        """Forget messages that are not refused and past their time; return how many."""
