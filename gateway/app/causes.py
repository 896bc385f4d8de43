"""Why to read files again: a signal, or that one was saved."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from watchfiles import awatch

# What the gateway writes itself, should the store or the records lie in a watched place.
_OUR_OWN = frozenset({".jsonl", ".gz", ".part", ".db", ".db-wal", ".db-shm", ".db-journal"})


class Cause:
    """Why to reload next: the last that arose since it was awaited."""

    def __init__(self) -> None:
        self._by = ""
        self._arisen = asyncio.Event()

    def arise(self, by: str) -> None:
        """Note a cause."""
        self._by = by
        self._arisen.set()

    async def next(self) -> str:
        """Return what arose last, once something has."""
        await self._arisen.wait()
        self._arisen.clear()
        return self._by


async def watch(directories: Iterable[Path], cause: Cause) -> None:
    """Let every change below `directories` be a cause."""
    changes: AsyncIterator[object] = awatch(
        *{str(directory) for directory in directories},
        watch_filter=lambda _change, path: Path(path).suffix not in _OUR_OWN,
        debounce=400,
        step=50,
    )
    async for _ in changes:
        cause.arise("file change")
