"""From which port subscribers were asked, and how often one gave no yes."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the columns; of what was asked before, any port of the SP hears the answer."""
    for table, column in (("subscriptions", "asked_from"), ("consent_requests", "port")):
        op.add_column(table, sa.Column(column, sa.String(21), nullable=False, server_default=""))
    op.add_column(
        "subscriptions", sa.Column("unanswered", sa.Integer, nullable=False, server_default="0")
    )


def downgrade() -> None:
    """Drop them; an answer to any port of the SP counts again."""
    op.drop_column("subscriptions", "unanswered")
    op.drop_column("consent_requests", "port")
    op.drop_column("subscriptions", "asked_from")
