"""Consent at the sockets: answers that MO messages give, and requests asked of the store first."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from gateway.dataplane.attention import Ask, OwnAnswer
from gateway.dataplane.esme_side import has_smsc
from gateway.domain.consent import CLAIMED, EVERY_SENDER, Answer, ConsentAnswer
from gateway.domain.msisdn import msisdn_of
from gateway.domain.quarantine import HeldMessage
from gateway.domain.verdict import Finding
from gateway.policy.findings import ASKED, AWAY, REFUSED, TO_MANY, UNKNOWN
from gateway.policy.knowledge import ConsentSets
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic, utcnow
from gateway.runtime.tasks import KeyedLock, spawn
from gateway.smpp.commands import CommandId
from gateway.smpp.pdu import HEADER
from gateway.storage.errors import StoreUnavailable
from gateway.systems.consent.sql import ConsentStore
from gateway.systems.subscriptions.dialogue import Word
from gateway.systems.subscriptions.service import SubscriptionDesk

CHANNEL = "mo"

_QUIET = timedelta(hours=24)  # at most one confirmation in this time, even if TD is repeated
_CLOCKS_APART = timedelta(minutes=1)  # clock difference of two processes that share a store


class ConsentBook:
    """Records answers by sender: a refusal at one port stops all commercial messages of the SP.

    A message to a hub code concerns every SP, not the SP of the bind that it arrived on: that
    bind is chosen by chance, and a word to the carrier is no consent to that SP (R27).
    Verification and service messages go on (R22): the rules ask for the class of a message.
    """

    def __init__(
        self, store: ConsentStore, sets: ConsentSets, utcnow: Callable[[], datetime] = utcnow
    ) -> None:
        self._store = store
        self._sets = sets
        self._utcnow = utcnow
        self._latest: dict[tuple[int, str], ConsentAnswer] = {}  # being kept right now

    def apply(
        self, word: Word, answer: Answer, evidence: str, until: datetime | None = None
    ) -> ConsentAnswer:
        """Apply an answer in this process at once; return it for `keep`."""
        scope = EVERY_SENDER if word.is_hub else word.system_id
        given = ConsentAnswer(word.msisdn, scope, answer, word.said.at, CHANNEL, evidence, until)
        for one in (given, *_misread(given, word)):
            self._sets.apply(one.msisdn, scope, answer)
        return given

    def is_refused(self, word: Word) -> bool:
        """Tell whether the subscriber refused this SP or all SPs."""
        return self._sets.is_refused(word.system_id, word.msisdn)

    def is_being_kept(self, given: ConsentAnswer) -> bool:
        """Tell whether the same answer is being stored now, so the store does not show it yet."""
        latest = self._latest.get((given.msisdn, given.scope))
        return latest is not None and latest.answer is given.answer

    def defer(self, given: ConsentAnswer) -> None:
        """Note that `given` will be stored later, so the same answer counts as new again."""
        self._latest.pop((given.msisdn, given.scope), None)

    def begin(self, given: ConsentAnswer) -> None:
        """Note that `given` is about to be kept."""
        self._latest[given.msisdn, given.scope] = given

    def end(self, given: ConsentAnswer) -> None:
        """Note that it is kept, or will be later."""
        if self._latest.get((given.msisdn, given.scope)) is given:
            del self._latest[given.msisdn, given.scope]

    async def keep(self, given: ConsentAnswer, word: Word) -> bool:
        """Store the answer given by `word`; tell whether it must be confirmed.

        Raises StoreUnavailable.

        A refusal overrides an answer that another process recorded with a clock ahead of ours,
        and a consent that an SP claimed before the refusal could be stored (R37). If the store
        has a later answer, that answer holds in this process too.
        """
        for one in _misread(given, word):
            await self._keep(one)
        return await self._keep(given)

    async def _keep(self, given: ConsentAnswer) -> bool:
        before = await self._store.answer_of(given.msisdn, given.scope)
        given = _in_order(given, before)
        await self._store.record((given,))
        if before is not None and not given.holds_over(before):
            self._sets.apply(before.msisdn, before.scope, before.standing(self._utcnow()))
            return False
        is_repetition = (
            before is not None
            and before.answer is given.answer
            and before.since > given.since - _QUIET
        )
        return not is_repetition


def _in_order(given: ConsentAnswer, before: ConsentAnswer | None) -> ConsentAnswer:
    """Return `given`, moved to the time of `before` if only clocks or a claim made that later."""
    if before is None or given.answer is not Answer.REFUSED or given.since >= before.since:
        return given
    is_skewed = before.since <= given.since + _CLOCKS_APART
    is_claimed = before.channel.startswith(CLAIMED)
    return replace(given, since=before.since) if is_skewed or is_claimed else given


def _misread(given: ConsentAnswer, word: Word) -> tuple[ConsentAnswer, ...]:
    """Return the refusal again for the other number that the address may mean, if there is one.

    The refusal must hold however an SP or the SMSC writes the number; the other subscriber can
    take it back with HF. An agreement counts for the subscriber's own number only.
    """
    other = word.other_msisdn if given.answer is Answer.REFUSED else None
    return () if other is None else (replace(given, msisdn=other),)


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
        self._locks = KeyedLock()
        self._under_way = 0

    def begin(self, item: Ask) -> None:
        """Start to handle a request; its SP waits for the answer."""
        if self._under_way >= _MAX_AT_ONCE:
            self._settle(item, UNKNOWN)
            return
        self._under_way += 1
        spawn(self._attend(item), name="ask")

    def answered(self, _item: OwnAnswer, context: Ask) -> None:
        """Remove a request that the SMSC did not accept from the record."""
        spawn(self._take_back(context), name="ask-again")

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
        async with self._locks.of(msisdn):
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
            async with self._locks.of(item.msisdn):
                await self._desk.unasked(system_id, item.msisdn, str(item.message_id))
        except StoreUnavailable as error:
            # The record stays, so the subscriber cannot be asked again: better than asking twice.
            log.error("store.failed", said=str(error))
