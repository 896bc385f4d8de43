"""The first tables, with what guards those that are only added to."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.BigInteger()  # microseconds since 1970

# Rows are only ever added: a journal whose rows may be changed proves nothing (R72, R73).
_JOURNALS = ("access_log", "purge_log")
# Rows are added, and deleted for their age or on request; in between they stay as they are, but
# for what a change of key seals anew.
_HISTORIES = {
    "preference_journal": ("number", "at", "channel", "by", "is_erasure"),
    "subscription_events": (
        *("number", "system_id", "service_id", "at", "act", "state", "message_id", "text_sha256"),
    ),
    "policy_versions": ("number", "digest", "name", "at", "by", "note", "archive"),
}

# Table, end of name, columns, of which rows; partial ones come last: SQLite takes the later of two.
_INDEXES = (
    ("held_messages", "assembly", "assembly part", "assembly <> 0"),
    ("held_messages", "campaign", "campaign state message_id", "campaign <> ''"),
    ("held_messages", "deferred", "state due_at message_id system_id", "state = 'deferred'"),
    (
        "held_messages",
        "own_hold",
        "state destination message_id",
        "state = 'held' AND reason = 'USER_PREF'",
    ),
    ("held_messages", "receipt_due", "system_id message_id", "receipt = 'due'"),
    ("held_messages", "state_expires_at", "state expires_at", ""),
    ("held_messages", "state_message_id", "state message_id", ""),
    ("held_messages", "system_id_message_id", "system_id message_id", ""),
    ("consent_answers", "change", "change", ""),
    ("consent_answers", "ending", "until msisdn scope", "until IS NOT NULL"),
    ("consent_answers", "told", "scope change msisdn", "answer <> 'asserted'"),
    ("policy_requests", "state_number", "state number", ""),
    ("consent_audits", "system_id", "system_id", ""),
    ("authority_reports", "state_number", "state number", ""),
    ("authority_reports", "system_id_number", "system_id number", ""),
    ("errands", "created_at", "created_at", ""),
    ("errands", "waiting", "port number", "state = 'waiting'"),
    ("number_codes", "created_at", "created_at", ""),
    ("number_codes", "msisdn_created_at", "msisdn created_at", ""),
    ("number_sessions", "msisdn", "msisdn", ""),
    ("number_sessions", "until", "until", ""),
    ("known_peers", "bound_at", "bound_at", ""),
    ("preference_journal", "at", "at", ""),
    ("preference_journal", "msisdn_number", "msisdn number", ""),
    ("subscriptions", "change", "change", ""),
    ("subscriptions", "due_at", "due_at", ""),
    ("subscriptions", "pending", "system_id", "state = 'pending'"),
    ("subscriptions", "since", "since", ""),
    ("subscription_events", "msisdn_system_id_service_id", "msisdn system_id service_id", ""),
    ("consent_requests", "state_until", "state until", ""),
    ("dialogue_sessions", "until", "until", ""),
    ("scheduled_messages", "misread_as", "misread_as", "misread_as IS NOT NULL"),
    ("scheduled_messages", "msisdn", "msisdn", ""),
    ("scheduled_messages", "refused", "scheduled_at system_id", "is_refused"),
    ("scheduled_messages", "scheduled_at", "scheduled_at", ""),
    ("suspensions", "active_until", "until", "state = 'active'"),
    ("suspensions", "msisdn_number", "msisdn number", ""),
    ("suspensions", "untold", "system_id number", "state = 'active' AND NOT is_told"),
    ("warnings", "kind", "system_id code rule port number", ""),
    ("warnings", "last_at", "last_at", ""),
    ("warnings", "state_number", "state number", ""),
)
_UNIQUE_INDEXES = (
    ("ux_authority_reports_message_id", "authority_reports", "message_id", ""),
    ("ux_samples_digest", "samples", "digest", ""),
    ("uq_scheduled_messages_message", "scheduled_messages", "system_id message_id destination", ""),
    ("uq_suspensions_active", "suspensions", "msisdn", "state = 'active'"),
)


def upgrade() -> None:
    """Make the tables and indexes; let SQLite refuse changes of journals and histories."""
    _make_tables()
    _make_indexes()
    if op.get_bind().dialect.name == "sqlite":
        _guard_journals()
        _guard_histories()


def _make_tables() -> None:
    op.create_table(
        "held_messages",
        sa.Column("message_id", _ROW_NUMBER, nullable=False, autoincrement=False),
        sa.Column("system_id", sa.String(16), nullable=False),
        *_columns(sa.String(65), "source", "destination"),
        sa.Column("pdu", sa.LargeBinary, nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        *_columns(sa.Text, "rule", "category", "evidence"),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("receipt_asked", sa.Boolean, nullable=False),
        *_columns(_TIME, "held_at", "expires_at"),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("receipt", sa.String(8), nullable=False),
        sa.Column("smsc_message_id", sa.String(65), nullable=False),
        *_columns(sa.Text, "note", "joined"),
        sa.Column("due_at", _TIME, nullable=True),
        sa.Column("is_reviewed", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("assembly", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("part", sa.Integer, nullable=False, server_default="0"),
        sa.Column("is_wanted", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("campaign", sa.String(17), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("message_id", name="pk_held_messages"),
    )
    op.create_table(
        "consent_answers",
        sa.Column("msisdn", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("answer", sa.String(8), nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("change", sa.BigInteger, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False, server_default=""),
        sa.Column("until", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("msisdn", "scope", name="pk_consent_answers"),
        sqlite_with_rowid=False,
    )
    _numbered_table(
        "changes",
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("at", _TIME, nullable=False),
    )
    _numbered_table(
        "policy_versions",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        *_columns(sa.Text, "by", "note"),
        sa.Column("archive", sa.LargeBinary, nullable=False),
    )
    _numbered_table(
        "policy_requests",
        *_columns(sa.Text, "by", "note"),
        sa.Column("force", sa.Boolean, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("said", sa.Text, nullable=False),
    )
    op.create_table(
        "store_seals",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("proof", sa.LargeBinary, nullable=False),
        sa.Column("previous", sa.String(16), nullable=True),
        sa.Column("is_bound", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("number", name="pk_store_seals"),
    )
    _numbered_table(
        "legal_holds",
        *_columns(_TIME, "since", "until"),
        sa.Column("system_id", sa.String(16), nullable=True),
        sa.Column("msisdn", sa.BigInteger, nullable=True),
        *_columns(sa.Text, "reason", "reference", "by"),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("lifted_at", _TIME, nullable=True),
        sa.Column("lifted_by", sa.Text, nullable=False),
    )
    _numbered_table(
        "purge_log",
        sa.Column("what", sa.String(32), nullable=False),
        *_columns(_TIME, "since", "until"),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("chain", sa.String(64), nullable=False, server_default=""),
    )
    _numbered_table(
        "access_log",
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        *_columns(sa.Text, "reason", "about"),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("chain", sa.String(64), nullable=False, server_default=""),
    )
    _numbered_table(
        "consent_audits",
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("drawn_at", _TIME, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("population", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "consent_audit_items",
        sa.Column("audit", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("item", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("msisdn", sa.BigInteger, nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("answered_at", _TIME, nullable=True),
        sa.Column("answered_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("audit", "item", name="pk_consent_audit_items"),
    )
    _numbered_table(
        "authority_reports",
        sa.Column("message_id", sa.BigInteger, nullable=False),
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("source", sa.String(65), nullable=False),
        sa.Column("msisdn", sa.BigInteger, nullable=True),
        sa.Column("recipients", sa.Integer, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        *_columns(sa.Text, "rule", "category", "keyword"),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("text_sha256", sa.String(64), nullable=False),
        sa.Column("stopped_at", _TIME, nullable=False),
        *_columns(sa.String(8), "severity", "state"),
        sa.Column("sent_at", _TIME, nullable=True),
        *_columns(sa.Text, "sent_by", "reference"),
    )
    _numbered_table(
        "errands",
        sa.Column("port", sa.String(21), nullable=False),
        sa.Column("msisdn", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("ref", sa.String(64), nullable=False),
        *_columns(_TIME, "created_at", "not_after"),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("message_id", sa.String(65), nullable=False),
        sa.Column("free_at", _TIME, nullable=False),
    )
    _numbered_table(
        "number_codes",
        sa.Column("msisdn", sa.BigInteger, nullable=False),
        sa.Column("code_hash", sa.Text, nullable=False),
        *_columns(_TIME, "created_at", "until"),
        sa.Column("attempts", sa.Integer, nullable=False),
    )
    op.create_table(
        "number_sessions",
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("msisdn", sa.BigInteger, nullable=False),
        sa.Column("until", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_number_sessions"),
    )
    op.create_table(
        "licences",
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("valid_until", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("system_id", name="pk_licences"),
    )
    op.create_table(
        "signatures",
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("sources", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("system_id", "name", name="pk_signatures"),
    )
    op.create_table(
        "templates",
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("max_variable", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("system_id", "id", name="pk_templates"),
    )
    op.create_table(
        "port_scopes",
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("port", sa.String(20), nullable=False),
        sa.Column("province", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("system_id", "port", name="pk_port_scopes"),
    )
    op.create_table(
        "approvals",
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("port", sa.String(20), nullable=False),
        sa.Column("reference", sa.String(64), nullable=False),
        *_columns(sa.Date, "valid_from", "valid_until"),
        sa.PrimaryKeyConstraint("system_id", "port", "reference", name="pk_approvals"),
    )
    op.create_table(
        "known_peers",
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("origin", sa.String(64), nullable=False),
        sa.Column("bound_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("system_id", "origin", name="pk_known_peers"),
    )
    op.create_table(
        "notice_cursors",
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("heard_change", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("heard_msisdn", sa.BigInteger, nullable=False, server_default="-1"),
        sa.Column("heard_scope", sa.String(16), nullable=False, server_default=""),
        *_columns(sa.BigInteger, "given_change", "given_msisdn", nullable=True),
        sa.Column("given_scope", sa.String(16), nullable=True),
        sa.Column("batch_id", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("delivered_at", _TIME, nullable=True),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        *_columns(_TIME, "failing_since", "next_try_at", "failed_at", nullable=True),
        sa.Column("failure", sa.Text, nullable=False, server_default=""),
        sa.Column("claimed_by", sa.String(32), nullable=False, server_default=""),
        sa.Column("claimed_until", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("system_id", name="pk_notice_cursors"),
    )
    op.create_table(
        "preferences",
        sa.Column("msisdn", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("rules", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("msisdn", name="pk_preferences"),
        sqlite_with_rowid=False,
    )
    _numbered_table(
        "preference_journal",
        sa.Column("msisdn", sa.BigInteger, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("channel", sa.String(8), nullable=False),
        *_columns(sa.Text, "by", "before", "after"),
        sa.Column("is_erasure", sa.Boolean, nullable=False),
    )
    op.create_table(
        "subscriptions",
        sa.Column("msisdn", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("service_id", sa.String(32), nullable=False),
        *_columns(sa.Text, "sender_name", "name"),
        sa.Column("port", sa.String(20), nullable=False),
        sa.Column("price_fen", sa.BigInteger, nullable=False),
        sa.Column("cycle", sa.String(8), nullable=False),
        sa.Column("trial_days", sa.Integer, nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        *_columns(_TIME, "asked_until", "trial_until", "due_at", nullable=True),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("change", sa.BigInteger, nullable=False),
        sa.Column("asked_from", sa.String(21), nullable=False, server_default=""),
        sa.Column("unanswered", sa.Integer, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("msisdn", "system_id", "service_id", name="pk_subscriptions"),
    )
    _numbered_table(
        "subscription_events",
        sa.Column("msisdn", sa.BigInteger, nullable=False),
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("service_id", sa.String(32), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        *_columns(sa.String(16), "act", "state"),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("text_sha256", sa.String(64), nullable=False),
    )
    op.create_table(
        "consent_requests",
        sa.Column("msisdn", sa.BigInteger, nullable=False, autoincrement=False),
        *_columns(sa.String(16), "system_id", "likeness"),
        sa.Column("text_sha256", sa.String(64), nullable=False),
        *_columns(_TIME, "asked_at", "until"),
        sa.Column("state", sa.String(16), nullable=False),
        *_columns(sa.Text, "message_id", "answer_id"),
        sa.Column("port", sa.String(21), nullable=False, server_default=""),
        sa.Column("agreed_until", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("msisdn", "system_id", "likeness", name="pk_consent_requests"),
    )
    op.create_table(
        "dialogue_sessions",
        sa.Column("msisdn", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("port", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("items", sa.Text, nullable=False),
        sa.Column("until", _TIME, nullable=False),
        sa.Column("shown", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("msisdn", "port", name="pk_dialogue_sessions"),
    )
    _numbered_table(
        "samples",
        *_columns(sa.Text, "text", "digest"),
        sa.Column("label", sa.String(8), nullable=False),
        sa.Column("category", sa.String(32), nullable=False),
        *_columns(sa.String(16), "source", "text_class", "system_id"),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
    )
    _numbered_table(
        "scheduled_messages",
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("smsc", sa.String(64), nullable=False),
        sa.Column("message_id", sa.String(65), nullable=False),
        *_columns(sa.SmallInteger, "source_ton", "source_npi"),
        sa.Column("source", sa.String(65), nullable=False),
        *_columns(sa.SmallInteger, "dest_ton", "dest_npi"),
        sa.Column("destination", sa.String(65), nullable=False),
        sa.Column("msisdn", sa.BigInteger, nullable=False),
        sa.Column("scheduled_at", _TIME, nullable=False),
        sa.Column("is_refused", sa.Boolean, nullable=False),
        sa.Column("free_at", _TIME, nullable=False),
        sa.Column("misread_as", sa.BigInteger, nullable=True),
    )
    _numbered_table(
        "suspensions",
        sa.Column("msisdn", sa.BigInteger, nullable=False),
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("rule", sa.String(32), nullable=False),
        *_columns(_TIME, "since", "until"),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("is_told", sa.Boolean, nullable=False),
        sa.Column("lifted_at", _TIME, nullable=True),
        *_columns(sa.Text, "lifted_by", "note"),
    )
    _numbered_table(
        "warnings",
        sa.Column("code", sa.String(4), nullable=False),
        sa.Column("rule", sa.String(32), nullable=False),
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("port", sa.String(20), nullable=False),
        sa.Column("severity", sa.String(8), nullable=False),
        *_columns(sa.BigInteger, "count", "on_trial"),
        *_columns(_TIME, "first_at", "last_at"),
        sa.Column("samples", sa.Text, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("answer_by", sa.Text, nullable=True),
        sa.Column("answer_at", _TIME, nullable=True),
        *_columns(sa.Text, "answer_note", "closing_by", nullable=True),
        sa.Column("closing_at", _TIME, nullable=True),
        sa.Column("closing_note", sa.Text, nullable=True),
        sa.Column("category", sa.Text, nullable=False, server_default=""),
        sa.Column("campaign", sa.String(17), nullable=False, server_default=""),
    )


def _make_indexes() -> None:
    for table, name, columns, where in sorted(_INDEXES, key=lambda index: bool(index[3])):
        _index(f"ix_{table}_{name}", table, columns, where)
    for name, table, columns, where in _UNIQUE_INDEXES:
        _index(name, table, columns, where, unique=True)


def _guard_journals() -> None:
    for journal in _JOURNALS:
        for act in ("UPDATE", "DELETE"):
            _refuse(journal, act.lower(), act)
        # Not only where the number exists: none is ever put in between, or without one.
        newest = f"(SELECT coalesce(max(number), 0) FROM {journal})"  # noqa: S608 - of ours
        _refuse(journal, "insert", "INSERT", f"NEW.number <= {newest}")


def _guard_histories() -> None:
    for table, columns in _HISTORIES.items():
        _refuse(table, "update", "UPDATE OF " + ", ".join(f'"{column}"' for column in columns))
        exists = f"EXISTS (SELECT 1 FROM {table} WHERE number = NEW.number)"  # noqa: S608 - of ours
        _refuse(table, "insert", "INSERT", exists)


def _numbered_table(name: str, *columns: sa.Column[Any]) -> None:
    op.create_table(
        name,
        sa.Column("number", _ROW_NUMBER, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("number", name=f"pk_{name}"),
        # The number of a row that was deleted is not given again.
        sqlite_autoincrement=True,
    )


def _columns(
    kind: sa.types.TypeEngine[Any] | type[sa.types.TypeEngine[Any]],
    *names: str,
    nullable: bool = False,
) -> Iterator[sa.Column[Any]]:
    return (sa.Column(name, kind, nullable=nullable) for name in names)


def _index(name: str, table: str, columns: str, where: str, *, unique: bool = False) -> None:
    condition = sa.text(where) if where else None
    op.create_index(
        name,
        table,
        columns.split(),
        unique=unique,
        sqlite_where=condition,
        postgresql_where=condition,
    )


def _refuse(table: str, name: str, act: str, when: str = "") -> None:
    op.execute(
        f"CREATE TRIGGER tr_{table}_{name} BEFORE {act} ON {table}"
        f"{' WHEN ' + when if when else ''}"
        f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )
