"""The history of policies, and the wishes to load one."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "policy_versions",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("archive", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_policy_versions"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "policy_requests",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("force", sa.Boolean, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_policy_requests"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_policy_requests_state_number", "policy_requests", ["state", "number"])


def downgrade() -> None:
    """Drop both, and the history in them."""
    op.drop_table("policy_requests")
    op.drop_table("policy_versions")
