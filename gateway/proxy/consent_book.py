"""What subscribers write and the consent it gives, and requests for consent, asked of the store."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

import structlog

from gateway.dataplane.attention import Ask, OwnAnswer, SubscriberMessage
from gateway.dataplane.esme_side import has_smsc
from gateway.dataplane.plane import Plane
from gateway.dataplane.request_reader import way_of
from gateway.domain.consent import CLAIMED, Answer, ConsentAnswer, parts_of, scope_of
from gateway.domain.msisdn import msisdn_from, msisdn_of, other_msisdn_from
from gateway.domain.policy import RefusalScope
from gateway.domain.quarantine import HeldMessage
from gateway.domain.sender import PEERS
from gateway.domain.subscription import MessageEvidence
from gateway.domain.verdict import Finding
from gateway.policy.findings import ASKED, AWAY, REFUSED, TO_MANY, UNKNOWN
from gateway.policy.hub_words import HubCommand, hub_command_of
from gateway.policy.knowledge import ConsentSets
from gateway.policy.replies import NO_CONTEXT, Intent, MoContext, ReplyMeaning, meaning_of
from gateway.policy.submission import Account
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic, utcnow
from gateway.runtime.tasks import KeyedLock, spawn
from gateway.smpp.commands import CommandId
from gateway.smpp.pdu import HEADER, Pdu, decode
from gateway.smpp.status import DecodeError
from gateway.smpp.text import decode_text
from gateway.smpp.udh import split_udh
from gateway.storage.errors import StoreUnavailable, logged
from gateway.systems.consent.sql import ConsentStore
from gateway.systems.subscriptions.dialogue import Word, digest_of, meaning_in
from gateway.systems.subscriptions.model import Catalogue
from gateway.systems.subscriptions.service import SubscriptionDesk

_MESSAGE_TYPE = 0x3C  # bits of esm_class; set for receipts and the like, not subscribers' texts
_UDHI = 0x40

# The widest context: a request is pending and a list of any length is valid.
_ANYTHING_BEFORE = MoContext(is_pending=True, listed=9_999)
_TALK = frozenset({Intent.NONE, Intent.HELP})
# Intents meant for the gateway alone while a list is valid. Longer texts are not examined: that
# would cost about 0.3 ms for each message from subscribers to SPs.
_OF_A_LIST = frozenset({Intent.LIST, Intent.OPTOUT_ITEMS, Intent.BAD_INDEX})
_MAX_WITHHELD_CHARS = 16
_REFUSALS = frozenset({Intent.OPTOUT, Intent.OPTOUT_ALL, Intent.OPTOUT_ITEMS, Intent.REFUSE})
_OF_FOREIGN = frozenset({Intent.OPTOUT, Intent.OPTOUT_ALL, Intent.OPTIN})
# Intents that a text has only while a request is pending or a list is valid.
_OF_CONTEXT = frozenset({*_OF_A_LIST, Intent.CONFIRM, Intent.REFUSE})


@dataclass(slots=True, eq=False)
class MoMessage:
    """One MO message and the results of reading it so far.

    `alone` is its meaning without any context, `at_most` its meaning in the widest context.
    `given` is the answer already applied for it.
    """

    item: SubscriberMessage
    pdu: Pdu
    word: Word
    alone: ReplyMeaning
    at_most: ReplyMeaning
    command: HubCommand | None = None
    is_order: bool = False
    is_restoring: bool = False
    given: ConsentAnswer | None = None
    is_settled: bool = False

    @property
    def is_ambiguous(self) -> bool:
        """Tell whether the meaning depends on the store: TD天气 may end one order."""
        is_plain = self.alone.intent is self.at_most.intent and self.alone.service is None
        return self.word.is_hub or not (is_plain or self.word.is_foreign)

    @property
    def may_matter(self) -> bool:
        """Tell whether the gateway may have to act on it, not only relay it to the SP.

        Of what is written to another network it keeps refusals, until they are taken back.
        """
        if self.word.is_foreign:
            return self.alone.intent in _OF_FOREIGN
        is_talk = self.at_most.intent in _TALK
        return not is_talk or self.is_order or self.is_restoring or self.command is not None


class MoReceiver:
    """Reads deliver_sm PDUs. It does not raise on any content from a peer."""

    def __init__(self, plane: Plane, catalogue: Callable[[], Catalogue]) -> None:
        self._plane = plane
        self._catalogue = catalogue

    def withholds(self, octets: bytes, system_id: str, has_room: Callable[[int], bool]) -> bool:
        """Tell whether to withhold a delivery from the SP of `system_id`.

        What may be for the gateway alone is, and what must be on record before it is answered.
        These are requests for a list and its item numbers (R33, R35), and messages to a hub
        code. What may be a refusal is withheld until it is committed: before that the SMSC must
        not hear that it arrived. If `has_room` is false for the number, any message that may
        matter is withheld: the SMSC may have to keep it.
        """
        read = self._read(octets)
        if read is None:
            return False
        _, msisdn, port, text = read
        if not has_room(msisdn) and _at_most(text) not in _TALK:
            return True
        if port in self._plane.hub.codes:
            is_command = hub_command_of(text) is not None or self._is_restoring(text)
            return is_command or _at_most(text) not in _TALK
        if _at_most(text) in _REFUSALS or self._is_offered(system_id, port, text):
            return True
        is_short = len(text) <= _MAX_WITHHELD_CHARS and any(map(str.isdigit, text))
        return is_short and _at_most(text) in _OF_A_LIST

    def hear(self, item: SubscriberMessage, at: datetime) -> MoMessage | None:
        """Return the subscriber's message; None for receipts, unreadable PDUs and unowned ports.

        A port of another network belongs to PEERS, all that bring messages from it (R63).
        """
        read = self._read(item.pdu)
        if read is None:
            return None
        pdu, msisdn, port, text = read
        system_id, owners = item.system_id, self._plane.rules.port_owners
        is_hub, is_shared = port in self._plane.hub.codes, item.link.is_shared
        foreign = ""
        if (not system_id or system_id in owners.peers) and not is_hub and not item.is_complaint:
            foreign = owners.foreign_port_of(port)
            if not foreign:
                return None  # nobody's port, or a person's number: there is nothing to refuse
            system_id = PEERS
        account, replies = self._plane.rules.accounts.get(system_id), self._plane.rules.replies
        word = Word(
            msisdn=msisdn,
            system_id=system_id,
            sender_name=account.sender.name if account is not None else system_id,
            port=port,
            text=text,
            said=MessageEvidence(self._next_id(at), digest_of(text), at),
            reply_id=self._next_id(at),
            tokens=self._offered_by(system_id, port),
            is_hub=is_hub,
            other_msisdn=other_msisdn_from(*_source_of(pdu)),
            owned=foreign or _owned(account, port),
            is_narrow=replies is not None and replies.scope is RefusalScope.PORT,
            others=self._plane.others_meant(port, msisdn, system_id) if is_shared else (),
        )
        may_be_offered = word.tokens and len(text) <= _MAX_WITHHELD_CHARS
        at_most = meaning_in(word, _ANYTHING_BEFORE) if may_be_offered else _meant_at_most(text)
        suspended = self._plane.rules.knowledge.suspended
        is_suspended = is_hub and suspended.is_suspended(msisdn, at.timestamp())
        # An intent that does not depend on a request or list is the same without context.
        of_context = at_most.intent in _OF_CONTEXT
        return MoMessage(
            item,
            pdu,
            word,
            alone=meaning_in(word, NO_CONTEXT) if of_context else at_most,
            at_most=at_most,
            command=hub_command_of(text) if is_hub else None,
            is_order=self._catalogue().ordered_by(system_id, port, text) is not None,
            is_restoring=is_suspended and self._is_restoring(text),
        )

    def _is_offered(self, system_id: str, port: str, text: str) -> bool:
        """Tell whether a short text is a word of refusal that the port has offered (R31)."""
        if len(text) > _MAX_WITHHELD_CHARS:
            return False
        tokens = self._offered_by(system_id, port)
        return bool(tokens) and meaning_of(text, MoContext(others=tokens)).intent in _REFUSALS

    def _offered_by(self, system_id: str, port: str) -> tuple[str, ...]:
        """Return the words of refusal that the port has offered (R31)."""
        owned = _owned(self._plane.rules.accounts.get(system_id), port)
        return self._plane.hints.of(system_id, owned) if owned else ()

    def _is_restoring(self, text: str) -> bool:
        """Tell whether a text to a hub code asks to end the suspension of the number (R43)."""
        suspenders = self._plane.rules.suspenders.values()
        return any(one.is_restoring(text) for one in suspenders)

    def _next_id(self, at: datetime) -> str:
        return str(self._plane.next_id(at.timestamp()))

    def _read(self, octets: bytes) -> tuple[Pdu, int, str, str] | None:
        try:
            pdu = decode(octets)
            text = _text_of(pdu)
        except DecodeError:
            return None
        msisdn = msisdn_from(*_source_of(pdu))
        if msisdn is None or pdu.number("esm_class") & _MESSAGE_TYPE:
            return None
        return pdu, msisdn, pdu.octets("destination_addr").decode("latin-1"), text


def _owned(account: Account | None, port: str) -> str:
    """Return the SP's port that an address belongs to, "" for none."""
    owned = None if account is None else account.sender.port_of(port)
    return "" if owned is None else owned.number


def _source_of(pdu: Pdu) -> tuple[bytes, int]:
    return pdu.octets("source_addr"), pdu.number("source_addr_ton")


# A text is looked at twice, before and after it is withheld. 256 of them are remembered.
@lru_cache(maxsize=256)
def _meant_at_most(text: str) -> ReplyMeaning:
    return meaning_of(text, _ANYTHING_BEFORE)


def _at_most(text: str) -> Intent:
    return _meant_at_most(text).intent


def _text_of(pdu: Pdu) -> str:
    octets = pdu.text_octets
    if octets and pdu.number("esm_class") & _UDHI:
        _, octets = split_udh(octets)
    return decode_text(octets, pdu.number("data_coding"))


CHANNEL = "mo"

_QUIET = timedelta(hours=24)  # at most one confirmation in this time, even if TD is repeated
_CLOCKS_APART = timedelta(minutes=1)  # clock difference of two processes that share a store


class ConsentBook:
    """Records answers by sender: a refusal at one port stops all commercial messages of the SP.

    Words or policy may narrow it to a port or a category. A message to a hub code concerns every
    SP, not the SP of the bind that it arrived on, which is chosen by chance: a word to the carrier
    is no consent to that SP (R27). Verification and service messages go on (R22): the rules ask for
    the class of a message.
    """

    def __init__(
        self, store: ConsentStore, sets: ConsentSets, utcnow: Callable[[], datetime] = utcnow
    ) -> None:
        self._store = store
        self._sets = sets
        self._utcnow = utcnow
        self._latest: dict[tuple[int, str], ConsentAnswer] = {}  # being kept right now

    def apply(
        self,
        word: Word,
        answer: Answer,
        evidence: str,
        until: datetime | None = None,
        scope: str | None = None,
    ) -> ConsentAnswer:
        """Apply an answer in this process at once; return it for `keep`."""
        whom = word.scope if scope is None else scope
        given = ConsentAnswer(word.msisdn, whom, answer, word.said.at, CHANNEL, evidence, until)
        for one in (given, *_besides(given, word)):
            self._sets.apply(one.msisdn, one.scope, one.answer)
        if given.answer is Answer.AGREED and not word.is_hub:
            # What was refused of another port stays: the subscriber did not write there.
            for part in self._sets.refused_parts(word.system_id, word.owned, word.msisdn):
                self._sets.apply(given.msisdn, part, given.answer)
        return given

    def is_refused(self, word: Word) -> bool:
        """Tell whether the subscriber refused all SPs, this one, its port or a category."""
        return self._sets.is_refused_at(word.system_id, word.owned, word.msisdn)

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

        Raises StoreUnavailable. A refusal overrides an answer that another process recorded with a
        clock ahead of ours, and a consent that an SP claimed before the refusal could be stored
        (R37). If the store has a later answer, that answer holds in this process too.
        """
        for one in _besides(given, word):
            await self._keep(one)
        if given.answer is Answer.AGREED and not word.is_hub:
            for said in await self._store.answers_of([given.msisdn]):
                whom = parts_of(said.scope)
                if whom.system_id == given.scope and (whom.category or whom.port == word.owned):
                    await self._keep(replace(given, scope=said.scope))
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


def _besides(given: ConsentAnswer, word: Word) -> list[ConsentAnswer]:
    """Return the refusal again for all others whom it may be of, or be meant for.

    It must hold however an SP or the SMSC writes the number; the other subscriber can take it back
    with HF. An agreement counts for the subscriber's own number and the SP that gets it only.
    """
    if given.answer is not Answer.REFUSED:
        return []
    scopes, whom = [given.scope], parts_of(given.scope)
    if whom.system_id == word.system_id:
        scopes += [scope_of(one, whom.port, whom.category) for one in word.others]
    numbers = [one for one in (given.msisdn, word.other_msisdn) if one is not None]
    found = [replace(given, msisdn=one, scope=scope) for one in numbers for scope in scopes]
    return found[1:]


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
        spawn(logged(self._take_back(context)), name="ask-again")

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
                spawn(logged(self._take_back(item)), name="ask-again")
            self._settle(item, against)
            self._tick.turned()  # a refusal may be held, and the next turn may be far away

    async def _ask(self, item: Ask) -> Finding | None:
        session, plane = item.message.session, self._tick.pipeline.plane
        if not has_smsc(session) or way_of(plane, session, item.pdu) is None:
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
            rules = self._tick.pipeline.plane.rules
            owned = _owned(rules.accounts.get(system_id), port)
            if rules.knowledge.consent.is_refused_at(system_id, owned, msisdn):
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
        async with self._locks.of(item.msisdn):
            # If that fails, the subscriber cannot be asked again: better than asking twice.
            await self._desk.unasked(system_id, item.msisdn, str(item.message_id))
