"""Tells reporters what became of their complaints: the first contact owns the answer (R87)."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import structlog

from gateway.domain.outbound_message import MAX_CHARS, NewOutboundMessage, OutboundKind, cut_to
from gateway.systems.complaints.complaint_replies import words_of
from gateway.systems.complaints.model import Complaint, ComplaintSource
from gateway.systems.complaints.sql import ComplaintStore

log = structlog.get_logger()

# Each in a commit of its own, which keeps a gateway waiting for as long.
_TOLD_AT_ONCE = 100
_PAGES = 20  # of a round
# How often complaints are looked for that joined a case while it was closed, and in how many cases
# of a round.
_LATE_EVERY = timedelta(minutes=1)
_LATE_CASES = 200
_SEND_WITHIN = timedelta(days=3)

# Who took the complaint of these here, and owes the reporter the answer.
_OURS = frozenset({ComplaintSource.MO, ComplaintSource.CLIENT, ComplaintSource.CUSTOMER_SERVICE})


class CaseAnswer(NamedTuple):
    """A case that has feedback, and what its reporters are told.

    Without an `answer` they are told what was done, if `outcomes` of the replies has words for
    the `outcome`, else the usual words.
    """

    number: int
    answer: str
    outcome: str = ""


class AnsweredCases(Protocol):
    """Cases with reporters whom we have to tell; every call raises StoreUnavailable."""

    async def answered(self) -> Sequence[CaseAnswer]:
        """Return some cases with feedback that are not closed, the oldest first."""

    async def closed_of(self, numbers: Collection[int]) -> Sequence[CaseAnswer]:
        """Return those of some cases that are closed."""

    async def told(self, number: int, now: datetime) -> None:
        """Note that all reporters of a case were told, and close it."""


class TellRound(NamedTuple):
    """How many reporters a round told, and whether there may be more to tell."""

    told: int
    has_more: bool


class ReporterTeller:
    """Writes to reporters from a report code, one message each, once their case has an answer.

    A complaint is closed in the commit of its message: after a kill at any moment each reporter is
    told, and told once. Without `codes` there is no number to write from, and cases stay as they
    are.
    """

    def __init__(self, store: ComplaintStore, cases: AnsweredCases, codes: Sequence[str]) -> None:
        self._store = store
        self._cases = cases
        self._codes = codes
        self._late_at: datetime | None = None
        self._late_after = 0  # the last case of the look that goes on

    async def work(self, now: datetime) -> TellRound:
        """Tell reporters, some 2000 at most; raises StoreUnavailable."""
        if not self._codes:
            return TellRound(0, has_more=False)
        told, pages = 0, 0
        waiting = await self._cases.answered()
        for case in waiting:
            is_done = False
            while not is_done:
                if pages == _PAGES:
                    return TellRound(told, has_more=True)
                pages += 1
                count, is_done = await self._tell(case, now)
                told += count
            await self._cases.told(case.number, now)
        has_late = False
        if self._late_at is None or now - self._late_at >= _LATE_EVERY:
            late, has_late = await self._tell_late(now, _PAGES - pages)
            told += late
            if not has_late:
                self._late_at = now
        return TellRound(told, has_more=has_late or bool(waiting))

    async def _tell_late(self, now: datetime, pages: int) -> tuple[int, bool]:
        """Tell reporters of cases that are closed; return how many, and whether there is more."""
        told = 0
        numbers = await self._store.cases_of_clustered(self._late_after, _LATE_CASES)
        some = await self._cases.closed_of(numbers) if numbers else ()
        for case in some:
            is_done = False
            while not is_done:
                if pages == 0:
                    return told, True
                pages -= 1
                count, is_done = await self._tell(case, now)
                told += count
        has_more = len(numbers) == _LATE_CASES
        self._late_after = numbers[-1] if has_more else 0
        return told, has_more

    async def _tell(self, case: CaseAnswer, now: datetime) -> tuple[int, bool]:
        """Tell some reporters of a case; return how many, and whether these were all."""
        found = await self._store.clustered(case.number, _TOLD_AT_ONCE)
        if not found:
            return 0, True
        messages = {one.number: self._message_of(one, case, now) for one in found}
        told = await self._store.close(messages)
        if told:
            log.info("reporter.told", case=case.number, count=len(told))
        return len(told), len(found) < _TOLD_AT_ONCE

    def _message_of(
        self, one: Complaint, case: CaseAnswer, now: datetime
    ) -> NewOutboundMessage | None:
        """Return what its reporter is told; None where somebody else took the complaint.

        None as well for a reporter that is not proved: it may have complained of nothing.
        """
        if one.reporter is None or not one.is_proved or one.source not in _OURS:
            return None
        words = words_of(one.reporter)
        answer = case.answer or words.outcomes.get(case.outcome, words.usual_answer)
        said = words.answered.format(number=one.number, answer=answer)
        # Halves of characters are no text that a store takes.
        text = cut_to(said.encode("utf-8", "replace").decode(), MAX_CHARS)
        is_answered_there = one.source is ComplaintSource.MO and one.by in self._codes
        return NewOutboundMessage(
            one.by if is_answered_there else self._codes[0],
            one.reporter,
            text,
            OutboundKind.COMPLAINT,
            f"complaint {one.number}",
            now,
            now + _SEND_WITHIN,
        )
