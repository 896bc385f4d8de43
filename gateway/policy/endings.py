"""Findings that many messages share, joined only once to what was found before them."""

from typing import TypeAlias

from gateway.domain.verdict import Finding

# How many tuples one ending is joined to: rules are few, and most find the same. 250 octets each.
_MAX_JOINED = 16

_Found: TypeAlias = tuple[Finding, ...]


class Ending:
    """Findings to append to others: to the same ones they always make the same tuple.

    So code that counts findings recognises the tuple by identity.
    """

    __slots__ = ("found", "joined")

    def __init__(self, found: _Found) -> None:
        self.found = found
        # Each with the tuple that it was appended to, so that its id is not reused.
        self.joined: dict[int, tuple[_Found, _Found]] = {}

    def after(self, before: _Found) -> _Found:
        """Return `before` followed by these findings."""
        if not before:
            return self.found
        joined = self.joined.get(id(before))
        if joined is None:
            if len(self.joined) >= _MAX_JOINED:
                self.joined.clear()
            joined = self.joined[id(before)] = (before, (*before, *self.found))
        return joined[1]
