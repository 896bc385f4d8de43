"""Chained journals, and walls against REPLACE around everything that is only added to."""

import json
from collections.abc import Sequence
from hashlib import sha256

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# Rows are only ever added, and chained.
_JOURNALS = {
    "access_log": ("number", "by", "action", "reason", "about", "at"),
    "purge_log": ("number", "what", "since", "until", "count", "at", "by"),
}
# Rows are added, and deleted for their age or on request; in between they stay as they are, but
# for what a change of key seals anew.
_HISTORIES = {
    "preference_journal": ("number", "at", "channel", "by", "is_erasure"),
    "subscription_events": (
        *("number", "system_id", "service_id", "at", "act", "state", "message_id", "text_sha256"),
    ),
    "policy_versions": ("number", "digest", "name", "at", "by", "note", "archive"),
}


def upgrade() -> None:
    """Chain the rows that there are, and let SQLite refuse what would take the place of a row."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for journal, columns in _JOURNALS.items():
        if is_sqlite:
            op.execute(f"DROP TRIGGER IF EXISTS tr_{journal}_update")
        op.add_column(journal, sa.Column("chain", sa.String(64), nullable=False, server_default=""))
        _chain(journal, columns)
        if is_sqlite:
            _refuse(journal, "update", "UPDATE")
            # Not only where the number exists: none is ever put in between, or without one.
            newest = f"(SELECT coalesce(max(number), 0) FROM {journal})"  # noqa: S608 - of ours
            _refuse(journal, "insert", "INSERT", f"NEW.number <= {newest}")
    # Whose preferences were deleted on request stands nowhere any more (-1 is no number).
    op.execute("UPDATE preference_journal SET msisdn = -1 WHERE is_erasure")
    if is_sqlite:
        for table, columns in _HISTORIES.items():
            _refuse(table, "update", "UPDATE OF " + ", ".join(f'"{column}"' for column in columns))
            exists = f"EXISTS (SELECT 1 FROM {table} WHERE number = NEW.number)"  # noqa: S608
            _refuse(table, "insert", "INSERT", exists)


def downgrade() -> None:
    """Drop what refuses, and the chain."""
    for table in (*_JOURNALS, *_HISTORIES):
        op.execute(f"DROP TRIGGER IF EXISTS tr_{table}_insert")
    for table in _HISTORIES:
        op.execute(f"DROP TRIGGER IF EXISTS tr_{table}_update")
    for journal in _JOURNALS:
        op.drop_column(journal, "chain")


def _chain(journal: str, columns: Sequence[str]) -> None:
    """Fill the chain as gateway.stores.journal_chain does."""
    connection = op.get_bind()
    table = sa.table(journal, *map(sa.column, (*columns, "chain")))
    before = ""
    for row in connection.execute(
        sa.select(*(table.c[name] for name in columns)).order_by(table.c.number)
    ).all():
        octets = json.dumps([journal, before, *row], separators=(",", ":")).encode()
        before = sha256(octets).hexdigest()
        connection.execute(
            sa.update(table).where(table.c.number == row.number).values(chain=before)
        )


def _refuse(table: str, name: str, act: str, when: str = "") -> None:
    op.execute(
        f"CREATE TRIGGER tr_{table}_{name} BEFORE {act} ON {table}"
        f"{' WHEN ' + when if when else ''}"
        f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )
