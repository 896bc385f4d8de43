"""SQL that differs between databases: today that of SQLite, whose files are in sqlite.py."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Index, Integer, Table, TextClause, text
from sqlalchemy.dialects.sqlite import Insert, insert

# SQLite numbers its rows by an INTEGER key for free; a BIGINT key would be a second index.
ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")
# Options of a table: a number that was deleted is never given again.
NEVER_REUSED: dict[str, Any] = {"sqlite_autoincrement": True}
# Options of a table of many short rows that are read in the order of their key.
IN_KEY_ORDER: dict[str, Any] = {"sqlite_with_rowid": False}

# An insert that says what to do about a row that is there.
insert_or_update = insert

# The octets of the pages in use.
USED_OCTETS = text(
    "SELECT (page_count - freelist_count) * page_size AS octets"
    " FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
)
# Of the table :journal: its triggers, and the highest number ever given, also if its row was
# deleted.
TRIGGERS = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :journal")
LAST_GIVEN = text("SELECT seq FROM sqlite_sequence WHERE name = :journal")


def columns(kind: Any, *names: str) -> list[Column[Any]]:
    """Return columns of one type that are never NULL."""
    return [Column(name, kind, nullable=False) for name in names]


def partial_index(name: str, *columns: str, where: TextClause, unique: bool = False) -> Index:
    """Return an index of the rows that are `where`.

    It serves only a query that repeats its condition, literals and all.
    """
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


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
