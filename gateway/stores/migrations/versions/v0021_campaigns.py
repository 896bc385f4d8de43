"""Which campaign a held message is of, and what early warnings are about."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the columns; of what is on record no campaign is known but in words."""
    campaign = sa.Column("campaign", sa.String(17), nullable=False, server_default="")
    op.add_column("held_messages", campaign)
    op.add_column("warnings", sa.Column("category", sa.Text, nullable=False, server_default=""))
    op.add_column(
        "warnings", sa.Column("campaign", sa.String(17), nullable=False, server_default="")
    )
    is_of_one = sa.text("campaign <> ''")
    op.create_index(
        "ix_held_messages_campaign",
        "held_messages",
        ["campaign", "state", "message_id"],
        sqlite_where=is_of_one,
        postgresql_where=is_of_one,
    )


def downgrade() -> None:
    """Drop them; the evidence still names the campaign."""
    op.drop_index("ix_held_messages_campaign", "held_messages")
    op.drop_column("held_messages", "campaign")
    op.drop_column("warnings", "campaign")
    op.drop_column("warnings", "category")
