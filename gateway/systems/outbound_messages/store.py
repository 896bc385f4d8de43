"""The store of outbound messages: from processes without a link to the SMSC."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from gateway.domain.outbound_message import NewOutboundMessage, OutboundMessage, OutboundState


class OutboundMessageStore(Protocol):
    """Keeps outbound messages until each is sent at least once, or expires; none is lost silently.

    Every call raises StoreUnavailable when the store does not answer. A new message makes a row
    in the change feed with its number as key.
    """

    async def add(self, outbound: NewOutboundMessage) -> int:
        """Keep a message to be sent; return its number. It is durable when this returns."""

    async def get(self, number: int) -> OutboundMessage | None:
        """Return an outbound message in any state."""

    async def waiting_ports(self) -> set[str]:
        """Return the ports that have outbound messages waiting to be sent."""

    async def take_waiting(
        self, now: datetime, until: datetime, ports: Collection[str], limit: int
    ) -> list[OutboundMessage]:
        """Claim the oldest waiting outbound messages of at most 500 `ports` for this process only.

        The claim ends at `until`. If the process dies before, the messages may or may not have
        been sent, and the next caller takes them again. Each taking counts as an attempt,
        unless the outbound message is put back unwritten.
        """

    async def put_back(self, number: int, at: datetime, *, was_written: bool) -> None:
        """Let a claimed outbound message be taken again from `at` on.

        If it `was_written`, it may have reached its subscriber: the attempt stays counted.
        """

    async def finish(self, number: int, state: OutboundState, message_id: str = "") -> bool:
        """Move a waiting outbound message into a final state; False when it is in one already.

        A secret text is deleted in the same step.
        """

    async def expire(self, now: datetime, limit: int) -> list[OutboundMessage]:
        """Expire messages past their time or past MAX_ATTEMPTS; return them as they are now.

        A claimed outbound message is left alone until its claim ends.
        """

    async def forget(self, before: datetime) -> int:
        """Delete outbound messages in a final state created before `before`; return how many."""
