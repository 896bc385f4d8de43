"""The tables of cases (派单), and a case as a row."""

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.domain.warning import Severity
from gateway.storage.database import values_of
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns, partial_index
from gateway.storage.sealed_columns import SealedAddress, SealedNumber, SealedText
from gateway.storage.tables import UtcTime, metadata, word
from gateway.systems.cases.model import (
    Case,
    CaseClock,
    CaseFinding,
    CaseMeasure,
    CaseState,
    ClockName,
    ClockProfile,
    MeasureKind,
    Recheck,
)

HAS_NEXT = sa.text("next_at IS NOT NULL")
IS_HANDED_OVER = sa.text("subject != ''")
IS_OPEN_OF_ANOTHER = sa.text("origin != '' AND state != 'closed'")

# One column for each field of Case, `measures` and `clocks` as JSON. `next_at` is when a clock is
# to be looked at, and `is_overdue` tells of a running clock that people were told of at 100 %.
cases = sa.Table(
    "cases",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("campaign", sa.String(64), nullable=False),
    sa.Column("category", sa.String(32), nullable=False),
    sa.Column("severity", word(Severity, 8), nullable=False),
    sa.Column("state", word(CaseState, 20), nullable=False),
    sa.Column("profile", word(ClockProfile, 16), nullable=False),
    *columns(sa.String(64), "front_owner", "owner"),
    *columns(UtcTime, "opened_at", "grown_at"),
    *columns(sa.BigInteger, "complaints", "reporters"),
    sa.Column("hops", sa.SmallInteger, nullable=False),
    sa.Column("closed_at", UtcTime, nullable=True),
    sa.Column("finding", word(CaseFinding, 16), nullable=True),
    sa.Column("measures", SealedText("cases.measures"), nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("system_id", sa.String(16), nullable=False),
    sa.Column("answer", SealedText("cases.answer"), nullable=False),
    sa.Column("authority", sa.String(64), nullable=False),
    *columns(sa.Text, "referred_by", "clocks"),
    sa.Column("origin", sa.String(32), nullable=False),
    sa.Column("subject", sa.String(64), nullable=False),
    sa.Column("sender", sa.String(80), nullable=False),
    sa.Column("recheck", word(Recheck, 8), nullable=True),
    sa.Column("next_at", UtcTime, nullable=True),
    sa.Column("is_overdue", sa.Boolean, nullable=False),
    sa.Index(None, "campaign", "number"),
    sa.Index(None, "state", "number"),
    sa.Index(None, "closed_at", "number"),
    partial_index("ix_cases_next", "next_at", where=HAS_NEXT),
    partial_index("ix_cases_origin", "origin", where=IS_OPEN_OF_ANOTHER),
    partial_index("ix_cases_subject", "subject", "number", where=IS_HANDED_OVER),
    **NEVER_REUSED,
)

# A complaint is in one case, for ever.
case_complaints = sa.Table(
    "case_complaints",
    metadata,
    sa.Column("complaint", ROW_NUMBER, primary_key=True, autoincrement=False),
    sa.Column("case_number", sa.BigInteger, nullable=False),
    sa.Column("sender", SealedAddress(20, "case_complaints.sender"), nullable=False),
    sa.Column("reporter", SealedNumber, nullable=True),
    sa.Column("taken_at", UtcTime, nullable=False),
    sa.Index(None, "case_number", "reporter"),
    sa.Index(None, "case_number", "sender"),
)

# Of CaseEntry. Rows are added, and deleted with their case; triggers refuse changes.
case_journal = sa.Table(
    "case_journal",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("case_number", sa.BigInteger, nullable=False),
    sa.Column("act", sa.String(16), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    *columns(sa.Text, "by", "note", "about"),
    sa.Index(None, "case_number", "number"),
    **NEVER_REUSED,
)


def row_of(case: Case, now: datetime) -> dict[str, object]:
    """Return the columns of a case, without its number."""
    values = values_of(case)
    del values["number"]
    return values | {
        "measures": _json([(one.kind, one.at.isoformat(), one.about) for one in case.measures]),
        "clocks": _json(
            [
                (one.name, one.start.isoformat(), _iso(one.due), _iso(one.stop), one.escalated)
                for one in case.clocks
            ]
        ),
        "next_at": case.next_look(now),
        "is_overdue": any(one.stop is None and one.escalated >= 100 for one in case.clocks),
    }


def case_of(row: sa.RowMapping) -> Case:
    """Return the case of a row."""
    values: dict[str, Any] = dict(row)
    del values["next_at"], values["is_overdue"]
    values["measures"] = tuple(
        CaseMeasure(MeasureKind(kind), datetime.fromisoformat(at), about)
        for kind, at, about in json.loads(row["measures"])
    )
    values["clocks"] = tuple(
        CaseClock(
            ClockName(name), datetime.fromisoformat(start), _moment(due), _moment(stop), escalated
        )
        for name, start, due, stop, escalated in json.loads(row["clocks"])
    )
    return Case(**values)


# As Case.is_assist says.
IS_ASSIST = sa.and_(
    cases.c.origin == "",
    cases.c.owner != "",
    cases.c.owner != cases.c.front_owner,
    cases.c.state != CaseState.CLOSED,
)


def may_be_overdue(at: datetime) -> sa.ColumnElement[bool]:
    """Return whether a clock of a case that is not closed may be past its limit `at`."""
    is_due = cases.c.next_at.is_not(None) & (cases.c.next_at <= at)
    return (cases.c.state != CaseState.CLOSED) & (cases.c.is_overdue | is_due)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
