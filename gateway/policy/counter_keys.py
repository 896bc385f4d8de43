"""How a counter keeps its keys: one number for each, in tables of plain numbers.

The parts of a limit except the destination are hashed, and stand above the digits of the
destination. A key and its count are thus two numbers, which the garbage collector does not track.
Two keys to one destination collide with the chance of two 64-bit hashes, one in 10**19. No sender
can cause a collision, because Python's hashes of text are keyed. Keys are distributed over several
tables, so that none grows large.

Expired tables go to `Retired` whole, and the owner removes a few keys at a time: freeing a million
at once would stop the loop.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final, TypeAlias

from gateway.policy.limits import CountDimension, Parts

Table: TypeAlias = dict[int, int]
Tables: TypeAlias = tuple[Table, ...]
Retired: TypeAlias = list[Table]

# A table of a million keys is copied as it grows, 15 ms at a time; a 64th of it takes no time.
_TABLES = 64
WHICH: Final = _TABLES - 1  # these bits of a key select its table
NEVER = 0

_PLACES = {part: place for place, part in enumerate(CountDimension)}
_DESTINATION_BITS = 50  # of 15 digits at most (ITU-T E.164)
PAYER: Final = 3  # of Parts: the sender, which pays for the keys that its messages make


def tables() -> Tables:
    """Return tables without keys."""
    return tuple({} for _ in range(_TABLES))


def size_of(kept: Tables) -> int:
    """Return how many keys the tables hold."""
    return sum(map(len, kept))


def keyed_by(per: tuple[CountDimension, ...]) -> Callable[[Sequence[Parts]], list[int]]:
    """Return a function that makes the keys of messages counted by `per`, in any order of `per`."""
    others = sorted(_PLACES[part] for part in per if part is not CountDimension.DESTINATION)
    if not others:
        return lambda messages: [parts[0] for parts in messages]
    rest = itemgetter(*others)
    if len(others) == len(per):
        return lambda messages: [hash(rest(parts)) for parts in messages]
    return lambda messages: [
        (hash(rest(parts)) << _DESTINATION_BITS) + parts[0] for parts in messages
    ]
