"""As whom the number of a scheduled message may be read where it is written without its plus."""

import sqlalchemy as sa
from alembic import op

from gateway.domain.msisdn import NORTH_AMERICAN_BELOW, misread_as

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# Sealed numbers are octets, and greater than any that stands open.
_NORTH_AMERICAN = sa.text("SELECT DISTINCT msisdn FROM scheduled_messages WHERE msisdn < :below")
_READ_AS = sa.text("UPDATE scheduled_messages SET misread_as = :other WHERE msisdn = :msisdn")


def upgrade() -> None:
    """Make the column, and fill it where the number can be read.

    What is scheduled already under a sealed number goes on under that alone.
    """
    op.add_column("scheduled_messages", sa.Column("misread_as", sa.BigInteger))
    is_misread = sa.text("misread_as IS NOT NULL")
    op.create_index(
        "ix_scheduled_messages_misread_as",
        "scheduled_messages",
        ["misread_as"],
        sqlite_where=is_misread,
        postgresql_where=is_misread,
    )
    connection = op.get_bind()
    found = connection.execute(_NORTH_AMERICAN, {"below": NORTH_AMERICAN_BELOW}).scalars()
    others = [
        {"msisdn": msisdn, "other": other}
        for msisdn in found
        if (other := misread_as(msisdn)) is not None
    ]
    if others:
        connection.execute(_READ_AS, others)


def downgrade() -> None:
    """Drop it; the number says the same."""
    op.drop_index("ix_scheduled_messages_misread_as", "scheduled_messages")
    op.drop_column("scheduled_messages", "misread_as")
