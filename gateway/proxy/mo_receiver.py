"""Read MO messages: from which number, to which port, and what they may mean."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.dataplane.attention import SubscriberMessage
from gateway.dataplane.plane import Plane
from gateway.domain.consent import ConsentAnswer
from gateway.domain.msisdn import msisdn_from, other_msisdn_from
from gateway.domain.subscription import Hub, MessageEvidence
from gateway.policy.hub_words import HubCommand, hub_command_of
from gateway.policy.replies import NO_CONTEXT, Intent, MoContext, ReplyMeaning, meaning_of
from gateway.smpp.pdu import Pdu, decode
from gateway.smpp.status import DecodeError
from gateway.smpp.text import decode_text
from gateway.smpp.udh import split_udh
from gateway.systems.subscriptions.dialogue import Word, digest_of, meaning_in
from gateway.systems.subscriptions.model import Catalogue

_MESSAGE_TYPE = 0x3C  # bits of esm_class; set for receipts and the like, not subscribers' texts
_UDHI = 0x40

# The widest context: a request is pending and a list of any length is valid.
_ANYTHING_BEFORE = MoContext(is_pending=True, listed=9_999)
_TALK = frozenset({Intent.NONE, Intent.HELP})
# Intents meant for the gateway alone while a list is valid. Longer texts are not examined: that
# would cost about 0.3 ms for each message from subscribers to SPs.
_OF_A_LIST = frozenset({Intent.LIST, Intent.OPTOUT_ITEMS, Intent.BAD_INDEX})
_MAX_WITHHELD_CHARS = 16
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
        return self.word.is_hub or not is_plain

    @property
    def may_matter(self) -> bool:
        """Tell whether the gateway may have to act on it, not only relay it to the SP."""
        is_talk = self.at_most.intent in _TALK
        return not is_talk or self.is_order or self.is_restoring or self.command is not None


class MoReceiver:
    """Reads deliver_sm PDUs. It does not raise on any content from a peer."""

    def __init__(self, plane: Plane, hub: Hub, catalogue: Callable[[], Catalogue]) -> None:
        self._plane = plane
        self._hub = hub
        self._catalogue = catalogue

    def withholds(self, octets: bytes, has_room: Callable[[int], bool]) -> bool:
        """Tell whether to withhold a delivery from the SP: it may be for the gateway alone.

        These are requests for a list and its item numbers (R33, R35), and messages to a hub
        code. If `has_room` is false for the number, any message that may matter is withheld:
        the SMSC may have to keep it.
        """
        read = self._read(octets)
        if read is None:
            return False
        _, msisdn, port, text = read
        if not has_room(msisdn) and _at_most(text) not in _TALK:
            return True
        if port in self._hub.codes:
            is_command = hub_command_of(text) is not None or self._is_restoring(text)
            return is_command or _at_most(text) not in _TALK
        is_short = len(text) <= _MAX_WITHHELD_CHARS and any(map(str.isdigit, text))
        return is_short and _at_most(text) in _OF_A_LIST

    def hear(self, item: SubscriberMessage, at: datetime) -> MoMessage | None:
        """Return the subscriber's message; None for receipts and for unreadable PDUs."""
        read = self._read(item.pdu)
        if read is None:
            return None
        pdu, msisdn, port, text = read
        system_id = item.link.system_id
        account = self._plane.rules.accounts.get(system_id)
        is_hub = port in self._hub.codes
        word = Word(
            msisdn=msisdn,
            system_id=system_id,
            sender_name=account.sender.name if account is not None else system_id,
            port=port,
            text=text,
            said=MessageEvidence(self._next_id(at), digest_of(text), at),
            reply_id=self._next_id(at),
            tokens=self._plane.hints.of(system_id),
            is_hub=is_hub,
            other_msisdn=other_msisdn_from(*_source_of(pdu)),
        )
        at_most = meaning_in(word, _ANYTHING_BEFORE)
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
            is_restoring=is_hub and self._is_suspended(msisdn, at) and self._is_restoring(text),
        )

    def _is_suspended(self, msisdn: int, at: datetime) -> bool:
        return self._plane.rules.knowledge.suspended.is_suspended(msisdn, at.timestamp())

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


def _source_of(pdu: Pdu) -> tuple[bytes, int]:
    return pdu.octets("source_addr"), pdu.number("source_addr_ton")


def _at_most(text: str) -> Intent:
    return meaning_of(text, _ANYTHING_BEFORE).intent


def _text_of(pdu: Pdu) -> str:
    octets = pdu.text_octets
    if octets and pdu.number("esm_class") & _UDHI:
        _, octets = split_udh(octets)
    return decode_text(octets, pdu.number("data_coding"))
