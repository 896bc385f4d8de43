"""Parts of long messages that go on together or not at all."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the columns, and find quickly what belongs together."""
    for name, kind in (("assembly", sa.BigInteger), ("part", sa.Integer)):
        op.add_column("held_messages", sa.Column(name, kind, nullable=False, server_default="0"))
    is_part = sa.text("assembly <> 0")
    op.create_index(
        "ix_held_messages_assembly",
        "held_messages",
        ["assembly", "part"],
        sqlite_where=is_part,
        postgresql_where=is_part,
    )


def downgrade() -> None:
    """Drop them; each part goes its own way."""
    op.drop_index("ix_held_messages_assembly", "held_messages")
    op.drop_column("held_messages", "part")
    op.drop_column("held_messages", "assembly")
