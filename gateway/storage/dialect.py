"""The dialects of stores, in one table, and what the stores write their tables and SQL with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Table,
    TextClause,
)
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.storage.dialects.base import DatabasePlace, SqlDialect, TextOctets
from gateway.storage.dialects.postgresql import PostgresqlDialect
from gateway.storage.dialects.sqlite import SqliteDialect
from gateway.storage.errors import StoreUnavailable

# By the name that SQLAlchemy has for each. Another one is a file in dialects/ and a row here.
DIALECTS = MappingProxyType({one.name: one for one in (SqliteDialect(), PostgresqlDialect())})

# The ends of the names of the files that databases write.
FILE_SUFFIXES = frozenset[str]().union(*(one.suffixes for one in DIALECTS.values()))


def dialect_of(connected: AsyncConnection | AsyncEngine) -> SqlDialect:
    """Return the dialect that a connection or an engine speaks."""
    return DIALECTS[connected.dialect.name]


def dialect_at(url: str) -> SqlDialect:
    """Return the dialect of the store at `url`. Raises ValueError for a scheme of none."""
    scheme, is_url, _ = url.partition("://")
    for one in DIALECTS.values():
        if is_url and scheme in one.schemes:
            return one
    forms = [form for one in DIALECTS.values() for form in one.schemes.values()]
    raise ValueError(f"the store's URL must read {' or '.join(forms)}")


def place_at(url: str) -> DatabasePlace:
    """Return the place of the database at `url`. Raises ValueError."""
    return dialect_at(url).place_at(url)


# The type of a key that the database numbers.
ROW_NUMBER = reduce(
    lambda kind, one: kind.with_variant(one.row_number, one.name) if one.row_number else kind,
    DIALECTS.values(),
    BigInteger(),
)
# Options of a table: a number that was deleted is never given again.
NEVER_REUSED: dict[str, Any] = {
    name: value for one in DIALECTS.values() for name, value in one.never_reused.items()
}
# Options of a table of many short rows that are read in the order of their key.
IN_KEY_ORDER: dict[str, Any] = {
    name: value for one in DIALECTS.values() for name, value in one.in_key_order.items()
}

# An insert that says what to do about a row that is there. SQLAlchemy has one for each dialect
# and none for all: this is that of SQLite, and each other dialect says how it writes its clauses.
insert_or_update = insert


def octets_of(column: ColumnElement[str]) -> ColumnElement[int]:
    """Return how many octets a text takes."""
    return TextOctets(column)


def columns(kind: Any, *names: str) -> list[Column[Any]]:
    """Return columns of one type that are never NULL."""
    return [Column(name, kind, nullable=False) for name in names]


def rows_where(condition: TextClause) -> dict[str, Any]:
    """Return the options of an index of the rows of a condition alone.

    It serves only a query that repeats the condition, literals and all.
    """
    return {
        name: value
        for one in DIALECTS.values()
        for name, value in one.rows_where(condition).items()
    }


def partial_index(name: str, *columns: str, where: TextClause, unique: bool = False) -> Index:
    """Return an index of the rows that are `where`, as `rows_where` says."""
    return Index(name, *columns, unique=unique, **rows_where(where))


def upsert(
    table: Table, names: Sequence[str] = (), where: ColumnElement[bool] | None = None
) -> Insert:
    """Return what inserts rows, or sets the columns `names` of those with the same primary key.

    Without `names` all other columns are set. Rows that are there and not `where` stay.
    """
    keys, statement = list(table.primary_key), insert(table)
    rest = names or [column.name for column in table.c if not column.primary_key]
    return statement.on_conflict_do_update(
        index_elements=keys,
        set_={name: statement.excluded[name] for name in rest},
        where=where,
    )


# What `insert_plain` executes, by statement and dialect: laying one out takes half a millisecond.
_laid_out: dict[tuple[Insert, str], str] = {}


async def insert_plain(
    connection: AsyncConnection, statement: Insert, rows: Sequence[tuple[object, ...]]
) -> None:
    """Execute an insert for rows as the driver takes them, in the order of the table's columns.

    Values are kept as they are: no type of a column changes them. The statement, a constant of a
    module, has no other parameters. SQLAlchemy spends more on the values of a row than the
    database on keeping them.
    """
    written = _laid_out.get((statement, connection.dialect.name))
    if written is None:
        names = statement.table.c.keys()
        compiled = statement.compile(dialect=connection.dialect, column_keys=names)
        if compiled.positiontup != names:
            raise ValueError(f"an insert with other parameters than its columns: {compiled}")
        written = _laid_out[statement, connection.dialect.name] = str(compiled)
    await connection.exec_driver_sql(written, list(rows))


@contextmanager
def translated() -> Iterator[None]:
    """Raise StoreUnavailable in place of a driver's fault, or if no connection comes free in time.

    Its text names the kind of fault only, never a statement's values. IntegrityError
    passes: it is the caller's fault. So does an OSError, which is that of the work beside the
    store: a dialect with a driver that raises one itself translates it where it connects.
    """
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise StoreUnavailable(_kind_of(error)) from error
    except PoolTimeoutError as error:
        raise StoreUnavailable("no answer in time") from error


def _kind_of(error: DBAPIError) -> str:
    if error.orig is None:
        return type(error).__name__
    told = (one.fault_of(error.orig) for one in DIALECTS.values())
    return next(filter(None, told), type(error.orig).__name__)
