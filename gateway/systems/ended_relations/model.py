"""Relations that are over, and the store that finds them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.domain.records import NewPurge

# Replaces the channel of a refusal once that is forgotten: the refusal still holds (R71).
FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class EndedRelation:
    """A relation with nothing live: no order runs or waits, no consent is given or asked for.

    It began with the first entry on record and ended with the last; an agreement for a limited time
    ends with that time. A relation to every SP has the `system_id` EVERY_SENDER.
    """

    msisdn: int = field(repr=False)
    system_id: str
    began_at: datetime
    ended_at: datetime

    @property
    def key(self) -> tuple[int, str]:
        """Return the key of the relation."""
        return self.msisdn, self.system_id


class EndedRelations(Protocol):
    """Finds and forgets the records of ended relations. Calls may raise StoreUnavailable."""

    def ended_before(self, before: datetime) -> AsyncIterator[list[EndedRelation]]:
        """Yield relations that ended before `before` and have data to forget, page by page.

        The caller may forget them while it iterates. An answer to every SP counts as a relation
        only if it is an agreement for a limited time; it ends for all SPs at that time.
        """

    async def forget(self, relations: Sequence[EndedRelation], purge: NewPurge) -> int:
        """Forget the data of `relations` that ended before `purge.until`; return how many.

        Orders, their history and the ended agreement are deleted. A refusal stays in force,
        without its channel and evidence. A consent request stays, without its messages, so that
        the subscriber is not asked the same again. The journal gets `purge` with the count in
        the same commit; nothing when it is 0.
        """
