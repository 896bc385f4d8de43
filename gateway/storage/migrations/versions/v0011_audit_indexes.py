"""Indexes of the audit, so that its pages and filters stay fast with millions of entries."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index the audit by time, and by act and by person with it."""
    op.create_index("ix_access_log_at", "access_log", ["at"])
    op.create_index("ix_access_log_action_at", "access_log", ["action", "at"])
    op.create_index("ix_access_log_by_at", "access_log", ["by", "at"])
