"""Cancel at the SMSC scheduled messages that the subscriber has refused since (R21).

So, too, all those of an SP that a sanction has closed since (R96).
"""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from gateway.dataplane.attention import OwnAnswer, OwnRequest, ScheduledAtSmsc
from gateway.domain.categories import TrafficClass
from gateway.domain.msisdn import msisdn_from
from gateway.domain.policy import Enforcement
from gateway.domain.sender import NO_COMPANIONS
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.findings import modes_of
from gateway.policy.submission import Submission
from gateway.proxy.connection import Connection
from gateway.proxy.routes import Routes
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic, utcnow
from gateway.runtime.tasks import spawn
from gateway.smpp.commands import CommandId
from gateway.smpp.pdu import make, status_of
from gateway.smpp.status import CommandStatus
from gateway.storage.change_feed import ChangeFeed
from gateway.storage.errors import logged
from gateway.systems.scheduled_messages import ScheduledMessage, ScheduledStore

log = structlog.get_logger()

# A claim ends after this time, in case its process died. Far longer than the wait for an answer.
CLAIM = timedelta(minutes=2)
RETRY = timedelta(seconds=5)

CANCELLED, REFUSED, TOO_LATE = "cancelled", "refused", "too_late"
SPARED, UNKEPT = "spared", "unkept"

# The SMSC could not handle the request yet: try again. Any other status is final.
_LATER = frozenset(
    {CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL, CommandStatus.ESME_RSYSERR}
)
_AT_ONCE = 50
_MAX_UNDER_WAY = 500
_MAX_SENDERS = 500
# Messages that the SMSC has and the store not yet: a few seconds of an SP that schedules all.
_MAX_UNKEPT = 20_000
# In turns of the loop. Waiting for a bind or a time causes no change in the store, so we poll.
_LOOK_EVERY = 8
_PRUNE_EVERY = 240


@dataclass(frozen=True, slots=True)
class OnCancel(OwnRequest):
    """The context of a cancel_sm that the gateway itself sends."""

    message: ScheduledMessage


class ScheduledCanceller:
    """Stores scheduled commercial messages and cancels the refused ones at the SMSC.

    It sends cancel_sm on a bind of the SP until the SMSC answers or the scheduled time is over.
    Sending it twice does no harm: the SMSC answers the second with an error. The SP is told only
    by the receipt that the SMSC sends. `outcomes` counts the results; `closed` are the SPs that
    are closed.
    """

    def __init__(self, tick: Tick, store: ScheduledStore, feed: ChangeFeed, routes: Routes) -> None:
        self.outcomes: Counter[str] = Counter()
        self.closed: Callable[[], Collection[str]] = tuple
        self._tick = tick
        self._store = store
        self._feed = feed
        self._routes = routes
        self._unkept: list[ScheduledMessage] = []
        self._is_keeping = False
        self._companions = NO_COMPANIONS
        self._refusals: tuple[int, int] | None = None
        self._under_way: set[int] = set()
        self._settled: dict[int, str] = {}  # what the SMSC said, until the store knows it
        self._is_news = True
        self._turn = 0

    async def begin(self) -> None:
        """Find refusals recorded while no gateway ran. Raises StoreUnavailable."""
        await self._note_all_refusals()

    def taken(self, item: ScheduledAtSmsc) -> None:
        """Store a message that the SMSC has accepted for later."""
        at = datetime.fromtimestamp(item.schedule.at, UTC)
        system_id, message_id = item.system_id, item.message_id.decode("latin-1")
        if not item.schedule.destinations:
            spawn(logged(self._store.move(system_id, message_id, at)), name="scheduled-move")
            return
        source = item.schedule.source
        for to in item.schedule.destinations:
            msisdn = msisdn_from(to.address, to.ton)
            if msisdn is None or not message_id:
                continue  # no subscriber who could refuse it, or no id to cancel it by
            self._take(
                ScheduledMessage(
                    system_id=system_id,
                    smsc=item.smsc,
                    message_id=message_id,
                    source_ton=source.ton,
                    source_npi=source.npi,
                    source=source.address.decode("latin-1"),
                    dest_ton=to.ton,
                    dest_npi=to.npi,
                    destination=to.address.decode("latin-1"),
                    msisdn=msisdn,
                    scheduled_at=at,
                )
            )
        if not self._is_keeping:
            self._is_keeping = True
            spawn(self._keep_soon(), name="scheduled-keep")

    def heard(self, after: int, through: int) -> None:
        """Note that the changes above `after`, up to `through`, contain subscribers' answers."""
        self._refusals = (after if self._refusals is None else self._refusals[0], through)

    async def run(self) -> None:
        """Do one turn of cancelling; call it every turn. Raises StoreUnavailable."""
        self._turn += 1
        await self._keep()
        await self._note_refusals()
        for number in list(self._settled):
            await self._settle(number)
        is_regular = self._turn % _LOOK_EVERY == 0
        if is_regular:
            await self._give_up()
        if self._is_news or is_regular:
            self._is_news = await self._cancel_waiting() == _AT_ONCE
        if self._turn % _PRUNE_EVERY == 0:
            await self._store.prune(utcnow())

    def answered(self, item: OwnAnswer, on: OnCancel) -> None:
        """Handle the SMSC's answer, or that no answer will come."""
        message = on.message
        self._under_way.discard(message.number)
        status = status_of(item.pdu, CommandStatus.ESME_RCANCELFAIL) if item.pdu else None
        if status is None or status in _LATER:
            # If the store fails now, it stays claimed and is taken again when the claim ends.
            retry = self._store.put_back(message.number, utcnow() + RETRY)
            spawn(logged(retry), name="scheduled-retry")
            return
        if message.number in self._settled:  # a late answer: an earlier one settled the message
            return
        outcome = REFUSED if status else CANCELLED
        self._settled[message.number] = outcome
        self._note(message, outcome, status)
        spawn(logged(self._settle(message.number)), name="scheduled-settle")

    async def hand_over(self) -> None:
        """Store the last messages before the process ends."""
        await logged(self._keep())

    def _take(self, message: ScheduledMessage) -> None:
        if len(self._unkept) < _MAX_UNKEPT:
            self._unkept.append(message)
        else:
            self._note(message, UNKEPT, 0)

    async def _keep_soon(self) -> None:
        await self.hand_over()
        self._is_keeping = False

    async def _keep(self) -> None:
        """Store what was noted; what the store does not accept now waits for the next turn."""
        while self._unkept:
            batch = self._unkept[:_AT_ONCE]
            if await self._store.keep(batch, self._companions):
                self._is_news = True  # a refusal was recorded before the SMSC answered
            kept = set(map(id, batch))
            self._unkept = [one for one in self._unkept if id(one) not in kept]

    async def _note_refusals(self) -> None:
        if self._companions != self._tick.pipeline.plane.rules.companions:  # a reload
            await self._note_all_refusals()
        if self._refusals is None:
            return
        refusals = self._refusals
        if await self._store.note_refusals(*refusals, self._companions):
            self._is_news = True
        self._refusals = None if self._refusals == refusals else (refusals[1], self._refusals[1])

    async def _note_all_refusals(self) -> None:
        """Match all recorded refusals again, with the senders that are one company now."""
        companions = self._tick.pipeline.plane.rules.companions
        if await self._store.note_refusals(0, await self._feed.latest(), companions):
            self._is_news = True
        self._companions = companions

    async def _cancel_waiting(self) -> int:
        closed = sorted(self.closed())
        waiting = await self._store.waiting_senders(utcnow(), closed)
        senders = [one for one in waiting if self._routes.takes_own(one)][:_MAX_SENDERS]
        if not senders or len(self._under_way) >= _MAX_UNDER_WAY:
            return 0
        now = utcnow()
        taken = await self._store.take(now, now + CLAIM, senders, _AT_ONCE, closed)
        for message in taken:
            # Look again: the bind may have closed during the await, or is at another SMSC.
            connection = self._routes.to_smsc(message.system_id, message.smsc)
            if connection is None or connection.link.room_of_own() <= 0:
                await self._store.put_back(message.number, now + RETRY)
            elif not self._may_stop(message):
                self._note(message, SPARED, 0)
                await self._store.settle(message.number)
            elif message.number not in self._under_way | self._settled.keys():
                self._cancel(connection, message)
        return len(taken)

    def _may_stop(self, message: ScheduledMessage) -> bool:
        """Tell whether an enforced rule stops a refused message of this kind; shadow does not.

        A closed SP may send nothing.
        """
        if message.system_id in self.closed():
            return True
        rules = self._tick.pipeline.plane.rules
        account = rules.accounts.get(message.system_id)
        if account is None:
            return True  # its SP is no sender any more, so no override applies
        source, destination = (s.encode("latin-1") for s in (message.source, message.destination))
        submission = Submission(account, source, destination)
        return any(
            modes_of(rule).of(submission) is Enforcement.ENFORCE
            for rule in rules.bundle.rules
            if isinstance(rule.check, OptOut) and TrafficClass.COMMERCIAL in rule.applies_to
        )

    def _cancel(self, connection: Connection, message: ScheduledMessage) -> None:
        self._under_way.add(message.number)
        command_id, link = CommandId.CANCEL_SM, connection.link
        own = link.register(None, 0, command_id, monotonic(), OnCancel(message.system_id, message))
        connection.write(
            make(
                command_id,
                own,
                message_id=message.message_id.encode("latin-1"),
                source_addr_ton=message.source_ton,
                source_addr_npi=message.source_npi,
                source_addr=message.source.encode("latin-1"),
                dest_addr_ton=message.dest_ton,
                dest_addr_npi=message.dest_npi,
                destination_addr=message.destination.encode("latin-1"),
            )
        )

    async def _settle(self, number: int) -> None:
        await self._store.settle(number)
        self._settled.pop(number, None)

    async def _give_up(self) -> None:
        """Log refused messages that were not cancelled in time: no bind, or no SMSC answer."""
        overdue = await self._store.take_overdue(utcnow(), _AT_ONCE)
        if overdue:
            log.warning("scheduled.cancel_expired", count=len(overdue))
        for message in overdue:
            self._note(message, TOO_LATE, 0)

    def _note(self, message: ScheduledMessage, outcome: str, status: int) -> None:
        self.outcomes[outcome] += 1
        about = {
            "system_id": message.system_id,
            "subscriber": str(message.msisdn),
            "port": message.source,
            "smsc": message.smsc,
            "message_id": message.message_id,
            "scheduled_at": message.scheduled_at.isoformat(timespec="seconds"),
            "state": outcome,
            "status": status,
        }
        self._tick.records.rows.append(("e", epoch(), "scheduled", about))
