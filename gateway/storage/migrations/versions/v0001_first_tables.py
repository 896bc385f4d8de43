"""The first tables, with what guards those that are only added to."""

from collections.abc import Iterable
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
  severity:8= owner:text= score:small?

consent_answers by msisdn scope
  msisdn:long scope:64 answer:8 since:time channel:text change:long evidence:text= until:time?

changes
  kind:32 key:text at:time

policy_versions
  digest:64 name:text at:time by:text note:text archive:octets

policy_requests
  by:text note:text force:bool at:time state:8 said:text

store_seals by number
  number:int key_id:16 proof:octets previous:16?

linkage_inbox
  source:100 id:64 type:100 subject:64 recipient:32 sequence:long digest:71 envelope:text
  receipt:text received_at:time is_applied:bool conflicts:int

linkage_outbox
  source:100 id:64 type:100 subject:64 recipient:32 sequence:long digest:71 envelope:text
  receipt:text created_at:time state:9 attempts:int next_at:time said:100

linkage_streams by source recipient subject
  source:100 recipient:32 subject:64 complete_to:long highest:long

linkage_cursors by member
  member:32 pulled_to:long

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

undelivered_messages
  system_id:16 pdu:octets is_acknowledged:bool at:time

number_codes
  msisdn:long code_hash:text created_at:time until:time attempts:int

number_sessions by token_sha256
  token_sha256:64 msisdn:long until:time

users
  name:32 role:16 system_id:16 province:16 state:8 password_hash:text= totp_secret:text?
  totp_step:long=0 link_sha256:64? link_until:time? created_at:time created_by:text
  changed_at:time changed_by:text

recovery_codes by user_number digest
  user_number:long digest:64

user_sessions by token_sha256
  token_sha256:64 user_number:long created_at:time seen_at:time address:64

user_devices by token_sha256
  token_sha256:64 user_number:long known_at:time

licences by system_id
  system_id:16 number:text valid_until:date

signatures by system_id name
  system_id:16 name:64 sources:text valid_until:date?

templates by system_id id
  system_id:16 id:64 kind:32 text:text max_variable:int valid_until:date?

port_scopes by system_id port
  system_id:16 port:20 province:text

approvals by system_id port reference
  system_id:16 port:20 reference:64 valid_from:date valid_until:date

offered_words by system_id port word
  system_id:16 port:20 word:16 place:small

known_peers by system_id origin
  system_id:16 origin:64 bound_at:time

notice_cursors by system_id
  system_id:16 heard_change:long=0 heard_msisdn:long=-1 heard_scope:64= given_change:long?
  given_msisdn:long? given_scope:64? batch_id:long=0 delivered_at:time? attempts:int=0
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

sender_alerts by system_id kind about
  system_id:16 kind:16 about:128 fields:text at:time told_at:time?
  mailed_at:time?

suspended_senders by system_id
  system_id:16 since:time by:text note:text

drained_smscs by name
  name:text since:time

warnings
  code:4 rule:32 system_id:16 port:20 severity:8 count:long on_trial:long first_at:time
  last_at:time samples:text state:9 answer_by:text? answer_at:time? answer_note:text?
  closing_by:text? closing_at:time? closing_note:text? category:text= campaign:17=
  escalated_at:time?

detector_steps by step system_id port
  step:long system_id:16 port:20 messages:long commercial:long forwarded:long answered:long
  unsigned:long no_optout_hint:long port_misuse:long at_night:long after_optout:long
  complaints:long out_of_scope:long unknown_numbers:long without_consent:long optouts:long
  evasive:long off_template:long

detector_hours by hour system_id port
  hour:long system_id:16 port:20 messages:long commercial:long forwarded:long answered:long
  unsigned:long no_optout_hint:long port_misuse:long at_night:long after_optout:long
  complaints:long out_of_scope:long unknown_numbers:long without_consent:long optouts:long
  evasive:long off_template:long

detector_state by name
  name:16 value:text

sanctions
  warning:long system_id:16 port:20 severity:8 step:8 state:9 proposed_at:time decided_at:time?
  decided_by:text note:text asked_by:text asked_at:time? reason:text conditions:text
  days:int daily_max:int reopened_at:time? reopened_by:text probation_until:time? is_pending:bool

suspended_ports
  system_id:16 port:20 since:time by:text note:text until:time? sanction:long lifted_at:time?
  lifted_by:text lift_note:text

complaint_reporters by port reporter
  port:20 reporter:long last_at:time

status_queries by reporter by
  reporter:long by:32 day:date

complaints
  source:8 source_id:128 sender:20 digest:text text:text reporter:long? reported_at:time
  received_at:time? taken_at:time category:32 attachments:text by:text system_id:16 port:20 state:16
  invalid_reason:16? case_number:long? agreed_since:time?
  is_proved:bool

cases
  campaign:64 category:32 severity:8 state:20 profile:16 front_owner:64 owner:64 opened_at:time
  grown_at:time complaints:long reporters:long hops:small closed_at:time? finding:16? measures:text
  evidence:text system_id:16 answer:text authority:64 referred_by:text clocks:text origin:32
  subject:64 sender:80 recheck:8? next_at:time? is_overdue:bool

case_complaints by complaint
  complaint:row case_number:long sender:20 reporter:long? taken_at:time

case_journal
  case_number:long act:16 at:time by:text note:text about:text
"""
# Millions of short rows that are read in the order of their key.
_IN_KEY_ORDER = frozenset({"consent_answers", "preferences", "detector_steps", "detector_hours"})

# Rows are only ever added: a journal whose rows may be changed proves nothing (R72, R73).
_JOURNALS = ("access_log", "purge_log")
# Rows are added, and deleted for their age or on request; in between they stay as they are, but
# for what a change of key seals anew.
_HISTORIES = {
    "case_journal": ("number", "case_number", "act", "at", "by", "note", "about"),
    "preference_journal": ("number", "at", "channel", "by", "is_erasure"),
    "subscription_events": (
        *("number", "system_id", "service_id", "at", "act", "state", "message_id", "text_sha256"),
    ),
    "policy_versions": ("number", "digest", "name", "at", "by", "note", "archive"),
}

# Table, end of name, columns, of which rows; partial ones come last: SQLite takes the later of two.
_INDEXES = (
    ("held_messages", "assembly", "assembly part", "assembly <> 0"),
    (
        "held_messages",
        "cancellable",
        "destination system_id",
        "state IN ('held', 'deferred', 'release_requested')",
    ),
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
    ("held_messages", "system_id_state_message_id", "system_id state message_id", ""),
    ("held_messages", "category_state_message_id", "category state message_id", ""),
    (
        "held_messages",
        "system_id_category_state_message_id",
        "system_id category state message_id",
        "",
    ),
    ("consent_answers", "change", "change", ""),
    ("consent_answers", "ending", "until msisdn scope", "until IS NOT NULL"),
    ("consent_answers", "told", "scope change msisdn", "answer <> 'asserted'"),
    ("policy_requests", "state_number", "state number", ""),
    ("complaint_reporters", "last_at", "last_at", ""),
    ("complaint_reporters", "port_last_at", "port last_at", ""),
    ("status_queries", "day", "day", ""),
    ("complaints", "open", "taken_at", "state = 'need_info'"),
    ("complaints", "port_number", "port number", ""),
    ("complaints", "reporter_number", "reporter number", ""),
    ("complaints", "state_case_number_number", "state case_number number", ""),
    ("complaints", "state_number", "state number", ""),
    ("complaints", "taken_at", "taken_at", ""),
    ("consent_audits", "system_id", "system_id", ""),
    ("authority_reports", "state_number", "state number", ""),
    ("authority_reports", "system_id_number", "system_id number", ""),
    ("errands", "created_at", "created_at", ""),
    ("errands", "waiting", "port kind number", "state = 'waiting'"),
    ("sender_alerts", "at", "at", ""),
    ("undelivered_messages", "at", "at", ""),
    ("undelivered_messages", "system_id_number", "system_id number", ""),
    ("undelivered_messages", "unacknowledged", "system_id pdu", "NOT is_acknowledged"),
    ("number_codes", "created_at", "created_at", ""),
    ("number_codes", "msisdn_created_at", "msisdn created_at", ""),
    ("number_sessions", "msisdn", "msisdn", ""),
    ("number_sessions", "until", "until", ""),
    ("user_devices", "known_at", "known_at", ""),
    ("user_devices", "user_number_known_at", "user_number known_at", ""),
    ("user_sessions", "seen_at", "seen_at", ""),
    ("user_sessions", "user_number_seen_at", "user_number seen_at", ""),
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
    ("linkage_inbox", "received_at", "received_at", ""),
    ("linkage_inbox", "unapplied", "source recipient", "NOT is_applied"),
    ("linkage_outbox", "created_at", "created_at", ""),
    ("linkage_outbox", "dead", "number", "state = 'dead'"),
    ("linkage_outbox", "recipient_number", "recipient number", ""),
    ("linkage_outbox", "waiting", "next_at number", "state = 'waiting'"),
    ("suspended_ports", "port_system_id_number", "port system_id number", ""),
    ("suspended_ports", "until", "until", "lifted_at IS NULL"),
    ("suspensions", "active_until", "until", "state = 'active'"),
    ("suspensions", "msisdn_number", "msisdn number", ""),
    ("suspensions", "untold", "system_id number", "state = 'active' AND NOT is_told"),
    ("warnings", "kind", "system_id code rule port number", ""),
    ("warnings", "last_at", "last_at", ""),
    ("warnings", "state_number", "state number", ""),
    ("warnings", "violations", "number", "severity != ''"),
    ("sanctions", "closing", "number", "state = 'applied' AND step = 'close'"),
    ("sanctions", "pending", "number", "is_pending"),
    ("sanctions", "system_id_severity_decided_at", "system_id severity decided_at", ""),
    ("cases", "campaign_number", "campaign number", ""),
    ("cases", "closed_at_number", "closed_at number", ""),
    ("cases", "next", "next_at", "next_at IS NOT NULL"),
    ("cases", "origin", "origin", "origin != '' AND state != 'closed'"),
    ("cases", "state_number", "state number", ""),
    ("cases", "subject", "subject number", "subject != ''"),
    ("case_complaints", "case_number_reporter", "case_number reporter", ""),
    ("case_complaints", "case_number_sender", "case_number sender", ""),
    ("case_journal", "case_number_number", "case_number number", ""),
)
_UNIQUE_INDEXES = (
    ("ux_authority_reports_message_id", "authority_reports", "message_id", ""),
    ("ux_complaints_source", "complaints", "source source_id", ""),
    ("ux_samples_digest", "samples", "digest", ""),
    ("uq_scheduled_messages_message", "scheduled_messages", "system_id message_id destination", ""),
    ("ux_sanctions_warning", "sanctions", "warning", ""),
    ("uq_linkage_inbox_id", "linkage_inbox", "source id", ""),
    ("uq_linkage_inbox_sequence", "linkage_inbox", "source recipient subject sequence", ""),
    ("uq_linkage_outbox_id", "linkage_outbox", "source id", ""),
    (
        "uq_suspended_ports_active",
        "suspended_ports",
        "port system_id sanction",
        "lifted_at IS NULL",
    ),
    ("uq_suspensions_active", "suspensions", "msisdn", "state = 'active'"),
    ("uq_users_link", "users", "link_sha256", ""),
    ("uq_users_name", "users", "name", ""),
)


def upgrade() -> None:
    """Make the tables and indexes; let the database refuse changes of journals and histories."""
    _make_tables()
    _make_indexes()
    if op.get_bind().dialect.name == "sqlite":
        _guard_journals()
        _guard_histories()
    else:
        _guard_on_postgresql()


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
    _index_waiting()
    for name, table, columns, where in _UNIQUE_INDEXES:
        _index(name, table, columns, where, unique=True)


def _index_waiting() -> None:
    """Index what SPs have waiting with its octets: a start counts them without a look at a row.

    It is an index of SQLite, which the program opens, alone: others cast text otherwise.
    """
    if op.get_bind().dialect.name != "sqlite":
        return
    condition = sa.text("state NOT IN ('cancelled', 'discarded', 'expired', 'refused', 'released')")
    octets = sa.text("length(pdu) + length(CAST(joined AS BLOB))")
    op.create_index(
        "ix_held_messages_unsettled",
        "held_messages",
        ["system_id", octets],
        sqlite_where=condition,
    )


def _guard_journals() -> None:
    for journal in _JOURNALS:
        for act in ("UPDATE", "DELETE"):
            _refuse(journal, act.lower(), act)
        # Not only where the number exists: none is ever put in between, or without one.
        newest = f"(SELECT coalesce(max(number), 0) FROM {journal})"  # noqa: S608 - of ours
        _refuse(journal, "insert", "INSERT", f"NEW.number <= {newest}")


def _guard_histories() -> None:
    for table, columns in _HISTORIES.items():
        _refuse(table, "update", f"UPDATE OF {_quoted(columns)}")
        exists = f"EXISTS (SELECT 1 FROM {table} WHERE number = NEW.number)"  # noqa: S608 - of ours
        _refuse(table, "insert", "INSERT", exists)


def _guard_on_postgresql() -> None:
    # What an INSERT may not do, its primary key refuses there: no REPLACE takes a row away.
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE integrity_constraint_violation USING MESSAGE = TG_TABLE_NAME || ' is append-only';"
        " END $$"
    )
    acts = [(journal, "UPDATE OR DELETE") for journal in _JOURNALS]
    acts += [(table, f"UPDATE OF {_quoted(columns)}") for table, columns in _HISTORIES.items()]
    for table, act in acts:
        op.execute(
            f"CREATE TRIGGER tr_{table} BEFORE {act} ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def _quoted(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


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
