"""The first tables, with what guards those that are only added to."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")

# What stands for a type in _SCHEMA; a number is that of the characters of a string.
_KINDS: dict[str, Any] = {
    "row": _ROW_NUMBER,
    "int": sa.Integer,
    "small": sa.SmallInteger,
    "long": sa.BigInteger,
    "time": sa.BigInteger,  # microseconds since 1970
    "date": sa.Date,
    "text": sa.Text,
    "octets": sa.LargeBinary,
    "bool": sa.Boolean,
}
# Each table with its primary key, and its columns as name:type, ? where it may be NULL, =default.
# Without a key it has a number, which is not given again when its row was deleted.
_SCHEMA = """\
held_messages by message_id
  message_id:row system_id:16 source:65 destination:65 pdu:octets reason:64 rule:text
  category:text evidence:text digest:64 receipt_asked:bool held_at:time expires_at:time state:32
  receipt:8 smsc_message_id:65 note:text joined:text due_at:time? is_reviewed:bool=false
  assembly:long=0 part:int=0 is_wanted:bool=false campaign:17= decision:text=

consent_answers by msisdn scope
  msisdn:long scope:16 answer:8 since:time channel:text change:long evidence:text= until:time?

changes
  kind:32 key:text at:time

policy_versions
  digest:64 name:text at:time by:text note:text archive:octets

policy_requests
  by:text note:text force:bool at:time state:8 said:text

store_seals by number
  number:int key_id:16 proof:octets previous:16? is_bound:bool=false

legal_holds
  since:time until:time system_id:16? msisdn:long? reason:text reference:text by:text at:time
  lifted_at:time? lifted_by:text

purge_log
  what:32 since:time until:time count:long at:time by:text chain:64=

access_log
  by:text action:32 reason:text about:text at:time chain:64=

consent_audits
  system_id:16 drawn_at:time by:text seed:long size:int population:long

consent_audit_items by audit item
  audit:long item:int msisdn:long since:time channel:text state:8 note:text answered_at:time?
  answered_by:text

authority_reports
  message_id:long system_id:16 source:65 msisdn:long? recipients:int action:16 rule:text
  category:text keyword:text digest:64 text:text text_sha256:64 stopped_at:time severity:8 state:8
  sent_at:time? sent_by:text reference:text

errands
  port:21 msisdn:long text:text kind:16 ref:64 created_at:time not_after:time state:8 attempts:int
  message_id:65 free_at:time

number_codes
  msisdn:long code_hash:text created_at:time until:time attempts:int

number_sessions by token_sha256
  token_sha256:64 msisdn:long until:time

licences by system_id
  system_id:16 number:text valid_until:date

signatures by system_id name
  system_id:16 name:64 sources:text

templates by system_id id
  system_id:16 id:64 kind:32 text:text max_variable:int

port_scopes by system_id port
  system_id:16 port:20 province:text

approvals by system_id port reference
  system_id:16 port:20 reference:64 valid_from:date valid_until:date

known_peers by system_id origin
  system_id:16 origin:64 bound_at:time

notice_cursors by system_id
  system_id:16 heard_change:long=0 heard_msisdn:long=-1 heard_scope:16= given_change:long?
  given_msisdn:long? given_scope:16? batch_id:long=0 delivered_at:time? attempts:int=0
  failing_since:time? next_try_at:time? failed_at:time? failure:text= claimed_by:32=
  claimed_until:time?

preferences by msisdn
  msisdn:long rules:text

preference_journal
  msisdn:long at:time channel:8 by:text before:text after:text is_erasure:bool

subscriptions by msisdn system_id service_id
  msisdn:long system_id:16 service_id:32 sender_name:text name:text port:20 price_fen:long cycle:8
  trial_days:int since:time state:16 asked_until:time? trial_until:time? due_at:time?
  evidence:text step:int change:long asked_from:21= unanswered:int=0

subscription_events
  msisdn:long system_id:16 service_id:32 at:time act:16 state:16 message_id:text text_sha256:64

consent_requests by msisdn system_id likeness
  msisdn:long system_id:16 likeness:16 text_sha256:64 asked_at:time until:time state:16
  message_id:text answer_id:text port:21= agreed_until:time?

dialogue_sessions by msisdn port
  msisdn:long port:20 kind:16 items:text until:time shown:int

samples
  text:text digest:text label:8 category:32 source:16 text_class:16 system_id:16 at:time by:text

scheduled_messages
  system_id:16 smsc:64 message_id:65 source_ton:small source_npi:small source:65 dest_ton:small
  dest_npi:small destination:65 msisdn:long scheduled_at:time is_refused:bool free_at:time
  misread_as:long?

suspensions
  msisdn:long system_id:16 rule:32 since:time until:time state:8 is_told:bool lifted_at:time?
  lifted_by:text note:text

warnings
  code:4 rule:32 system_id:16 port:20 severity:8 count:long on_trial:long first_at:time
  last_at:time samples:text state:8 answer_by:text? answer_at:time? answer_note:text?
  closing_by:text? closing_at:time? closing_note:text? category:text= campaign:17=
"""
# Millions of short rows that are read in the order of their key.
_IN_KEY_ORDER = frozenset({"consent_answers", "preferences"})

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
    for block in _SCHEMA.split("\n\n"):
        head, *lines = block.splitlines()
        name, _, key = head.partition(" by ")
        keys = key.split()
        columns = [
            _column(one, is_key=one.partition(":")[0] in keys) for one in " ".join(lines).split()
        ]
        if not keys:
            keys, columns = ["number"], [sa.Column("number", _ROW_NUMBER, nullable=False), *columns]
        op.create_table(
            name,
            *columns,
            sa.PrimaryKeyConstraint(*keys, name=f"pk_{name}"),
            sqlite_autoincrement=not key,
            sqlite_with_rowid=name not in _IN_KEY_ORDER,
        )


def _column(written: str, *, is_key: bool) -> sa.Column[Any]:
    """Return the column that is written as in _SCHEMA."""
    said, has_default, default = written.partition("=")
    name, _, kind = said.rstrip("?").partition(":")
    value = sa.false() if kind == "bool" else default
    return sa.Column(
        name,
        sa.String(int(kind)) if kind.isdigit() else _KINDS[kind],
        nullable=said.endswith("?"),
        server_default=value if has_default else None,
        autoincrement=False if is_key else "auto",
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
