"""What SMSCs deliver, read for its record: receipts, replies of subscribers, and the rest.

Receipts are as frequent as messages. Those in the usual words are read in 1 us, others with
the reader of gateway.smpp in 15. Nothing raises: what cannot be read is on record as that.
"""

import re
from functools import lru_cache

from gateway.dataplane.relay import MAX_ID_OCTETS
from gateway.domain.msisdn import is_mobile, with_plus
from gateway.domain.records import About, DeliveryRow, Text, Told
from gateway.smpp.commands import CommandId
from gateway.smpp.errors import DecodeError
from gateway.smpp.framing import HEADER_OCTETS
from gateway.smpp.offsets import BARE_ABROAD, DELIVER_SM
from gateway.smpp.pdu import Pdu, decode
from gateway.smpp.receipt import Receipt, read_receipt
from gateway.smpp.tlv import Tag, first
from gateway.smpp.udh import split_udh

_DELIVER_SM = int(CommandId.DELIVER_SM)
_UDHI, _MESSAGE_TYPE = 0x40, 0x3C  # of esm_class (SMPP 3.4, 5.2.12)
_ID_TAG = b"\0\x1e"
_MAX_WORD = 20  # of what a receipt says; stat has 7 letters, a date 10 or 12 digits

# A deliver_sm that is a receipt and nothing else, as gateway.smpp.offsets has submit_sm. The
# last group ends before the x of "text:": what stands behind it is another's message.
_RECEIPT = re.compile(
    rb"[^\0]{0,5}\0%b..([^\0]{0,20})\0..([^\0]{0,20})\0\x04..\0[^\0]{0,16}\0....(.)"
    rb"id:([0-9A-Za-z-]{1,64}) ([^x\0]{0,120})" % BARE_ABROAD,
    re.DOTALL,
)
_WORDS = re.compile(
    r"(?:sub:\d{1,3} )?(?:dlvrd:\d{1,3} )?submit date:(\d{6,14}) done date:(\d{6,14})"
    r" stat:([A-Z]{7}) err:([0-9A-Za-z]{1,10})(?: (?:[Tt]e)?)?",
    re.ASCII,
)

REPLY: Told = ("reply", "", "", "", "")
ALERT: Told = ("alert", "", "", "", "")
UNREAD: Told = ("unread", "", "", "", "")
_TYPES: dict[int, Told] = {
    0x00: REPLY,
    0x08: ("acknowledgement", "", "", "", ""),  # by the phone (SMPP 3.4, 5.2.12)
    0x10: ("acknowledgement", "", "", "", ""),  # and by its owner
}
_OTHER: Told = ("other", "", "", "", "")

# source, destination, the message_id that a receipt is about, what it is, its text.
_Read = tuple[bytes, bytes, bytes, Told, Text | None]


def delivery(
    about: About, sequence: int, pdu: bytes, at: float, *, keeps_texts: bool
) -> DeliveryRow:
    """Return the row of what is delivered to an SP, or is to be.

    The words of a subscriber to a port are kept where texts are (N136, R70), those of one
    person to another never, nor what a receipt quotes.
    """
    match = _RECEIPT.match(pdu, HEADER_OCTETS) if about[2] == _DELIVER_SM else None
    if match is not None:
        source, destination, sm_length, message_id, words = match.groups()
        told = _told(words)
        end = match.end(3) + sm_length[0]
        if told is not None and match.end() <= end and _names_one_id(pdu, end, message_id):
            return ("m", at, about, sequence, source, destination, message_id, told, None)
    read = (_reply(pdu) if about[2] == _DELIVER_SM else None) or _carefully(pdu)
    source, destination, message_id, told, text = read
    if text is not None and (not keeps_texts or not text[1] or is_mobile(destination)):
        text = None
    return ("m", at, about, sequence, source, destination, message_id, told, text)


def _names_one_id(pdu: bytes, end: int, message_id: bytes) -> bool:
    """Tell whether no TLV behind `end` can name another id than `message_id`."""
    if end == len(pdu):
        return True
    tail = pdu[end:]
    named = tail.count(_ID_TAG)  # of several the careful reader takes the first
    is_this = named == 1 and b"%c%b\0" % (len(message_id) + 1, message_id) in tail
    return not named or is_this


def _reply(pdu: bytes) -> _Read | None:
    match = DELIVER_SM.match(pdu, HEADER_OCTETS)
    if match is None:
        return None
    source, destination, esm_class, _, _, coding, sm_length = match.groups()
    text_at = match.end()
    if esm_class != b"\0" or text_at + sm_length[0] != len(pdu):
        return None
    return source, destination, b"", REPLY, (coding[0], pdu[text_at:])


@lru_cache(maxsize=1024)
def _told(words: bytes) -> Told | None:
    """Return what a receipt says behind its id; None for any but the usual words.

    Thousands of receipts of a minute say the same.
    """
    match = _WORDS.fullmatch(words.decode("latin-1"))
    if match is None:
        return None
    submitted, done, stat, err = match.groups()
    return "receipt", stat, err, submitted, done


def _carefully(pdu: bytes) -> _Read:
    try:
        return _read(decode(pdu))
    except DecodeError:
        match = DELIVER_SM.match(pdu, HEADER_OCTETS)
        addresses = (match[1], match[2]) if match is not None else (b"", b"")
        return *addresses, b"", UNREAD, None


def _read(pdu: Pdu) -> _Read:
    """Read any delivery. Raises DecodeError."""
    source = with_plus(pdu.octets("source_addr"), pdu.number("source_addr_ton"))
    if pdu.command_id == CommandId.ALERT_NOTIFICATION:
        return source, pdu.octets("esme_addr"), b"", ALERT, None
    destination = pdu.octets("destination_addr")
    receipt = read_receipt(pdu)
    if receipt is not None:
        message_id = receipt.message_id.encode("latin-1", "replace")[:MAX_ID_OCTETS]
        return source, destination, message_id, _told_by(receipt), None
    told = _TYPES.get(pdu.number("esm_class") & _MESSAGE_TYPE, _OTHER)
    return source, destination, b"", told, (pdu.number("data_coding"), _text_of(pdu))


def _told_by(receipt: Receipt) -> Told:
    what = "notification" if receipt.is_intermediate else "receipt"
    words = (receipt.stat, receipt.err, receipt.submit_date, receipt.done_date)
    stat, err, submitted, done = (word[:_MAX_WORD] for word in words)
    return what, stat, err, submitted, done


def _text_of(pdu: Pdu) -> bytes:
    octets = pdu.octets("short_message") or first(pdu.tlvs, Tag.MESSAGE_PAYLOAD) or b""
    if octets and pdu.number("esm_class") & _UDHI:
        try:
            return split_udh(octets)[1]
        except DecodeError:
            return octets  # there is no header: it is evidence as it came
    return octets
