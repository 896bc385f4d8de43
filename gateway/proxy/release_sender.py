"""Writing released messages to the SMSC, each once, and settling them by its answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from gateway.dataplane.attention import OwnAnswer, ScheduledAtSmsc
from gateway.dataplane.relay import renumbered
from gateway.dataplane.submit_request import Schedule
from gateway.domain.quarantine import HeldMessage
from gateway.domain.verdict import Action
from gateway.ports.errors import StoreUnavailable
from gateway.ports.quarantine import ReleasedId
from gateway.proxy.connection import Connection
from gateway.proxy.receipts import ReceiptDesk
from gateway.proxy.rejudge import schedule_of_leaving
from gateway.proxy.release_queue import ReleaseQueue, is_asked_for
from gateway.proxy.route import Routes
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic, utcnow
from gateway.runtime.tasks import spawn
from gateway.smpp.commands import CommandId
from gateway.smpp.framing import HEADER, HEADER_OCTETS
from gateway.smpp.status import CommandStatus
from gateway.systems.quarantine.desk import QuarantineDesk

log = structlog.get_logger()

# The SMSC will take it later; anything else is for a person to look at.
_LATER = frozenset({CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL})


@dataclass(frozen=True, slots=True)
class Release:
    """The errand of a submit that the gateway writes for a released message."""

    message_id: int
    system_id: str
    destination: str = field(repr=False)
    is_reviewed: bool
    schedule: Schedule | None = field(default=None, repr=False)


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
        self.scheduled: Callable[[ScheduledAtSmsc], None] = _unnoted
        self._tick = tick
        self._desk = desk
        self._routes = routes
        self._receipts = receipts
        self._queue = queue
        self._under_way: set[int] = set()
        self._unconfirmed: dict[int, str] = {}  # message_id to the SMSC's: it has them

    @property
    def under_way(self) -> int:
        """Return how many messages the SMSC has not answered yet."""
        return len(self._under_way)

    async def write(self, together: Sequence[HeldMessage]) -> None:
        """Write a message, or all parts of one; what has no way any more is to go out later."""
        connection = self._routes.to_smsc(together[0].system_id)
        if connection is not None:
            for held in together:
                self._write_on(connection, held)
            return
        await self.postpone(together, "no bind at the SMSC")

    async def postpone(self, together: Sequence[HeldMessage], why: str) -> None:
        """Let a message that was about to be written wait its turn once more."""
        for held in together:
            await self._desk.postpone(held.message_id, why, utcnow())
            self._queue.put_back([held])

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
        if not is_asked_for(held):
            self._queue.note(Action.FORWARD)
        self._receipts.expect(held.system_id)
        connection.write(renumbered(held.pdu, own))

    def answered(self, item: OwnAnswer, errand: Release) -> None:
        """Take the SMSC's answer, or that none will come."""
        status, smsc_id = _read_answer(item.pdu)
        if status == CommandStatus.ESME_ROK:
            # In memory before anything is awaited: the receipt may be in the same read.
            self._receipts.know(
                ReleasedId(errand.system_id, smsc_id, errand.message_id, errand.destination)
            )
            if errand.schedule is not None:
                self.scheduled(
                    ScheduledAtSmsc(item.link, errand.schedule, smsc_id.encode("latin-1"))
                )
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
                self._queue.want(message_id, errand.system_id)
            elif errand.is_reviewed:
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
        for message_id, smsc_id in list(self._unconfirmed.items()):
            await self._confirm(message_id, smsc_id)

    async def _confirm(self, message_id: int, smsc_id: str) -> None:
        is_due = message_id in self._queue.counted  # thousands are: they are counted, not listed
        await self._desk.confirm(message_id, smsc_id, utcnow())
        if self._unconfirmed.pop(message_id, None) is not None and not is_due:
            log.info("quarantine.released", message_id=str(message_id))


def _unnoted(_item: ScheduledAtSmsc) -> None:
    """Do nothing yet: the shell is not wired."""


def _read_answer(pdu: bytes | None) -> tuple[int | None, str]:
    """Return the status and the SMSC's id; a generic_nack is a refusal."""
    if pdu is None:
        return None, ""
    _, command_id, status, _ = HEADER.unpack_from(pdu)
    if command_id == CommandId.GENERIC_NACK:
        return status or CommandStatus.ESME_RSUBMITFAIL, ""
    return status, pdu[HEADER_OCTETS:].partition(b"\0")[0].decode("latin-1")
