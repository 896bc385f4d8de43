"""The GSM 7 bit alphabet, packed septets, and national language tables (3GPP TS 23.038)."""

import codecs
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from gateway.smpp.status import EncodeError

REPLACEMENT = "\ufffd"

_ESCAPE = "\x1b"
MAIN = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = {
    "\n": "\f",
    "Λ": "^",
    "(": "{",
    ")": "}",
    "/": "\\",
    "<": "[",
    "=": "~",
    ">": "]",
    "¡": "|",
    "e": "€",
}
# A second escape is reserved for another table: a phone shows a space. One at the end is cut off.
_UNESCAPED = {**EXTENSION, _ESCAPE: " ", "": REPLACEMENT}
_ESCAPED = re.compile(f"{_ESCAPE}(.?)", re.DOTALL)
# The upper half is spelt out: 128 errors through the codec's handler cost 100 us.
_DECODING = MAIN + REPLACEMENT * 128
_ENCODING = codecs.charmap_build(MAIN)
_ESCAPES = {ord(there): _ESCAPE + here for here, there in EXTENSION.items()}

_SEPTETS = 8  # of a group, in seven octets
LOW_SEPTETS = bytes(octet & 0x7F for octet in range(256))
"""To translate octets: what an SMSC that packs septets keeps of each."""


def decode(octets: bytes) -> str:
    """Return the text of unpacked `octets`; never raises.

    An octet over 0x7F becomes U+FFFD. An escape before a code that the extension table does
    not have shows the code's own character, as phones do (3GPP TS 23.038, 6.2.1.1).
    """
    text, _ = codecs.charmap_decode(octets, "strict", _DECODING)
    if _ESCAPE in text:
        return _ESCAPED.sub(_unescaped, text)
    return text


def encode(text: str) -> bytes:
    """Return the unpacked octets of `text`; raise EncodeError when the alphabet lacks any of it."""
    if _ESCAPE in text:
        raise EncodeError("the escape is no character of the GSM alphabet")
    try:
        octets, _ = codecs.charmap_encode(text.translate(_ESCAPES), "strict", _ENCODING)
    except UnicodeEncodeError as error:
        # The codec's error holds the text, which belongs in no traceback.
        problem = f"character {error.start} is not in the GSM alphabet"
        raise EncodeError(problem) from None
    return octets


def unpack(octets: bytes, *, fill_bits: int = 0) -> bytes:
    """Return the septets of packed `octets`, one an octet, as many as fit.

    `fill_bits` are the bits between a user data header and the first septet (3GPP TS 23.040,
    9.2.3.24). Works lane by lane in C: 140 octets cost about 8 us, and the cost stays linear for
    a hostile payload.
    """
    if fill_bits:
        shifted = int.from_bytes(octets, "little") >> fill_bits
        octets = shifted.to_bytes(len(octets), "little")
    fitting = (8 * len(octets) - fill_bits) // 7 if octets else 0
    groups = -(-len(octets) // 7)
    padded = octets.ljust(7 * groups, b"\0")
    lanes = [padded[lane::7] for lane in range(7)]
    unpacked = bytearray(_SEPTETS * groups)
    unpacked[0::_SEPTETS] = lanes[0].translate(_KEEP_LOW[0])
    for septet in range(1, 7):
        high = lanes[septet].translate(_KEEP_LOW[septet])
        low = lanes[septet - 1].translate(_SHIFT_DOWN[8 - septet])
        unpacked[septet::_SEPTETS] = _either(high, low)
    unpacked[7::_SEPTETS] = lanes[6].translate(_SHIFT_DOWN[1])
    return bytes(unpacked[:fitting])


def _unescaped(match: re.Match[str]) -> str:
    return _UNESCAPED.get(match[1], match[1])


def _either(high: bytes, low: bytes) -> bytes:
    """Return the bitwise or of two lanes of one length."""
    joined = int.from_bytes(high, "big") | int.from_bytes(low, "big")
    return joined.to_bytes(len(low), "big")


_SHIFT_DOWN = [bytes(octet >> bits for octet in range(256)) for bits in range(9)]
_KEEP_LOW = [bytes(octet << bits & 0x7F for octet in range(256)) for bits in range(8)]


LAST_LANGUAGE = 13
"""Urdu: higher national language identifiers are reserved (table 6.2.1.2.4.1)."""

_VOID = "\0"  # no table has it


class Shift(NamedTuple):
    """The tables of one text: national language identifiers, 0 for the default alphabet's."""

    locking: int
    single: int


def decode_shifted(octets: bytes, shift: Shift) -> str:
    """Return the text of unpacked `octets`, with their high bits masked; never raises.

    If the single shift table lacks a code, the locking table's character is shown; if both lack
    it, a space, as on phones. Two escapes show a space.
    """
    main, escaped = _decodings(shift)
    runs = _RUNS.findall(octets.translate(LOW_SEPTETS))
    return "".join(
        codecs.charmap_decode(plain, "strict", main)[0]
        if plain
        else escaped[code[0]]
        if code
        else REPLACEMENT  # cut off
        for code, plain in runs
    )


_RUNS = re.compile(b"\\x1b(.?)|([^\\x1b]+)", re.DOTALL)


@lru_cache(maxsize=(LAST_LANGUAGE + 1) ** 2)
def _decodings(shift: Shift) -> tuple[str, str]:
    """Return what each code shows, alone and behind an escape."""
    main, single = _LOCKING[shift.locking], _SINGLE[shift.single]
    own = zip(single, main, strict=True)
    escaped = [here if here != _VOID else there for here, there in own]
    escaped[ord(_ESCAPE)] = " "  # reserved for another table
    return main.replace(_VOID, " "), "".join(escaped).replace(_VOID, " ")


def _cells(*runs: tuple[int, int]) -> tuple[int, ...]:
    return tuple(cell for first, last in runs for cell in range(first, last + 1))


def _characters(points: str) -> Iterator[str]:
    """Yield the characters of hexadecimal code points and ranges; a dash is a void cell."""
    for point in points.split():
        first, dash, last = point.partition("-")
        if not first:
            yield _VOID
            continue
        for code in range(int(first, 16), int(last if dash else first, 16) + 1):
            yield chr(code)


def _filled(table: str, cells: tuple[int, ...], characters: Iterator[str]) -> str:
    """Return `table` with `characters` in `cells`; the last cells may stay as they are."""
    filled = list(table)
    for cell, character in zip(cells, characters, strict=False):
        filled[cell] = character
    return "".join(filled)


def _with(table: str, changes: dict[int, str]) -> str:
    """Return `table` with runs of characters, each written from the cell that is its key."""
    for first, characters in changes.items():
        table = table[:first] + characters + table[first + len(characters) :]
    return table


# Locking shift tables of Indic scripts and Urdu: the part that all of them share, and the cells
# that each language fills itself, in the order of their codes.
_LOCKING_FRAME = (
    f"{_VOID * 10}\n{_VOID * 2}\r{_VOID * 13}\x1b{_VOID * 4}"
    f" !{_VOID * 6})({_VOID * 2},{_VOID}.{_VOID}0123456789:;{_VOID * 3}?"
    f"{_VOID * 33}abcdefghijklmnopqrstuvwxyz{_VOID * 5}"
)
_LOCKING_CELLS = tuple(cell for cell, shown in enumerate(_LOCKING_FRAME) if shown == _VOID)
# Single shift tables likewise.
_SINGLE_FRAME = (
    f"@£$¥¿\"¤%&'\f*+{_VOID}-/<=>¡^¡_#*{_VOID * 15}{{}}{_VOID * 5}\\"
    f"{_VOID * 12}[~]{_VOID}|ABCDEFGHIJKLMNOPQRSTUVWXYZ{_VOID * 10}€{_VOID * 26}"
)
_SINGLE_CELLS = _cells(
    (0x19, 0x1A), (0x1C, 0x1F), (0x20, 0x27), (0x2A, 0x2E), (0x30, 0x3B), (0x3F, 0x3F)
)

# A void cell of the default extension table is void in the tables derived from it.
_DEFAULT_SINGLE = _with(_VOID * 128, {MAIN.index(code): to for code, to in EXTENSION.items()})

# A.3.4 to A.3.12: the Unicode blocks of these scripts are parallel, so a table is defined by the
# start of its block, the offsets that are void, and the last six cells.
_INDIC_OFFSETS = _cells((0x01, 0x03), (0x05, 0x39), (0x3C, 0x4D))
_INDIC = {
    4: (0x0980, "0D 0E 11 12 29 31 33 34 35 45 46 49 4A", "09CE 09D7 09DC 09DD 09F0 09F1"),
    5: (0x0A80, "0E 12 29 31 34 46 4A", "0AD0 0AE0-0AE3 0AF1"),
    6: (0x0900, "", "0950 0972 097B 097C 097E 097F"),
    7: (0x0C80, "01 0D 11 29 34 45 49", "0CD5 0CD6 0CE0-0CE3"),
    8: (0x0D00, "01 0D 11 29 3C 45 49", "0D57 0D60-0D63 0D79"),
    9: (0x0B00, "0D 0E 11 12 29 31 34 45 46 49 4A", "0B56 0B57 0B60-0B63"),
    10: (
        0x0A00,
        "0B 0C 0D 0E 11 12 29 31 34 37 3D 43 44 45 46 49 4A",
        "0A51 0A70-0A74",
    ),
    11: (
        0x0B80,
        "01 0B 0C 0D 11 16 17 18 1B 1D 20 21 22 25 26 27 2B 2C 2D 3C 3D 43 44 45 49",
        "0BD0 0BD7 0BF0 0BF1 0BF2 0BF9",
    ),
    12: (0x0C00, "0D 11 29 34 3C 45 49", "0C55 0C56 0C60-0C63"),
}
# A.3.13
_URDU = (
    "0627 0622 0628 067B 0680 067E 06A6 062A 06C2 067F 0679 067D 067A 067C "
    "062B 062C 0681 0684 0683 0685 0686 0687 062D 062E 062F 068C 0688 0689 068A "
    "068F 068D 0630 0631 0691 0693 0699 0632 0696 0698 069A 0633 0634 "
    "0635 0636 0637 0638 0639 0641 0642 06A9 06AA 06AB 06AF 06B3 06B1 0644 0645 0646 "
    "06BA 06BB 06BC 0648 06C4 06D5 06C1 06BE 0621 06CC 06D0 06D2 064D 0650 064F 0657 "
    "0654 0655 0651 0653 0656 0670"
)
# A.2.4 to A.2.13
_OWN_SINGLE = {
    4: "09E6-09EF 09DF-09E3 09F2-09FA",
    5: "0964 0965 0AE6-0AEF",
    6: "0964-096F 0951-0954 0958-0963 0970 0971",
    7: "0964 0965 0CE6-0CEF 0CDE 0CF1 0CF2",
    8: "0964 0965 0D66-0D75 0D7A-0D7F",
    9: "0964 0965 0B66-0B6F 0B5C 0B5D 0B5F 0B70 0B71",
    10: "0964 0965 0A66-0A6F 0A59-0A5C 0A5E 0A75",
    11: "0964 0965 0BE6-0BEF 0BF3-0BF8 0BFA",
    12: "- - 0C66-0C6F 0C58 0C59 0C78-0C7F",
    13: "0600 0601 06F0-06F9 060C-0614 061B 061F 0640 0652 0658 066B 066C 0672 0673 06CD 06D4",
}
# A.3.1 and A.3.3; Spanish has no locking shift table.
_LATIN_LOCKING = {
    1: {0x04: "€", 0x07: "ı", 0x0B: "Ğğ", 0x1C: "Şş", 0x40: "İ", 0x60: "ç"},
    3: {
        0x04: "êéúíóç",
        0x0B: "Ôô",
        0x0E: "Áá",
        0x12: "ªÇÀ∞^\\€Ó|",
        0x1C: "Ââ\N{LATIN CAPITAL LETTER E WITH CIRCUMFLEX}",
        0x24: "º",
        0x40: "Í",
        0x5B: "ÃÕÚ",
        0x60: "~",
        0x7B: "ãõ`",
    },
}
# A.2.1 to A.2.3
_LATIN_SINGLE = {
    1: {0x47: "Ğ", 0x49: "İ", 0x53: "Ş", 0x63: "ç", 0x67: "ğ", 0x69: "ı", 0x73: "ş"},
    2: {
        0x09: "ç",
        0x41: "Á",
        0x49: "Í",
        0x4F: "Ó",
        0x55: "Ú",
        0x61: "á",
        0x69: "í",
        0x6F: "ó",
        0x75: "ú",
    },
    3: {
        0x05: "ê",
        0x09: "ç",
        0x0B: "Ôô",
        0x0E: "Áá",
        0x12: "ΦΓ",
        0x15: "ΩΠΨΣΘ",
        0x1F: "Ê",
        0x41: "À",
        0x49: "Í",
        0x4F: "Ó",
        0x55: "Ú",
        0x5B: "ÃÕ",
        0x61: "Â",
        0x69: "í",
        0x6F: "ó",
        0x75: "ú",
        0x7B: "ãõ",
        0x7F: "â",
    },
}


def _indic(block: int, voids: str, last: str) -> Iterator[str]:
    void = {int(offset, 16) for offset in voids.split()}
    for offset in _INDIC_OFFSETS:
        yield _VOID if offset in void else chr(block + offset)
    yield from _characters(last)


def _locking(language: int) -> str:
    if language in _INDIC:
        return _filled(_LOCKING_FRAME, _LOCKING_CELLS, _indic(*_INDIC[language]))
    if language == LAST_LANGUAGE:
        return _filled(_LOCKING_FRAME, _LOCKING_CELLS, _characters(_URDU))
    return _with(MAIN, _LATIN_LOCKING.get(language, {}))


def _single(language: int) -> str:
    if language in _OWN_SINGLE:
        return _filled(_SINGLE_FRAME, _SINGLE_CELLS, _characters(_OWN_SINGLE[language]))
    return _with(_DEFAULT_SINGLE, _LATIN_SINGLE.get(language, {}))


_LOCKING = tuple(map(_locking, range(LAST_LANGUAGE + 1)))
_SINGLE = tuple(map(_single, range(LAST_LANGUAGE + 1)))
