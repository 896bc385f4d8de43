"""Released messages: their queue, those that are due, and writing each once to the SMSC."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeVar

import structlog

from gateway.dataplane.attention import OwnAnswer, OwnRequest, ScheduledAtSmsc
from gateway.dataplane.link import Link
from gateway.dataplane.relay import renumbered
from gateway.dataplane.request_reader import addresses_of
from gateway.dataplane.submit_request import Schedule
from gateway.domain.msisdn import msisdn_of
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import Action
from gateway.proxy.connection import Connection
from gateway.proxy.receipts import ReceiptDesk
from gateway.proxy.rejudge import schedule_of_leaving
from gateway.proxy.routes import Routes
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic, utcnow
from gateway.runtime.tasks import spawn
from gateway.smpp.pdu import HEADER, HEADER_OCTETS, status_of
from gateway.smpp.status import CommandStatus
from gateway.storage.errors import StoreUnavailable
from gateway.systems.quarantine.model import ReleasedId
from gateway.systems.quarantine.service import QuarantineDesk
from gateway.systems.quarantine.sql import QuarantineStore

log = structlog.get_logger()


# The SMSC refused it, or said nothing: a person may release it once more.
_CAME_BACK = frozenset({HoldState.HELD, HoldState.IN_DOUBT})


class ReleaseQueue:
    """Messages that wait for release, in order; those counted already; results of this turn."""

    def __init__(self, group_of: Callable[[bytes], str] = lambda _pdu: "") -> None:
        # Messages waiting, by sender: counting 100 000 anew would take 3 ms each turn. By sender
        # and the group that a route leads them to: one that is down must not have them asked for.
        self.waiting: Counter[str] = Counter()
        self.waiting_for: Counter[tuple[str, str]] = Counter()
        self.counted: set[int] = set()  # judging again does not count them
        self._came_back: set[int] = set()  # of these: what people hold since `_day`
        self._day: date | None = None
        self.came_of: Counter[str] = Counter()  # of deferred ones: too many to log each
        self._wanted: dict[int, tuple[str, str]] = {}  # message_id to system_id and group
        self.group_of = group_of

    def follow(self, held: HeldMessage) -> None:
        """Update the queue from the present state of a message."""
        if held.state is HoldState.RELEASE_REQUESTED:
            self.want(held.message_id, held.system_id, self.group_of(held.pdu))
            return
        self.drop((held.message_id,))
        if held.state in _CAME_BACK and held.message_id in self.counted:
            self._came_back.add(held.message_id)
            return
        self._came_back.discard(held.message_id)
        if held.state is not HoldState.RELEASING:
            self.counted.discard(held.message_id)

    def begin_day(self, day: date) -> None:
        """Forget that messages were counted which came back on an earlier day.

        On the same day such a message must not reach a limit by its own first try (R42).
        """
        if day != self._day:
            self._day = day
            self.counted -= self._came_back
            self._came_back.clear()

    def want(self, message_id: int, system_id: str, group: str = "") -> None:
        """Add a message at the end, unless it is in the queue."""
        if message_id not in self._wanted:
            self._wanted[message_id] = system_id, group
            self.waiting[system_id] += 1
            self.waiting_for[system_id, group] += 1

    def put_back(self, together: Iterable[HeldMessage]) -> None:
        """Move messages to the end of the queue."""
        for held in together:
            self.drop((held.message_id,))
            self.want(held.message_id, held.system_id, self.group_of(held.pdu))

    def forget_groups(self) -> None:
        """Forget where routes led: others are in force. What is put back is led by those."""
        self._wanted = {number: (sender, "") for number, (sender, _) in self._wanted.items()}
        self.waiting_for = Counter({(one, ""): count for one, count in self.waiting.items()})

    def drop(self, message_ids: Iterable[int]) -> None:
        """Remove messages from the queue."""
        for message_id in message_ids:
            found = self._wanted.pop(message_id, None)
            if found is not None:
                _count_off(self.waiting, found[0])
                _count_off(self.waiting_for, found)

    def first_of(self, ways: Mapping[tuple[str, str], Link], limit: int) -> list[int]:
        """Return the ids of the first messages that their senders' links have room for.

        `ways` has those by system_id and group, "" where no route leads.
        """
        room = {link: link.room_of_own() for link in ways.values()}
        limit = min(limit, sum(max(0, left) for left in room.values()))
        found: list[int] = []
        for number, way in self._wanted.items() if limit else ():
            link = ways.get(way)
            if link is not None and room[link] > 0:
                room[link] -= 1
                found.append(number)
                if len(found) == limit:
                    break
        return found


_Key = TypeVar("_Key")


def _count_off(counter: Counter[_Key], key: _Key) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]


def is_asked_for(held: HeldMessage) -> bool:
    """Tell whether a person or the addressee released this message; a due one is not meant."""
    return held.is_reviewed or held.is_wanted


# The start of allowed hours must not cause a flood: at most so many are taken at a time, and so
# many of one sender that cannot be sent yet. A port at its rate limit delays no other (R40, R44).
_AT_ONCE = 100
DUE_EACH = 20


class DueMessages:
    """Takes deferred messages that are due, a bounded number at a time.

    The store returns the earliest due first. A sender with a million deferred messages would
    fill every batch for an hour, so senders that had many last time come after the others.
    """

    def __init__(self, store: QuarantineStore) -> None:
        self._store = store
        self._had_many: set[str] = set()

    async def take(self, now: datetime, senders: Collection[str]) -> list[HeldMessage]:
        """Claim and return due messages of `senders`.

        Raises StoreUnavailable only if nothing was taken.
        """
        taken: list[HeldMessage] = []
        others = [sender for sender in senders if sender not in self._had_many]
        for some in (others, [sender for sender in senders if sender in self._had_many]):
            room = _AT_ONCE - len(taken)
            if some and room:
                try:
                    taken += await self._store.take_due(now, some, room)
                except StoreUnavailable:
                    if not taken:
                        raise
        counts = Counter(held.system_id for held in taken)
        self._had_many = {sender for sender, count in counts.items() if count >= DUE_EACH}
        return taken


# The SMSC will take it later; anything else is for a person to look at.
_LATER = frozenset({CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL})


@dataclass(frozen=True, slots=True)
class Release(OwnRequest):
    """The context of a submit that the gateway writes for a released message."""

    message_id: int
    destination: str = field(repr=False)
    is_reviewed: bool
    is_asked_for: bool
    schedule: Schedule | None = field(default=None, repr=False)
    group: str = ""  # that a route led it to


class ReleaseSender:
    """Writes what is RELEASING, and brings it to what the SMSC says, or does not say, of it."""

    def __init__(
        self,
        tick: Tick,
        desk: QuarantineDesk,
        routes: Routes,
        receipts: ReceiptDesk,
        queue: ReleaseQueue,
    ) -> None:
        self.scheduled: Callable[[ScheduledAtSmsc], None] = lambda _item: None
        self._tick = tick
        self._desk = desk
        self._routes = routes
        self._receipts = receipts
        self._queue = queue
        self._under_way: set[int] = set()
        # The SMSC has them: message_id to its own, and whether a release was asked for.
        self._unconfirmed: dict[int, tuple[str, bool]] = {}

    @property
    def under_way(self) -> int:
        """Return how many messages the SMSC has not answered yet."""
        return len(self._under_way)

    async def write(self, together: Sequence[HeldMessage]) -> None:
        """Write a message, or all parts of one; what has no way any more is to go out later."""
        first = together[0]
        group = self._queue.group_of(first.pdu)
        connection = self._routes.to_smsc(first.system_id, group=group)
        if connection is not None and connection.link.room_of_own() > 0:
            for held in together:
                self._write_on(connection, held, group)
            return
        why = "no bind at the SMSC" if connection is None else "no room on the bind"
        await self.postpone(together, why)

    async def postpone(self, together: Sequence[HeldMessage], why: str) -> None:
        """Let a message that was about to be written wait its turn once more."""
        for held in together:
            await self._desk.postpone(held.message_id, why, utcnow())
            self._queue.put_back([held])

    def _write_on(self, connection: Connection, held: HeldMessage, group: str) -> None:
        _, command_id, _, _ = HEADER.unpack_from(held.pdu)
        context = Release(
            held.system_id,
            held.message_id,
            held.destination,
            held.is_reviewed,
            is_asked_for(held),
            schedule_of_leaving(self._tick.pipeline.plane, held),
            group,
        )
        own = connection.link.register(None, 0, command_id, monotonic(), context)
        self._under_way.add(held.message_id)
        if not is_asked_for(held):
            self._queue.came_of[Action.FORWARD.value] += 1
        self._receipts.expect(held.system_id)
        self._note_writer(held)
        connection.write(renumbered(held.pdu, own))

    def _note_writer(self, held: HeldMessage) -> None:
        """Note who writes to subscribers, if others may write from that port, too."""
        plane = self._tick.pipeline.plane
        account = plane.rules.accounts.get(held.system_id)
        source = held.source.encode("latin-1", "replace")
        port = None if account is None else account.origin_of(source).port
        if port is not None and port.shared:
            for _, destination in addresses_of(held.pdu):
                if (msisdn := msisdn_of(b"+" + destination)) is not None:
                    plane.writers.note(port.number, msisdn, held.system_id)

    def answered(self, item: OwnAnswer, context: Release) -> None:
        """Take the SMSC's answer, or that none will come."""
        status, smsc_id = None, ""
        if item.pdu is not None:
            status = status_of(item.pdu, CommandStatus.ESME_RSUBMITFAIL)
            smsc_id = item.pdu[HEADER_OCTETS:].partition(b"\0")[0].decode("latin-1")
        if status == CommandStatus.ESME_ROK:
            # In memory before anything is awaited: the receipt may be in the same read.
            self._receipts.know(
                ReleasedId(context.system_id, smsc_id, context.message_id, context.destination)
            )
            if context.schedule is not None:
                at_smsc = (smsc_id.encode("latin-1"), item.link.smsc)
                self.scheduled(ScheduledAtSmsc(context.system_id, context.schedule, *at_smsc))
        if context.message_id in self._under_way:  # else it is late: it was given up before
            self._under_way.discard(context.message_id)
            self._receipts.unexpect(context.system_id)
        spawn(self._settle(context, status, smsc_id), name=f"release-{context.message_id}")

    async def _settle(self, context: Release, status: int | None, smsc_id: str) -> None:
        desk, message_id, now = self._desk, context.message_id, utcnow()
        about = {"message_id": str(message_id), "system_id": context.system_id, "status": status}
        about |= {"smsc_message_id": smsc_id} if smsc_id else {}
        self._tick.records.rows.append(("e", epoch(), "release", about))
        try:
            if status is None:
                await desk.lose(message_id, "the SMSC did not answer", now)
                log.warning("quarantine.in_doubt", message_id=str(message_id))
            elif status == CommandStatus.ESME_ROK:
                self._unconfirmed[message_id] = smsc_id, context.is_asked_for
                await self._confirm(message_id, smsc_id, is_told=context.is_asked_for)
            elif status in _LATER:
                await desk.postpone(message_id, f"the SMSC answered 0x{status:X}", now)
                self._queue.want(message_id, context.system_id, context.group)
            elif context.is_reviewed:
                await desk.give_back(message_id, f"the SMSC answered 0x{status:X}", now)
            else:
                # By day its sender would have heard it itself, and no person.
                await desk.turn_down(message_id, f"the SMSC answered 0x{status:X}", now)
        except StoreUnavailable as error:
            # It stays RELEASING, which is never written again; a restart puts it in doubt. What
            # the SMSC has is noted as soon as it can be: a person in doubt might send it twice.
            log.error("store.failed", said=str(error))

    async def confirm_late(self) -> None:
        """Note what the SMSC took while the store could not. Raises StoreUnavailable."""
        for message_id, (smsc_id, is_asked) in list(self._unconfirmed.items()):
            await self._confirm(message_id, smsc_id, is_told=is_asked)

    async def _confirm(self, message_id: int, smsc_id: str, *, is_told: bool) -> None:
        # Thousands of those whose hour has come are confirmed at once: they are counted, not told.
        await self._desk.confirm(message_id, smsc_id, utcnow())
        if self._unconfirmed.pop(message_id, None) is not None and is_told:
            log.info("quarantine.released", message_id=str(message_id))
