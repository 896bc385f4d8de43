"""Commercial messages that the SMSC was given for later."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "scheduled_messages",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("smsc", sa.String(64), nullable=False),
        sa.Column("message_id", sa.String(65), nullable=False),
        sa.Column("source_ton", sa.SmallInteger, nullable=False),
        sa.Column("source_npi", sa.SmallInteger, nullable=False),
        sa.Column("source", sa.String(65), nullable=False),
        sa.Column("dest_ton", sa.SmallInteger, nullable=False),
        sa.Column("dest_npi", sa.SmallInteger, nullable=False),
        sa.Column("destination", sa.String(65), nullable=False),
        sa.Column("msisdn", sa.BigInteger, nullable=False),
        sa.Column("scheduled_at", sa.BigInteger, nullable=False),
        sa.Column("is_refused", sa.Boolean, nullable=False),
        sa.Column("free_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_scheduled_messages"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_scheduled_messages_msisdn", "scheduled_messages", ["msisdn"])
    op.create_index("ix_scheduled_messages_scheduled_at", "scheduled_messages", ["scheduled_at"])
    op.create_index(
        "uq_scheduled_messages_message",
        "scheduled_messages",
        ["system_id", "message_id", "destination"],
        unique=True,
    )
    is_refused = sa.text("is_refused")
    op.create_index(
        "ix_scheduled_messages_refused",
        "scheduled_messages",
        ["scheduled_at", "system_id"],
        sqlite_where=is_refused,
        postgresql_where=is_refused,
    )


def downgrade() -> None:
    """Drop it; a refusal stops no more what the SMSC has already."""
    op.drop_table("scheduled_messages")
