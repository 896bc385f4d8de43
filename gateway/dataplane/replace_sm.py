"""The new text of a part (replace_sm): read with the neighbours of the old text."""

from gateway.dataplane.carriers import Carrier
from gateway.dataplane.part_table import PartTable
from gateway.dataplane.parts import Joint, Part, part_of
from gateway.dataplane.plane import Plane
from gateway.dataplane.submit_request import Care, SubmitRequest
from gateway.dataplane.turn import Turn
from gateway.smpp.text import readings


def may_be_part(plane: Plane, system_id: str, carrier: Carrier, now: float) -> bool:
    """Tell whether a replace_sm changes a part, or makes a part of the message it changes."""
    message_id = carrier.pdu.octets("message_id")
    is_claimed = any(claim.total > 1 for claim in carrier.concats)
    return is_claimed or plane.part_ids.is_part(system_id, message_id, now)


def replace_part(turn: Turn, message: SubmitRequest, care: Care, carrier: Carrier) -> None:
    """Put the new text of a part beside its neighbours.

    It is marked as unplaced if too little is known to read it there: its id is unknown and it
    looks like a part, it claims another place than the old text, or the part was replaced before.
    """
    plane, system_id = turn.plane, message.account.system_id
    if not may_be_part(plane, system_id, carrier, turn.now):
        return
    place = plane.part_ids.place_of(system_id, carrier.pdu.octets("message_id"))
    which = _text_of(carrier)
    care.is_unplaced = True
    if place is None or which is None:
        return
    key, number = place
    if any((c.reference, c.total, c.number) != (*key[1:], number) for c in carrier.concats):
        return
    joint = plane.parts.find(key, turn.now)
    if not _is_replaceable(plane.parts, joint, number, turn.now):
        return
    part = _new_part(joint.parts[number], carrier, which)
    if part is None:
        return
    care.is_unplaced = False
    care.readings = tuple(dict.fromkeys((*joint.texts(number, part), *(care.readings or ()))))
    plane.parts.exchange(joint, number, part, turn.now)
    care.exchanged = joint, number


def _is_replaceable(parts: PartTable, joint: Joint, number: int, now: float) -> bool:
    """Tell whether all texts that a phone may have are known, and the part was not replaced yet."""
    is_known = number in joint.parts and number not in joint.former
    return is_known and joint.stopped is None and not parts.late.has_forgotten(joint.key, now)


def _new_part(before: Part, carrier: Carrier, which: int) -> Part | None:
    """Return the new text in the place of `before`; None if their language tables differ.

    A text without its own header may stand behind the header of the old one.
    """
    octets, shift = carrier.pieces[which], carrier.shifts[which]
    if shift != before.shift:
        return None
    bits = carrier.fill_bits[which] if carrier.concats else before.fill_bits
    coding = before.data_coding
    best = readings(octets, coding, fill_bits=bits, shift=shift)[0]
    return part_of(coding, octets, best, fill_bits=bits, shift=shift)


def _text_of(carrier: Carrier) -> int | None:
    """Return the index of the piece that is the text of the new part; None if it is unclear.

    If it claims to be a part, its text stands behind its header.
    """
    if not carrier.concats:
        return 0 if len(carrier.pieces) == 1 else None
    return 1 if len(carrier.pieces) == 2 else None
