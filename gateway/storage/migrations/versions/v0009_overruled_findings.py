"""What held messages are held for in full, and what people overruled of it; jobs of one rule."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. A release that was asked for before overrules all of one rule.

    Which rule held what waits for its hour by now is not known any more: any that only holds.
    """
    for table, name in (
        ("held_messages", "found"),
        ("held_messages", "overruled"),
        ("review_jobs", "rule"),
    ):
        op.add_column(table, sa.Column(name, sa.Text, nullable=False, server_default=""))
    held = sa.table(
        "held_messages",
        sa.column("overruled", sa.Text),
        sa.column("rule", sa.Text),
        sa.column("state", sa.Text),
        sa.column("is_reviewed", sa.Boolean),
    )
    asked = held.c.state.in_(["release_requested", "in_doubt"])
    lines = "R\t" + held.c.rule + "\n"
    op.execute(sa.update(held).where(asked).values(overruled=lines))
    waits = sa.and_(held.c.state == "deferred", held.c.is_reviewed)
    op.execute(sa.update(held).where(waits).values(overruled="H\n"))
