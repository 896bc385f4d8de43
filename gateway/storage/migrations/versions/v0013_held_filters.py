"""Indexes of what reviewers filter by, so that each list is short work among ten million rows."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TABLE = "held_messages"
_BEFORE = ("system_id_state_message_id", "category_state_message_id")
_FILTERS = ("campaign", "system_id", "source", "rule", "category")
_IS_CAMPAIGN = sa.text("campaign <> ''")


def upgrade() -> None:
    """Index held messages by each filter with the others behind, and by number."""
    for name in (*_BEFORE, "system_id_category_state_message_id", "campaign"):
        op.drop_index(f"ix_{_TABLE}_{name}", _TABLE)
    for first in _FILTERS:
        others = [name for name in _FILTERS if name != first]
        where = _IS_CAMPAIGN if first == "campaign" else None
        op.create_index(
            f"ix_{_TABLE}_by_{first}",
            _TABLE,
            [first, "state", "message_id", *others],
            sqlite_where=where,
            postgresql_where=where,
        )
    name = f"ix_{_TABLE}_destination_state_message_id"
    op.create_index(name, _TABLE, ["destination", "state", "message_id"])
