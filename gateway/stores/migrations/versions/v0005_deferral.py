"""Messages that wait for their hour."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the columns, and find quickly what is due."""
    op.add_column("held_messages", sa.Column("due_at", sa.BigInteger, nullable=True))
    op.add_column(
        "held_messages",
        sa.Column("is_reviewed", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    # Until now only people asked for a release.
    op.execute(
        "UPDATE held_messages SET is_reviewed = true"
        " WHERE state IN ('release_requested', 'releasing')"
    )
    is_deferred = sa.text("state = 'deferred'")
    op.create_index(
        "ix_held_messages_deferred",
        "held_messages",
        ["state", "due_at", "message_id", "system_id"],
        sqlite_where=is_deferred,
        postgresql_where=is_deferred,
    )


def downgrade() -> None:
    """Drop them; what waited for its hour waits for a person."""
    op.drop_index("ix_held_messages_deferred", "held_messages")
    op.execute("UPDATE held_messages SET state = 'held' WHERE state = 'deferred'")
    op.drop_column("held_messages", "is_reviewed")
    op.drop_column("held_messages", "due_at")
