"""Why to read files again: a signal, or that one was saved."""

import asyncio
from collections.abc import Iterable
from contextlib import aclosing, suppress
from pathlib import Path

from watchfiles import awatch

# What the gateway writes itself, should the store or the records lie in a watched place.
_OUR_OWN = frozenset({".jsonl", ".gz", ".part", ".db", ".db-wal", ".db-shm", ".db-journal"})

_LOOK_MS = 1_000


class ReloadTrigger:
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


async def watch(directories: Iterable[Path], cause: ReloadTrigger) -> None:
    """Let every change below `directories` be a cause; also where another takes the place of one.

    A watch follows a directory that is renamed away, and sees nothing of the one that takes its
    name: so each second it is looked whether they are the same ones still.
    """
    places = frozenset(directories)
    while True:
        watched = await asyncio.to_thread(_identities, places)
        if not watched:
            await asyncio.sleep(_LOOK_MS / 1000)
            continue
        changes = awatch(
            *watched,
            watch_filter=lambda _change, path: Path(path).suffix not in _OUR_OWN,
            debounce=400,
            step=50,
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
        )
        async with aclosing(changes):
            async for found in changes:
                is_another = await asyncio.to_thread(_identities, places) != watched
                if found or is_another:
                    cause.arise("file change")
                if is_another:
                    break


def _identities(places: Iterable[Path]) -> dict[Path, tuple[int, int]]:
    """Return the device and the number of each directory that there is."""
    found: dict[Path, tuple[int, int]] = {}
    for place in places:
        with suppress(OSError):
            is_ = place.stat()
            found[place] = is_.st_dev, is_.st_ino
    return found
