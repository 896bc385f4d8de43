"""Numbers for connections: what records and logs call them."""

import itertools


class Numbers:
    """Counts connections of one process, from 1."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def next(self) -> int:
        """Return the next number."""
        return next(self._count)
