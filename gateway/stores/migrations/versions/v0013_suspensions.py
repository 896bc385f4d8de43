"""Numbers that may send nothing for a while."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "suspensions",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("msisdn", sa.BigInteger, nullable=False),
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("rule", sa.String(32), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("is_told", sa.Boolean, nullable=False),
        sa.Column("lifted_at", sa.BigInteger),
        sa.Column("lifted_by", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_suspensions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_suspensions_msisdn_number", "suspensions", ["msisdn", "number"])
    is_active = sa.text("state = 'active'")
    op.create_index(
        "uq_suspensions_active",
        "suspensions",
        ["msisdn"],
        unique=True,
        sqlite_where=is_active,
        postgresql_where=is_active,
    )
    op.create_index(
        "ix_suspensions_active_until",
        "suspensions",
        ["until"],
        sqlite_where=is_active,
        postgresql_where=is_active,
    )
    is_untold = sa.text("state = 'active' AND NOT is_told")
    op.create_index(
        "ix_suspensions_untold",
        "suspensions",
        ["system_id", "number"],
        sqlite_where=is_untold,
        postgresql_where=is_untold,
    )


def downgrade() -> None:
    """Drop it, and who may not send."""
    op.drop_table("suspensions")
