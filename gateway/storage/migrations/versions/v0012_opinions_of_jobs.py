"""Second opinions that were given with a decision on chosen messages."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the job that an opinion was given with."""
    op.add_column("review_decisions", sa.Column("job", sa.BigInteger, nullable=True))
