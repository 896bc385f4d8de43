"""The store of what SPs have filed (报备)."""

from collections.abc import Sequence
from typing import Protocol

from gateway.domain.filings import Filing


class FilingStore(Protocol):
    """Keeps licences, signatures, templates, port scopes and approvals of every SP.

    Filings come and go in whole calls: all of one or nothing, with one change of the kind
    FILINGS for each SP concerned. Every call raises StoreUnavailable when the store does not
    answer, and is safe to repeat.
    """

    async def put(self, filings: Sequence[Filing]) -> None:
        """Keep `filings`, each in place of the one with the same key (domain.filings.key_of)."""

    async def remove(self, filings: Sequence[Filing]) -> int:
        """Forget the filings with these keys; return how many there were."""

    async def of(self, system_id: str) -> tuple[Filing, ...]:
        """Return all that one SP has filed, by key."""

    async def all_filings(self) -> tuple[Filing, ...]:
        """Return all that anybody has filed, by key."""
