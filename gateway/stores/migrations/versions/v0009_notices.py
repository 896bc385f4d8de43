"""What each SP has been told of its subscribers' answers."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and find quickly what an SP has not heard among millions of answers."""
    op.create_table(
        "notice_cursors",
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("heard_change", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("heard_msisdn", sa.BigInteger, nullable=False, server_default="-1"),
        sa.Column("heard_scope", sa.String(16), nullable=False, server_default=""),
        sa.Column("given_change", sa.BigInteger, nullable=True),
        sa.Column("given_msisdn", sa.BigInteger, nullable=True),
        sa.Column("given_scope", sa.String(16), nullable=True),
        sa.Column("batch_id", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("delivered_at", sa.BigInteger, nullable=True),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failing_since", sa.BigInteger, nullable=True),
        sa.Column("next_try_at", sa.BigInteger, nullable=True),
        sa.Column("failed_at", sa.BigInteger, nullable=True),
        sa.Column("failure", sa.Text, nullable=False, server_default=""),
        sa.Column("claimed_by", sa.String(32), nullable=False, server_default=""),
        sa.Column("claimed_until", sa.BigInteger, nullable=True),
        sa.PrimaryKeyConstraint("system_id", name="pk_notice_cursors"),
    )
    is_told = sa.text("answer <> 'asserted'")
    op.create_index(
        "ix_consent_answers_told",
        "consent_answers",
        ["scope", "change", "msisdn"],
        sqlite_where=is_told,
        postgresql_where=is_told,
    )


def downgrade() -> None:
    """Drop both: every SP would hear of everything again."""
    op.drop_index("ix_consent_answers_told", "consent_answers")
    op.drop_table("notice_cursors")
