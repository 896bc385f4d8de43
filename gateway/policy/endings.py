"""What is found against many messages alike, joined to what was found before it but once."""

from typing import TypeAlias

from gateway.domain.verdict import Finding

# Of what one finding is added to: rules are few, and most find one and the same. Each 250 octets.
_MAX_JOINED = 16

_Found: TypeAlias = tuple[Finding, ...]


class Ending:
    """Findings to be added to others: to the same ones they make one tuple, with these at its end.

    So whoever counts what was found knows it again at a glance.
    """

    __slots__ = ("found", "joined")

    def __init__(self, found: _Found) -> None:
        self.found = found
        # Each with what it was added to, so that its id is nobody else's.
        self.joined: dict[int, tuple[_Found, _Found]] = {}

    def after(self, before: _Found) -> _Found:
        """Return `before` and these behind it."""
        if not before:
            return self.found
        joined = self.joined.get(id(before))
        if joined is None:
            if len(self.joined) >= _MAX_JOINED:
                self.joined.clear()
            joined = self.joined[id(before)] = (before, (*before, *self.found))
        return joined[1]
