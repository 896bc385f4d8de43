"""The table of sanctions (处罚)."""

import sqlalchemy as sa

from gateway.domain.sanction import SanctionState, SanctionStep
from gateway.domain.warning import Severity
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns, partial_index
from gateway.storage.tables import UtcTime, metadata, word

IS_PENDING = sa.text("is_pending")
IS_CLOSING = sa.text("state = 'applied' AND step = 'close'")

# One for each violation. `is_pending` where a port is still to be suspended, or let go.
sanctions = sa.Table(
    "sanctions",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("warning", sa.BigInteger, nullable=False),
    sa.Column("system_id", sa.String(16), nullable=False),
    sa.Column("port", sa.String(20), nullable=False),
    sa.Column("severity", word(Severity, 8), nullable=False),
    sa.Column("step", word(SanctionStep, 8), nullable=False),
    sa.Column("state", word(SanctionState, 9), nullable=False),
    sa.Column("proposed_at", UtcTime, nullable=False),
    sa.Column("decided_at", UtcTime, nullable=True),
    *columns(sa.Text, "decided_by", "note", "asked_by"),
    sa.Column("asked_at", UtcTime, nullable=True),
    *columns(sa.Text, "reason", "conditions"),
    *columns(sa.Integer, "days", "daily_max"),
    sa.Column("reopened_at", UtcTime, nullable=True),
    sa.Column("reopened_by", sa.Text, nullable=False),
    sa.Column("probation_until", UtcTime, nullable=True),
    sa.Column("is_pending", sa.Boolean, nullable=False),
    sa.Index("ux_sanctions_warning", "warning", unique=True),
    partial_index("ix_sanctions_pending", "number", where=IS_PENDING),
    partial_index("ix_sanctions_closing", "number", where=IS_CLOSING),
    sa.Index(None, "system_id", "severity", "decided_at"),
    **NEVER_REUSED,
)
