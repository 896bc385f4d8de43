"""The feed of changes that every process follows: the store is the bus."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from gateway.ports.errors import StoreUnavailable

# The key of a change of preferences whose subscriber the feed has forgotten.
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
    """One change. `number` grows over all kinds and is never used again.

    `key` names what changed: the message_id of a quarantine change; the number of an errand;
    the system_id of whose filings changed; the msisdn of whose preferences or suspension
    changed, which is never logged; empty for consent and subscriptions, where one change
    stands for a batch (see ConsentStore.answers_changed).
    """

    number: int
    kind: ChangeKind
    key: str
    at: datetime


class ChangeFeed(Protocol):
    """Reads the changes, which the other stores write with what they change.

    A change becomes visible together with what it is about, and never after one with a
    higher number. Every call raises StoreUnavailable when the store does not answer.
    """

    async def changes(self, after: int, limit: int = 1000) -> list[Change]:
        """Return at most `limit` changes with numbers above `after`, lowest first."""

    async def latest(self) -> int:
        """Return the highest number given so far, 0 before the first.

        A process that loads a snapshot asks this first and follows from here: changes that
        the snapshot already holds are seen twice, none is missed.
        """

    async def prune(self, before: datetime) -> int:
        """Forget the changes made before `before`; return how many.

        The latest change is always kept. A reader that had not read a forgotten change
        must load its snapshot again: call this for times far behind every reader.
        """

    async def forget_subscribers(self, before: datetime) -> int:
        """Put UNNAMED in the place of whose preferences changed before `before`; return how many.

        Who asked for everything to be deleted must not stand here for days. A reader that comes
        upon UNNAMED must load its snapshot again.
        """


class Copy(Protocol):
    """What a process holds of the store in memory; it may lag while `is_current` is cleared."""

    is_current: bool


@contextmanager
def keeping_current(copy: Copy) -> Iterator[None]:
    """Mark `copy` current when what is done within succeeds, and not when the store fails."""
    try:
        yield
    except StoreUnavailable:
        copy.is_current = False
        raise
    copy.is_current = True
