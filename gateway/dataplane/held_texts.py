"""What the octets of held messages say to those who may read them."""

from collections.abc import Sequence

from gateway.dataplane.assembled_message import assembled
from gateway.dataplane.carriers import Carrier, read_carrier
from gateway.domain.quarantine import HeldMessage
from gateway.smpp.errors import DecodeError
from gateway.smpp.text import readings
from gateway.smpp.udh import Concat

# Where septets are packed each part is padded for itself.
_MAY_BE_PACKED = 0


def place_of(held: HeldMessage) -> Concat | None:
    """Return which part of a long message `held` is; None where it is whole, or unreadable."""
    try:
        carrier = read_carrier(held.pdu)
    except DecodeError:
        return None
    return carrier.concats[0] if carrier.concats else None


def text_together(together: Sequence[HeldMessage]) -> str:
    """Return the likeliest reading of one message, or of all parts of one; "" for none."""
    try:
        carriers = [read_carrier(held.pdu) for held in together]
    except DecodeError:
        return ""
    if not all(carrier.concats for carrier in carriers):
        return "".join(map(_first, carriers))
    codings = {carrier.data_coding for carrier in carriers}
    has_tables = any(shift for carrier in carriers for shift in carrier.shifts)
    if len(codings) > 1 or _MAY_BE_PACKED in codings or has_tables:
        return next(iter(assembled(carriers).texts), "")
    # Octets in a row: a character that is torn in two is read whole.
    carriers.sort(key=_number_of)
    octets = b"".join(piece for carrier in carriers for piece in carrier.pieces)
    return next(iter(readings(octets, carriers[0].data_coding)), "")


def _number_of(carrier: Carrier) -> int:
    return carrier.concats[0].number


def _first(carrier: Carrier) -> str:
    return next((text for piece in carrier.texts() for text in piece), "")
