"""Ways to get a blocked phrase past a filter that reads too literally."""

import random
from collections.abc import Callable
from typing import NamedTuple

from simulators.builders import SEGMENT_OCTETS, UCS2, UDH_INDICATOR, ucs2, udh_parts

_ZERO_WIDTH = ("\u200b", "\u200c", "\u200d", "\ufeff")
_SEPARATORS = (" ", "　", "-", ".", "·")
_GBK = 15
# What a filter might skip because it is "not text": default alphabet, binary, Latin-1, flash.
_OTHER_CODINGS = (0x00, 0x02, 0x03, 0x04, 0x18)


class Encoded(NamedTuple):
    """The short_messages that carry a text, and how they say they are to be read."""

    parts: tuple[bytes, ...]
    data_coding: int = UCS2
    esm_class: int = 0


Evasion = Callable[[str, str, random.Random], Encoded]


def plain(text: str, reference: int) -> Encoded:
    """Encode honestly: UCS-2, in concatenated parts when it is too long for one."""
    octets = ucs2(text)
    if len(octets) <= SEGMENT_OCTETS:
        return Encoded((octets,))
    return Encoded(tuple(udh_parts(octets, reference)), esm_class=UDH_INDICATOR)


def _plain(text: str, _phrase: str, chance: random.Random) -> Encoded:
    return plain(text, chance.randrange(256))


def _zero_width(text: str, phrase: str, chance: random.Random) -> Encoded:
    hidden = "".join(character + chance.choice(_ZERO_WIDTH) for character in phrase)
    return plain(text.replace(phrase, hidden), chance.randrange(256))


def _full_width(text: str, _phrase: str, chance: random.Random) -> Encoded:
    # Contacts and digits become full-width forms; Han characters have none.
    wide = "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text)
    return plain(wide, chance.randrange(256))


def _spaced(text: str, phrase: str, chance: random.Random) -> Encoded:
    separator = chance.choice(_SEPARATORS)
    return plain(text.replace(phrase, separator.join(phrase)), chance.randrange(256))


def _split(text: str, phrase: str, chance: random.Random) -> Encoded:
    """Cut the message in the middle of the phrase, so that no part holds it."""
    cut = text.index(phrase) + len(phrase) // 2
    reference = chance.randrange(256)
    head = b"\x05\x00\x03" + bytes((reference, 2))
    parts = (head + b"\1" + ucs2(text[:cut]), head + b"\2" + ucs2(text[cut:]))
    return Encoded(parts, esm_class=UDH_INDICATOR)


def _other_coding(text: str, _phrase: str, chance: random.Random) -> Encoded:
    honest = plain(text, chance.randrange(256))
    return honest._replace(data_coding=chance.choice(_OTHER_CODINGS))


def _little_endian(text: str, _phrase: str, _chance: random.Random) -> Encoded:
    return Encoded((text.encode("utf-16-le"),))


def _gbk(text: str, _phrase: str, _chance: random.Random) -> Encoded:
    return Encoded((text.encode("gbk"),), data_coding=_GBK)


EVASIONS: dict[str, Evasion] = {
    "plain": _plain,
    "zero_width": _zero_width,
    "full_width": _full_width,
    "spaced": _spaced,
    "split": _split,
    "other_coding": _other_coding,
    "little_endian": _little_endian,
    "gbk": _gbk,
}
