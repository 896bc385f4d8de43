"""Where an SP stands among the answers on record, and what it hears next."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from gateway.domain.notice import Batch, Notice


class Place(NamedTuple):
    """A place among the answers: one change may stand for a thousand of them."""

    change: int
    msisdn: int
    scope: str


START = Place(0, -1, "")


class Told(NamedTuple):
    """One notice and its place."""

    place: Place
    notice: Notice


# Reads at most so many notices after one place, up to another one where it is given.
Read: TypeAlias = Callable[[Place, Place | None, int | None], Awaitable[Sequence[Told]]]


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far an SP has `heard`, and where batch `batch_id` ends that was `given` to it since."""

    heard: Place = START
    given: Place | None = None
    batch_id: int = 0

    def acknowledged(self, batch_id: int) -> "Cursor":
        """Return the cursor once the SP has taken that batch."""
        if self.given is None or batch_id != self.batch_id:
            return self
        return replace(self, heard=self.given, given=None)

    def skipped_to(self, change: int) -> "Cursor":
        """Return the cursor with everything before `change` given up."""
        place = Place(change, *START[1:])
        return self if place <= self.heard else replace(self, heard=place, given=None)


async def next_for(cursor: Cursor, limit: int, read: Read) -> tuple[Cursor, Batch | None]:
    """Return what comes next, and the cursor to keep: the same one when nothing moved."""
    if cursor.given is not None:
        again = await read(cursor.heard, cursor.given, None)
        if again:
            behind = await read(cursor.given, None, 1)
            return cursor, _batch(cursor.batch_id, again, is_last=not behind)
        # All of it was answered anew meanwhile, and stands further on.
        cursor = replace(cursor, heard=cursor.given, given=None)
    waiting = await read(cursor.heard, None, limit + 1)
    if not waiting:
        return cursor, None
    told, batch_id = waiting[:limit], cursor.batch_id + 1
    cursor = Cursor(cursor.heard, told[-1].place, batch_id)
    return cursor, _batch(batch_id, told, is_last=len(waiting) <= limit)


def _batch(batch_id: int, told: Sequence[Told], *, is_last: bool) -> Batch:
    return Batch(batch_id, tuple(one.notice for one in told), is_last)
