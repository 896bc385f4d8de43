"""Messages that a subscriber's own rule holds, which he may let go himself."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the column, and find quickly what is held for one subscriber."""
    op.add_column(
        "held_messages",
        sa.Column("is_wanted", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    is_own_hold = sa.text("state = 'held' AND reason = 'USER_PREF'")
    op.create_index(
        "ix_held_messages_own_hold",
        "held_messages",
        ["state", "destination", "message_id"],
        sqlite_where=is_own_hold,
        postgresql_where=is_own_hold,
    )


def downgrade() -> None:
    """Drop them; what a subscriber let go is judged with his preferences again."""
    op.drop_index("ix_held_messages_own_hold", "held_messages")
    op.drop_column("held_messages", "is_wanted")
