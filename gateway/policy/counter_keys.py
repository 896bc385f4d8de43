"""How a counter keeps its keys: one number for each, in tables of plain numbers.

The parts of a limit without the destination are hashed, and stand above the digits of the
destination. So a key and its count are two numbers, of which the garbage collector keeps no
track, and of two keys to one destination the chance to meet is that of two hashes of 64 bits:
one in 10**19, and nobody can bring it about, since Python's hashes of text are keyed. Keys are
dealt out over some tables, so that none grows large.

What has expired goes to `Retired` whole, for the owner to take apart a few keys at a time:
freeing a million at once would stop the loop.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final, TypeAlias

from gateway.policy.limits import Part, Parts

Table: TypeAlias = dict[int, int]
Tables: TypeAlias = tuple[Table, ...]
Retired: TypeAlias = list[Table]

# A table of a million keys is copied as it grows, 15 ms at a time; a 64th of it in no time.
_TABLES = 64
WHICH: Final = _TABLES - 1  # of the tables a key lies in: these bits of it tell
NEVER = 0

_PLACES = {part: place for place, part in enumerate(Part)}
_DESTINATION_BITS = 50  # of 15 digits at most (ITU-T E.164)
PAYER: Final = 3  # of Parts: the sender, which pays for the keys that its messages make


def tables() -> Tables:
    """Return tables without keys."""
    return tuple({} for _ in range(_TABLES))


def size_of(kept: Tables) -> int:
    """Return how many keys there are in tables."""
    return sum(map(len, kept))


def keyed_by(per: tuple[Part, ...]) -> Callable[[Sequence[Parts]], list[int]]:
    """Return what makes the keys of messages that are counted by `per`, in whichever order."""
    others = sorted(_PLACES[part] for part in per if part is not Part.DESTINATION)
    if not others:
        return lambda messages: [parts[0] for parts in messages]
    rest = itemgetter(*others)
    if len(others) == len(per):
        return lambda messages: [hash(rest(parts)) for parts in messages]
    return lambda messages: [
        (hash(rest(parts)) << _DESTINATION_BITS) + parts[0] for parts in messages
    ]
