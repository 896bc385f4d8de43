"""The store of early warnings (预警), and with it the ledger of violations (违规台账)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.domain.privacy import NewPurge
from gateway.domain.warning import (
    EarlyWarning,
    Gathered,
    Handling,
    WarningCode,
    WarningState,
)


@dataclass(frozen=True, slots=True)
class WarningSelection:
    """Which warnings are looked for; what is None, or not set, does not matter."""

    system_id: str | None = None
    code: WarningCode | None = None
    state: WarningState | None = None
    only_violations: bool = False
    before: int | None = None


class WarningStore(Protocol):
    """Keeps warnings. Every call raises StoreUnavailable when the store does not answer."""

    async def add(self, gathered: Sequence[Gathered]) -> list[EarlyWarning]:
        """Count at most 500 kinds, all or none; return the warnings that were raised by it.

        What belongs to the newest warning of its kind, by `EarlyWarning.takes`, is counted in
        that, whatever its state; else a warning is raised. Called again after
        StoreUnavailable it may count twice, and then raises nothing twice.
        """

    async def get(self, number: int) -> EarlyWarning | None:
        """Return a warning by its number."""

    async def find(self, selection: WarningSelection, limit: int = 50) -> list[EarlyWarning]:
        """Return at most `limit` warnings, the newest first; `before` is a number."""

    async def answer(self, number: int, handling: Handling) -> bool:
        """Note what the SP answers to an open warning; return False when it is not open."""

    async def close(self, number: int, handling: Handling) -> bool:
        """Note that nothing is left to do; return False when it is closed, or is not there."""

    async def noticed_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[EarlyWarning]:
        """Return warnings that last grew before `before`, by number.

        For the next page give the last number as `after`.
        """

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        """Delete warnings; return how many.

        The journal gets `purge` with that count in the same commit; nothing when it is 0.
        """
