"""The store of what is on record of relations that have ended (R71)."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.privacy import NewPurge
from gateway.domain.relation import EndedRelation


class EndedRelations(Protocol):
    """Finds and forgets the proof of relations. Every call may raise StoreUnavailable."""

    def ended_before(self, before: datetime) -> AsyncIterator[list[EndedRelation]]:
        """Yield relations that ended before `before` and have anything to forget, page by page.

        They may be forgotten meanwhile. What was said to every SP at once is a relation only
        where it is an agreement for a time: it is over for all with its end.
        """

    async def forget(self, relations: Sequence[EndedRelation], purge: NewPurge) -> int:
        """Forget how those of `relations` went that ended before `purge.until`; return how many.

        Orders and their history go, and the agreement that ended. A refusal stays and goes on
        to hold, without its channel and evidence; so does a request for consent, without its
        messages: nobody is asked the same again. The journal gets `purge` with the count in
        the same commit; nothing when it is 0.
        """
