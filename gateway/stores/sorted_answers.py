"""Answers in the order of their key, however many: a temporary file sorts them."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gateway.ports.consent_lists import PlainAnswer

# In bytes of memory, negative kilobytes as SQLite wants it; what is over goes to the disk.
_CACHE = "PRAGMA cache_size=-65536"
_TABLE = "CREATE TABLE answers (msisdn INTEGER, scope, answer, since INTEGER, channel, evidence)"


class SpoolError(Exception):
    """The temporary file cannot hold what it is given. The text says why."""


class SortedAnswers:
    """Takes answers in any order and gives them back by number and scope.

    Into a table of millions, rows in the order of its key go many times faster: each page
    is written once. The file is SQLite's own: no name, no permissions, gone when closed.
    """

    def __init__(self) -> None:
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
        with _translated():
            self._file.executemany("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)", answers)

    def batches(self, size: int) -> Iterator[list[PlainAnswer]]:
        """Give all in order, `size` at a time. Raises SpoolError."""
        with _translated():
            rows = self._file.execute("SELECT * FROM answers ORDER BY msisdn, scope")
        while batch := _fetched(rows, size):
            yield batch

    def close(self) -> None:
        """Let the file go; may be repeated."""
        self._file.close()


def _fetched(rows: sqlite3.Cursor, size: int) -> list[PlainAnswer]:
    with _translated():
        return rows.fetchmany(size)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise SpoolError(str(error)) from error
