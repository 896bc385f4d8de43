"""The types of columns, and the tables that several systems use; migrations/ makes them."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from gateway.domain.outbound_message import OutboundKind, OutboundState
from gateway.domain.quarantine import HoldState, ReceiptState
from gateway.domain.subscription import Cycle, SessionKind, SubscriptionState
from gateway.storage.dialect import (
    IN_KEY_ORDER,
    NEVER_REUSED,
    ROW_NUMBER,
    columns,
    octets_of,
    partial_index,
    rows_where,
)
from gateway.storage.sealed_columns import (
    KeyOrNumber,
    SealedAddress,
    SealedNumber,
    SealedOctets,
    SealedText,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcTime(TypeDecorator[datetime]):
    """An aware time as microseconds since 1970: sorts, compares, and comes back whole."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        """Return what is stored; a naive time raises TypeError."""
        del dialect
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        """Return what was stored, in UTC."""
        del dialect
        return None if value is None else EPOCH + value * MICROSECOND


def word(kind: type[StrEnum], length: int) -> sa.Enum:
    """Return the type of a column of one of the words of `kind`."""
    return sa.Enum(kind, native_enum=False, length=length, values_callable=list)


IS_RECEIPT_DUE = sa.text("receipt = 'due'")
IS_DEFERRED = sa.text("state = 'deferred'")
IS_PART = sa.text("assembly <> 0")
IS_CANCELLABLE = sa.text("state IN ('held', 'deferred', 'release_requested')")
IS_OWN_HOLD = sa.text("state = 'held' AND reason = 'USER_PREF'")
IS_CAMPAIGN = sa.text("campaign <> ''")
IS_HELD_AGAIN = sa.text("state = 'held' AND held_again_at IS NOT NULL")
# Not as a list of the others: SQLite would look each up by the state, and read the rows.
IS_UNSETTLED = sa.text("state NOT IN ('cancelled', 'discarded', 'expired', 'refused', 'released')")
IS_TOLD = sa.text("answer <> 'asserted'")
ENDS = sa.text("until IS NOT NULL")

_OF_RELEASE = ("found", "overruled")
_FILTERS = ("system_id", "source", "rule", "category")


def _held_by(first: str) -> tuple[str, ...]:
    """Return the columns of the index of held messages by a filter, the other filters behind."""
    others = (name for name in ("campaign", *_FILTERS) if name != first)
    return first, "state", "message_id", *others


# One column for each field of domain.quarantine.HeldMessage.
held_messages = sa.Table(
    "held_messages",
    metadata,
    sa.Column("message_id", ROW_NUMBER, primary_key=True, autoincrement=False),
    sa.Column("system_id", sa.String(16), nullable=False),
    sa.Column("source", sa.String(65), nullable=False),
    sa.Column("destination", SealedAddress(65, "held_messages.destination"), nullable=False),
    sa.Column("pdu", SealedOctets("held_messages.pdu"), nullable=False),
    sa.Column("reason", sa.String(64), nullable=False),
    *columns(sa.Text, "rule", "category", "evidence"),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("receipt_asked", sa.Boolean, nullable=False),
    *columns(UtcTime, "held_at", "expires_at"),
    sa.Column("state", word(HoldState, 32), nullable=False),
    sa.Column("receipt", word(ReceiptState, 8), nullable=False),
    sa.Column("smsc_message_id", sa.String(65), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("joined", SealedText("held_messages.joined"), nullable=False),
    sa.Column("due_at", UtcTime, nullable=True),
    sa.Column("is_reviewed", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("assembly", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("part", sa.Integer, nullable=False, server_default="0"),
    sa.Column("is_wanted", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("campaign", sa.String(17), nullable=False, server_default=""),
    sa.Column("decision", sa.Text, nullable=False, server_default=""),
    sa.Column("severity", sa.String(8), nullable=False, server_default=""),
    sa.Column("owner", sa.Text, nullable=False, server_default=""),
    sa.Column("score", sa.SmallInteger, nullable=True),
    *(sa.Column(name, sa.Text, nullable=False, server_default="") for name in _OF_RELEASE),
    sa.Column("held_again_at", UtcTime, nullable=True),
    # The lists people look through, and the count per state.
    sa.Index(None, "state", "message_id"),
    sa.Index(None, "system_id", "message_id"),
    # By each of these, with the others behind: among ten millions none is rare enough to be found
    # by reading rows, and two together are sought in the index of either.
    *(sa.Index(f"ix_held_messages_by_{first}", *_held_by(first)) for first in _FILTERS),
    sa.Index(None, "destination", "state", "message_id"),
    # What the gateway asks every few moments.
    sa.Index(None, "state", "expires_at"),
    partial_index("ix_held_messages_receipt_due", "system_id", "message_id", where=IS_RECEIPT_DUE),
    partial_index("ix_held_messages_assembly", "assembly", "part", where=IS_PART),
    # What a reviewer decides on in one go.
    partial_index("ix_held_messages_by_campaign", *_held_by("campaign"), where=IS_CAMPAIGN),
    # What exceptions look for again: few, and none of what the traffic brings.
    partial_index(
        *("ix_held_messages_held_again", "campaign", "held_again_at", "message_id"),
        where=IS_HELD_AGAIN,
    ),
    # What subscribers ask about their own number. The state comes first for SQLite, as below, and
    # with the reason it is not taken for the one of all that is held to a number.
    partial_index(
        *("ix_held_messages_own_hold", "state", "reason", "destination", "message_id"),
        where=IS_OWN_HOLD,
    ),
    # What an SP cancels by its addresses: among millions that are over, few wait.
    partial_index("ix_held_messages_cancellable", "destination", "system_id", where=IS_CANCELLABLE),
    # Who is away may have a million messages waiting: its rows are passed over in the index.
    # SQLite takes it before the one above only because the state comes first here as well.
    partial_index(
        "ix_held_messages_deferred", "state", "due_at", "message_id", "system_id", where=IS_DEFERRED
    ),
)
# What a message takes of the octets that its SP may have held, without what a row takes itself.
STORED_OCTETS = sa.func.length(held_messages.c.pdu) + octets_of(held_messages.c.joined)
# What waits, counted at each start: from the index alone, for rows are large and many.
sa.Index(
    "ix_held_messages_unsettled",
    held_messages.c.system_id,
    STORED_OCTETS,
    **rows_where(IS_UNSETTLED),
)

consent_answers = sa.Table(
    "consent_answers",
    metadata,
    sa.Column("msisdn", SealedNumber, primary_key=True, autoincrement=False),
    sa.Column("scope", sa.String(64), primary_key=True),
    sa.Column("answer", sa.String(8), nullable=False),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("change", sa.BigInteger, nullable=False, index=True),
    sa.Column("evidence", sa.Text, nullable=False, server_default=""),
    sa.Column("until", UtcTime, nullable=True),
    # Which agreements end next, in order; most never do.
    partial_index("ix_consent_answers_ending", "until", "msisdn", "scope", where=ENDS),
    # What an SP has not heard yet, in order. The long lists are of what is only asserted.
    partial_index("ix_consent_answers_told", "scope", "change", "msisdn", where=IS_TOLD),
    # Millions of short rows that are read in the order of their key.
    **IN_KEY_ORDER,
)

changes = sa.Table(
    "changes",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("key", KeyOrNumber, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    # A number that was pruned must never be given again: readers remember it.
    **NEVER_REUSED,
)


IS_PENDING = sa.text("state = 'pending'")

# The fields of domain.subscription.Subscription, those of its terms among them.
subscriptions = sa.Table(
    "subscriptions",
    metadata,
    sa.Column("msisdn", SealedNumber, primary_key=True, autoincrement=False),
    sa.Column("system_id", sa.String(16), primary_key=True),
    sa.Column("service_id", sa.String(32), primary_key=True),
    *columns(sa.Text, "sender_name", "name"),
    sa.Column("port", sa.String(20), nullable=False),
    sa.Column("price_fen", sa.BigInteger, nullable=False),
    sa.Column("cycle", word(Cycle, 8), nullable=False),
    sa.Column("trial_days", sa.Integer, nullable=False),
    sa.Column("since", UtcTime, nullable=False, index=True),
    sa.Column("state", word(SubscriptionState, 16), nullable=False),
    sa.Column("asked_until", UtcTime, nullable=True),
    sa.Column("trial_until", UtcTime, nullable=True),
    sa.Column("due_at", UtcTime, nullable=True, index=True),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("change", sa.BigInteger, nullable=False, index=True),
    sa.Column("asked_from", sa.String(21), nullable=False, server_default=""),
    sa.Column("unanswered", sa.Integer, nullable=False, server_default="0"),
    # How many questions an SP has open with subscribers.
    partial_index("ix_subscriptions_pending", "system_id", where=IS_PENDING),
)

# Rows are only ever added.
subscription_events = sa.Table(
    "subscription_events",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("msisdn", SealedNumber, nullable=False),
    sa.Column("system_id", sa.String(16), nullable=False),
    sa.Column("service_id", sa.String(32), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("act", sa.String(16), nullable=False),
    sa.Column("state", word(SubscriptionState, 16), nullable=False),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("text_sha256", sa.String(64), nullable=False),
    sa.Index(None, "msisdn", "system_id", "service_id"),
    **NEVER_REUSED,
)

# The fields of ConsentRequest of systems.subscriptions; the likeness as 16 hexadecimal digits,
# for no column type takes all 64 bits without a sign.
consent_requests = sa.Table(
    "consent_requests",
    metadata,
    sa.Column("msisdn", SealedNumber, primary_key=True, autoincrement=False),
    sa.Column("system_id", sa.String(16), primary_key=True),
    sa.Column("likeness", sa.String(16), primary_key=True),
    sa.Column("text_sha256", sa.String(64), nullable=False),
    *columns(UtcTime, "asked_at", "until"),
    sa.Column("state", sa.String(16), nullable=False),
    *columns(sa.Text, "message_id", "answer_id"),
    sa.Column("port", sa.String(21), nullable=False, server_default=""),
    sa.Column("agreed_until", UtcTime, nullable=True),
    # What is looked for every few moments.
    sa.Index(None, "state", "until"),
)

# A request that a yes or a no can still answer.
IS_REQUEST_PENDING = consent_requests.c.state == "pending"

# The fields of domain.offer_session.OfferSession.
dialogue_sessions = sa.Table(
    "dialogue_sessions",
    metadata,
    sa.Column("msisdn", SealedNumber, primary_key=True, autoincrement=False),
    sa.Column("port", sa.String(20), primary_key=True),
    sa.Column("kind", word(SessionKind, 16), nullable=False),
    sa.Column("items", sa.Text, nullable=False),
    sa.Column("until", UtcTime, nullable=False, index=True),
    sa.Column("shown", sa.Integer, nullable=False),
)

IS_WAITING = sa.text("state = 'waiting'")

# One column for each field of OutboundMessage, and until when a process has claimed it.
outbound_messages = sa.Table(
    "errands",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("port", sa.String(21), nullable=False),
    sa.Column("msisdn", SealedNumber, nullable=False),
    sa.Column("text", SealedText("errands.text"), nullable=False),
    sa.Column("kind", word(OutboundKind, 16), nullable=False),
    sa.Column("ref", sa.String(64), nullable=False),
    *columns(UtcTime, "created_at", "not_after"),
    sa.Column("state", word(OutboundState, 8), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("message_id", sa.String(65), nullable=False),
    sa.Column("free_at", UtcTime, nullable=False),
    # What every gateway asks every few moments.
    partial_index("ix_errands_waiting", "port", "kind", "number", where=IS_WAITING),
    sa.Index(None, "created_at"),
    # The feed of changes names them: a number must never be given again.
    **NEVER_REUSED,
)
