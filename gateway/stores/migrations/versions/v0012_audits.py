"""Samples of asserted consents, and reports to the authority."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _make_reports()
    _make_audits()


def downgrade() -> None:
    """Drop them."""
    for table in ("consent_audit_items", "consent_audits", "authority_reports"):
        op.drop_table(table)


def _make_reports() -> None:
    op.create_table(
        "authority_reports",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("message_id", sa.BigInteger, nullable=False),
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("source", sa.String(65), nullable=False),
        sa.Column("msisdn", sa.BigInteger, nullable=True),
        sa.Column("recipients", sa.Integer, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("keyword", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("text_sha256", sa.String(64), nullable=False),
        sa.Column("stopped_at", sa.BigInteger, nullable=False),
        sa.Column("severity", sa.String(8), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("sent_at", sa.BigInteger, nullable=True),
        sa.Column("sent_by", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_authority_reports"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ux_authority_reports_message_id", "authority_reports", ["message_id"], unique=True
    )
    for first in ("state", "system_id"):
        op.create_index(
            f"ix_authority_reports_{first}_number", "authority_reports", [first, "number"]
        )


def _make_audits() -> None:
    op.create_table(
        "consent_audits",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("drawn_at", sa.BigInteger, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("population", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_consent_audits"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_consent_audits_system_id", "consent_audits", ["system_id"])
    op.create_table(
        "consent_audit_items",
        sa.Column("audit", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("item", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("msisdn", sa.BigInteger, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("answered_at", sa.BigInteger, nullable=True),
        sa.Column("answered_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("audit", "item", name="pk_consent_audit_items"),
    )
