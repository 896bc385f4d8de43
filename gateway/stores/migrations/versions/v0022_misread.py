"""As whom the number of a scheduled message may be read where it is written without its plus."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the column; what is scheduled already goes on under its own number alone."""
    op.add_column("scheduled_messages", sa.Column("misread_as", sa.BigInteger))
    is_misread = sa.text("misread_as IS NOT NULL")
    op.create_index(
        "ix_scheduled_messages_misread_as",
        "scheduled_messages",
        ["misread_as"],
        sqlite_where=is_misread,
        postgresql_where=is_misread,
    )


def downgrade() -> None:
    """Drop it; the number says the same."""
    op.drop_index("ix_scheduled_messages_misread_as", "scheduled_messages")
    op.drop_column("scheduled_messages", "misread_as")
