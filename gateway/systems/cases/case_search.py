"""Search of cases (派单) by sender, by reporter, or by words of the text; all three are sealed."""

from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from gateway.domain.msisdn import is_mobile, masked, msisdn_of
from gateway.storage.database import SqlStore, newest
from gateway.storage.dialect import ROW_NUMBER
from gateway.storage.sealed_columns import SealedText
from gateway.systems.cases.model import Case, CaseState, Recheck
from gateway.systems.cases.tables import (
    IS_ASSIST,
    case_complaints,
    case_of,
    cases,
    may_be_overdue,
)

# What is sealed can be compared, but not searched: it is opened, of so many cases in one search.
MOST_OPENED = 500
_CASES_AT_ONCE = 100
_TEXTS_OF_A_CASE = 20
_SENDERS_OF_A_CASE = 1000

_column = cases.c
_complaint = case_complaints.c
# The table of complaints, as far as it is read here.
_texts = sa.table(
    "complaints",
    sa.column("number", ROW_NUMBER),
    sa.column("text", SealedText("complaints.text")),
)
_TEXTS = (
    sa.select(_texts.c.text)
    .join(case_complaints, _texts.c.number == _complaint.complaint)
    .where(_complaint.case_number == sa.bindparam("case"))
    .order_by(_complaint.sender, _complaint.complaint)
    .limit(_TEXTS_OF_A_CASE)
)
_SENDERS = (
    sa.select(_complaint.sender)
    .where(_complaint.case_number == sa.bindparam("case"))
    .distinct()
    .order_by(_complaint.sender)
    .limit(_SENDERS_OF_A_CASE)
)


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases are wanted; all that is given must fit.

    `sender` is a whole port or number, `prefix` its first characters, `reporter` an MSISDN, and
    `words` stand in one text, in any order; no sign in them stands for others. `overdue_at` wants
    open cases with a clock past its limit then; `is_assist` wants assist tasks (R84).
    """

    state: CaseState | None = None
    owner: str | None = None
    category: str | None = None
    campaign: str | None = None
    recheck: Recheck | None = None
    overdue_at: datetime | None = None
    is_assist: bool = False
    sender: str | None = field(default=None, repr=False)
    prefix: str | None = field(default=None, repr=False)
    reporter: int | None = field(default=None, repr=False)
    words: str | None = field(default=None, repr=False)

    def journaled(self) -> str:
        """Return what the journal says of such a look, "" if it needs none (R73).

        A look for a person's number, and one into texts, is journaled.
        """
        parts = []
        if self.reporter is not None:
            parts.append(f"of the reporter {masked(self.reporter)}")
        for said, number in (("of the sender", self.sender), ("of senders like", self.prefix)):
            if number is not None and is_mobile(number.encode()):
                parts.append(f"{said} {masked(number)}")
        if self.words is not None:
            parts.append("by words of the text")
        return "cases " + ", ".join(parts) if parts else ""


@dataclass(frozen=True, slots=True)
class CasePage:
    """Cases that fit, the newest first.

    `before` gives the page behind this one, None on the last. `is_cut` says that the search
    ended since it had opened `MOST_OPENED` cases: older ones may fit.
    """

    cases: list[Case]
    before: int | None
    is_cut: bool = False


class CaseSearch(SqlStore):
    """Searches cases. Raises StoreUnavailable when the store does not answer."""

    async def search(
        self, wanted: CaseFilter, *, before: int | None = None, limit: int = 50
    ) -> CasePage:
        """Return the newest cases that fit; for the next page give its `before`.

        A prefix is compared with 1000 senders of a case, and words with 20 of its texts.
        """
        is_opened = (wanted.prefix, wanted.words, wanted.overdue_at) != (None, None, None)
        found: list[Case] = []
        looked_at = 0
        while True:
            most = min(_CASES_AT_ONCE, MOST_OPENED - looked_at) if is_opened else limit
            page = await self._page(wanted, before, most)
            for case in page:
                looked_at, before = looked_at + 1, case.number
                if await self._fits(case, wanted):
                    found.append(case)
                    if len(found) == limit:
                        return CasePage(found, before)
            if len(page) < most:
                return CasePage(found, None)
            if looked_at >= MOST_OPENED:
                return CasePage(found, before, is_cut=True)

    async def _page(self, wanted: CaseFilter, before: int | None, limit: int) -> list[Case]:
        equal = {
            name: getattr(wanted, name)
            for name in ("state", "owner", "category", "campaign", "recheck")
        }
        where: list[sa.ColumnElement[bool]] = []
        if wanted.sender is not None:
            sender = _as_kept(wanted.sender)
            # A case of another node has its sender in itself.
            where.append(_has(_complaint.sender == sender) | (_column.sender == sender))
        if wanted.reporter is not None:
            where.append(_has(_complaint.reporter == wanted.reporter))
        if wanted.is_assist:
            where.append(IS_ASSIST)
        if wanted.overdue_at is not None:
            where.append(may_be_overdue(wanted.overdue_at))
        query = newest(cases, limit, where, before=before, **equal)
        return [case_of(row) for row in await self._database.rows(query)]

    async def _fits(self, case: Case, wanted: CaseFilter) -> bool:
        if wanted.overdue_at is not None and not case.overdue(wanted.overdue_at):
            return False
        if wanted.prefix is not None:
            rows = await self._database.rows(_SENDERS.params(case=case.number))
            senders = [case.sender, *(row["sender"] for row in rows)]
            if not any(one.startswith(wanted.prefix) for one in senders):
                return False
        if wanted.words is None:
            return True
        words = wanted.words.casefold().split()
        rows = await self._database.rows(_TEXTS.params(case=case.number))
        texts = (row["text"].casefold() for row in rows)
        return any(all(word in text for word in words) for text in texts)


def _as_kept(sender: str) -> str:
    """Return a sender as complaints name it: a person's number bare."""
    written = sender.encode()
    return str(msisdn_of(written)).removeprefix("86") if is_mobile(written) else sender


def _has(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Return whether a complaint of the case fulfils a condition."""
    its = _complaint.case_number == _column.number
    return sa.exists(sa.select(_complaint.complaint).where(its, condition).correlate(cases))
