"""When agreements end that were given for a time."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the columns; of what was agreed before no end is known but in words."""
    op.add_column("consent_answers", sa.Column("until", sa.BigInteger, nullable=True))
    op.add_column("consent_requests", sa.Column("agreed_until", sa.BigInteger, nullable=True))
    ends = sa.text("until IS NOT NULL")
    op.create_index(
        "ix_consent_answers_ending",
        "consent_answers",
        ["until", "msisdn", "scope"],
        sqlite_where=ends,
        postgresql_where=ends,
    )


def downgrade() -> None:
    """Drop them; what has ended counts as agreed again."""
    op.drop_index("ix_consent_answers_ending", "consent_answers")
    op.drop_column("consent_requests", "agreed_until")
    op.drop_column("consent_answers", "until")
