"""The table of how far each SP has heard; migration 0009 makes it."""

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text

from gateway.stores.sealed_columns import SealedNumber
from gateway.stores.tables import UtcTime, metadata

# One row for each SP that was ever given a batch, or that a process wanted to deliver to.
notice_cursors = Table(
    "notice_cursors",
    metadata,
    Column("system_id", String(16), primary_key=True),
    # A place among the answers, in the order of change, number and scope: up to where the
    # SP has acknowledged them, and where the batch ends that it was given since.
    Column("heard_change", BigInteger, nullable=False, server_default="0"),
    Column("heard_msisdn", SealedNumber, nullable=False, server_default="-1"),
    Column("heard_scope", String(16), nullable=False, server_default=""),
    Column("given_change", BigInteger, nullable=True),
    Column("given_msisdn", SealedNumber, nullable=True),
    Column("given_scope", String(16), nullable=True),
    Column("batch_id", BigInteger, nullable=False, server_default="0"),
    # The fields of domain.notice.NoticeStanding.
    Column("delivered_at", UtcTime, nullable=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("failing_since", UtcTime, nullable=True),
    Column("next_try_at", UtcTime, nullable=True),
    Column("failed_at", UtcTime, nullable=True),
    Column("failure", Text, nullable=False, server_default=""),
    # Which process may deliver to the SP's webhook, and until when.
    Column("claimed_by", String(32), nullable=False, server_default=""),
    Column("claimed_until", UtcTime, nullable=True),
)
