"""Whose turn it is to be released, as people ask or when the hour comes; judged again before."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog

from gateway.dataplane.request_reader import route_of
from gateway.domain.authority_report import prohibited_in
from gateway.domain.held_findings import OverruledFindings
from gateway.domain.policy import ContentRule
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.sender import RouteTable
from gateway.domain.verdict import Action, Finding, Reason, Verdict
from gateway.policy.findings import is_asking
from gateway.proxy.consent_book import ConsentAsker
from gateway.proxy.held_campaigns import with_campaigns
from gateway.proxy.receipts import ReceiptDesk
from gateway.proxy.rejudge import (
    end_of_life,
    found_against,
    grounds_of,
    judge_leaving,
    judged_again,
    longest_hold_s,
    outranked,
    stands_besides,
    text_of,
)
from gateway.proxy.release_sender import (
    DUE_EACH,
    DueMessages,
    ReleaseQueue,
    ReleaseSender,
    is_asked_for,
)
from gateway.proxy.report_writer import told_of_held
from gateway.proxy.routes import Routes
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, utcnow
from gateway.runtime.tasks import spawn
from gateway.storage.errors import StoreUnavailable
from gateway.systems.quarantine.model import Grounds
from gateway.systems.quarantine.service import ActResult, LeavingParts, QuarantineDesk
from gateway.systems.quarantine.sql import QuarantineStore

log = structlog.get_logger()

# Where parts may stand that will never reach the SMSC: then no others of theirs must.
_ENDED = frozenset({HoldState.REFUSED, HoldState.DISCARDED, HoldState.CANCELLED, HoldState.EXPIRED})
# What stands against a message for reasons of ours, or for a moment: it waits its turn.
_NOT_NOW = frozenset({Reason.RATE, Reason.FREQUENCY_UNCOUNTED, Reason.CONSENT_UNCHECKED})


_AT_ONCE = 200
_TOGETHER = 50
_FOUND_AT_ONCE = 1_000
_MANY_WAIT = 2_000


class ReleaseFollower:
    """Follows release requests, which come from any process through the store.

    What is to leave is judged again first, and then written or kept as its verdict says.
    """

    def __init__(
        self,
        tick: Tick,
        store: QuarantineStore,
        desk: QuarantineDesk,
        routes: Routes,
        receipts: ReceiptDesk,
        asking: ConsentAsker,
    ) -> None:
        self._tick = tick
        self._store = store
        self._due = DueMessages(store)
        self._desk = desk
        self._routes = routes
        self.queue = ReleaseQueue(lambda pdu: route_of(tick.pipeline.plane, pdu))
        self._table: RouteTable | None = None  # the routes that the queue knows
        self.submitting = ReleaseSender(tick, desk, routes, receipts, self.queue)
        self._asking = asking
        self._together: set[int] = set()  # long messages whose parts are being let go

    async def begin(self) -> None:
        """Find what an earlier run left: nothing that was written is written again."""
        for lost in await self._desk.lose_in_flight(utcnow()):
            log.warning("quarantine.in_doubt", message_id=str(lost.message_id))
        self._table = self._tick.pipeline.plane.routes
        before: int | None = None
        asked = HoldState.RELEASE_REQUESTED
        while page := await self._store.find(state=asked, before_id=before, limit=_FOUND_AT_ONCE):
            for held in page:
                self.queue.follow(held)
            before = page[-1].message_id

    async def take_due(self) -> None:
        """Want what has waited for its hour, of senders that have a way to the SMSC."""
        waiting = self.queue.waiting
        accounts = self._tick.pipeline.plane.rules.accounts
        senders = [s for s in self._routes.submitters() if s in accounts and waiting[s] < DUE_EACH]
        for held in await self._due.take(utcnow(), senders):
            self.queue.follow(held)

    def stands_besides(
        self, held: HeldMessage, others: Sequence[HeldMessage], overruled: OverruledFindings
    ) -> bool:
        """Tell whether more than what is `overruled` would hold or refuse a message now."""
        return stands_besides(self._tick.pipeline.plane, held, others, overruled)

    def content(self) -> ContentRule:
        """Return what the policy in force says of texts and of what is held."""
        return self._tick.pipeline.plane.rules.bundle.content

    def is_behind(self, system_id: str) -> bool:
        """Tell whether so much of a sender waits for the SMSC that it should send less."""
        return self.queue.waiting[system_id] >= _MANY_WAIT

    async def release_parts(self, assembly: int) -> None:
        """Let the parts of a long message go, which has come whole: all of them or none.

        At once if they can; else they wait their turn.
        """
        if assembly in self._together:
            return
        self._together.add(assembly)
        try:
            taken = await self._desk.take(assembly, utcnow())
            for held in taken.ready:
                self.queue.follow(held)
            group_of, takes_own = self.queue.group_of, self._routes.takes_own
            ways = {(held.system_id, group_of(held.pdu)) for held in taken.ready}
            has_room = self.submitting.under_way < _AT_ONCE
            if has_room and any(takes_own(sender, group) for sender, group in ways):
                await self._let_parts_go(taken)
        finally:
            self._together.discard(assembly)

    async def release_wanted(self) -> None:
        """Write what is wanted and has a way to the SMSC; the rest waits for its sender."""
        await self.submitting.confirm_late()
        routes = self._tick.pipeline.plane.routes
        if routes is not self._table:
            self._table = routes
            self.queue.forget_groups()
        # One look for each sender and group: thousands may wait for one that is away.
        found = ((key, self._routes.to_smsc(key[0], "", key[1])) for key in self.queue.waiting_for)
        ways = {key: way.link for key, way in found if way is not None}
        room = max(0, _AT_ONCE - self.submitting.under_way)
        ready = self.queue.first_of(ways, room)
        try:
            for start in range(0, len(ready), _TOGETHER):
                await self._release_all(ready[start : start + _TOGETHER])
        finally:
            if self.queue.came_of:
                log.info("quarantine.due", **self.queue.came_of)
                self.queue.came_of.clear()

    async def _release_all(self, message_ids: Sequence[int]) -> None:
        """Release messages together, so that they share commits; each fails for itself.

        They stay wanted until the store has said what they are: a store that fails now is
        asked again in the next turn.
        """
        found = await self._store.get_many(message_ids)
        self.queue.drop(set(message_ids).difference(held.message_id for held in found))
        tasks = [spawn(self._try(held), name=f"release-{held.message_id}") for held in found]
        failures = [failure for task in tasks if (failure := await task) is not None]
        if failures:
            raise failures[0]

    async def _try(self, held: HeldMessage) -> StoreUnavailable | None:
        try:
            await self._release(held)
        except StoreUnavailable as error:
            return error
        return None

    async def _release(self, held: HeldMessage) -> None:
        if held.state is not HoldState.RELEASE_REQUESTED:
            self.queue.drop((held.message_id,))
        elif not self._routes.takes_own(held.system_id, self.queue.group_of(held.pdu)):
            self.queue.put_back((held,))
        elif not held.assembly:
            await self._let_go([held])
        elif held.assembly not in self._together:
            self._together.add(held.assembly)
            try:
                taken = await self._desk.take(held.assembly, utcnow())
                await self._let_parts_go(taken)
            finally:
                self._together.discard(held.assembly)

    async def _let_parts_go(self, taken: LeavingParts) -> None:
        """Let parts go; those that come late share what became of the others (R62)."""
        if not taken.ready:  # its sender or a person was faster
            return
        ended = next((one for one in taken.others if one.state in _ENDED), None)
        if ended is None:
            await self._let_go(taken.ready, taken.others)
            return
        first, *rest = (one.message_id for one in taken.ready)
        why = f"its other parts: {ended.state}"
        await self._desk.refuse(first, why, utcnow(), others=tuple(rest))
        self.queue.drop((first, *rest))

    async def _let_go(
        self, together: Sequence[HeldMessage], gone: Sequence[HeldMessage] = ()
    ) -> None:
        """Judge a message, or all parts of one, and write it if nothing stands against it.

        `gone` are parts that have left or are for a person to see: the text is read with them.
        """
        plane, now = self._tick.pipeline.plane, utcnow()
        held = together[0]
        account = plane.rules.accounts.get(held.system_id)
        if account is None or _is_over(together):
            # It waits: its sender's sessions may not have left yet, but it sends no more. Or
            # its time is over, and what comes too late must not come.
            return
        ids = [one.message_id for one in together]
        zone = ZoneInfo(plane.rules.bundle.surroundings.zone)  # that of the limits of a day
        self.queue.begin_day(now.astimezone(zone).date())
        counted = self.queue.counted
        is_counted = bool(gone) or not counted.isdisjoint(ids)
        beside = (*together[1:], *gone)
        verdict = judge_leaving(plane, account, held, beside, is_counted=is_counted)
        if verdict is not None and is_asking(verdict):
            against = await self._asking.of_held(held, text_of(plane, together))
            verdict = None if against is None else plane.rules.verdict_of(account, against)
        if verdict is not None:
            verdict = outranked(plane, verdict, held, beside)
            is_held = verdict.action is Action.QUARANTINE
            known = found_against(plane, held, beside) if is_held else ()
            await self._keep(together, verdict, known, now)
            return
        if not held.is_wanted:  # no limit applies to what its addressee asks for
            counted.update(ids)
        outcome = await self._desk.begin_release(ids[0], now, others=tuple(ids[1:]))
        self.queue.drop(ids)
        if not isinstance(outcome, ActResult):
            counted.difference_update(ids)
        elif self._is_stopped_now(held, beside) or _is_over(together):
            await self.submitting.postpone(outcome.together, "something came up meanwhile")
        else:
            await self.submitting.write(outcome.together)

    def _is_stopped_now(self, held: HeldMessage, beside: Sequence[HeldMessage]) -> bool:
        """Tell whether a refusal came while the store noted that a message leaves (R21).

        Nothing is awaited from here to the write. What it comes to is decided in the next
        turn, where the message is judged as always.
        """
        plane = self._tick.pipeline.plane
        account = plane.rules.accounts.get(held.system_id)
        if account is None:
            return True
        seen = replace(held, is_reviewed=True)  # it was counted, and is not counted twice
        verdict = judge_leaving(plane, account, seen, beside, is_counted=True)
        return verdict is not None and not is_asking(verdict)

    async def _keep(
        self,
        together: Sequence[HeldMessage],
        verdict: Verdict,
        known: Sequence[Finding],
        now: datetime,
    ) -> None:
        """Do with a message that may not leave what its verdict says, with all its parts.

        `known` is what stands against it besides what decided.
        """
        held, *others = together
        message_id, deciding = held.message_id, verdict.deciding
        reason = deciding.reason if deciding is not None else None
        if reason in _NOT_NOW:
            self.queue.put_back(together)
            return
        rest = tuple(one.message_id for one in others)
        why = f"judged again: {reason}" if reason is not None else "judged again"
        plane = self._tick.pipeline.plane
        ttl_s = longest_hold_s(plane.rules, plane.rules.accounts.get(held.system_id))
        grounds = grounds_of(verdict, held.pdu, (held.held_at, now), ttl_s, known)
        if verdict.action is Action.QUARANTINE and not grounds.campaign:
            (seen,) = await with_campaigns((replace(held, state=HoldState.HELD),))
            grounds = replace(grounds, campaign=seen.campaign)
        if (over_at := end_of_life(plane, together)) is not None:  # never released stale
            grounds = replace(grounds, expires_at=min(grounds.expires_at, over_at))
        match verdict.action:
            case Action.DEFER:
                await self._desk.defer(message_id, grounds, why, now, others=rest)
            case Action.QUARANTINE:
                await self._desk.hold(message_id, grounds, why, now, others=rest)
            case _:
                await self._desk.refuse(message_id, why, now, others=rest)
        self._report(together, verdict)
        self.queue.drop((message_id, *rest))
        self._note(together, verdict, grounds, why)

    def _note(
        self, together: Sequence[HeldMessage], verdict: Verdict, grounds: Grounds, why: str
    ) -> None:
        """Put on record and in the log what became of messages that may not leave."""
        for one in together:
            row = judged_again(one, verdict.action, grounds, verdict.findings)
            self._tick.records.rows.append(row)
            if not is_asked_for(one) or verdict.action is Action.DEFER:
                self.queue.came_of[verdict.action.value] += 1
            elif verdict.action is Action.QUARANTINE:
                log.info("quarantine.held_again", message_id=str(one.message_id), why=why)
            else:
                log.info("quarantine.refused", message_id=str(one.message_id), why=why)

    def _report(self, together: Sequence[HeldMessage], verdict: Verdict) -> None:
        """Have the authority told of prohibited content that was found only now (R60)."""
        finding = prohibited_in(verdict.findings)
        if finding is not None:
            text = text_of(self._tick.pipeline.plane, together)
            self._tick.report(told_of_held(together[0], verdict, finding, text, epoch()))


def _is_over(together: Sequence[HeldMessage]) -> bool:
    """Tell whether a message or a part has expired: what comes too late must not come."""
    now = utcnow()
    return any(one.expires_at <= now for one in together)
