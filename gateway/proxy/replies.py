"""Hearing what subscribers write: a refusal holds at once, is kept, and is confirmed once."""

from collections import deque
from dataclasses import dataclass
from datetime import timedelta

import structlog

from gateway.dataplane.attention import Reply
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.msisdn import msisdn_of
from gateway.policy.consent_sets import ConsentSets
from gateway.policy.intents import Intent, MoContext, meaning_of
from gateway.ports.consent import ConsentStore
from gateway.ports.errors import StoreUnavailable
from gateway.proxy.route import Routes
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic, utcnow
from gateway.runtime.tasks import spawn
from gateway.smpp.commands import CommandId
from gateway.smpp.errors import DecodeError
from gateway.smpp.pdu import Pdu, decode, make
from gateway.smpp.text import decode_text
from gateway.smpp.tlv import Tag, first
from gateway.smpp.udh import split_udh

log = structlog.get_logger()

CHANNEL = "mo"

_MESSAGE_TYPE = 0x3C  # of esm_class: receipts and the like are nobody's words
_UDHI = 0x40
_UCS2 = 8
_QUIET = timedelta(hours=24)  # one confirmation in this time, however often TD is sent
_MAX_UNKEPT = 100_000
_MAX_AT_ONCE = 1_000

_ANSWERS: dict[Intent, Answer] = {
    Intent.OPTOUT: Answer.REFUSED,
    Intent.OPTOUT_ALL: Answer.REFUSED,
    Intent.OPTIN: Answer.AGREED,
}


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The errand of the message that confirms a subscriber's word."""

    system_id: str


class Replies:
    """Acts on replies that refuse or come back; everything else is between them and the SP.

    The scope is the sender: who refuses one port of an SP has refused its commercial
    messages (R22: verification and service go on, for the rule looks at ports of its
    purposes). While the store can not be written the word holds in this process and is kept
    as soon as it can be; it is confirmed only then.
    """

    def __init__(self, tick: Tick, store: ConsentStore, sets: ConsentSets, routes: Routes) -> None:
        self.unheard = 0
        self._tick = tick
        self._store = store
        self._sets = sets
        self._routes = routes
        self._unkept: deque[tuple[ConsentAnswer, Pdu]] = deque(maxlen=_MAX_UNKEPT)
        self._under_way = 0
        self._latest: dict[tuple[int, str], ConsentAnswer] = {}  # being kept right now

    def heard(self, item: Reply) -> None:
        """Take a delivery that is already on its way to the SP."""
        try:
            pdu = decode(item.pdu)
            text = _text_of(pdu)
        except DecodeError:
            return
        number = msisdn_of(pdu.octets("source_addr"))
        if number is None or pdu.number("esm_class") & _MESSAGE_TYPE:
            return
        system_id = item.link.system_id
        answer = _ANSWERS.get(self._intent_of(system_id, text))
        if answer is None:
            return
        given = ConsentAnswer(number, system_id, answer, utcnow(), CHANNEL)
        # At once, before anything is awaited: no submit of the next tick passes any more.
        self._sets.apply(number, system_id, answer)
        latest = self._latest.get((number, system_id))
        if latest is not None and latest.answer is answer:
            return  # said again while it is being kept: to look into the store would be too early
        if self._under_way >= _MAX_AT_ONCE:
            self._latest.pop((number, system_id), None)
            self._unkept.append((given, pdu))
            return
        self._under_way += 1
        self._latest[number, system_id] = given
        spawn(self._keep(given, pdu), name="reply")

    def _intent_of(self, system_id: str, text: str) -> Intent:
        tokens: tuple[str | None, ...] = self._tick.pipeline.plane.hints.of(system_id)
        for token in (*tokens, None):
            intent = meaning_of(text, MoContext(advertised=token)).intent
            if intent in _ANSWERS:
                return intent
        return Intent.NONE

    async def keep_unkept(self) -> None:
        """Try again what could not be kept. Raises StoreUnavailable."""
        while self._unkept:
            given, pdu = self._unkept[0]
            await self._record(given, pdu)
            self._unkept.popleft()

    async def _keep(self, given: ConsentAnswer, pdu: Pdu) -> None:
        try:
            await self._record(given, pdu)
        except StoreUnavailable as error:
            self._unkept.append((given, pdu))
            log.error("store.failed", said=str(error))
        finally:
            self._under_way -= 1
            if self._latest.get((given.msisdn, given.scope)) is given:
                del self._latest[given.msisdn, given.scope]

    async def _record(self, given: ConsentAnswer, pdu: Pdu) -> None:
        before = await self._store.answer_of(given.msisdn, given.scope)
        await self._store.record((given,))
        about = {
            "system_id": given.scope,
            "subscriber": str(given.msisdn),
            "port": pdu.octets("destination_addr").decode("latin-1"),
            "answer": given.answer.value,
        }
        self._tick.records.rows.append(("e", epoch(), "reply", about))
        if before is None or not _is_repetition(before, given):
            self._confirm(given, pdu)

    def _confirm(self, given: ConsentAnswer, pdu: Pdu) -> None:
        """Say so from the port that was written to (R32); policy does not judge our own word."""
        rule = self._tick.pipeline.plane.rules.replies
        connection = self._routes.to_smsc(given.scope)
        if rule is None or connection is None:
            return
        text = rule.opted_out if given.answer is Answer.REFUSED else rule.restored
        link = connection.link
        errand = Confirmation(given.scope)
        own = link.register(None, 0, CommandId.SUBMIT_SM, monotonic(), errand)
        connection.write(
            make(
                CommandId.SUBMIT_SM,
                own,
                source_addr_ton=pdu.number("dest_addr_ton"),
                source_addr_npi=pdu.number("dest_addr_npi"),
                source_addr=pdu.octets("destination_addr"),
                dest_addr_ton=pdu.number("source_addr_ton"),
                dest_addr_npi=pdu.number("source_addr_npi"),
                destination_addr=pdu.octets("source_addr"),
                data_coding=_UCS2,
                short_message=text.encode("utf-16-be"),
            )
        )
        about = {"system_id": given.scope, "subscriber": str(given.msisdn)}
        self._tick.records.rows.append(("e", epoch(), "confirmation", about))


def _text_of(pdu: Pdu) -> str:
    octets = pdu.octets("short_message")
    if not octets:
        octets = first(pdu.tlvs, Tag.MESSAGE_PAYLOAD) or b""
    if octets and pdu.number("esm_class") & _UDHI:
        _, octets = split_udh(octets)
    return decode_text(octets, pdu.number("data_coding"))


def _is_repetition(before: ConsentAnswer, given: ConsentAnswer) -> bool:
    return before.answer is given.answer and before.since > given.since - _QUIET
