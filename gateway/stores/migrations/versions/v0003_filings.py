"""What SPs have filed: licences, signatures, templates, scopes, approvals."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "licences",
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("valid_until", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("system_id", name="pk_licences"),
    )
    op.create_table(
        "signatures",
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("sources", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("system_id", "name", name="pk_signatures"),
    )
    op.create_table(
        "templates",
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("max_variable", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("system_id", "id", name="pk_templates"),
    )
    op.create_table(
        "port_scopes",
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("port", sa.String(20), nullable=False),
        sa.Column("province", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("system_id", "port", name="pk_port_scopes"),
    )
    op.create_table(
        "approvals",
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("port", sa.String(20), nullable=False),
        sa.Column("reference", sa.String(64), nullable=False),
        sa.Column("valid_from", sa.Date, nullable=False),
        sa.Column("valid_until", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("system_id", "port", "reference", name="pk_approvals"),
    )


def downgrade() -> None:
    """Drop them, and what is on file."""
    for name in ("approvals", "port_scopes", "templates", "signatures", "licences"):
        op.drop_table(name)
