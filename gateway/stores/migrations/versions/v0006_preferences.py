"""What subscribers want to receive, and the journal of it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "preferences",
        sa.Column("msisdn", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("rules", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("msisdn", name="pk_preferences"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "preference_journal",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("msisdn", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("channel", sa.String(8), nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("is_erasure", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_preference_journal"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_preference_journal_at", "preference_journal", ["at"])
    op.create_index(
        "ix_preference_journal_msisdn_number", "preference_journal", ["msisdn", "number"]
    )


def downgrade() -> None:
    """Drop both, and what subscribers wished."""
    op.drop_table("preference_journal")
    op.drop_table("preferences")
