"""The change feed that every process follows: the store is the message bus."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from gateway.ports.errors import StoreUnavailable

# The key of a preferences change after the feed has forgotten its subscriber.
UNNAMED = "-1"


class ChangeKind(StrEnum):
    """What was changed."""

    QUARANTINE = "quarantine"
    CONSENT = "consent"
    PREFERENCES = "preferences"
    SUBSCRIPTION = "subscription"
    FILINGS = "filings"
    ERRAND = "errand"
    SUSPENSION = "suspension"


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `number` increases over all kinds and is never used again.

    `key` names what changed: a message_id for quarantine; the number of an errand; the system_id
    of the SP for filings; the msisdn for preferences and suspensions, which is never logged;
    empty for consent and subscriptions, where one change stands for a batch (see
    ConsentStore.answers_changed).
    """

    number: int
    kind: ChangeKind
    key: str
    at: datetime


class ChangeFeed(Protocol):
    """Reads changes; the other stores write them in the same commit as the changed data.

    A change becomes visible together with its data, and never after a change with a higher
    number. Every call raises StoreUnavailable when the store does not answer.
    """

    async def changes(self, after: int, limit: int = 1000) -> list[Change]:
        """Return at most `limit` changes with numbers above `after`, lowest first."""

    async def latest(self) -> int:
        """Return the highest number given so far, 0 before the first.

        A process calls this before it loads a snapshot and then follows from this number:
        changes already in the snapshot are seen twice, none is missed.
        """

    async def prune(self, before: datetime) -> int:
        """Forget the changes made before `before`; return how many.

        The latest change is always kept. A reader that has missed a forgotten change must
        load its snapshot again, so `before` must lie far behind every reader.
        """

    async def forget_subscribers(self, before: datetime) -> int:
        """Replace the key of preferences changes before `before` by UNNAMED; return how many.

        The number of a subscriber who asked for deletion must not stay here for days. A reader
        that finds UNNAMED must load its snapshot again.
        """


class Copy(Protocol):
    """A copy in memory of data of the store; it may be old while `is_current` is False."""

    is_current: bool


@contextmanager
def keeping_current(copy: Copy) -> Iterator[None]:
    """Mark `copy` current if the body succeeds, and not current if the store fails."""
    try:
        yield
    except StoreUnavailable:
        copy.is_current = False
        raise
    copy.is_current = True
