"""The store of scheduled messages: what a refusal must still stop at the SMSC (R21)."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.scheduled import ScheduledMessage
from gateway.domain.sender import NO_COMPANIONS, Companions


class ScheduledStore(Protocol):
    """Keeps what the SMSC has taken for later until it is cancelled, or its time has come.

    A message is *refused* once its subscriber's refusal of its SP, of one of the SP's
    `companions` (gateway.domain.sender), or of all SPs, is on record, whichever process recorded
    it; it stays so if he agrees again. That of whom a North American
    number is read as without its plus counts, unless the number itself agreed to the same. Every
    call raises StoreUnavailable when the store does not answer.
    """

    async def keep(
        self, messages: Sequence[ScheduledMessage], companions: Companions = NO_COMPANIONS
    ) -> bool:
        """Keep messages; tell whether any of them is refused already.

        May be repeated: one of the same SP, message_id and destination is kept once, with the
        later call's time.
        """

    async def move(self, system_id: str, message_id: str, at: datetime) -> None:
        """Note that an SP has put what it sent under `message_id` off, or forward, to `at`."""

    async def note_refusals(
        self, after: int, through: int, companions: Companions = NO_COMPANIONS
    ) -> bool:
        """Find what is refused by answers whose change is numbered above `after`, to `through`.

        Tell whether there was any. An `after` of 0 looks at every answer on record. May be
        repeated.
        """

    async def waiting_senders(self, now: datetime) -> set[str]:
        """Return whose refused messages could still be cancelled."""

    async def take(
        self, now: datetime, until: datetime, senders: Collection[str], limit: int
    ) -> list[ScheduledMessage]:
        """Claim refused messages of at most 500 `senders`, the next to be delivered first.

        The claim ends at `until`: a process that dies meanwhile leaves them to whoever asks then.
        """

    async def put_back(self, number: int, at: datetime) -> None:
        """Let a claimed one be taken again from `at` on."""

    async def settle(self, number: int) -> bool:
        """Forget a message of which the SMSC has said what became of it; False when it is gone."""

    async def take_overdue(self, now: datetime, limit: int) -> list[ScheduledMessage]:
        """Forget refused messages whose time has come, and return them: nobody stopped them.

        One that is claimed is let be until its claim is over.
        """

    async def prune(self, now: datetime) -> int:
        """Forget what is not refused and whose time has come; return how many."""
