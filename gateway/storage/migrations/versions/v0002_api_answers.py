"""Answers of the API to requests with an Idempotency-Key."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of answers."""
    op.create_table(
        "api_answers",
        sa.Column("key_sha256", sa.String(64), nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("request_sha256", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("key_sha256", name="pk_api_answers"),
    )
    op.create_index("ix_api_answers_at", "api_answers", ["at"])
    op.create_index("ix_api_answers_client_at", "api_answers", ["client", "at"])
