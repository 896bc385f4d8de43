"""Ask the store whether a consent request may be sent, before it is sent (R23)."""

import structlog

from gateway.dataplane.attention import Ask, OwnAnswer
from gateway.dataplane.esme_side import has_smsc
from gateway.domain.msisdn import msisdn_of
from gateway.domain.quarantine import HeldMessage
from gateway.domain.verdict import Finding
from gateway.policy.consent_findings import ASKED, AWAY, REFUSED, TO_MANY, UNKNOWN
from gateway.ports.errors import StoreUnavailable
from gateway.proxy.taking_turns import Turns
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic, utcnow
from gateway.runtime.tasks import spawn
from gateway.smpp.commands import CommandId
from gateway.smpp.framing import HEADER
from gateway.systems.subscriptions.desk import SubscriptionDesk

log = structlog.get_logger()

# Requests that may wait for the store at once; more are rejected, none is sent unchecked.
_MAX_AT_ONCE = 5_000


class ConsentAsker:
    """Records a consent request, then sends it and answers its SP.

    Requests to one subscriber are handled one after the other. A recorded request blocks similar
    ones, so a request that cannot be sent is removed from the record. A request that the SMSC
    did not answer stays on record: it may have been sent.
    """

    def __init__(self, tick: Tick, desk: SubscriptionDesk) -> None:
        self._tick = tick
        self._desk = desk
        self._turns = Turns()
        self._under_way = 0

    def begin(self, item: Ask) -> None:
        """Start to handle a request; its SP waits for the answer."""
        if self._under_way >= _MAX_AT_ONCE:
            self._settle(item, UNKNOWN)
            return
        self._under_way += 1
        spawn(self._attend(item), name="ask")

    def answered(self, _item: OwnAnswer, errand: Ask) -> None:
        """Remove a request that the SMSC did not accept from the record."""
        spawn(self._take_back(errand), name="ask-again")

    async def of_held(self, held: HeldMessage, text: str) -> Finding | None:
        """Return the finding that stops a request about to leave the quarantine, or None.

        Raises StoreUnavailable. May be repeated for the same message until it is sent.
        """
        msisdn = msisdn_of(held.destination.encode("latin-1"))
        if msisdn is None or HEADER.unpack_from(held.pdu)[1] == CommandId.SUBMIT_MULTI:
            return TO_MANY
        return await self._against(held.system_id, msisdn, text, str(held.message_id), held.source)

    async def _attend(self, item: Ask) -> None:
        against: Finding | None = UNKNOWN
        try:
            against = await self._ask(item)
        except StoreUnavailable as error:
            log.error("store.failed", said=str(error))
        finally:
            self._under_way -= 1
            if against is None and not has_smsc(item.message.session):
                against = AWAY
                spawn(self._take_back(item), name="ask-again")
            self._settle(item, against)

    async def _ask(self, item: Ask) -> Finding | None:
        session = item.message.session
        if not has_smsc(session):
            return AWAY
        port = item.message.source.decode("latin-1")
        message_id = str(item.message_id)
        return await self._against(session.system_id, item.msisdn, item.text, message_id, port)

    async def _against(
        self, system_id: str, msisdn: int, text: str, message_id: str, port: str
    ) -> Finding | None:
        async with self._turns.of(msisdn):
            if not await self._desk.asked(system_id, msisdn, text, utcnow(), message_id, port):
                return ASKED
            if self._tick.pipeline.plane.rules.knowledge.consent.is_refused(system_id, msisdn):
                await self._desk.unasked(system_id, msisdn, message_id)
                return REFUSED
            return None

    def _settle(self, item: Ask, against: Finding | None) -> None:
        tick, session = self._tick, item.message.session
        session.held -= 1
        tick.out(tick.pipeline.settle_ask(item, against, (monotonic(), epoch())))
        tick.settled(session)

    async def _take_back(self, item: Ask) -> None:
        system_id = item.message.session.system_id
        try:
            async with self._turns.of(item.msisdn):
                await self._desk.unasked(system_id, item.msisdn, str(item.message_id))
        except StoreUnavailable as error:
            # The record stays, so the subscriber cannot be asked again: better than asking twice.
            log.error("store.failed", said=str(error))
