"""Places for connections that have not proved their identity."""

from typing import Generic, TypeVar

Key = TypeVar("Key")


class StrangerPlaces(Generic[Key]):
    """Gives places to connections that have proved nothing, `total` in all, `of_one` per origin.

    A new connection always gets a place, so that many waiting connections never keep out a peer
    that proves itself at once. If its origin has `of_one` places already, the longest waiting of
    that origin leaves; else, if all places are taken, the longest waiting of the origin with most
    places.
    """

    def __init__(self, total: int, of_one: int) -> None:
        if total < 1 or of_one < 1:
            raise ValueError("both limits must be at least 1")
        self.total = total
        self.of_one = of_one
        self._origins: dict[Key, str] = {}
        self._by_origin: dict[str, dict[Key, None]] = {}

    def enter(self, key: Key, origin: str) -> Key | None:
        """Give `key` a place; return the key that lost its place, or None."""
        goes = self._who_goes_for(origin)
        if goes is not None:
            self.leave(goes)
        self._origins[key] = origin
        self._by_origin.setdefault(origin, {})[key] = None
        return goes

    def leave(self, key: Key) -> None:
        """Free the place of `key`, if it has one."""
        origin = self._origins.pop(key, None)
        if origin is None:
            return
        waiting = self._by_origin[origin]
        del waiting[key]
        if not waiting:
            del self._by_origin[origin]

    def __len__(self) -> int:
        """Return how many places are taken."""
        return len(self._origins)

    def __contains__(self, key: Key) -> bool:
        """Tell whether `key` has a place."""
        return key in self._origins

    def _who_goes_for(self, origin: str) -> Key | None:
        near = self._by_origin.get(origin, {})
        if len(near) >= self.of_one:
            return next(iter(near))
        if len(self._origins) < self.total:
            return None
        most = max(self._by_origin, key=lambda one: len(self._by_origin[one]))
        return next(iter(self._by_origin[most]))
