"""Decisions on chosen messages, as jobs like those on whole campaigns."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_OPEN_CAMPAIGN = sa.text("state IN ('waiting', 'running') AND campaign <> ''")


def upgrade() -> None:
    """Make the table of what such jobs are on, and let several of them be open at once."""
    op.drop_index("uq_review_jobs_open", "review_jobs")
    op.create_index(
        "uq_review_jobs_campaign",
        "review_jobs",
        ["campaign", "system_id"],
        unique=True,
        sqlite_where=_OPEN_CAMPAIGN,
        postgresql_where=_OPEN_CAMPAIGN,
    )
    op.create_table(
        "review_job_messages",
        sa.Column("subject", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("message_id", sa.BigInteger, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_review_job_messages"),
    )
    op.create_index("ix_review_job_messages_number", "review_job_messages", ["number"])
