"""A long message assembled from the parts that arrived."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.dataplane.carriers import Carrier, is_unreadable
from gateway.dataplane.parts import Joint, Part
from gateway.smpp.text import readings

_NOBODYS_KEY = (("", b"", 0), 0, 0)


@dataclass(frozen=True, slots=True)
class AssembledMessage:
    """The texts of a long message, the likeliest reading of the whole first.

    `is_unreadable`: nothing can be read from at least one part. `is_whole` is False if parts are
    missing: the text before a gap and the text after it are then read separately.
    """

    texts: tuple[str, ...]
    is_unreadable: bool
    is_whole: bool


def assembled(carriers: Sequence[Carrier]) -> AssembledMessage:
    """Put the parts of one long message together; `carriers` may be in any order.

    Each part claims one number. If two parts have the same number, the phone may show either:
    both are read together with their neighbours.
    """
    texts: dict[str, None] = {}
    is_poor = False
    joint = Joint(_NOBODYS_KEY, carriers[0].concats[0].total, 0.0)
    rivals: list[tuple[int, Part]] = []
    for carrier in carriers:
        pieces = carrier.texts()
        is_poor = is_poor or is_unreadable(pieces)
        part = carrier.as_part(b"".join(carrier.pieces), pieces)
        number = carrier.concats[0].number
        rivals.append((number, part))
        joint.parts.setdefault(number, part)
        texts |= dict.fromkeys(text for piece in pieces for text in piece)
    whole = dict.fromkeys(_whole(joint))
    for number, part in rivals:
        whole |= dict.fromkeys(joint.texts(number, part))
    is_whole = len(joint.parts) >= joint.total
    return AssembledMessage(
        (*whole, *(text for text in texts if text not in whole)), is_poor, is_whole
    )


def _whole(joint: Joint) -> tuple[str, ...]:
    """Return the readings of all parts in a row; none if a part is missing."""
    parts = [joint.parts[number] for number in sorted(joint.parts)]
    if len(parts) < joint.total:
        return ()
    octets = b"".join(part.octets for part in parts)
    codings = {part.data_coding for part in parts}
    best = "".join(part.texts.best for part in parts)
    return (best, *(text for coding in sorted(codings) for text in readings(octets, coding)))
