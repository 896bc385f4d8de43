"""The store of early warnings (预警), with the ledger of violations (违规台账)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.domain.records import NewPurge
from gateway.domain.warning import (
    EarlyWarning,
    WarningCode,
    WarningCount,
    WarningNote,
    WarningState,
)


@dataclass(frozen=True, slots=True)
class WarningSelection:
    """Which warnings to find; None, or not set, means any."""

    system_id: str | None = None
    code: WarningCode | None = None
    state: WarningState | None = None
    only_violations: bool = False
    before: int | None = None


class WarningStore(Protocol):
    """Keeps warnings. Every call raises StoreUnavailable when the store does not answer."""

    async def add(self, gathered: Sequence[WarningCount]) -> list[EarlyWarning]:
        """Count at most 500 kinds, all or none; return the newly raised warnings.

        What belongs to the newest warning of its kind (see `EarlyWarning.takes`) is counted in
        that warning, in any state; else a new warning is raised. Repeated after
        StoreUnavailable, it may count twice, but does not raise a warning twice.
        """

    async def get(self, number: int) -> EarlyWarning | None:
        """Return a warning by its number."""

    async def find(self, selection: WarningSelection, limit: int = 50) -> list[EarlyWarning]:
        """Return at most `limit` warnings, the newest first; `before` is a number."""

    async def answer(self, number: int, handling: WarningNote) -> bool:
        """Note the SP's answer to an open warning; return False when it is not open."""

    async def close(self, number: int, handling: WarningNote) -> bool:
        """Close a warning; return False when it is closed already or does not exist."""

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
