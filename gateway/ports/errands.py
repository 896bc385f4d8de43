"""The store of errands: what processes without a link to the SMSC have to say to subscribers."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from gateway.domain.errand import Errand, ErrandState, NewErrand


class ErrandStore(Protocol):
    """Keeps errands until they are sent, each at least once or expired, and never lost silently.

    Every call raises StoreUnavailable when the store does not answer. A new errand is a row in
    the feed of changes, whose key is its number.
    """

    async def add(self, errand: NewErrand) -> int:
        """Keep a message to be sent; return its number. It is durable when this returns."""

    async def get(self, number: int) -> Errand | None:
        """Return an errand, in whatever state."""

    async def waiting_ports(self) -> set[str]:
        """Return the ports from which anything waits to be sent."""

    async def take_waiting(
        self, now: datetime, until: datetime, ports: Collection[str], limit: int
    ) -> list[Errand]:
        """Claim the oldest that wait at any of at most 500 `ports`, for this process alone.

        The claim ends at `until`: a process that dies meanwhile has neither sent nor lost them
        for certain, and they are taken again, by whoever asks then. Each taking counts as an
        attempt until it is put back unwritten.
        """

    async def put_back(self, number: int, at: datetime, *, was_written: bool) -> None:
        """Let a claimed one be taken again from `at` on.

        One that `was_written` may have reached its subscriber: its attempt stays counted.
        """

    async def finish(self, number: int, state: ErrandState, message_id: str = "") -> bool:
        """Move a waiting one into a final state; False when it is in one already.

        A text that is secret is emptied with it.
        """

    async def expire(self, now: datetime, limit: int) -> list[Errand]:
        """End those past their time, or past MAX_ATTEMPTS, and return them as they are now.

        What is claimed by a process is let be until the claim is over.
        """

    async def forget(self, before: datetime) -> int:
        """Delete what is in a final state and was created before `before`; return how many."""
