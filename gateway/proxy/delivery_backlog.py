"""Deliveries for SPs that are not there: kept, answered to the SMSC, delivered when they bind."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import orjson
import structlog

from gateway.dataplane.attention import OwnAnswer, OwnRequest, UndeliverableMessage
from gateway.dataplane.plane import own_answer
from gateway.dataplane.relay import TOO_MUCH, renumbered
from gateway.dataplane.smsc_side import RECEIPTS, delivery, read_carefully
from gateway.domain.records import DeliveryNames
from gateway.domain.sender import Webhook
from gateway.proxy.connection import Connection
from gateway.proxy.routes import Routes
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic
from gateway.runtime.tasks import spawn
from gateway.smpp.commands import RESPONSE_BIT
from gateway.smpp.pdu import HEADER, header_only, make, status_of
from gateway.smpp.status import CommandStatus
from gateway.smpp.text import readings
from gateway.storage.errors import StoreUnavailable, logged
from gateway.systems.optout_notices.service import pause_after
from gateway.systems.undelivered_messages import UndeliveredMessage, UndeliveredStore

log = structlog.get_logger()

_MAX_EACH = 10_000  # kept for one SP; more stay with the SMSC
_MAX_UNDER_WAY, _MAX_UNDER_WAY_EACH = 1_000, 200  # that are being kept
# Of one SP, kept and known by source and destination; beyond them all that comes for it waits.
_MAX_KNOWN = 1_000
_AT_ONCE = 50  # of one SP, until it has answered them
_RETRY_S = 30.0
_POSTED_AT_ONCE = 20
# Posts a body to a webhook, signed; returns why it was not taken, "" if it was.
Post: TypeAlias = Callable[[Webhook, bytes], Awaitable[str]]
# The SP may take the same one later. After any other status it comes again behind the rest.
_NOT_NOW = TOO_MUCH | {CommandStatus.ESME_RX_T_APPN}


@dataclass(frozen=True, slots=True)
class BacklogDelivery(OwnRequest):
    """The context of a delivery that was kept."""

    number: int
    pair: int | None  # see _order_of; None if nothing waits for it


@dataclass(slots=True)
class _SpBacklog:
    """What is kept for one SP, and how far it is with it."""

    count: int = 0
    under_way: set[int] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)  # by the SP, and the store does not know yet
    not_before: float = 0.0  # it did not take one
    refused: int = 0  # the last that it refused for good: it gets that after the rest
    again_at: float = 0.0  # when, once the rest is delivered
    is_new: bool = False  # more was kept since the last look
    is_looked_at: bool = False
    posts_failed: int = 0  # to its webhook, in a row
    post_at: float = 0.0  # not before
    # What is being kept, and how many are kept, by source and destination: what comes behind it
    # waits. Everything but receipts does until all up to a number are delivered.
    in_hand: Counter[int] = field(default_factory=Counter)
    kept_of: Counter[int] = field(default_factory=Counter)
    pair_of: dict[int, int] = field(default_factory=dict)  # by number, of those in `kept_of`
    all_until: int = 0

    def delays(self, pair: int, *, is_receipt: bool = False) -> bool:
        """Tell whether a new delivery has to wait behind what is kept."""
        if self.all_until and not is_receipt:
            return True
        return pair in self.kept_of or pair in self.in_hand

    def note(self, number: int, pair: int | None) -> None:
        """Note that a delivery is kept which others wait for; may be repeated."""
        if pair is None or number in self.pair_of:
            return
        if len(self.pair_of) < _MAX_KNOWN:
            self.pair_of[number] = pair
            self.kept_of[pair] += 1
        else:
            self.all_until = max(number, self.all_until)

    def settle(self, number: int) -> None:
        """Note that the SP has answered a delivery: nothing waits for it any more."""
        pair = self.pair_of.pop(number, None)
        if pair is not None:
            self.kept_of[pair] -= 1
            if not self.kept_of[pair]:
                del self.kept_of[pair]

    def settle_all(self) -> None:
        """Note that nothing is kept any more."""
        self.all_until = 0
        self.pair_of.clear()
        self.kept_of.clear()


def body_of_deliveries(system_id: str, kept: Sequence[UndeliveredMessage]) -> bytes:
    """Return deliveries as JSON; the same octets for the same deliveries."""
    return orjson.dumps({"system_id": system_id, "deliveries": [_fields_of(one) for one in kept]})


def _fields_of(kept: UndeliveredMessage) -> dict[str, object]:
    source, destination, message_id, told, text = read_carefully(kept.pdu)
    what, stat, err, _, _ = told
    texts = ("",) if text is None else readings(text[1], text[0])
    named = {"from": source, "to": destination, "message_id": message_id}
    return {
        "number": kept.number,
        "kind": what,
        **{name: octets.decode("latin-1") for name, octets in named.items()},
        "stat": stat,
        "err": err,
        "text": texts[0] if texts else "",
    }


def _order_of(names: DeliveryNames) -> tuple[int, bool, bool]:
    """Return a key within which order is kept, whether it is a receipt, and whether a final one.

    Texts keep their order within source and destination, receipts within their message: a final
    one waits for intermediate notifications that are known to be kept. If receipts waited for each
    other, an SP that was away for a moment would get all later ones by way of the store.
    """
    source, destination, message_id, (what, *_) = names
    order = hash((source, destination, message_id))
    return order, what in RECEIPTS, what == "receipt"


class DeliveryBacklog:
    """Keeps what came for an SP that cannot take it, and what came for it behind that.

    The SMSC hears ESME_ROK when the store has it, and ESME_RX_T_APPN when there is no room. An SP
    gets each at least once, those of one subscriber to one port in order: what it did not take is
    delivered again later, what it refused for good when the rest was delivered. SPs have their
    turns: no more than _AT_ONCE of one are delivered at a time. While no session of an SP
    receives, its webhook gets them if it is to.
    """

    def __init__(self, tick: Tick, store: UndeliveredStore, routes: Routes, post: Post) -> None:
        self._tick = tick
        self._store = store
        self._routes = routes
        self._post = post
        self._of: defaultdict[str, _SpBacklog] = defaultdict(_SpBacklog)
        self._keeping = 0
        self._turn = asyncio.Lock()
        tick.pipeline.plane.overtakes = self._overtakes

    async def begin(self) -> None:
        """Find out what is kept for which SPs. Raises StoreUnavailable."""
        last = await self._store.last_number()
        for system_id, count in (await self._store.counts()).items():
            self._of[system_id] = _SpBacklog(count, all_until=last)
            self._tick.pipeline.plane.backlogged.add(system_id)
        for kept in await self._store.unacknowledged(_MAX_UNDER_WAY):
            order, _, _ = _order_of(read_carefully(kept.pdu)[:4])
            self._of[kept.system_id].note(kept.number, order)

    def _overtakes(self, system_id: str, names: DeliveryNames) -> bool:
        pair, is_receipt, _ = _order_of(names)
        return self._of[system_id].delays(pair, is_receipt=is_receipt)

    def keep(self, item: UndeliverableMessage) -> None:
        """Begin to keep a delivery that the SMSC waits for an answer to."""
        backlog = self._of[item.system_id]
        is_full = self._keeping >= _MAX_UNDER_WAY or backlog.count >= _MAX_EACH
        if is_full or backlog.in_hand.total() >= _MAX_UNDER_WAY_EACH:
            self._answer(item, CommandStatus.ESME_RX_T_APPN)
            return
        self._keeping += 1
        pair, _, is_final = _order_of(read_carefully(item.pdu)[:4])
        backlog.in_hand[pair] += 1
        self._tick.pipeline.plane.backlogged.add(item.system_id)
        spawn(self._keep(item, backlog, pair, is_final=is_final), name="undelivered")

    async def _keep(
        self, item: UndeliverableMessage, backlog: _SpBacklog, pair: int, *, is_final: bool
    ) -> None:
        number = None
        try:
            number, is_new = await self._store.keep(item.system_id, renumbered(item.pdu, 0))
            backlog.count += is_new
            backlog.is_new = True
            is_told = self._answer(item, CommandStatus.ESME_ROK)
            # What the SMSC was not told of comes again, and the store alone knows it for the same.
            backlog.note(number, None if is_final and is_told else pair)
            if is_told:
                await self._store.acknowledge(number)
            else:
                self._store.note_unanswered(number)
        except StoreUnavailable as error:
            log.error("store.failed", said=str(error))
            if number is None:
                self._answer(item, CommandStatus.ESME_RX_T_APPN)
        finally:
            self._keeping -= 1
            backlog.in_hand -= Counter((pair,))
            self._end(item.system_id, backlog)

    def _end(self, system_id: str, backlog: _SpBacklog) -> None:
        if not (backlog.kept_of or backlog.in_hand or backlog.all_until):
            self._tick.pipeline.plane.backlogged.discard(system_id)

    def _answer(self, item: UndeliverableMessage, status: CommandStatus) -> bool:
        """Answer the SMSC; False if its link is gone: it sends the message again on another."""
        connection = self._tick.connections.get(item.link)
        if connection is None:
            return False
        _, command_id, _, sequence = HEADER.unpack_from(item.pdu)
        how = "put_off" if status else "kept"
        row = own_answer(item.link, item.pdu, status, epoch(), how, item.system_id)
        self._tick.records.rows.append(row)
        if status:
            connection.write(header_only(command_id | RESPONSE_BIT, status, sequence))
        else:
            connection.write(renumbered(make(command_id | RESPONSE_BIT, 1), sequence))
        return True

    async def deliver_due(self) -> None:
        """Deliver to SPs that take deliveries now what is kept for them; call it every turn.

        An SP that answers gets the next without it. Raises StoreUnavailable.
        """
        kept = [system_id for system_id, one in self._of.items() if one.count > 0 or one.taken]
        await asyncio.gather(*map(self._deliver_to, kept))

    async def _deliver_to(self, system_id: str) -> None:
        backlog = self._of[system_id]
        if backlog.is_looked_at:
            return
        backlog.is_looked_at = True
        try:
            if backlog.taken:
                taken = set(backlog.taken)
                backlog.count -= await self._store.delivered(taken)
                backlog.taken -= taken
                if backlog.count <= 0:
                    backlog.settle_all()
                    self._end(system_id, backlog)
            if self._is_due(system_id, backlog):
                async with self._turn:
                    await self._look(system_id, backlog)
        finally:
            backlog.is_looked_at = False

    def _is_due(self, system_id: str, backlog: _SpBacklog) -> bool:
        now = monotonic()
        if backlog.under_way or backlog.count <= 0 or now < backlog.not_before:
            return False
        if backlog.again_at and not backlog.is_new:
            if now < backlog.again_at:
                return False
            backlog.refused, backlog.again_at = 0, 0.0  # what it refused is next
        if self._routes.session_of(system_id) is not None:
            return True
        return now >= backlog.post_at and self._webhook_of(system_id) is not None

    def _webhook_of(self, system_id: str) -> Webhook | None:
        """Return where what is kept goes now, None if a session receives or none is to get it."""
        account = self._tick.pipeline.plane.rules.accounts.get(system_id)
        webhook = None if account is None else account.sender.webhook
        if webhook is None or not webhook.deliveries:
            return None
        return webhook if self._routes.to_esme(system_id) is None else None

    async def _look(self, system_id: str, backlog: _SpBacklog) -> None:
        count, until, after = backlog.count, backlog.all_until, backlog.refused
        backlog.is_new = False
        found = await self._store.first_of(system_id, _AT_ONCE, backlog.taken, after)
        if backlog.all_until == until and (not found or found[0].number > until):
            backlog.all_until = 0
            self._end(system_id, backlog)
        if not found and after:
            backlog.again_at = backlog.again_at or monotonic() + _RETRY_S
        elif not found:
            backlog.count -= count  # what was kept during the look still counts
        webhook = self._webhook_of(system_id)
        if found and webhook is not None:
            posted = found[:_POSTED_AT_ONCE]
            backlog.under_way.update(kept.number for kept in posted)
            spawn(self._bring(webhook, backlog, posted), name=f"deliveries-{system_id}")
            return
        for kept in found:
            self._deliver(kept, backlog)

    async def _bring(
        self, webhook: Webhook, backlog: _SpBacklog, posted: Sequence[UndeliveredMessage]
    ) -> None:
        """Post deliveries to the SP's webhook; what it does not take comes again, as notices do."""
        system_id = posted[0].system_id
        failure = "not tried"
        try:
            # In a thread: to read long texts takes milliseconds each.
            body = await asyncio.to_thread(body_of_deliveries, system_id, posted)
            failure = await self._post(webhook, body)
        finally:
            backlog.under_way.difference_update(kept.number for kept in posted)
        if failure:
            backlog.posts_failed += 1
            pause = pause_after(backlog.posts_failed, random.random())  # noqa: S311 - no secret
            backlog.post_at = monotonic() + pause.total_seconds()
            if backlog.posts_failed == 1:
                log.warning("notice.failed", system_id=system_id, said=failure)
            return
        backlog.posts_failed = 0
        for kept in posted:
            backlog.settle(kept.number)
            backlog.taken.add(kept.number)
        self._end(system_id, backlog)
        about = {"system_id": system_id, "deliveries": len(posted)}
        self._tick.records.rows.append(("e", epoch(), "deliveries_posted", about))
        await logged(self._deliver_to(system_id))

    def _deliver(self, kept: UndeliveredMessage, backlog: _SpBacklog) -> None:
        session = self._routes.session_of(kept.system_id)
        connection = None if session is None else self._tick.connections.get(session)
        if connection is not None:
            backlog.under_way.add(kept.number)
            self._write(connection, kept)

    def _write(self, connection: Connection, kept: UndeliveredMessage) -> None:
        link, pdu = connection.link, kept.pdu
        _, command_id, _, _ = HEADER.unpack_from(pdu)
        own = link.next_sequence()
        # It keeps its own sequence_number, so that the record of its answer names it.
        pair, _, is_final = _order_of(read_carefully(pdu)[:4])
        context = BacklogDelivery(kept.system_id, kept.number, None if is_final else pair)
        link.outstanding[own] = (None, own, command_id, monotonic(), context)
        about = (link.number, link.system_id, command_id)
        keeps_texts = self._tick.pipeline.plane.keeps_texts
        self._tick.records.rows.append(delivery(about, own, pdu, epoch(), keeps_texts=keeps_texts))
        connection.write(renumbered(pdu, own))

    def answered(self, item: OwnAnswer, context: BacklogDelivery) -> None:
        """Handle the SP's answer; what it did not take is delivered again later."""
        system_id, number = context.system_id, context.number
        backlog = self._of[system_id]
        backlog.under_way.discard(number)
        status = int(CommandStatus.ESME_RX_T_APPN)
        if item.pdu is not None:  # else the session is gone, or does not answer
            status = status_of(item.pdu, CommandStatus.ESME_RX_T_APPN)
            if status in _NOT_NOW:
                backlog.not_before = monotonic() + _RETRY_S
        if status in _NOT_NOW:
            backlog.note(number, context.pair)
            self._tick.pipeline.plane.backlogged.add(system_id)
            return
        backlog.settle(number)
        self._end(system_id, backlog)
        if status:
            backlog.refused = max(backlog.refused, number)
        else:
            # The SP has it: a failure of our store must not deliver it again.
            backlog.taken.add(number)
        if not backlog.under_way:
            spawn(logged(self._deliver_to(system_id)), name=f"undelivered-{system_id}")

    async def forget_old(self) -> None:
        """Delete what was kept for too long. Raises StoreUnavailable."""
        forgotten = await self._store.forget_old()
        before = {system_id: one.count for system_id, one in self._of.items()}
        counts = await self._store.counts()
        for system_id, count in before.items():
            # What was kept during the look may count twice; a look for the last finds that out.
            self._of[system_id].count += counts.get(system_id, 0) - count
        if forgotten:
            log.warning("undelivered.forgotten", count=forgotten)
