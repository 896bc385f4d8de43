"""Legal holds, purges and accesses."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
# A journal whose rows may be changed proves nothing (R72, R73).
_JOURNALS = ("purge_log", "access_log")


def upgrade() -> None:
    """Make the tables, the journals so that SQLite refuses to change or delete their rows."""
    op.create_table(
        "legal_holds",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("system_id", sa.String(16), nullable=True),
        sa.Column("msisdn", sa.BigInteger, nullable=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("lifted_at", sa.BigInteger, nullable=True),
        sa.Column("lifted_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_legal_holds"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "purge_log",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_purge_log"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "access_log",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_access_log"),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "sqlite":
        for table in _JOURNALS:
            for act in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER tr_{table}_{act.lower()} BEFORE {act} ON {table}"
                    f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )


def downgrade() -> None:
    """Drop them."""
    for table in (*_JOURNALS, "legal_holds"):
        op.drop_table(table)
