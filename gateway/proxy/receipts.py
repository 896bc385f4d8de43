"""Receipts of held messages: put the gateway's id into the SMSC's, or write our own."""

from collections import Counter, deque
from dataclasses import dataclass

import structlog

from gateway.dataplane.attention import OwnAnswer, ReleaseReceipt
from gateway.dataplane.relay import renumbered
from gateway.dataplane.smsc_side import delivery
from gateway.domain.msisdn import msisdn_of
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.proxy.routes import Routes
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic, utcnow
from gateway.runtime.tasks import spawn
from gateway.smpp.commands import CommandId
from gateway.smpp.pdu import decode, status_of
from gateway.smpp.receipt import id_forms, read_receipt, receipt_pdu, with_receipt_id
from gateway.smpp.status import CommandStatus, DecodeError, EncodeError
from gateway.storage.errors import StoreUnavailable
from gateway.systems.quarantine.model import ReleasedId
from gateway.systems.quarantine.sql import QuarantineStore

log = structlog.get_logger()

_MAX_KNOWN = 200_000
_MAX_PARKED = 1_000
_AT_ONCE = 100
_RETRY_S = 30.0
_LAST_DIGITS = 10**11

# stat and err of receipts for messages that ended without reaching the SMSC.
_ENDS: dict[HoldState, tuple[str, str]] = {
    HoldState.DISCARDED: ("REJECTD", "001"),
    HoldState.REFUSED: ("REJECTD", "002"),
    HoldState.EXPIRED: ("EXPIRED", "003"),
}


@dataclass(frozen=True, slots=True)
class OwnReceipt:
    """The context of a receipt that the gateway itself writes."""

    message_id: int


class ReceiptDesk:
    """Maps the SMSC's ids to ours; bounded, the oldest are dropped first.

    A receipt that arrives while a release of the same sender is outstanding is parked until
    the answer gives the id (PEERS pain 2: the receipt overtakes the answer).
    """

    def __init__(self, tick: Tick, store: QuarantineStore, routes: Routes) -> None:
        self._tick = tick
        self._store = store
        self._routes = routes
        # By sender, id and subscriber: forms of different ids can be equal (10 is 16 in
        # hexadecimal), but hardly for the same subscriber.
        self._ids: dict[tuple[str, str, int | bytes], int] = {}
        self._expected: Counter[str] = Counter()
        self._parked: dict[str, deque[ReleaseReceipt]] = {}
        self._not_before: dict[int, float] = {}  # receipts under way, or answered a while ago
        self._unmarked: set[int] = set()  # taken by the SP, and the store does not know yet

    async def begin(self) -> None:
        """Load the ids of messages released before this run."""
        for released in reversed(await self._store.released_ids()):
            self.know(released)

    # The SMSC's receipts.

    def know(self, released: ReleasedId) -> None:
        """Remember the SMSC's id of a released message."""
        system_id = released.system_id
        self._tick.pipeline.plane.watched.add(system_id)
        while len(self._ids) >= _MAX_KNOWN:
            del self._ids[next(iter(self._ids))]
        subscriber = _subscriber(released.destination.encode("latin-1"))
        for form in id_forms(released.smsc_message_id):
            self._ids[system_id, form, subscriber] = released.message_id

    def expect(self, system_id: str) -> None:
        """Note that a release is outstanding; its receipt may arrive before its answer."""
        self._tick.pipeline.plane.watched.add(system_id)
        self._expected[system_id] += 1

    def unexpect(self, system_id: str) -> None:
        """Note that the answer has arrived; handle the parked receipts again."""
        self._expected[system_id] -= 1
        for item in self._parked.pop(system_id, ()):
            self.received(item)

    def received(self, item: ReleaseReceipt) -> None:
        """Relay a delivery, with our id if it is a receipt of a released message."""
        link = item.link
        if link not in self._tick.connections:
            return  # the SMSC will send it again on another bind
        message_id = self._message_of(item)
        if message_id is None and self._is_early(item):
            self._parked.setdefault(item.system_id, deque()).append(item)
            return
        pdu = item.pdu
        if message_id is not None:
            try:
                pdu = with_receipt_id(pdu, str(message_id))
            except (DecodeError, EncodeError):
                message_id = None
        session = self._routes.session_for(item)
        self._tick.out(self._tick.pipeline.deliver(item, session, pdu, (monotonic(), epoch())))

    def _is_early(self, item: ReleaseReceipt) -> bool:
        system_id = item.system_id
        parked = len(self._parked.get(system_id, ()))
        return self._expected[system_id] > 0 and parked < _MAX_PARKED and _is_receipt(item.pdu)

    def _message_of(self, item: ReleaseReceipt) -> int | None:
        try:
            pdu = decode(item.pdu)
        except DecodeError:
            return None
        receipt = read_receipt(pdu)
        if receipt is None:
            return None
        about = _subscriber(pdu.octets("source_addr"))
        forms = (self._ids.get((item.system_id, f, about)) for f in sorted(receipt.forms))
        return next((known for known in forms if known is not None), None)

    # Our own.

    async def send_due(self) -> None:
        """Send due receipts to the SPs with a bind that can receive them."""
        now = monotonic()
        for message_id in list(self._unmarked):
            await self._store.receipt_sent(message_id)
            self._unmarked.discard(message_id)
            self._not_before[message_id] = now + _RETRY_S
        # Drop old entries; a fresh one is kept because a look at the store may predate the answer.
        self._not_before = {m: due for m, due in self._not_before.items() if due > now}
        # One query for all: hundreds of SPs are bound, and few have a receipt due.
        for system_id in await self._store.owed_receipts() & self._routes.senders():
            if self._routes.to_esme(system_id) is None:
                continue
            for held in await self._store.due_receipts(system_id, _AT_ONCE):
                self._send(held, monotonic())

    def _send(self, held: HeldMessage, now: float) -> None:
        connection = self._routes.to_esme(held.system_id)
        end = _ENDS.get(held.state)
        if connection is None or end is None or now < self._not_before.get(held.message_id, 0.0):
            return
        stat, err = end
        try:
            pdu = receipt_pdu(
                0,
                # Of many destinations the SP knows one id, which may be the SMSC's.
                message_id=held.smsc_message_id or str(held.message_id),
                source=_as_written(held),
                destination=held.source,
                stat=stat,
                err=err,
                submitted=held.held_at,
                done=min(held.expires_at, utcnow()),
            )
        except EncodeError:
            return
        self._not_before[held.message_id] = float("inf")
        link, command_id = connection.link, CommandId.DELIVER_SM
        own = link.next_sequence()
        # It keeps its own sequence_number, so that the record of its answer names it.
        link.outstanding[own] = (None, own, command_id, now, OwnReceipt(held.message_id))
        about = (link.number, link.system_id, int(command_id))
        row = delivery(about, own, pdu, epoch(), keeps_texts=False)
        self._tick.records.rows.append(row)
        connection.write(renumbered(pdu, own))

    def answered(self, item: OwnAnswer, context: OwnReceipt) -> None:
        """Handle the SP's answer; a receipt that was not accepted is sent again later."""
        is_taken = item.pdu is not None and not status_of(item.pdu, CommandStatus.ESME_RX_T_APPN)
        self._not_before[context.message_id] = monotonic() + _RETRY_S
        if is_taken:
            spawn(self._sent(context.message_id), name=f"receipt-{context.message_id}")

    async def _sent(self, message_id: int) -> None:
        try:
            await self._store.receipt_sent(message_id)
        except StoreUnavailable as error:
            # The SP has the receipt: a failure of our store must not send it again.
            self._unmarked.add(message_id)
            self._not_before[message_id] = float("inf")
            log.error("store.failed", said=str(error))


def _subscriber(address: bytes) -> int | bytes:
    # The SMSC may write a number without its plus or 86; the last digits and the id identify it.
    number = msisdn_of(address)
    return address if number is None else number % _LAST_DIGITS


def _is_receipt(pdu: bytes) -> bool:
    try:
        return read_receipt(decode(pdu)) is not None
    except DecodeError:
        return False


def _as_written(held: HeldMessage) -> str:
    """Return the subscriber's address as in the PDU, without a plus that came from its TON."""
    is_written = held.destination.encode("latin-1") in held.pdu
    return held.destination if is_written else held.destination.removeprefix("+")
