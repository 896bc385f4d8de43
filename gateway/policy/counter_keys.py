"""How a counter keeps its keys: plain numbers in two levels.

A group stands for the parts of a limit without its key, and holds what is kept for each key:
the destination, if the limit has one. Many destinations share a signature, so a key and its
count are two plain numbers, of which the garbage collector keeps no track. Destinations are
dealt out over some groups each, so that no table grows large.

What has expired goes to `Retired` whole, for the owner to take apart a few keys at a time:
freeing a million at once would stop the loop.
"""

from collections.abc import Callable
from operator import itemgetter
from typing import Final, TypeAlias

from gateway.policy.limits import Part, Parts

Key: TypeAlias = int | str
Group: TypeAlias = int | str | tuple[object, ...] | None
Counts: TypeAlias = dict[Key, int]
Groups: TypeAlias = dict[Group, Counts]
Retired: TypeAlias = list[Counts]

NONE: Counts = {}  # stands for a group that is not there; never written to
NEVER = 0

# A table of a million keys is copied as it grows, 15 ms at a time; a 64th of it in no time. In
# all, large tables cost two to three times as much a message.
_SHARDS = 64

_PLACES = {part: place for place, part in enumerate(Part)}
_DESTINATION = _PLACES[Part.DESTINATION]
PAYER: Final = 3  # of Parts: the sender, which pays for the keys that its messages make


def split(per: tuple[Part, ...]) -> tuple[Callable[[Parts], Group], int]:
    """Return how to find the group in a message's parts, and at which place its key stands.

    The order of `per` does not matter.
    """
    key, *others = sorted(_PLACES[part] for part in per)
    if key == _DESTINATION:
        return _sharded(others), key
    return itemgetter(*others) if others else _no_group, key


def _sharded(others: list[int]) -> Callable[[Parts], Group]:
    match others:
        case []:
            return lambda parts: parts[_DESTINATION] % _SHARDS
        case [one]:
            return lambda parts: (parts[one], parts[_DESTINATION] % _SHARDS)
        case [one, two]:
            return lambda parts: (parts[one], parts[two], parts[_DESTINATION] % _SHARDS)
        case _:
            rest = itemgetter(*others)
            return lambda parts: (rest(parts), parts[_DESTINATION] % _SHARDS)


def _no_group(_parts: Parts) -> Group:
    return None


def drop(groups: Groups, group: Group, key: Key) -> None:
    """Take out a key, and its group with the last one.

    Empty groups would be counted by nobody, and a sender that changes its signature with every
    message leaves as many as it likes.
    """
    counts = groups[group]
    del counts[key]
    if not counts:
        del groups[group]
