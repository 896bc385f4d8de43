"""Messages of the carrier itself that wait to be sent, and codes that prove a number."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_IS_WAITING = sa.text("state = 'waiting'")
_IS_PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "errands",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("port", sa.String(21), nullable=False),
        sa.Column("msisdn", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("ref", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("not_after", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("message_id", sa.String(65), nullable=False),
        sa.Column("free_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_errands"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_errands_waiting",
        "errands",
        ["port", "number"],
        sqlite_where=_IS_WAITING,
        postgresql_where=_IS_WAITING,
    )
    op.create_index("ix_errands_created_at", "errands", ["created_at"])
    op.create_table(
        "number_codes",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("msisdn", sa.BigInteger, nullable=False),
        sa.Column("code_hash", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_number_codes"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_number_codes_msisdn_created_at", "number_codes", ["msisdn", "created_at"])
    op.create_index("ix_number_codes_created_at", "number_codes", ["created_at"])
    op.create_table(
        "number_sessions",
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("msisdn", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_number_sessions"),
    )
    op.create_index("ix_number_sessions_msisdn", "number_sessions", ["msisdn"])
    op.create_index("ix_number_sessions_until", "number_sessions", ["until"])
    op.create_index(
        "ix_subscriptions_pending",
        "subscriptions",
        ["system_id"],
        sqlite_where=_IS_PENDING,
        postgresql_where=_IS_PENDING,
    )


def downgrade() -> None:
    """Drop them: what waits is not sent any more, and codes and sessions are void."""
    op.drop_index("ix_subscriptions_pending", "subscriptions")
    op.drop_table("number_sessions")
    op.drop_table("number_codes")
    op.drop_table("errands")
