"""What each kind of database has to say: its SQL, its faults, and where a URL of it leads."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

from sqlalchemy import ColumnElement, Connection, Integer, TextClause
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

# Makes or migrates all tables, on a connection with a transaction.
MakeTables = Callable[[Connection], None]


class DatabaseLock(Protocol):
    """What a process holds of a database, until `release` or the end of the process."""

    def release(self) -> None:
        """Let it go; safe to repeat."""


class DatabasePlace(ABC):
    """The database that a URL names; nothing of it is opened yet.

    `file` is the file that it is, None without one. The text of a place says in words where it is.
    The locks hold between processes, None where there is nothing to share with others; each
    raises BlockingIOError while others have it, and OSError where it cannot be had.
    """

    file: Path | None = None

    @abstractmethod
    def __str__(self) -> str: ...

    @abstractmethod
    def is_made(self) -> bool:
        """Tell whether there is a database: a command makes none, the gateway does."""

    @abstractmethod
    def prepare(self, make_tables: MakeTables, *, busy_s: float) -> bool:
        """Make the database if it is missing; tell whether it has all tables by now.

        It blocks, for up to `busy_s` where others have it. Raises StoreUnavailable.
        """

    @abstractmethod
    def reading_engine(self, *, busy_s: float) -> AsyncEngine:
        """Return an engine of a few connections that can only read.

        A statement that waits for a lock gives up after `busy_s`.
        """

    @abstractmethod
    def writing_engine(self, *, busy_s: float, max_octets: int | None = None) -> AsyncEngine:
        """Return an engine with one connection; its commits are on the disk when they return.

        A transaction has the only write lock of the database from its start. `max_octets` limits
        the size: beyond it writes fail as on a full disk.
        """

    def share(self) -> DatabaseLock | None:
        """Take part in the database, as many may; its key is not changed meanwhile."""
        return None

    def own(self) -> DatabaseLock | None:
        """Take the database for one gateway. The text of an OSError says who may have it."""
        return None

    def take_work(self, command: str) -> DatabaseLock | None:
        """Take the work of `smsward COMMAND` on the database, beside a gateway."""
        del command
        return None

    def close(self) -> None:  # noqa: B027 - most places have nothing
        """Forget what the place holds, once all its engines are disposed of."""


class SqlDialect(ABC):
    """One kind of database. `name` is SQLAlchemy's; URLs begin with one of `schemes`.

    Some of it goes into the tables, which are made once for all kinds: `row_number` is the type
    of a key that the database numbers (None for BIGINT), `never_reused` and `in_key_order` are
    options of a table.
    """

    name: ClassVar[str]
    schemes: ClassVar[Mapping[str, str]]  # with the form of a URL
    row_number: ClassVar[type[TypeEngine[int]] | None] = None
    never_reused: ClassVar[Mapping[str, Any]] = {}
    in_key_order: ClassVar[Mapping[str, Any]] = {}
    # Why nothing can be sealed in it, "" where it can.
    unsealed_for: ClassVar[str] = ""
    # Why no file is made by `smsward backup`, and what to do instead; "" where one is.
    backed_up_by: ClassVar[str] = ""
    # Ends of the names of files that the database writes.
    suffixes: ClassVar[frozenset[str]] = frozenset()

    # The octets of what is in use, as `octets`.
    used_octets: ClassVar[TextClause]
    # The highest number that the table :journal ever gave, as `seq`, also if its row was deleted.
    last_given: ClassVar[TextClause]
    # The triggers of the table :journal, as `name`; those that must be there, with its name.
    triggers: ClassVar[TextClause]
    walls: ClassVar[tuple[str, ...]]

    @abstractmethod
    def place_at(self, url: str) -> DatabasePlace:
        """Return the place that a URL of one of `schemes` names. Raises ValueError."""

    @abstractmethod
    def rows_where(self, condition: TextClause) -> Mapping[str, Any]:
        """Return the options of an index of the rows of a condition alone."""

    @abstractmethod
    def fault_of(self, error: BaseException) -> str:
        """Return in words what a driver's error is, without any value; "" for that of another."""

    async def emptied_log(self, connection: AsyncConnection) -> bool:
        """Let deleted octets leave the log of changes; False where it is still read."""
        del connection
        return True


class TextOctets(FunctionElement[int]):
    """How many octets a text takes. Each dialect says what it calls that."""

    name = "text_octets"
    type = Integer()
    inherit_cache = True

    def __init__(self, column: ColumnElement[str]) -> None:
        super().__init__(column)
