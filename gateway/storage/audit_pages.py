"""Pages of the audit by its indexes: no filter reads all of millions of entries at once."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from gateway.domain.audit import ACTIONS, EVERY_ENTRY, KNOWN_ACTIONS, ActFilter, AuditKind
from gateway.domain.records import Access
from gateway.storage.database import Database, newest
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns
from gateway.storage.tables import UtcTime, metadata

# How many entries one page looks at for what no index finds: a part of `about`.
LOOKED_AT = 50_000

_MOST_NAMES = 64
# So many steps from text to text: refused sign-ins are noted by address, and strangers have many.
_MOST_STEPS = 10_000
# So many parts of an index are merged where each entry is looked at.
_MOST_MERGED = 4

# The audit, of domain.records.Access. Rows are only ever added, by `journals.appended`.
access_log = sa.Table(
    "access_log",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("action", sa.String(32), nullable=False),
    *columns(sa.Text, "reason", "about"),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("chain", sa.String(64), nullable=False, server_default=""),
    sa.Index(None, "at"),
    sa.Index(None, "action", "at"),
    sa.Index(None, "by", "at"),
    **NEVER_REUSED,
)
ACCESS = [access_log.c[field.name] for field in fields(Access)]

_entry = access_log.c


class AuditPage(NamedTuple):
    """Entries, the newest first, and the number to go on before; None where there are no more."""

    entries: list[Access]
    before: int | None


class _IndexPart(NamedTuple):
    """Which part of an index has the entries: those with these values, all without a column."""

    column: sa.Column[Any] | None
    values: Sequence[str]


def fitting(wanted: ActFilter) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for entries that are meant."""
    return [*_in_time(wanted), *_of_kind(wanted), *_by_whom(wanted), *_about(wanted)]


async def audit_page(
    database: Database, limit: int, wanted: ActFilter, before: int | None, looked_at: int
) -> AuditPage:
    """Return at most `limit` entries that are meant, before the entry with the number `before`.

    Without a filter they stand in the order of the chain, else by their time. Where a part of a
    text has to be compared, `looked_at` entries are looked at, and the page may have few or none.
    """
    if wanted == EVERY_ENTRY:
        query = newest(access_log, limit, before=before).with_only_columns(*ACCESS)
        found = await database.records(Access, query)
        return AuditPage(found, found[-1].number if len(found) == limit else None)
    end = await _end_before(database, before)
    served, left = await _served(database, wanted)
    if end is None or (served.column is not None and not served.values):
        return AuditPage([], None)
    most = looked_at if left else limit
    candidates = _newest_of(served, [*_in_time(wanted), *end], most)
    query = (
        sa.select(*ACCESS)
        .join(candidates, _entry.number == candidates.c.number)
        .where(*left)
        .order_by(candidates.c.at.desc(), candidates.c.number.desc())
        .limit(limit)
    )
    found = await database.records(Access, query)
    if len(found) == limit:
        return AuditPage(found, found[-1].number)
    last = (
        sa.select(candidates.c.number)
        .order_by(candidates.c.at.desc(), candidates.c.number.desc())
        .offset(most - 1)
        .limit(1)
    )
    row = await database.first(last) if left else None
    return AuditPage(found, None if row is None else int(row["number"]))


async def _end_before(
    database: Database, before: int | None
) -> list[sa.ColumnElement[bool]] | None:
    """Return the conditions for entries before one; None where that is the first."""
    if before is None:
        return []
    row = await database.first(newest(access_log, 1, [_entry.number <= before]))
    if row is None:
        return None
    at: datetime = row["at"]
    return [_entry.at <= at, sa.or_(_entry.at < at, _entry.number < before)]


async def _served(
    database: Database, wanted: ActFilter
) -> tuple[_IndexPart, list[sa.ColumnElement[bool]]]:
    """Return which part of an index has the entries, and what it leaves to be compared."""
    kind, by, about = _of_kind(wanted), _by_whom(wanted), _about(wanted)
    if wanted.by:
        part = wanted.by
        names = await _names(database, _entry.by, lambda one: one.contains(part, autoescape=True))
        if names is not None and (len(names) <= _MOST_MERGED or not kind + about):
            return _IndexPart(_entry.by, names), [*kind, *about]
    actions = await _actions(database, wanted.kind)
    if actions is not None and (len(actions) <= _MOST_MERGED or not by + about):
        return _IndexPart(_entry.action, actions), [*by, *about]
    return _IndexPart(None, ()), [*kind, *by, *about]


async def _actions(database: Database, kind: AuditKind | None) -> list[str] | None:
    """Return the acts of a kind that entries may have; None for any, or for very many."""
    if kind is None:
        return None
    if kind is not AuditKind.OTHER:
        return sorted(ACTIONS[kind])
    known = sorted(KNOWN_ACTIONS)
    return await _names(database, _entry.action, lambda one: one.not_in(known))


async def _names(database: Database, column: sa.Column[Any], is_meant: Any) -> list[str] | None:
    """Return the different texts of a column that are meant, by steps in its index; None for many.

    A step finds the next text above one: there are few of them in millions of entries. After
    _MOST_STEPS there are many.
    """
    first = sa.select(sa.func.min(column).label("name"), sa.literal(1).label("step"))
    names = first.cte("names", recursive=True)
    name, step = names.c.name, names.c.step
    above = sa.select(sa.func.min(column)).where(column > name).scalar_subquery()
    is_next = name.is_not(None), step < _MOST_STEPS
    names = names.union_all(sa.select(above, step + 1).where(*is_next))
    name, step = names.c.name, names.c.step
    is_told = name.is_not(None), sa.or_(is_meant(name), step == _MOST_STEPS)
    query = sa.select(name, step).where(*is_told).limit(_MOST_NAMES + 1)
    rows = await database.rows(query)
    if len(rows) > _MOST_NAMES or any(row["step"] == _MOST_STEPS for row in rows):
        return None
    return [str(row["name"]) for row in rows]


def _newest_of(
    served: _IndexPart, where: Sequence[sa.ColumnElement[bool]], most: int
) -> sa.Subquery:
    """Return the numbers and times of the newest entries of a part of an index."""
    order = _entry.at.desc(), _entry.number.desc()
    whole = sa.select(_entry.number, _entry.at).where(*where).order_by(*order).limit(most)
    if served.column is None:
        return whole.subquery()
    parts = [whole.where(served.column == one).subquery() for one in served.values]
    merged = sa.union_all(*(sa.select(one) for one in parts)).subquery()
    newest_first = merged.c.at.desc(), merged.c.number.desc()
    return sa.select(merged).order_by(*newest_first).limit(most).subquery()


def _in_time(wanted: ActFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.since is not None:
        found.append(_entry.at >= wanted.since)
    if wanted.until is not None:
        found.append(_entry.at < wanted.until)
    return found


def _of_kind(wanted: ActFilter) -> list[sa.ColumnElement[bool]]:
    match wanted.kind:
        case None:
            return []
        case AuditKind.OTHER:
            return [_entry.action.not_in(sorted(KNOWN_ACTIONS))]
        case kind:
            return [_entry.action.in_(sorted(ACTIONS[kind]))]


def _by_whom(wanted: ActFilter) -> list[sa.ColumnElement[bool]]:
    return [_entry.by.contains(wanted.by, autoescape=True)] if wanted.by else []


def _about(wanted: ActFilter) -> list[sa.ColumnElement[bool]]:
    return [_entry.about.contains(wanted.about, autoescape=True)] if wanted.about else []
