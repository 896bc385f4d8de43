"""The tables of complaints (举报), and a complaint as a row."""

import hashlib

import sqlalchemy as sa

from gateway.storage.database import values_of
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns, partial_index
from gateway.storage.sealed_columns import SealedAddress, SealedNumber, SealedText
from gateway.storage.tables import UtcTime, metadata, word
from gateway.systems.complaints.model import (
    Complaint,
    ComplaintSource,
    ComplaintState,
    InvalidReason,
    NewComplaint,
)

IS_OPEN = sa.text("state = 'need_info'")

# One column for each field of Complaint; `attachments` with a space between them. Texts are
# compared by `digest`, which stands before them: a long text is not even read.
complaints = sa.Table(
    "complaints",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("source", word(ComplaintSource, 8), nullable=False),
    sa.Column("source_id", sa.String(128), nullable=False),
    sa.Column("sender", SealedAddress(20, "complaints.sender"), nullable=False),
    sa.Column("digest", SealedText("complaints.digest"), nullable=False),
    sa.Column("text", SealedText("complaints.text"), nullable=False),
    sa.Column("reporter", SealedNumber, nullable=True),
    sa.Column("reported_at", UtcTime, nullable=False),
    sa.Column("received_at", UtcTime, nullable=True),
    sa.Column("taken_at", UtcTime, nullable=False, index=True),
    sa.Column("category", sa.String(32), nullable=False),
    *columns(sa.Text, "attachments", "by"),
    sa.Column("system_id", sa.String(16), nullable=False),
    sa.Column("port", sa.String(20), nullable=False),
    sa.Column("state", word(ComplaintState, 16), nullable=False),
    sa.Column("invalid_reason", word(InvalidReason, 16), nullable=True),
    sa.Column("case_number", sa.BigInteger, nullable=True),
    sa.Column("agreed_since", UtcTime, nullable=True),
    *columns(sa.Boolean, "is_proved"),
    # By the store, not only by its code: what is handed in twice is one complaint.
    sa.Index("ux_complaints_source", "source", "source_id", unique=True),
    sa.Index(None, "state", "number"),
    sa.Index(None, "reporter", "number"),
    sa.Index(None, "port", "number"),
    sa.Index(None, "state", "case_number", "number"),
    partial_index("ix_complaints_open", "taken_at", where=IS_OPEN),
    **NEVER_REUSED,
)

# When the last message came that a subscriber complained of: a flood of one subscriber hides none
# of the others, and costs no more to count than one complaint.
complaint_reporters = sa.Table(
    "complaint_reporters",
    metadata,
    sa.Column("port", sa.String(20), primary_key=True),
    sa.Column("reporter", SealedNumber, primary_key=True, autoincrement=False),
    sa.Column("last_at", UtcTime, nullable=False, index=True),
    sa.Index(None, "port", "last_at"),
)

# Who was told today how complaints of a reporter stand: "" the reporter, else an app by name (R89).
status_queries = sa.Table(
    "status_queries",
    metadata,
    sa.Column("reporter", SealedNumber, primary_key=True, autoincrement=False),
    sa.Column("by", sa.String(32), primary_key=True),
    sa.Column("day", sa.Date, nullable=False, index=True),
)


def row_of(one: NewComplaint) -> dict[str, object]:
    """Return the columns of a complaint, without its number."""
    values = values_of(one) | {"attachments": " ".join(one.attachments)}
    del values["number"]
    return values | {"digest": digest_of(one.text)}


def complaint_of(row: sa.RowMapping) -> Complaint:
    """Return the complaint of a row."""
    values = {name: row[name] for name in Complaint.__dataclass_fields__}
    return Complaint(**values | {"attachments": tuple(row["attachments"].split())})


def digest_of(text: str) -> str:
    """Return what texts are compared by."""
    return hashlib.sha256(text.encode()).hexdigest()
