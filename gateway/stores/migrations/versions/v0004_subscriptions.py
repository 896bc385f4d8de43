"""Subscriptions and the evidence of consent."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables, and tell what was imported from what subscribers said."""
    op.add_column(
        "consent_answers", sa.Column("evidence", sa.Text, nullable=False, server_default="")
    )
    # Until now an SP's list was told apart by its channel alone.
    op.execute(
        "UPDATE consent_answers SET answer = 'asserted'"
        " WHERE answer = 'agreed' AND channel = 'import'"
    )
    op.create_table(
        "subscriptions",
        sa.Column("msisdn", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("service_id", sa.String(32), nullable=False),
        sa.Column("sender_name", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("port", sa.String(20), nullable=False),
        sa.Column("price_fen", sa.BigInteger, nullable=False),
        sa.Column("cycle", sa.String(8), nullable=False),
        sa.Column("trial_days", sa.Integer, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("asked_until", sa.BigInteger, nullable=True),
        sa.Column("trial_until", sa.BigInteger, nullable=True),
        sa.Column("due_at", sa.BigInteger, nullable=True),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("change", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("msisdn", "system_id", "service_id", name="pk_subscriptions"),
    )
    for column in ("since", "due_at", "change"):
        op.create_index(f"ix_subscriptions_{column}", "subscriptions", [column])
    op.create_table(
        "subscription_events",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("msisdn", sa.BigInteger, nullable=False),
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("service_id", sa.String(32), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("act", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("text_sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_subscription_events"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_subscription_events_msisdn_system_id_service_id",
        "subscription_events",
        ["msisdn", "system_id", "service_id"],
    )
    op.create_table(
        "consent_requests",
        sa.Column("msisdn", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("likeness", sa.String(16), nullable=False),
        sa.Column("text_sha256", sa.String(64), nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("answer_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("msisdn", "system_id", "likeness", name="pk_consent_requests"),
    )
    op.create_index("ix_consent_requests_state_until", "consent_requests", ["state", "until"])
    op.create_table(
        "dialogue_sessions",
        sa.Column("msisdn", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("port", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("items", sa.Text, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("shown", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("msisdn", "port", name="pk_dialogue_sessions"),
    )
    op.create_index("ix_dialogue_sessions_until", "dialogue_sessions", ["until"])


def downgrade() -> None:
    """Drop them; what was asserted counts as agreed again."""
    for table in (
        "dialogue_sessions",
        "consent_requests",
        "subscription_events",
        "subscriptions",
    ):
        op.drop_table(table)
    op.execute("UPDATE consent_answers SET answer = 'agreed' WHERE answer = 'asserted'")
    op.drop_column("consent_answers", "evidence")
