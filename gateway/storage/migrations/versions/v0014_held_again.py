"""Since when a message is held again, so that no decision of before is taken for one on that."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_IS_HELD_AGAIN = sa.text("state = 'held' AND held_again_at IS NOT NULL")


def upgrade() -> None:
    """Add the time; of what came back before, and of what never did, it is not known."""
    op.add_column("held_messages", sa.Column("held_again_at", sa.BigInteger, nullable=True))
    op.create_index(
        "ix_held_messages_held_again",
        "held_messages",
        ["campaign", "held_again_at", "message_id"],
        sqlite_where=_IS_HELD_AGAIN,
        postgresql_where=_IS_HELD_AGAIN,
    )
