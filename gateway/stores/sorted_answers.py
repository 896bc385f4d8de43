"""Answers in the order of their key, however many: a temporary file sorts them."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from gateway.ports.consent_lists import Kept, KeptAnswer, PlainAnswer

# In bytes of memory, negative kilobytes as SQLite wants it; what is over goes to the disk.
_CACHE = "PRAGMA cache_size=-65536"
_TABLE = (
    "CREATE TABLE answers (msisdn, scope, answer, since INTEGER, channel, evidence, until INTEGER)"
)


class SpoolError(Exception):
    """The temporary file cannot hold what it is given. The text says why."""


class SortedAnswers:
    """Takes answers in any order and gives them back by number and scope.

    Into a table of millions, rows in the order of its key go many times faster: each page
    is written once. It holds of numbers what `seal` makes of them, and their order is that
    of what it makes. The file is SQLite's own: no name, no permissions, gone when closed.
    """

    def __init__(self, seal: Callable[[int], Kept] | None = None) -> None:
        self._seal = seal
        with _translated():
            self._file = sqlite3.connect("", isolation_level=None)
            for statement in (
                "PRAGMA journal_mode=OFF",
                _CACHE,
                _TABLE,
                "BEGIN",
            ):
                self._file.execute(statement)

    def add(self, answers: Sequence[PlainAnswer]) -> None:
        """Take some more. Raises SpoolError."""
        rows = answers if self._seal is None else _sealed(answers, self._seal)
        with _translated():
            self._file.executemany("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def batches(self, size: int) -> Iterator[list[KeptAnswer]]:
        """Give all in order, `size` at a time. Raises SpoolError."""
        with _translated():
            rows = self._file.execute("SELECT * FROM answers ORDER BY msisdn, scope")
        while batch := _fetched(rows, size):
            yield batch

    def close(self) -> None:
        """Let the file go; may be repeated."""
        self._file.close()


def _sealed(answers: Sequence[PlainAnswer], seal: Callable[[int], Kept]) -> list[KeptAnswer]:
    return [(seal(answer[0]), *answer[1:]) for answer in answers]


def _fetched(rows: sqlite3.Cursor, size: int) -> list[KeptAnswer]:
    with _translated():
        return rows.fetchmany(size)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise SpoolError(str(error)) from error
