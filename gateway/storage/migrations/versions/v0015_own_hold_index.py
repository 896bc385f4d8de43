"""The index of what subscribers' own preferences hold, told from that of any number."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_NAME, _TABLE = "ix_held_messages_own_hold", "held_messages"
_IS_OWN_HOLD = sa.text("state = 'held' AND reason = 'USER_PREF'")


def upgrade() -> None:
    """Put the reason into it: SQLite took the index of all that is held to a number."""
    op.drop_index(_NAME, _TABLE)
    op.create_index(
        _NAME,
        _TABLE,
        ["state", "reason", "destination", "message_id"],
        sqlite_where=_IS_OWN_HOLD,
        postgresql_where=_IS_OWN_HOLD,
    )
