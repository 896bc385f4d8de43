"""How many octets each sender has in a table; the sender with the most makes room."""

_PAGE_OCTETS = 4096


class OctetShares:
    """Octets by sender. The largest is known to within a page of 4 kB, without a search."""

    def __init__(self) -> None:
        self.total = 0
        self._of: dict[str, int] = {}
        self._by_pages: dict[int, dict[str, None]] = {}
        self._most = 0  # pages that any sender has

    def of(self, sender: str) -> int:
        """Return the octets of a sender."""
        return self._of.get(sender, 0)

    def add(self, sender: str, octets: int) -> None:
        """Add octets to a sender's total; a negative number takes some away."""
        before = self._of.get(sender, 0)
        after = before + octets
        self.total += octets
        self._move(sender, before, after)
        if after:
            self._of[sender] = after
        else:
            self._of.pop(sender, None)

    def largest(self, sender: str) -> str:
        """Return the sender that makes room: `sender` itself unless another has more pages."""
        if not self._most or _pages(self.of(sender)) >= self._most:
            return sender
        return next(iter(self._by_pages[self._most]))

    def _move(self, sender: str, before: int, after: int) -> None:
        if before:
            alike = self._by_pages[_pages(before)]
            del alike[sender]
            if not alike:
                del self._by_pages[_pages(before)]
        if after:
            self._by_pages.setdefault(_pages(after), {})[sender] = None
            self._most = max(self._most, _pages(after))
        while self._most and self._most not in self._by_pages:
            self._most -= 1  # at most as often as it grew


def _pages(octets: int) -> int:
    return 1 + octets // _PAGE_OCTETS
