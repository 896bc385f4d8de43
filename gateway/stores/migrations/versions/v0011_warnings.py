"""What an SP was warned of, and its violations."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "warnings",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("code", sa.String(4), nullable=False),
        sa.Column("rule", sa.String(32), nullable=False),
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("port", sa.String(20), nullable=False),
        sa.Column("severity", sa.String(8), nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("on_trial", sa.BigInteger, nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("samples", sa.Text, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        *(
            sa.Column(f"{what}_{name}", kind, nullable=True)
            for what in ("answer", "closing")
            for name, kind in (("by", sa.Text), ("at", sa.BigInteger), ("note", sa.Text))
        ),
        sa.PrimaryKeyConstraint("number", name="pk_warnings"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_warnings_last_at", "warnings", ["last_at"])
    op.create_index("ix_warnings_kind", "warnings", ["system_id", "code", "rule", "port", "number"])
    op.create_index("ix_warnings_state_number", "warnings", ["state", "number"])


def downgrade() -> None:
    """Drop it, and the ledger of violations."""
    op.drop_table("warnings")
