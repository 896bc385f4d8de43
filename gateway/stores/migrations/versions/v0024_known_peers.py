"""The addresses that SPs have bound from, so that a restart does not make strangers of them."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "known_peers",
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("origin", sa.String(64), nullable=False),
        sa.Column("bound_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("system_id", "origin", name="pk_known_peers"),
    )
    op.create_index("ix_known_peers_bound_at", "known_peers", ["bound_at"])


def downgrade() -> None:
    """Drop it: every address is a stranger's then, until its SP has bound."""
    op.drop_table("known_peers")
