"""Delivery receipts: read what SMSCs send, write our own, and put another id into one.

3.4 leaves the text of a receipt to the SMSC (appendix B shows a habit, not a rule): order,
case, dates and even the presence of the text differ, so the reader asks for little.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.smpp.commands import CommandId
from gateway.smpp.fields import TEXT_TAGS, FieldValue, Tag, Tlv, first
from gateway.smpp.pdu import Pdu, decode, encode, make
from gateway.smpp.status import EncodeError

MESSAGE_STATES: Mapping[int, str] = {
    0: "SCHEDULED",
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
    9: "SKIPPED",
}
_STATE_NUMBERS = {stat: number for number, stat in MESSAGE_STATES.items()}
# Spelt out by SMSCs that do not keep to seven letters.
_LONG_STATS = {
    "DELIVERED": "DELIVRD",
    "UNDELIVERABLE": "UNDELIV",
    "ACCEPTED": "ACCEPTD",
    "REJECTED": "REJECTD",
}

_CARRIERS = frozenset({CommandId.DELIVER_SM, CommandId.DATA_SM})
_MESSAGE_TYPE = 0x3C  # of esm_class (SMPP 3.4, 5.2.12)
_RECEIPT = 0x04
_NOTIFICATION = 0x20
_UDHI = 0x40

_KEY = "id|sub|dlvrd|submit[ _]date|done[ _]date|stat|err|text"
# A key stands at the start or behind a separator, so that "id" is not found in "valid:". An
# empty value does not swallow the next key.
_PAIR = re.compile(rf"(?:^|(?<=[\s,;|]))({_KEY})[:=] ?((?!(?:{_KEY})[:=])[^\s,;|]*)", re.IGNORECASE)

_WORD = re.compile(r"(?:(?![,;|])[!-~]){1,64}")
_DECIMAL = re.compile(r"[0-9]{1,64}")
_HEXADECIMAL = re.compile(r"[0-9A-F]{1,64}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an SMSC reports of one message.

    `message_id` is the TLV's when there is one, else the text's, and empty when the SMSC named
    none; `text_id` is the text's. The dates are as written: SMSCs agree on neither form nor zone.
    """

    message_id: str
    stat: str
    err: str
    text_id: str = ""
    submit_date: str = ""
    done_date: str = ""
    is_intermediate: bool = False

    @property
    def forms(self) -> frozenset[str]:
        """Return the normal forms of every id the receipt names."""
        return id_forms(self.message_id) | id_forms(self.text_id)


def read_receipt(pdu: Pdu) -> Receipt | None:
    """Return the receipt that `pdu` is, or None when it is a message.

    A text that looks like a receipt does not make one: a subscriber can write that. What
    counts is esm_class, or receipted_message_id, which only an SMSC sets.
    """
    tlv_id = first(pdu.tlvs, Tag.RECEIPTED_MESSAGE_ID)
    message_type = pdu.number("esm_class") & _MESSAGE_TYPE
    is_marked = message_type in {_RECEIPT, _NOTIFICATION} or tlv_id is not None
    if pdu.command_id not in _CARRIERS or not is_marked:
        return None
    pairs = {key: pair[2] for key, pair in _pairs_of(pdu).items()}
    text_id = pairs.get("id", "")
    stat = pairs.get("stat", "").upper() or _stat_of(first(pdu.tlvs, Tag.MESSAGE_STATE))
    return Receipt(
        message_id=(tlv_id or b"").partition(b"\0")[0].decode("latin-1") or text_id,
        stat=_LONG_STATS.get(stat, stat),
        err=pairs.get("err", ""),
        text_id=text_id,
        submit_date=pairs.get("submit date", ""),
        done_date=pairs.get("done date", ""),
        is_intermediate=message_type == _NOTIFICATION,
    )


def id_forms(message_id: str) -> frozenset[str]:
    """Return the forms in which SMSCs and SPs are seen to write `message_id`.

    Upper case, without leading zeros, hexadecimal for decimal and the other way round; two ids
    are candidates for each other when their forms meet. Try the exact id first: 10 and 16 meet.
    """
    bare = message_id.strip().upper()
    if not bare:
        return frozenset()
    short = bare.lstrip("0") or "0"
    forms = {bare, short}
    if _DECIMAL.fullmatch(short):
        forms.add(f"{int(short):X}")
    if _HEXADECIMAL.fullmatch(short):
        forms.add(str(int(short, 16)))
    return frozenset(forms)


# The columns of one receipt: a class for its one caller would only repeat the names.
def receipt_pdu(  # noqa: PLR0913
    sequence_number: int,
    *,
    message_id: str,
    source: str,
    destination: str,
    stat: str,
    err: str,
    submitted: datetime,
    done: datetime,
) -> bytes:
    """Return a deliver_sm that tells an SP what became of its message (SMPP 3.4, appendix B).

    A receipt travels back: `source` is the subscriber, `destination` the SP's port. The dates
    are written in the zone they come in. Raises EncodeError for a `stat` that is no message
    state, or an id, error or address that is not printable ASCII.
    """
    if stat not in _STATE_NUMBERS:
        raise EncodeError("stat: no message state")
    identity, error = _printable(message_id, "message_id"), _printable(err, "err")
    delivered = b"001" if stat == "DELIVRD" else b"000"
    text = b"id:%b sub:001 dlvrd:%b submit date:%b done date:%b stat:%b err:%b text:" % (
        identity,
        delivered,
        f"{submitted:%y%m%d%H%M}".encode(),
        f"{done:%y%m%d%H%M}".encode(),
        stat.encode(),
        error,
    )
    return make(
        CommandId.DELIVER_SM,
        sequence_number,
        source_addr_ton=1,
        source_addr_npi=1,
        source_addr=_printable(source, "source_addr"),
        dest_addr_npi=1,
        destination_addr=_printable(destination, "destination_addr"),
        esm_class=_RECEIPT,
        short_message=text,
        tlvs=(
            Tlv(Tag.RECEIPTED_MESSAGE_ID, identity + b"\0"),
            Tlv(Tag.MESSAGE_STATE, bytes((_STATE_NUMBERS[stat],))),
        ),
    )


def with_receipt_id(pdu: bytes, new_id: str) -> bytes:
    """Return the receipt `pdu` with `new_id` in its text and its TLV, all else untouched.

    Both at once, in short_message or message_payload: an SP may match by either. A place that
    names no id stays as it is. Raises DecodeError for octets that are no PDU, EncodeError for
    an id that is not printable ASCII or does not fit.
    """
    identity = _printable(new_id, "message_id")
    receipt = decode(pdu)
    has_header = bool(receipt.number("esm_class") & _UDHI)
    fields: dict[str, FieldValue] = dict(receipt.fields)
    if "short_message" in fields:
        short_message = receipt.octets("short_message")
        fields["short_message"] = _with_text_id(short_message, new_id, has_header=has_header)
    tlvs: list[Tlv] = []
    for tlv in receipt.tlvs:
        value = tlv.value
        if tlv.tag == Tag.RECEIPTED_MESSAGE_ID:
            value = identity + (b"\0" if value.endswith(b"\0") else b"")
        elif tlv.tag in TEXT_TAGS:
            value = _with_text_id(value, new_id, has_header=has_header)
        tlvs.append(Tlv(tlv.tag, value))
    return encode(replace(receipt, fields=fields, tlvs=tuple(tlvs)))


def _stat_of(message_state: bytes | None) -> str:
    """Return the stat a message_state TLV stands for, empty when it says nothing."""
    return MESSAGE_STATES.get(message_state[0], "") if message_state else ""


def _pairs_of(pdu: Pdu) -> dict[str, re.Match[str]]:
    octets = pdu.text_octets
    at = _text_at(octets, has_header=bool(pdu.number("esm_class") & _UDHI))
    return _pairs(octets[at:].decode(_codec_of(octets[at:]), "replace"))


def _pairs(text: str) -> dict[str, re.Match[str]]:
    """Return the first match of every key of a receipt.

    What follows ``text:`` is the sender's own message, which may hold an ``id:`` of its own: it
    is looked at only when nothing stands before it.
    """
    pairs: dict[str, re.Match[str]] = {}
    for match in _PAIR.finditer(text):
        key = match[1].lower().replace("_", " ")
        if key == "text" and pairs:
            break
        pairs.setdefault(key, match)
    return pairs


def _codec_of(octets: bytes) -> str:
    """Tell how a receipt's text is written; data_coding is often that of the message.

    Latin-1 for the rest: the GSM alphabet would bend the ``_`` of an id.
    """
    return "utf-16-be" if octets and 3 * octets.count(0) >= len(octets) else "latin-1"


def _text_at(octets: bytes, *, has_header: bool) -> int:
    """Return where the text begins behind a user data header, 0 when the header does not fit."""
    return 1 + octets[0] if has_header and octets and octets[0] < len(octets) else 0


def _with_text_id(octets: bytes, new_id: str, *, has_header: bool) -> bytes:
    at = _text_at(octets, has_header=has_header)
    codec = _codec_of(octets[at:])
    text = octets[at:].decode(codec, "replace")
    match = _pairs(text).get("id")
    if match is None or not match[2]:
        return octets
    start, end = (at + len(text[:offset].encode(codec)) for offset in match.span(2))
    return octets[:start] + new_id.encode(codec) + octets[end:]


def _printable(value: str, name: str) -> bytes:
    """Return `value` as octets; raise EncodeError unless a receipt can hold it as one word."""
    if not _WORD.fullmatch(value):
        raise EncodeError(f"{name}: not one word of 1 to 64 printable ASCII characters")
    return value.encode("ascii")
