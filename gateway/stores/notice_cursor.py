"""Where an SP stands among the answers on record, and what it hears next."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from gateway.domain.notice import Notice, NoticeBatch
from gateway.ports.notices import NOTICES_PER_BATCH


class FeedCursor(NamedTuple):
    """A place among the answers: one change may stand for a thousand of them."""

    change: int
    msisdn: int
    scope: str


START = FeedCursor(0, -1, "")


class CursorNotice(NamedTuple):
    """One answer's place, and its notice; None where it is for no ears of this SP."""

    place: FeedCursor
    notice: Notice | None


# Reads at most so many answers after one place, up to another one where it is given.
Read: TypeAlias = Callable[
    [FeedCursor, FeedCursor | None, int | None], Awaitable[Sequence[CursorNotice]]
]

# Strangers' refusals of every SP may come by the million: they are passed page by page.
_ANSWERS_PER_PAGE = NOTICES_PER_BATCH
_PAGES_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far an SP has `heard`, and where batch `batch_id` ends that was `given` to it since."""

    heard: FeedCursor = START
    given: FeedCursor | None = None
    batch_id: int = 0

    def acknowledged(self, batch_id: int) -> "Cursor":
        """Return the cursor once the SP has taken that batch."""
        if self.given is None or batch_id != self.batch_id:
            return self
        return replace(self, heard=self.given, given=None)

    def skipped_to(self, change: int) -> "Cursor":
        """Return the cursor with everything before `change` given up."""
        place = FeedCursor(change, *START[1:])
        return self if place <= self.heard else replace(self, heard=place, given=None)


async def next_for(cursor: Cursor, limit: int, read: Read) -> tuple[Cursor, NoticeBatch | None]:
    """Return what comes next, and the cursor to keep: the same one when nothing moved.

    One that moved without a batch has passed over what this SP is not told: go on from there.
    """
    if cursor.given is not None:
        again = _notices(await read(cursor.heard, cursor.given, None))
        if again:
            return cursor, await _batch(cursor.batch_id, again, cursor.given, read)
        # All of it was answered anew meanwhile, and stands further on.
        cursor = replace(cursor, heard=cursor.given, given=None)
    for _ in range(_PAGES_AT_ONCE):
        page = await read(cursor.heard, None, _ANSWERS_PER_PAGE)
        told = [one for one in page if one.notice is not None]
        if told:
            given = told[limit - 1].place if len(told) > limit else page[-1].place
            cursor = Cursor(cursor.heard, given, cursor.batch_id + 1)
            return cursor, await _batch(cursor.batch_id, _notices(told[:limit]), given, read)
        if not page:
            break
        cursor = replace(cursor, heard=page[-1].place)
    return cursor, None


async def first_told(cursor: Cursor, read: Read) -> FeedCursor | None:
    """Return the place of the first notice that waits, as far as one call of `next_for` looks."""
    place = cursor.heard
    for _ in range(_PAGES_AT_ONCE):
        page = await read(place, None, _ANSWERS_PER_PAGE)
        for one in page:
            if one.notice is not None:
                return one.place
        if not page:
            break
        place = page[-1].place
    return None


async def _batch(
    batch_id: int, notices: Sequence[Notice], end: FeedCursor, read: Read
) -> NoticeBatch:
    behind = await read(end, None, _ANSWERS_PER_PAGE)
    is_last = len(behind) < _ANSWERS_PER_PAGE and not _notices(behind)
    return NoticeBatch(batch_id, tuple(notices), is_last)


def _notices(rows: Sequence[CursorNotice]) -> list[Notice]:
    return [one.notice for one in rows if one.notice is not None]
