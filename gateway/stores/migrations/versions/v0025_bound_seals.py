"""Whether what is sealed is sealed for its column."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the column: what is sealed already is bound to no column until it is resealed."""
    op.add_column(
        "store_seals",
        sa.Column("is_bound", sa.Boolean, nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    """Drop it; what is sealed for its column cannot be read afterwards."""
    op.drop_column("store_seals", "is_bound")
