"""The store of records of relations that have ended (R71)."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.privacy import NewPurge
from gateway.domain.relation import EndedRelation


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
