"""The first version of the tables: those of v0015_first_tables.txt, which says its own form.

It is 0015 since a store that was made in fifteen steps, before the first release, has the same.
"""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")

# What stands for a type in the list; a number is that of the characters of a string.
_KINDS: dict[str, Any] = {
    "row": _ROW_NUMBER,
    "int": sa.Integer,
    "small": sa.SmallInteger,
    "long": sa.BigInteger,
    "time": sa.BigInteger,  # microseconds since 1970
    "date": sa.Date,
    "text": sa.Text,
    "octets": sa.LargeBinary,
    "bool": sa.Boolean,
}


def upgrade() -> None:
    """Make the tables and indexes; let the database refuse changes of journals and histories."""
    guard = GUARDS[op.get_bind().dialect.name]
    listed = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8")
    _form, *blocks = listed.split("\n\n")
    for block in blocks:
        head, *lines = map(str.strip, block.splitlines())
        table, _, key = head.partition(" by ")
        _make_table(table, key.split(), lines)
        for line in lines:
            match line.split():
                case ["index" | "unique" | "sqlite", *_]:
                    _make_index(table, line)
                case ["journal" | "history", *columns]:
                    guard(table, ", ".join(f'"{column}"' for column in columns))
                case _:
                    pass


def _make_table(table: str, keys: list[str], lines: list[str]) -> None:
    written = [word for line in lines if ":" in line.split()[0] for word in line.split()]
    columns = [_column(one, is_key=one.partition(":")[0] in keys) for one in written]
    if not keys:
        columns = [sa.Column("number", _ROW_NUMBER, nullable=False), *columns]
    op.create_table(
        table,
        *columns,
        sa.PrimaryKeyConstraint(*keys or ["number"], name=f"pk_{table}"),
        sqlite_autoincrement=not keys,
        sqlite_with_rowid="without rowid" not in lines,
    )


def _column(written: str, *, is_key: bool) -> sa.Column[Any]:
    said, has_default, default = written.partition("=")
    name, _, kind = said.rstrip("?").partition(":")
    value = sa.false() if kind == "bool" else default
    return sa.Column(
        name,
        sa.String(int(kind)) if kind.isdigit() else _KINDS[kind],
        nullable=said.endswith("?"),
        server_default=value if has_default else None,
        autoincrement=False if is_key else "auto",
    )


def _make_index(table: str, line: str) -> None:
    said, _, where = line.partition(" where ")
    kinds, _, columns = said.partition(" on ")
    *options, _index, name = kinds.split()
    if "sqlite" in options and op.get_bind().dialect.name != "sqlite":
        return
    condition = sa.text(where) if where else None
    op.create_index(
        name,
        table,
        [one if one.isidentifier() else sa.text(one) for one in columns.split(", ")],
        unique="unique" in options,
        sqlite_where=condition,
        postgresql_where=condition,
    )


def _guard_on_sqlite(table: str, columns: str) -> None:
    """Refuse changes of the `columns` of a history, and all changes of a journal (without any)."""
    if columns:
        exists = f"EXISTS (SELECT 1 FROM {table} WHERE number = NEW.number)"  # noqa: S608 - of ours
        acts = {"update": f"UPDATE OF {columns} ON {table}"}
    else:
        # Not only where the number exists: none is ever put in between, or without one.
        exists = f"NEW.number <= (SELECT coalesce(max(number), 0) FROM {table})"  # noqa: S608
        acts = {"update": f"UPDATE ON {table}", "delete": f"DELETE ON {table}"}
    acts["insert"] = f"INSERT ON {table} WHEN {exists}"
    for name, act in acts.items():
        op.execute(
            f"CREATE TRIGGER tr_{table}_{name} BEFORE {act}"
            f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _guard_on_postgresql(table: str, columns: str) -> None:
    """Refuse the same; what an INSERT may not do, its primary key refuses: there is no REPLACE."""
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE integrity_constraint_violation USING MESSAGE = TG_TABLE_NAME || ' is append-only';"
        " END $$"
    )
    act = f"UPDATE OF {columns}" if columns else "UPDATE OR DELETE"
    op.execute(
        f"CREATE TRIGGER tr_{table} BEFORE {act} ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


# How each kind of database refuses changes: another one has a row here.
GUARDS = {"sqlite": _guard_on_sqlite, "postgresql": _guard_on_postgresql}
