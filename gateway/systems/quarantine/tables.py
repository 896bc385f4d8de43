"""The tables of decisions on held messages and campaigns; held_messages is of storage.tables."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache

import sqlalchemy as sa

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import Reason, Waiver
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns, partial_index
from gateway.storage.tables import IS_WAITING, UtcTime, held_messages, metadata, word
from gateway.systems.quarantine.model import PersonDecision, ReviewJobState, ReviewState

# A second opinion that counts: see second_reviews.
IS_OPINION = sa.text("is_second AND state = 'taken'")

# The fields of ReviewDecision. Numbers in its texts are masked, so that none is sealed.
review_decisions = sa.Table(
    "review_decisions",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("message_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("subject", sa.BigInteger, nullable=False),
    sa.Column("found_in", word(HoldState, 32), nullable=False),
    sa.Column("decision", word(PersonDecision, 16), nullable=False),
    *columns(sa.Text, "by", "reason", "note"),
    sa.Column("category", sa.String(64), nullable=False),
    *columns(UtcTime, "decided_at", "not_before"),
    sa.Column("state", word(ReviewState, 8), nullable=False),
    sa.Column("ended_at", UtcTime, nullable=True),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("is_second", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("job", sa.BigInteger, nullable=True),
    # What a person decided last.
    sa.Index(None, "by", "number"),
    # What the gateway asks every few moments; one message has one decision that waits.
    partial_index("ix_review_decisions_due", "not_before", "number", where=IS_WAITING),
    partial_index("uq_review_decisions_waiting", "subject", where=IS_WAITING, unique=True),
    # There is one second opinion on a message.
    partial_index("uq_review_decisions_second", "subject", where=IS_OPINION, unique=True),
    **NEVER_REUSED,
)

# Messages that are dealt twice; the parts of a long one share a `subject`. `decision` is the
# number of the first decision; `reason`, `rule` and `note` are as they stood on the message then.
second_reviews = sa.Table(
    "second_reviews",
    metadata,
    sa.Column("message_id", ROW_NUMBER, primary_key=True, autoincrement=False),
    *columns(sa.BigInteger, "subject", "decision"),
    *columns(sa.Text, "by", "reason", "rule", "note"),
    *columns(UtcTime, "dealt_at", "until"),
    sa.Column("escalated_by", sa.Text, nullable=False),
    sa.Index(None, "subject"),
    # What is open, and what is reported on.
    sa.Index(None, "until"),
    sa.Index(None, "dealt_at"),
)

# What decides which messages are dealt twice; one row.
second_review_key = sa.Table(
    "second_review_key",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True, autoincrement=False),
    sa.Column("key", sa.LargeBinary, nullable=False),
)

IS_OPEN_JOB = sa.text("state IN ('waiting', 'running')")
IS_CAMPAIGN_JOB = sa.text("state IN ('waiting', 'running') AND campaign <> ''")

# The fields of ReviewJob.
review_jobs = sa.Table(
    "review_jobs",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("campaign", sa.String(17), nullable=False),
    sa.Column("system_id", sa.String(16), nullable=False),
    sa.Column("decision", word(PersonDecision, 16), nullable=False),
    *columns(sa.Text, "by", "reason", "note"),
    sa.Column("category", sa.String(64), nullable=False),
    sa.Column("expected_count", sa.BigInteger, nullable=False),
    *columns(UtcTime, "decided_at", "not_before"),
    sa.Column("state", word(ReviewJobState, 8), nullable=False),
    *columns(sa.BigInteger, "upto_id", "last_id", "done"),
    sa.Column("ended_at", UtcTime, nullable=True),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False, server_default=""),
    sa.Index(None, "by", "number"),
    # What the gateway asks every few moments; a campaign has one job at a time.
    partial_index("ix_review_jobs_open", "not_before", "number", where=IS_OPEN_JOB),
    partial_index(
        "uq_review_jobs_campaign", "campaign", "system_id", where=IS_CAMPAIGN_JOB, unique=True
    ),
    **NEVER_REUSED,
)

# What open jobs on chosen messages are on; the rows go when their job ends. A message, with the
# other parts of a long one, is in one such job.
review_job_messages = sa.Table(
    "review_job_messages",
    metadata,
    sa.Column("subject", ROW_NUMBER, primary_key=True, autoincrement=False),
    sa.Column("message_id", sa.BigInteger, nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False, index=True),
)

# Until when a reviewer has a message, by `subject_of` it: nobody else decides on it then.
review_leases = sa.Table(
    "review_leases",
    metadata,
    sa.Column("subject", ROW_NUMBER, primary_key=True, autoincrement=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("until", UtcTime, nullable=False, index=True),
)

IS_OPEN = sa.text("is_open")

# The fields of Escalation. Numbers in notes are masked.
review_escalations = sa.Table(
    "review_escalations",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("message_id", sa.BigInteger, nullable=False, index=True),
    *columns(sa.Text, "by", "note"),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("is_open", sa.Boolean, nullable=False),
    # What senior reviewers look for.
    partial_index("ix_review_escalations_open", "message_id", "number", where=IS_OPEN),
    **NEVER_REUSED,
)

# The fields of HoldException. Numbers in notes are masked.
hold_exceptions = sa.Table(
    "hold_exceptions",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("system_id", sa.String(16), nullable=False),
    sa.Column("campaign", sa.String(17), nullable=False),
    *columns(sa.Text, "by", "note"),
    *columns(UtcTime, "created_at", "until"),
    sa.Column("after_id", sa.BigInteger, nullable=False),
    sa.Column("revoked_at", UtcTime, nullable=True),
    sa.Column("revoked_by", sa.Text, nullable=False),
    sa.Index(None, "until"),
    **NEVER_REUSED,
)

_held, _decision = held_messages.c, review_decisions.c


def subject_of(held: HeldMessage) -> int:
    """Return the number that a message shares with the other parts of a long one."""
    return held.assembly or held.message_id


# The same as a column of held_messages.
SUBJECT = sa.case((_held.assembly != 0, _held.assembly), else_=_held.message_id)
# Since when it is held for what holds it now.
HELD_SINCE = sa.func.coalesce(_held.held_again_at, _held.held_at)
# No decision on it waits, and no job on chosen messages. The words are those of the indexes, or
# SQLite does not take these.
IS_UNDECIDED = sa.and_(
    ~(
        sa.exists()
        .where(sa.text("review_decisions.state = 'waiting'"), _decision.subject == SUBJECT)
        .correlate(held_messages)
    ),
    ~(sa.exists().where(review_job_messages.c.subject == SUBJECT).correlate(held_messages)),
)

# It was put before a senior reviewer, and has not been decided on since.
IS_ESCALATED = _held.message_id.in_(sa.select(review_escalations.c.message_id).where(IS_OPEN))
_other = held_messages.alias("escalated_part")
# That was done with it, or with another part of it.
IS_PARTLY_ESCALATED = SUBJECT.in_(
    sa.select(sa.case((_other.c.assembly != 0, _other.c.assembly), else_=_other.c.message_id))
    .join(review_escalations, review_escalations.c.message_id == _other.c.message_id)
    .where(IS_OPEN)
)


@cache
def never_excepted() -> frozenset[str]:
    """Return the reasons that no exception lets go."""
    # Importing compiled code takes longer than most commands on held messages.
    from gateway.policy.checks import all_reasons  # noqa: PLC0415

    reasons = all_reasons().items()
    return frozenset(name for name, one in reasons if one.waiver is not Waiver.EXCEPTION)


def is_excepted(rule: str) -> sa.ColumnElement[bool]:
    """Return the condition for messages of a campaign that an exception of a rule is about.

    Those are what the rule holds, and what any rule holds for the size of the campaign; never what
    is held for what a subscriber has a right to.
    """
    is_of_rule = sa.or_(_held.rule == rule, _held.reason == Reason.CAMPAIGN)
    return sa.and_(is_of_rule, _held.reason.not_in(sorted(never_excepted())))


def may_have_left(now: datetime) -> sa.ColumnElement[bool]:
    """Return the condition for what the gateway sends by itself, or has sent already."""
    job, released = review_jobs.c, PersonDecision.RELEASED
    decided = sa.select(_decision.subject).where(
        _decision.state == ReviewState.WAITING, _decision.decision == released
    )
    of_job = (
        sa.exists()
        .where(
            job.state.in_([ReviewJobState.WAITING, ReviewJobState.RUNNING]),
            job.decision == released,
            job.campaign == _held.campaign,
            job.system_id.in_(["", _held.system_id]),
            _held.message_id <= job.upto_id,
        )
        .correlate(held_messages)
    )
    chosen = (
        sa.select(review_job_messages.c.subject)
        .join(review_jobs, job.number == review_job_messages.c.number)
        .where(job.decision == released)
    )
    wanted = sa.or_(SUBJECT.in_(decided), SUBJECT.in_(chosen), of_job)
    return sa.or_(
        _held.state.in_([HoldState.RELEASE_REQUESTED, HoldState.RELEASING]),
        sa.and_(_held.state == HoldState.DEFERRED, _held.due_at <= now),
        sa.and_(_held.state == HoldState.HELD, wanted),
    )


def chosen_among(subjects: Sequence[int]) -> sa.Select[tuple[int]]:
    """Return the query for those of `subjects` that open jobs on chosen messages are on."""
    chosen = review_job_messages.c.subject
    return sa.select(chosen).where(chosen.in_(subjects))


def voided(message_id: int, at: datetime, outcome: str) -> sa.Update:
    """Return the statement that ends the decision which waits on a message without effect."""
    own = sa.select(SUBJECT).where(_held.message_id == message_id).scalar_subquery()
    return (
        sa.update(review_decisions)
        .where(IS_WAITING, _decision.subject == own)
        .values(state=ReviewState.VOID, ended_at=at, outcome=outcome)
    )


def left_out(message_id: int) -> sa.Delete:
    """Return the statement that takes a message out of the job on chosen ones that it is in."""
    own = sa.select(SUBJECT).where(_held.message_id == message_id).scalar_subquery()
    return sa.delete(review_job_messages).where(review_job_messages.c.subject == own)


def also_wanted(
    source: str | None, rule: str | None, *, from_id: int | None
) -> list[sa.ColumnElement[bool]]:
    """Return conditions for messages; None adds no condition. `from_id` is the lowest id."""
    equal = {_held.source: source, _held.rule: rule}
    wanted = [column == value for column, value in equal.items() if value is not None]
    return wanted if from_id is None else [*wanted, _held.message_id >= from_id]
