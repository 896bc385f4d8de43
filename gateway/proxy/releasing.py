"""Letting messages go, as people ask or when their hour comes: judged again, written once."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from gateway.dataplane.attention import Answered, Scheduled
from gateway.dataplane.carried import Schedule
from gateway.dataplane.relay import renumbered
from gateway.domain.authority_report import prohibited_in
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import Action, Reason, Verdict
from gateway.policy.asking import is_asking
from gateway.ports.errors import StoreUnavailable
from gateway.ports.quarantine import Grounds, QuarantineStore, ReleasedId
from gateway.proxy.asking import Asking
from gateway.proxy.connection import Connection
from gateway.proxy.due import DUE_EACH, DueMessages
from gateway.proxy.exchanging import judged_again
from gateway.proxy.grounds import grounds_of
from gateway.proxy.receipts import ReceiptDesk
from gateway.proxy.rejudging import judge_leaving, outranked, schedule_of_leaving, text_of
from gateway.proxy.reporting import told_of_held
from gateway.proxy.route import Routes
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic, utcnow
from gateway.runtime.tasks import spawn
from gateway.smpp.commands import CommandId
from gateway.smpp.framing import HEADER, HEADER_OCTETS
from gateway.smpp.status import CommandStatus
from gateway.systems.quarantine.desk import Done, QuarantineDesk, Taken

log = structlog.get_logger()

# The SMSC will take it later; anything else is for a person to look at.
_LATER = frozenset({CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL})
_AT_ONCE = 200
_TOGETHER = 50
_FOUND_AT_ONCE = 1_000
_MANY_WAIT = 2_000
# Where parts may stand that will never reach the SMSC: then no others of theirs must.
_ENDED = frozenset({HoldState.REFUSED, HoldState.DISCARDED, HoldState.CANCELLED, HoldState.EXPIRED})
_KEPT = frozenset({Action.DEFER, Action.QUARANTINE})
# What stands against a message for reasons of ours, or for a moment: it waits its turn.
_NOT_NOW = frozenset({Reason.RATE, Reason.FREQUENCY_UNCOUNTED, Reason.CONSENT_UNCHECKED})


@dataclass(frozen=True, slots=True)
class Release:
    """The errand of a submit that the gateway writes for a released message."""

    message_id: int
    system_id: str
    destination: str = field(repr=False)
    is_reviewed: bool
    schedule: Schedule | None = field(default=None, repr=False)


class Releasing:
    """Follows release requests, which come from any process through the store."""

    def __init__(
        self,
        tick: Tick,
        store: QuarantineStore,
        desk: QuarantineDesk,
        routes: Routes,
        receipts: ReceiptDesk,
        asking: Asking,
    ) -> None:
        self.scheduled: Callable[[Scheduled], None] = _unnoted
        self._tick = tick
        self._store = store
        self._due = DueMessages(store)
        self._desk = desk
        self._routes = routes
        self._receipts = receipts
        self._asking = asking
        self._wanted: dict[int, str] = {}  # message_id to system_id
        self._under_way: set[int] = set()
        self._unconfirmed: dict[int, str] = {}  # message_id to the SMSC's: it has them
        self._counted: set[int] = set()  # their hour came; judging them again counts no more
        self._together: set[int] = set()  # long messages whose parts are being let go
        self._waiting: Counter[str] = Counter()  # what was wanted of each sender a moment ago
        self._came_of: Counter[str] = Counter()

    async def begin(self) -> None:
        """Find what an earlier run left: nothing that was written is written again."""
        for lost in await self._desk.lose_in_flight(utcnow()):
            log.warning("quarantine.in_doubt", message_id=str(lost.message_id))
        before: int | None = None
        asked = HoldState.RELEASE_REQUESTED
        while page := await self._store.find(state=asked, before_id=before, limit=_FOUND_AT_ONCE):
            self._wanted |= {held.message_id: held.system_id for held in page}
            before = page[-1].message_id

    def want(self, held: HeldMessage) -> None:
        """Note that a message is to be released."""
        if held.state is HoldState.RELEASE_REQUESTED:
            self._wanted[held.message_id] = held.system_id
            return
        self._wanted.pop(held.message_id, None)
        if held.state is not HoldState.RELEASING:
            self._counted.discard(held.message_id)

    async def take_due(self) -> None:
        """Want what has waited for its hour, of senders that have a way to the SMSC."""
        wanted = self._waiting = Counter(self._wanted.values())
        accounts = self._tick.pipeline.plane.rules.accounts
        senders = [s for s in self._routes.submitters() if s in accounts and wanted[s] < DUE_EACH]
        for held in await self._due.take(utcnow(), senders):
            self.want(held)

    def is_behind(self, system_id: str) -> bool:
        """Tell whether so much of a sender waits for the SMSC that it should send less."""
        return self._waiting[system_id] >= _MANY_WAIT

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
                self.want(held)
            senders = {held.system_id for held in taken.ready}
            has_room = len(self._under_way) < _AT_ONCE
            if has_room and any(self._routes.to_smsc(sender) is not None for sender in senders):
                await self._let_parts_go(taken)
        finally:
            self._together.discard(assembly)

    async def release_wanted(self) -> None:
        """Write what is wanted and has a way to the SMSC; the rest waits for its sender."""
        for message_id, smsc_id in list(self._unconfirmed.items()):
            await self._confirm(message_id, smsc_id)
        # One look for each sender: thousands may wait for one that is away.
        ways = {s for s in set(self._wanted.values()) if self._routes.to_smsc(s) is not None}
        ready = [message_id for message_id, s in self._wanted.items() if s in ways]
        room = max(0, _AT_ONCE - len(self._under_way))
        try:
            for start in range(0, min(len(ready), room), _TOGETHER):
                await self._release_all(ready[start : min(start + _TOGETHER, room)])
        finally:
            if self._came_of:
                log.info("quarantine.due", **self._came_of)
                self._came_of.clear()

    async def _release_all(self, message_ids: Sequence[int]) -> None:
        """Release messages together, so that they share commits; each fails for itself.

        They stay wanted until the store has said what they are: a store that fails now is
        asked again in the next turn.
        """
        found = await self._store.get_many(message_ids)
        for message_id in set(message_ids).difference(held.message_id for held in found):
            self._wanted.pop(message_id, None)
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
        message_id = held.message_id
        if held.state is not HoldState.RELEASE_REQUESTED:
            self._wanted.pop(message_id, None)
        elif not held.assembly:
            await self._let_go([held])
        elif held.assembly not in self._together:
            self._together.add(held.assembly)
            try:
                await self._let_parts_go(await self._desk.take(held.assembly, utcnow()))
            finally:
                self._together.discard(held.assembly)

    async def _let_parts_go(self, taken: Taken) -> None:
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
        for one in taken.ready:
            self._wanted.pop(one.message_id, None)

    async def _let_go(
        self, together: Sequence[HeldMessage], gone: Sequence[HeldMessage] = ()
    ) -> None:
        """Judge a message, or all parts of one, and write it if nothing stands against it.

        `gone` are parts that have left or are for a person to see: the text is read with them.
        """
        plane, now = self._tick.pipeline.plane, utcnow()
        held = together[0]
        account = plane.rules.accounts.get(held.system_id)
        if account is None or any(one.expires_at <= now for one in together):
            # It waits: its sender's sessions may not have left yet, but it sends no more. Or
            # its time is over, and what comes too late must not come.
            return
        ids = [one.message_id for one in together]
        is_counted = bool(gone) or not self._counted.isdisjoint(ids)
        beside = (*together[1:], *gone)
        verdict = judge_leaving(plane, account, held, beside, is_counted=is_counted)
        if verdict is not None and is_asking(verdict):
            against = await self._asking.of_held(held, text_of(plane, together))
            verdict = None if against is None else plane.rules.verdict_of(account, against)
        if verdict is not None:
            await self._keep(together, outranked(plane, verdict, held, beside), now)
            return
        if not _is_asked_for(held):
            self._counted.update(ids)
        outcome = await self._desk.begin_release(ids[0], now, others=tuple(ids[1:]))
        for message_id in ids:
            self._wanted.pop(message_id, None)
        if not isinstance(outcome, Done):
            self._counted.difference_update(ids)
        elif self._is_stopped_now(held, beside):
            await self._postpone(outcome.together, "something came up meanwhile")
        else:
            await self._write(outcome.together)

    def _is_stopped_now(self, held: HeldMessage, beside: Sequence[HeldMessage]) -> bool:
        """Tell whether a refusal came while the store noted that a message leaves (R21).

        Nothing is awaited from here to the write. What it comes to is decided in the next
        turn, where the message is judged as always.
        """
        plane = self._tick.pipeline.plane
        account = plane.rules.accounts.get(held.system_id)
        if account is None:
            return True
        seen = replace(held, is_reviewed=True)  # the text was judged, and it was counted
        verdict = judge_leaving(plane, account, seen, beside, is_counted=True)
        return verdict is not None and not is_asking(verdict)

    async def _keep(self, together: Sequence[HeldMessage], verdict: Verdict, now: datetime) -> None:
        """Do with a message that may not leave what its verdict says, with all its parts."""
        held, *others = together
        message_id, deciding = held.message_id, verdict.deciding
        reason = deciding.reason if deciding is not None else None
        if reason in _NOT_NOW:
            for one in together:
                self._wanted[one.message_id] = self._wanted.pop(one.message_id, held.system_id)
            return
        rest = tuple(one.message_id for one in others)
        why = f"judged again: {reason}" if reason is not None else "judged again"
        rules = self._tick.pipeline.plane.rules
        ttl_s = rules.bundle.content.quarantine_ttl_s
        grounds = grounds_of(verdict, held.pdu, (held.held_at, now), ttl_s)
        match verdict.action:
            case Action.DEFER:
                await self._desk.defer(message_id, grounds, why, now, others=rest)
            case Action.QUARANTINE:
                await self._desk.hold(message_id, grounds, why, now, others=rest)
            case _:
                await self._desk.refuse(message_id, why, now, others=rest)
        self._report(together, verdict)
        for one in together:
            self._wanted.pop(one.message_id, None)
            self._note(one, verdict.action, grounds)
            if _is_asked_for(one) and verdict.action not in _KEPT:
                log.info("quarantine.refused", message_id=str(one.message_id), why=why)
            else:
                self._came_of[verdict.action.value] += 1

    def _report(self, together: Sequence[HeldMessage], verdict: Verdict) -> None:
        """Have the authority told of prohibited content that was found only now (R60)."""
        finding = prohibited_in(verdict.findings)
        if finding is not None:
            text = text_of(self._tick.pipeline.plane, together)
            self._tick.report(told_of_held(together[0], verdict, finding, text, epoch()))

    def _note(self, held: HeldMessage, action: Action, grounds: Grounds) -> None:
        self._tick.records.rows.append(judged_again(held, action, grounds))

    async def _write(self, together: Sequence[HeldMessage]) -> None:
        connection = self._routes.to_smsc(together[0].system_id)
        if connection is not None:
            for held in together:
                self._write_on(connection, held)
            return
        await self._postpone(together, "no bind at the SMSC")

    async def _postpone(self, together: Sequence[HeldMessage], why: str) -> None:
        for held in together:
            await self._desk.postpone(held.message_id, why, utcnow())
            self._wanted[held.message_id] = held.system_id

    def _write_on(self, connection: Connection, held: HeldMessage) -> None:
        _, command_id, _, _ = HEADER.unpack_from(held.pdu)
        errand = Release(
            held.message_id,
            held.system_id,
            held.destination,
            held.is_reviewed,
            schedule_of_leaving(self._tick.pipeline.plane, held),
        )
        own = connection.link.register(None, 0, command_id, monotonic(), errand)
        self._under_way.add(held.message_id)
        if not _is_asked_for(held):
            self._came_of[Action.FORWARD.value] += 1
        self._receipts.expect(held.system_id)
        connection.write(renumbered(held.pdu, own))

    def answered(self, item: Answered, errand: Release) -> None:
        """Take the SMSC's answer, or that none will come."""
        status, smsc_id = _read_answer(item.pdu)
        if status == CommandStatus.ESME_ROK:
            # In memory before anything is awaited: the receipt may be in the same read.
            self._receipts.know(
                ReleasedId(errand.system_id, smsc_id, errand.message_id, errand.destination)
            )
            if errand.schedule is not None:
                self.scheduled(Scheduled(item.link, errand.schedule, smsc_id.encode("latin-1")))
        if errand.message_id in self._under_way:  # else it is late: it was given up before
            self._under_way.discard(errand.message_id)
            self._receipts.unexpect(errand.system_id)
        spawn(self._settle(errand, status, smsc_id), name=f"release-{errand.message_id}")

    async def _settle(self, errand: Release, status: int | None, smsc_id: str) -> None:
        desk, message_id, now = self._desk, errand.message_id, utcnow()
        about = {"message_id": str(message_id), "system_id": errand.system_id, "status": status}
        self._tick.records.rows.append(("e", epoch(), "release", about))
        try:
            if status is None:
                await desk.lose(message_id, "the SMSC did not answer", now)
                log.warning("quarantine.in_doubt", message_id=str(message_id))
            elif status == CommandStatus.ESME_ROK:
                self._unconfirmed[message_id] = smsc_id
                await self._confirm(message_id, smsc_id)
            elif status in _LATER:
                await desk.postpone(message_id, f"the SMSC answered 0x{status:X}", now)
                self._wanted[message_id] = errand.system_id
            elif errand.is_reviewed:
                await desk.give_back(message_id, f"the SMSC answered 0x{status:X}", now)
            else:
                # By day its sender would have heard it itself, and no person.
                await desk.turn_down(message_id, f"the SMSC answered 0x{status:X}", now)
        except StoreUnavailable as error:
            # It stays RELEASING, which is never written again; a restart puts it in doubt. What
            # the SMSC has is noted as soon as it can be: a person in doubt might send it twice.
            log.error("store.failed", said=str(error))

    async def _confirm(self, message_id: int, smsc_id: str) -> None:
        is_due = message_id in self._counted  # thousands are: they are counted, not listed
        await self._desk.confirm(message_id, smsc_id, utcnow())
        if self._unconfirmed.pop(message_id, None) is not None and not is_due:
            log.info("quarantine.released", message_id=str(message_id))


def _is_asked_for(held: HeldMessage) -> bool:
    """Tell whether somebody asked for this message: those whose hour came go by thousands."""
    return held.is_reviewed or held.is_wanted


def _unnoted(_item: Scheduled) -> None:
    """Do nothing yet: the shell is not wired."""


def _read_answer(pdu: bytes | None) -> tuple[int | None, str]:
    """Return the status and the SMSC's id; a generic_nack is a refusal."""
    if pdu is None:
        return None, ""
    _, command_id, status, _ = HEADER.unpack_from(pdu)
    if command_id == CommandId.GENERIC_NACK:
        return status or CommandStatus.ESME_RSUBMITFAIL, ""
    return status, pdu[HEADER_OCTETS:].partition(b"\0")[0].decode("latin-1")
