"""The first tables: held messages, consent answers, changes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "held_messages",
        sa.Column("message_id", _ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("source", sa.String(65), nullable=False),
        sa.Column("destination", sa.String(65), nullable=False),
        sa.Column("pdu", sa.LargeBinary, nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("receipt_asked", sa.Boolean, nullable=False),
        sa.Column("held_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("receipt", sa.String(8), nullable=False),
        sa.Column("smsc_message_id", sa.String(65), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("joined", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("message_id", name="pk_held_messages"),
    )
    op.create_index("ix_held_messages_state_message_id", "held_messages", ["state", "message_id"])
    op.create_index(
        "ix_held_messages_system_id_message_id", "held_messages", ["system_id", "message_id"]
    )
    op.create_index("ix_held_messages_state_expires_at", "held_messages", ["state", "expires_at"])
    is_receipt_due = sa.text("receipt = 'due'")
    op.create_index(
        "ix_held_messages_receipt_due",
        "held_messages",
        ["system_id", "message_id"],
        sqlite_where=is_receipt_due,
        postgresql_where=is_receipt_due,
    )
    op.create_table(
        "consent_answers",
        sa.Column("msisdn", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("answer", sa.String(8), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("change", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("msisdn", "scope", name="pk_consent_answers"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_consent_answers_change", "consent_answers", ["change"])
    op.create_table(
        "changes",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_changes"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Drop them, and all that was held."""
    op.drop_table("changes")
    op.drop_table("consent_answers")
    op.drop_table("held_messages")
