"""Messages that the gateway itself sends: confirmations, and those of other processes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeAlias

import structlog

from gateway.dataplane.attention import OwnAnswer, OwnRequest, SubscriberMessage
from gateway.dataplane.plane import own_answer
from gateway.dataplane.relay import message_id_of, renumbered
from gateway.domain.outbound_message import MAX_ATTEMPTS, OutboundMessage, OutboundState
from gateway.domain.subscription import MessageEvidence, Subscription
from gateway.proxy.connection import Connection
from gateway.proxy.consent_book import MoMessage
from gateway.proxy.routes import Routes
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic, utcnow
from gateway.runtime.tasks import spawn
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.fields import SmeAddress
from gateway.smpp.pdu import HEADER, header_only, make, status_of
from gateway.smpp.status import CommandStatus
from gateway.storage.errors import logged
from gateway.systems.outbound_messages import OutboundMessageStore

_UCS2 = 8
# An E.164 number as it is (SMPP 3.4, 5.2.5 and 5.2.6).
_INTERNATIONAL, _ISDN = 1, 1


@dataclass(frozen=True, slots=True)
class Confirmation(OwnRequest):
    """The outbound message of a message of the gateway's own; `asked` when it asks for a yes."""

    asked: Subscription | None = None
    said: MessageEvidence | None = None


class MtSender:
    """Writes to subscribers, and settles with the SMSC what it was withheld from."""

    def __init__(self, tick: Tick, routes: Routes) -> None:
        self._tick = tick
        self._routes = routes

    def say(self, heard: MoMessage, text: str, asked: Subscription | None = None) -> bool:
        """Write `text` to the subscriber (R32); policy does not judge our own word.

        False when no bind of the SP can submit: nothing was written then.
        """
        word, pdu = heard.word, heard.pdu
        connection = self._routes.to_smsc(word.system_id)
        if connection is None:
            return False
        request = asked.evidence.request if asked is not None else None
        outbound = Confirmation(word.system_id, asked, request)
        source, destination = (
            SmeAddress(pdu.number(f"{kind}_ton"), pdu.number(f"{kind}_npi"), pdu.octets(name))
            for kind, name in (("dest_addr", "destination_addr"), ("source_addr", "source_addr"))
        )
        _submit(connection, (source, destination), text, outbound)
        self.note("confirmation", heard, gateway_id=word.reply_id)
        return True

    def write(
        self, connection: Connection, port: str, msisdn: int, text: str, outbound: object
    ) -> None:
        """Write `text` to a subscriber who may not have written anything."""
        source = SmeAddress(0, 0, port.encode("latin-1"))
        destination = SmeAddress(_INTERNATIONAL, _ISDN, str(msisdn).encode())
        _submit(connection, (source, destination), text, outbound)

    def note(self, what: str, heard: MoMessage, **fields: str) -> None:
        """Record a rare event about a subscriber's message."""
        self.note_about(what, heard.word.system_id, heard.word.msisdn, **fields)

    def note_about(self, what: str, system_id: str, msisdn: int, **fields: str) -> None:
        """Record a rare event about a subscriber."""
        about = {"system_id": system_id, "subscriber": str(msisdn), **fields}
        self._tick.records.rows.append(("e", epoch(), what, about))

    def pass_on(self, item: SubscriberMessage) -> None:
        """Let the SP have a message that was withheld from it."""
        link = item.link
        if not item.is_withheld or link not in self._tick.connections:
            return  # the SMSC will send it again on another bind
        moment = (monotonic(), epoch())
        session = self._routes.session_for(item)
        self._tick.out(self._tick.pipeline.deliver(item, session, item.pdu, moment))

    def keep_back(self, item: SubscriberMessage) -> None:
        """Tell the SMSC that a withheld message arrived: it was for the gateway."""
        self._answer(item, CommandStatus.ESME_ROK)

    def put_off(self, item: SubscriberMessage) -> None:
        """Have the SMSC send a withheld message again later."""
        self._answer(item, CommandStatus.ESME_RX_T_APPN)

    def _answer(self, item: SubscriberMessage, status: CommandStatus) -> None:
        connection = self._tick.connections.get(item.link)
        if connection is None or not item.is_withheld:
            return
        _, command_id, _, sequence = HEADER.unpack_from(item.pdu)
        how = "put_off" if status else "kept_back"
        self._tick.records.rows.append(
            own_answer(item.link, item.pdu, status, epoch(), how, item.system_id)
        )
        if status:
            connection.write(header_only(command_id | RESPONSE_BIT, status, sequence))
        else:
            # The sequence_number is echoed as it came, whatever encoders think of it.
            connection.write(renumbered(make(command_id | RESPONSE_BIT, 1), sequence))


def _submit(
    connection: Connection, addresses: tuple[SmeAddress, SmeAddress], text: str, outbound: object
) -> None:
    source, destination = addresses
    own = connection.link.register(None, 0, CommandId.SUBMIT_SM, monotonic(), outbound)
    connection.write(
        make(
            CommandId.SUBMIT_SM,
            own,
            source_addr_ton=source.ton,
            source_addr_npi=source.npi,
            source_addr=source.address,
            dest_addr_ton=destination.ton,
            dest_addr_npi=destination.npi,
            destination_addr=destination.address,
            data_coding=_UCS2,
            # A word that is quoted back may be broken: half a character of UTF-16.
            short_message=text.encode("utf-16-be", "surrogatepass"),
        )
    )


log = structlog.get_logger()

# A claim ends after this time, in case its process died. Far longer than the wait for an answer.
CLAIM = timedelta(minutes=2)
RETRY = timedelta(seconds=5)
KEPT = timedelta(days=7)  # for outbound messages in a final state; the records keep them longer

_LATER = frozenset({CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL})
_AT_ONCE = 50
_MAX_UNDER_WAY = 500
_MAX_PORTS = 500
# For so many outbound messages the sender of the last bind is remembered, to use another next time.
_MAX_REMEMBERED = 10_000
# In turns of the loop. Waiting for a bind or a time causes no change in the store, so we poll.
_LOOK_EVERY = 8

# Tells the requester the outcome of an outbound message. Raises StoreUnavailable.
Tell: TypeAlias = Callable[[OutboundMessage, datetime], Awaitable[None]]

# Returns when a message may be sent, now or later; None for never. Raises StoreUnavailable.
Due: TypeAlias = Callable[[OutboundMessage, datetime], Awaitable[datetime | None]]


@dataclass(frozen=True, slots=True)
class OutboundSource:
    """The requester: `due` says when a message may be sent, `tell` gets its outcome."""

    due: Due
    tell: Tell


@dataclass(frozen=True, slots=True)
class OutboundRequest(OwnRequest):
    """The data plane's outbound message for the submit_sm of an OutboundMessage."""

    outbound: OutboundMessage


@dataclass(slots=True)
class _SmscAnswer:
    """The SMSC's answer until the store and the requester have it; `state` None means resend."""

    outbound: OutboundMessage
    state: OutboundState | None
    message_id: str = ""
    was_written: bool = False
    is_kept: bool = False
    is_busy: bool = False


class OutboundSender:
    """Takes outbound messages from the store and sends each from its port, as a real submit_sm.

    Each is sent at least once: without an answer it is sent again, at most MAX_ATTEMPTS times
    in all. A code that arrives twice does no harm; a lost one does. Policy does not judge these
    messages. While no bind can submit for a port, or it is suspended, its messages wait. From a hub
    or report code that no SP owns, messages use the gateway's bind, else those of all SPs in turn;
    a refusal is final only after other binds were tried.
    """

    def __init__(
        self,
        tick: Tick,
        store: OutboundMessageStore,
        routes: Routes,
        speaking: MtSender,
        cause: OutboundSource,
    ) -> None:
        self._tick = tick
        self._store = store
        self._routes = routes
        self._speaking = speaking
        self._due = cause.due
        self._tell = cause.tell
        self._under_way: set[int] = set()
        self._outcomes: dict[int, _SmscAnswer] = {}
        self._gone_by: dict[int, str] = {}
        self._is_news = True
        self._turn = 0

    def wake(self) -> None:
        """Note that the store has a new outbound message."""
        self._is_news = True

    async def run(self) -> None:
        """Send waiting outbound messages; call it every turn. Raises StoreUnavailable."""
        self._turn += 1
        is_regular = self._turn % _LOOK_EVERY == 0
        if not (self._is_news or is_regular):
            return
        for outcome in list(self._outcomes.values()):
            await self._keep(outcome)
        if is_regular:
            await self._end_overdue()
        self._is_news = await self._send_waiting() == _AT_ONCE

    async def forget_old(self) -> None:
        """Delete finished outbound messages created over a week ago. Raises StoreUnavailable."""
        await self._store.forget(utcnow() - KEPT)

    def answered(self, item: OwnAnswer, on: OutboundRequest) -> None:
        """Handle the SMSC's answer, or that no answer will come."""
        outbound = on.outbound
        self._under_way.discard(outbound.number)
        outcome = _outcome_of(outbound, item.pdu)
        if outcome.state is OutboundState.REFUSED and self._has_another(outbound):
            outcome = _SmscAnswer(outbound, None, was_written=True)
        self._outcomes[outbound.number] = outcome
        spawn(logged(self._keep(outcome)), name=f"errand-{outbound.number}")

    async def _send_waiting(self) -> int:
        binds = {port: self._bind_for(port) for port in await self._store.waiting_ports()}
        free = (p for p, on in binds.items() if on is not None and on.link.room_of_own() > 0)
        ports = list(islice(free, _MAX_PORTS))
        if not ports or len(self._under_way) >= _MAX_UNDER_WAY:
            return 0
        now = utcnow()
        taken = await self._store.take_waiting(now, now + CLAIM, ports, _AT_ONCE)
        for outbound in taken:
            await self._begin(outbound, now)
        return len(taken)

    async def _begin(self, outbound: OutboundMessage, now: datetime) -> None:
        """Send a claimed outbound message, put it back until it may be sent, or drop it."""
        due = await self._due(outbound, now)
        if due is None:
            dropped = self._outcomes[outbound.number] = _SmscAnswer(outbound, OutboundState.DROPPED)
            await self._keep(dropped)
            return
        # Look again: the bind may have closed during the await.
        connection = self._bind_of(outbound) if due <= now else None
        if connection is None or connection.link.room_of_own() <= 0:
            await self._store.put_back(outbound.number, max(due, now), was_written=False)
        elif outbound.number not in self._under_way:
            self._send(connection, outbound)

    def _send(self, connection: Connection, outbound: OutboundMessage) -> None:
        self._under_way.add(outbound.number)
        self._outcomes.pop(outbound.number, None)
        self._remember(outbound.number, connection.link.system_id)
        system_id = next(iter(self._owners_of(outbound.port)), connection.link.system_id)
        request = OutboundRequest(system_id, outbound)
        self._speaking.write(connection, outbound.port, outbound.msisdn, outbound.text, request)
        self._note(outbound, system_id, "written")

    def _bind_of(self, outbound: OutboundMessage) -> Connection | None:
        """Return the bind to send an outbound message on: if possible another than last time."""
        if self._routes.own_bind() is not None or not self._goes_by_any(outbound.port):
            return self._bind_for(outbound.port)
        some = sorted(self._routes.submitters())
        if not some:
            return None
        last = self._gone_by.get(outbound.number)
        if last is None:
            return self._routes.to_smsc(some[outbound.number % len(some)])
        return self._routes.to_smsc(next((one for one in some if one > last), some[0]))

    def _bind_for(self, port: str) -> Connection | None:
        """Return a bind of the owner of `port`; without an owner, the gateway's or any bind."""
        if self._goes_by_any(port) and (own := self._routes.own_bind()) is not None:
            return own
        some = (
            self._routes.submitters()
            if self._goes_by_any(port)
            else filter(self._may_send(port), self._owners_of(port))
        )
        binds = (self._routes.to_smsc(system_id) for system_id in some)
        return next((bind for bind in binds if bind is not None), None)

    def _may_send(self, port: str) -> Callable[[str], bool]:
        """Return what tells whether an SP's port is not suspended (R88)."""
        accounts, address = self._tick.pipeline.plane.rules.accounts, port.encode("latin-1")
        return lambda one: one in accounts and accounts[one].origin_of(address).port is not None

    def _owners_of(self, port: str) -> tuple[str, ...]:
        return self._tick.pipeline.plane.rules.port_owners.of(port)

    def _goes_by_any(self, port: str) -> bool:
        plane = self._tick.pipeline.plane
        is_ours = port in plane.hub.codes or port.encode("latin-1") in plane.complaint_codes
        return is_ours and not self._owners_of(port)

    def _has_another(self, outbound: OutboundMessage) -> bool:
        """Tell whether another bind should be tried: the refusal may concern this bind only."""
        if self._routes.own_bind() is not None or not self._goes_by_any(outbound.port):
            return False
        return outbound.attempts < min(MAX_ATTEMPTS, len(self._routes.submitters()))

    def _remember(self, number: int, system_id: str) -> None:
        if number not in self._gone_by and len(self._gone_by) >= _MAX_REMEMBERED:
            del self._gone_by[next(iter(self._gone_by))]
        self._gone_by[number] = system_id

    async def _keep(self, outcome: _SmscAnswer) -> None:
        """Pass the outcome to the store and the requester; put a message without one back."""
        if outcome.is_busy:
            return
        outcome.is_busy = True
        try:
            await self._pass_on(outcome)
        finally:
            outcome.is_busy = False
        if self._outcomes.get(outcome.outbound.number) is outcome:
            del self._outcomes[outcome.outbound.number]

    async def _pass_on(self, outcome: _SmscAnswer) -> None:
        outbound, state, now = outcome.outbound, outcome.state, utcnow()
        if state is None:
            at, was_written = now + RETRY, outcome.was_written
            await self._store.put_back(outbound.number, at, was_written=was_written)
            return
        self._gone_by.pop(outbound.number, None)
        if not outcome.is_kept:
            if not await self._store.finish(outbound.number, state, outcome.message_id):
                return  # a late answer: an earlier one settled the outbound message
            outcome.is_kept = True
            self._note(outbound, "", state.value)
        await self._tell(replace(outbound, state=state, message_id=outcome.message_id), now)

    async def _end_overdue(self) -> None:
        expired = await self._store.expire(utcnow(), _AT_ONCE)
        if expired:
            log.warning("errands.expired", count=len(expired))
        for outbound in expired:
            self._note(outbound, "", OutboundState.EXPIRED.value)
            self._outcomes[outbound.number] = _SmscAnswer(
                outbound, OutboundState.EXPIRED, is_kept=True
            )
        for outbound in expired:
            await self._keep(self._outcomes[outbound.number])

    def _note(self, outbound: OutboundMessage, system_id: str, what: str) -> None:
        about = {"errand": outbound.kind.value, "ref": outbound.ref, "state": what}
        self._speaking.note_about("errand", system_id, outbound.msisdn, port=outbound.port, **about)


def _outcome_of(outbound: OutboundMessage, pdu: bytes | None) -> _SmscAnswer:
    if pdu is None:
        return _SmscAnswer(outbound, None, was_written=True)
    status = status_of(pdu, CommandStatus.ESME_RSUBMITFAIL)
    if status in _LATER:
        return _SmscAnswer(outbound, None)
    if status:
        return _SmscAnswer(outbound, OutboundState.REFUSED)
    return _SmscAnswer(outbound, OutboundState.SENT, message_id_of(pdu).decode("latin-1"))
