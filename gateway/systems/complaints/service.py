"""Takes complaints (举报) down, and shields their reporters at once (R86)."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from gateway.domain.api_client import RefusalChannel
from gateway.domain.consent import Answer, ConsentAnswer, scope_of
from gateway.domain.msisdn import is_mobile, masked, readings_of, without_country
from gateway.domain.sender import PEERS, PortOwners
from gateway.domain.suspension import (
    COMPLAINTS,
    ComplaintThreshold,
    NewPortSuspension,
    PortSuspension,
)
from gateway.runtime.clock import utcnow
from gateway.systems.complaints.model import (
    INFO_WITHIN,
    MOST_AT_ONCE,
    Complaint,
    ComplaintState,
    IntakeResult,
    NewComplaint,
    faults_of,
)
from gateway.systems.complaints.sql import ComplaintStore

log = structlog.get_logger()

_UNJUDGED = frozenset({ComplaintState.NEED_INFO, ComplaintState.RECEIVED})


class PortSuspender(Protocol):
    """Suspends ports, with a line in the journal for each; calls may be repeated."""

    async def suspend(self, new: NewPortSuspension) -> bool:
        """Suspend a port; False if it is suspended. Raises StoreUnavailable."""

    async def latest_of(self, system_id: str, port: str) -> PortSuspension | None:
        """Return the last suspension of a port by no sanction. Raises StoreUnavailable."""


class PortReview:
    """Suspends the ports that many subscribers complain of, until a person has reviewed them."""

    def __init__(
        self,
        store: ComplaintStore,
        ports: PortSuspender,
        threshold: Callable[[], ComplaintThreshold] = ComplaintThreshold,
    ) -> None:
        self._store = store
        self._ports = ports
        self._threshold = threshold

    async def weigh(self, port: str, system_ids: Collection[str], now: datetime) -> None:
        """Suspend a port of these SPs once enough subscribers have complained of it (R88).

        A port that several SPs share is suspended at each of them: which of them sent is not known
        before the records are searched. Messages that came before a suspension was lifted count
        no more. Raises StoreUnavailable.
        """
        threshold = self._threshold()
        begin = now - timedelta(days=threshold.days)
        await self._store.forget_reporters(begin)
        if not threshold.reporters:
            return
        for system_id in system_ids:
            last = await self._ports.latest_of(system_id, port)
            if last is not None and last.lifted_at is None:
                continue
            since = begin if last is None or last.lifted_at is None else max(begin, last.lifted_at)
            most = threshold.reporters
            count = await self._store.reporters_of(port, since, most)
            while count >= most and await self._store.forget_malicious(port, since, most):
                count = await self._store.reporters_of(port, since, most)
            if count >= most:
                note = f"R88: {count} subscribers complained within {threshold.days} days"
                new = NewPortSuspension(system_id, port, now, COMPLAINTS, note)
                if await self._ports.suspend(new):
                    shown = masked(port) if is_mobile(port.encode()) else port
                    log.warning(
                        "port.suspended",
                        system_id=system_id,
                        port=shown,
                        rule="R88",
                        reporters=count,
                    )


class ComplaintDesk:
    """Takes complaints from every path; `owners` tells which SP a sender is a port of.

    With a `review` the ports that many complain of are suspended.
    """

    def __init__(
        self,
        store: ComplaintStore,
        owners: Callable[[], PortOwners],
        utcnow: Callable[[], datetime] = utcnow,
        review: PortReview | None = None,
    ) -> None:
        self._store = store
        self._owners = owners
        self._utcnow = utcnow
        self._review = review

    async def receive(
        self, complaints: Sequence[NewComplaint], *, are_proved: bool = True
    ) -> list[IntakeResult]:
        """Keep at most MOST_AT_ONCE complaints in one commit; return what came of each, in order.

        With each goes its shield (R86): a known reporter refuses the port of the sender, before
        anything is verified. Unless reporters are proved nothing follows from what they are said
        to have complained of: no shield, no suspension, no answer. A source and source_id that are
        on record, or come twice, are one complaint, as it was kept first. Safe to repeat. Raises
        ValueError, and keeps nothing, for what `faults_of` objects to; and StoreUnavailable.
        """
        now = self._utcnow()
        if len(complaints) > MOST_AT_ONCE:
            raise ValueError(f"more than {MOST_AT_ONCE} complaints at once")
        for one in complaints:
            _check(one, now)
        given = [self._placed(one, now, is_proved=are_proved) for one in complaints]
        if not given:
            return []
        results = await self._store.receive(given, self._shield)
        await self._weigh(given, now)
        return results

    async def awaiting(self, reporter: int) -> Complaint | None:
        """Return the newest that a proved reporter made and that lacks something, of 7 days.

        Raises StoreUnavailable.
        """
        found = await self._store.find(
            state=ComplaintState.NEED_INFO, reporter=reporter, is_proved=True, limit=1
        )
        since = self._utcnow() - INFO_WITHIN
        return next((one for one in found if one.taken_at >= since), None)

    async def complete(
        self, number: int, *, sender: str = "", text: str = ""
    ) -> IntakeResult | None:
        """Add what a complaint lacked: the second step of 7726. What it has stays.

        None if the complaint lacks nothing (any more). Raises ValueError, as `receive`, and
        StoreUnavailable.
        """
        before = await self._store.get(number)
        if before is None or before.state is not ComplaintState.NEED_INFO:
            return None
        given = replace(before, sender=before.sender or sender, text=before.text or text)
        return await self._complete(before, given)

    async def amend(self, number: int, *, sender: str, text: str) -> IntakeResult | None:
        """Replace the text of a complaint that is not judged yet: parts of it came late.

        None if it was judged. Raises ValueError, as `receive`, and StoreUnavailable.
        """
        before = await self._store.get(number)
        if before is None or before.state not in _UNJUDGED:
            return None
        given = replace(before, sender=before.sender or sender, text=text)
        return await self._complete(before, given)

    async def _complete(self, before: Complaint, after: Complaint) -> IntakeResult | None:
        number, now = before.number, self._utcnow()
        _check(after, now)
        placed = self._placed(after, before.taken_at, is_proved=before.is_proved)
        if not await self._store.complete(
            replace(placed, number=number), self._shield, before.state
        ):
            return None
        await self._weigh([placed], now)
        return IntakeResult(number, placed.state, False, bool(self._shield(placed)))

    async def _weigh(self, given: Sequence[Complaint], now: datetime) -> None:
        """Also for what was on record: the call that kept it may have failed before this."""
        if self._review is None:
            return
        owners = self._owners()
        for port in {one.port for one in given if one.port and _has_reporter(one)}:
            if not owners.is_vital(port):
                await self._review.weigh(port, owners.of(port), now)

    def _placed(self, new: NewComplaint, taken_at: datetime, *, is_proved: bool) -> Complaint:
        owners = self._owners()
        port, system_ids = owners.port_of(new.sender)
        if not port:  # phones may write the country code before what is no mobile number
            port, system_ids = owners.port_of(without_country(new.sender))
        return Complaint(
            **{name: getattr(new, name) for name in NewComplaint.__dataclass_fields__},
            number=0,
            taken_at=taken_at,
            system_id=system_ids[0] if len(system_ids) == 1 else "",
            port=port,
            state=ComplaintState.RECEIVED if new.is_complete else ComplaintState.NEED_INFO,
            is_proved=is_proved,
        )

    def _shield(self, one: Complaint) -> list[ConsentAnswer]:
        """Return the refusals that a complaint is: of its port, at every SP that owns it (R86).

        Of a port of another network, at all that bring what other networks send (R63).
        """
        if one.reporter is None or not one.is_proved:
            return []
        owners, port = self._owners(), one.port
        scopes = [scope_of(system_id, port) for system_id in owners.of(port)] if port else []
        if not port and (foreign := owners.foreign_port_of(one.sender)):
            scopes = [scope_of(PEERS, foreign)]
        since = min(one.reported_at, self._utcnow())
        evidence = f"complaint {one.number}"
        return [
            ConsentAnswer(
                *(number, scope, Answer.REFUSED, since),
                *(RefusalChannel.COMPLAINT.value, evidence),
            )
            for number in readings_of([one.reporter])
            for scope in scopes
        ]


def _has_reporter(one: Complaint) -> bool:
    return one.is_proved and one.reporter is not None


def _check(one: NewComplaint, now: datetime) -> None:
    for fault in faults_of(one, now):
        raise ValueError(f"{fault.name}: {fault.problem}")
