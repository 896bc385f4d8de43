"""Which key the numbers of the store are sealed with."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, empty: what there is stands open until it is resealed."""
    op.create_table(
        "store_seals",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("proof", sa.LargeBinary, nullable=False),
        sa.Column("previous", sa.String(16), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_store_seals"),
    )


def downgrade() -> None:
    """Drop it; of a sealed store nothing can be read afterwards."""
    op.drop_table("store_seals")
