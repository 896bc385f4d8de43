"""Read the text of a message: the best reading for people, and every reading a phone may use.

SMPP and 3GPP define data_coding differently, and the SMSC decides: a text is read in each of
the meanings, even if the result looks senseless, or padding could hide a word. data_coding is
only what the sender claims, so `readings` looks at the octets as well: UTF-8 under 15 and packed
septets under 3 are read as text if they look like it. What may be UCS-2 is read in both byte
orders, unless its octets look like big-endian characters and nothing else.
"""

import re
from collections.abc import Iterator
from operator import itemgetter
from typing import NamedTuple

from gateway.smpp import gsm0338
from gateway.smpp.alphabets import Alphabet, alphabet_of, meanings_of, read, write
from gateway.smpp.gsm0338 import LOW_SEPTETS, Shift, decode_shifted

MAX_READINGS = 13
"""The most readings of a text; with national language shifts there may be two more."""

# Alphabets that read the octets shared by ASCII and the GSM alphabet differently.
_UNLIKE_ASCII = frozenset({Alphabet.UCS2, Alphabet.JIS})
# Every text is tried in these alphabets anyway.
_WEIGHED = frozenset({Alphabet.GSM, Alphabet.LATIN1, Alphabet.GBK, Alphabet.UTF8})
# What fills seven spare bits: zeros, or a carriage return (3GPP TS 23.038, 6.1.2.3.1).
_FILLING = {b"\0", b"\r"}

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_ESCAPE = b"\x1b"
_PRINTABLE = bytes(range(0x20, 0x7F)) + b"\r\n\t" + _ESCAPE
# Octets that mean the same in the GSM alphabet and in ASCII.
_SAME_IN_GSM = _LETTERS + b" !\"#%&'()*+,-./:;<=>?\r\n"
# Octets that make Latin-1 and GSM readings differ in more than control characters.
_OWN_IN_LATIN1 = b"$@[\\]^_`{|}~" + bytes(range(0xA0, 0x100))
# High octets of the UCS-2 characters of Chinese messages: Latin, general punctuation, CJK
# punctuation and kana, Han, full-width forms; and surrogate pairs for emoji.
_HAN_HIGH = bytes(range(0x4E, 0xA0))
_SENSIBLE_HIGH = _HAN_HIGH + b"\x00\x20\x30\xff\xd8\xd9\xda\xdb\xdc\xdd\xde\xdf"
# High octets of symbols and variation selectors: a text has only a few. And of the scripts with
# letters (Latin Extended to Khmer): text in another coding does not show many of them.
_SYMBOL_HIGH = b"\x21\x22\x23\x24\x25\x26\x27\xfe"
_LETTER_HIGH = bytes(range(0x01, 0x18))
_UNIT_HIGH = _SENSIBLE_HIGH + _LETTER_HIGH

# Hangul does not count as usual: GBK octets look like Hangul in UCS-2.
_SENSELESS = re.compile(
    "[^ -~\n\r\t£¥§¡¿À-ÿ\u2010-\u203b\u20ac\u3000-\u30ff\u4e00-\u9fff\uff01-\uffee"
    "\U0001f300-\U0001faff]"
)
_HAN = re.compile("[\u4e00-\u9fff]")
# The same test octet by octet: translate is ten times as fast as the pattern.
_SENSIBLE_IN_GSM, _SENSIBLE_IN_LATIN1 = (
    bytes(octet for octet in range(256) if not _SENSELESS.search(read(bytes((octet,)), alphabet)))
    for alphabet in (Alphabet.GSM, Alphabet.LATIN1)
)
_SENSIBLE_IN_GSM += _ESCAPE
_WORDY = _LETTERS + b" .,:/?!\n-"

_LITTLE_ENDIAN_MARK = b"\xff\xfe"
# Alphabet, where a unit's high octet stands, byte order mark.
_BYTE_ORDERS = ((Alphabet.UCS2, 0, b"\xfe\xff"), (Alphabet.UCS2_LE, 1, _LITTLE_ENDIAN_MARK))
_CERTAIN = 2.0  # above any share: a byte order mark proves it
_NOMINAL_SENSE = 0.6
_LATIN_SENSE = 0.75
_PACKED_SENSE = 0.85
_MULTIBYTE_SENSE = 0.6
_STRICT_UNITS = 8


def decode_text(octets: bytes, data_coding: int) -> str:
    """Return the reading to show to people: the first of `readings`."""
    return readings(octets, data_coding)[0]


def readings(
    octets: bytes, data_coding: int, *, fill_bits: int = 0, shift: Shift | None = None
) -> tuple[str, ...]:
    """Return every reading of `octets`, the best first, without duplicates.

    There are 1 to MAX_READINGS, and up to two more with `shift`. They are what `data_coding` may
    mean (alphabets.meanings_of), octets of 7 bit alphabets with high bits masked, and what the
    octets look like. `fill_bits` stand before packed text after a user data header. `shift` are
    the national language tables that the header names: the text is read by them both unpacked
    and packed. Never raises. The cost is linear in the octets, and 1 to 3 us for the usual
    message: the cheap tests come first.
    """
    meanings = _MEANINGS[data_coding & 0xFF]
    if shift is not None:
        return _shifted(octets, meanings, fill_bits, shift)
    if meanings.is_only_ucs2:
        if _is_plainly_ucs2(octets):
            return (read(octets, Alphabet.UCS2),)
    elif meanings.is_ascii_alike and not (
        octets.translate(None, _SAME_IN_GSM) or _is_all_han(octets, 0) or _is_all_han(octets, 1)
    ):
        return (octets.decode("ascii"),)
    return _weighed(octets, meanings, fill_bits)


def meant_texts(octets: bytes, data_coding: int, *, shift: Shift | None = None) -> tuple[str, ...]:
    """Return `octets` in each of `meanings_of(data_coding)`, in that order and with its duplicates.

    For the parts of a long message, which a phone reads one by one: readings of different parts
    at the same index follow the same standard; if a part has fewer, its last one is used.
    """
    alphabets = meanings_of(data_coding)
    is_alike = _MEANINGS[data_coding & 0xFF].is_ascii_alike
    if shift is None and is_alike and not octets.translate(None, _SAME_IN_GSM):
        return (octets.decode("ascii"),)
    return tuple(_meant(octets, alphabet, place, shift) for place, alphabet in enumerate(alphabets))


def packed_text(
    octets: bytes, data_coding: int, *, fill_bits: int = 0, shift: Shift | None = None
) -> str | None:
    """Return `octets` read as packed septets if they may be packed, else None.

    A last septet that only fills up the last octet is left out: another part may follow.
    """
    is_gsm = alphabet_of(data_coding) is Alphabet.GSM
    if shift is None and (not is_gsm or _is_mostly_printable(octets)):
        return None
    septets = gsm0338.unpack(octets, fill_bits=fill_bits)
    if (8 * len(octets) - fill_bits) % 7 == 0 and septets[-1:] in _FILLING:
        septets = septets[:-1]
    return gsm0338.decode(septets) if shift is None else decode_shifted(septets, shift)


def little_endian_text(octets: bytes, data_coding: int) -> str | None:
    """Return `octets` read in little-endian UCS-2; None where `data_coding` can not mean UCS-2."""
    may_be_ucs2 = _MEANINGS[data_coding & 0xFF].may_be_ucs2
    return read(octets, Alphabet.UCS2_LE) if may_be_ucs2 else None


def is_plain(octets: bytes, data_coding: int) -> bool:
    """Tell whether `data_coding` says UCS-2, and `octets` look like big-endian UCS-2 only."""
    return _MEANINGS[data_coding & 0xFF].is_only_ucs2 and _is_plainly_ucs2(octets)


def encode_text(text: str, data_coding: int) -> bytes:
    """Return `text` in the alphabet of `data_coding`; raise EncodeError if it cannot hold it."""
    return write(text, alphabet_of(data_coding))


def _is_plainly_ucs2(octets: bytes) -> bool:
    """Tell whether big-endian UCS-2 is the only way to read `octets`.

    Besides Latin and Han the text may have letters of one script, and one symbol per eight units.
    A word with its octets swapped would seem to have letters of several scripts.
    """
    high, low = octets[0::2], octets[1::2]
    odd = high.translate(None, _SENSIBLE_HIGH)
    if odd:
        letters = odd.translate(None, _SYMBOL_HIGH)
        if 8 * (len(odd) - len(letters)) > len(octets) // 2:
            return False
        if letters and not _is_one_script(letters):
            return False
    # As _reads_as_units, of Han in the other order: nearly every new text takes this way.
    units = len(low)
    usual = len(low) - len(low.translate(None, _SENSIBLE_HIGH)) - high.count(0, 0, units)
    if units and 5 * usual >= 3 * units:
        return False
    return not (_is_mostly_printable(octets) or octets.startswith(_LITTLE_ENDIAN_MARK))


def _is_one_script(high: bytes) -> bool:
    return high[0] in _LETTER_HIGH and high.count(high[0]) == len(high)


def _reads_as_units(high: bytes, low: bytes) -> bool:
    """Tell whether at least three in five units are usual characters (high octet in `_UNIT_HIGH`).

    A unit with a zero low octet does not count: it is Latin text in the wrong byte order.
    """
    units = min(len(high), len(low))
    odd = len(high[:units].translate(None, _UNIT_HIGH))
    usual = units - odd - low[:units].count(0)
    return units > 0 and 5 * usual >= 3 * units


def _is_all_han(octets: bytes, high_at: int) -> bool:
    """Tell whether every unit is Han, even if each of its octets may be a Latin letter.

    It must be longer than a word: in a sentence a space or a digit breaks the run.
    """
    return len(octets) >= 2 * _STRICT_UNITS and not octets[high_at::2].translate(None, _HAN_HIGH)


def _is_mostly_printable(octets: bytes) -> bool:
    return 5 * len(octets.translate(None, _PRINTABLE)) <= len(octets)


def _sense(text: str) -> float:
    """Return the share of characters in `text` that are usual in messages, 0 to 1."""
    return 1 - len(_SENSELESS.findall(text)) / len(text) if text else 0.0


def _share(octets: bytes, usual: bytes) -> float:
    """Return the share of `octets` that are among `usual`, 0 to 1."""
    return 1 - len(octets.translate(None, usual)) / len(octets) if octets else 0.0


class _Meanings(NamedTuple):
    """What one data_coding may mean, with the answers to frequent questions.

    `rest` are the second and further alphabets that are not tried on every text.
    """

    first: Alphabet
    rest: tuple[Alphabet, ...]
    is_only_ucs2: bool
    may_be_ucs2: bool
    is_ascii_alike: bool
    is_gsm: bool  # to SMPP
    is_gsm_to_3gpp: bool
    may_be_gsm: bool  # and is something else to SMPP
    may_be_latin1: bool
    may_be_gbk: bool
    may_be_utf8: bool


def _meanings(alphabets: tuple[Alphabet, ...]) -> _Meanings:
    first, others = alphabets[0], alphabets[1:]
    return _Meanings(
        first=first,
        rest=tuple(one for one in others if one not in _WEIGHED),
        is_only_ucs2=alphabets == (Alphabet.UCS2,),
        may_be_ucs2=Alphabet.UCS2 in alphabets,
        is_ascii_alike=not _UNLIKE_ASCII.intersection(alphabets),
        is_gsm=first is Alphabet.GSM,
        is_gsm_to_3gpp=alphabets[min(1, len(others))] is Alphabet.GSM,
        may_be_gsm=first is not Alphabet.GSM and Alphabet.GSM in others,
        may_be_latin1=Alphabet.LATIN1 in alphabets,
        may_be_gbk=Alphabet.GBK in alphabets,
        may_be_utf8=Alphabet.UTF8 in alphabets,
    )


def _meant(octets: bytes, alphabet: Alphabet, place: int, shift: Shift | None) -> str:
    if alphabet is not Alphabet.GSM:
        return read(octets, alphabet)
    if shift is not None:
        return decode_shifted(octets, shift)
    return gsm0338.decode(octets if place == 0 else octets.translate(LOW_SEPTETS))


def _shifted(octets: bytes, meanings: _Meanings, fill_bits: int, shift: Shift) -> tuple[str, ...]:
    """Return all readings; those by the national tables come first if phones use them."""
    packed = decode_shifted(gsm0338.unpack(octets, fill_bits=fill_bits), shift)
    unpacked = decode_shifted(octets, shift)
    # Octets over 0x7F are no septets yet.
    own = (unpacked, packed) if octets.isascii() else (packed, unpacked)
    others = _weighed(octets, meanings, fill_bits)
    both = (*own, *others) if meanings.is_gsm_to_3gpp else (*others, *own)
    return tuple(dict.fromkeys(both))


def _weighed(octets: bytes, meanings: _Meanings, fill_bits: int) -> tuple[str, ...]:
    """Return all readings; the announced one first unless another reads better."""
    nominal = read(octets, meanings.first)
    others = sorted(_others(octets, meanings, fill_bits), key=itemgetter(0), reverse=True)
    texts = [text for _, text in others]
    best = others[0][0] if others else 0.0
    texts.insert(1 if best > _standing(nominal, octets, meanings.first) else 0, nominal)
    return tuple(dict.fromkeys(texts))


def _standing(nominal: str, octets: bytes, alphabet: Alphabet) -> float:
    """Return the sense that another reading must exceed to be shown before the announced one."""
    is_ucs2 = alphabet is Alphabet.UCS2
    # A NUL is @ in the GSM alphabet: a text with over a quarter of @ is Latin text in UCS-2.
    if alphabet is Alphabet.BINARY or (not is_ucs2 and 4 * octets.count(0) > len(octets)):
        return 0.0
    sense = _sense(nominal)
    is_clean = sense >= _NOMINAL_SENSE and gsm0338.REPLACEMENT not in nominal
    return 1.0 if is_clean else sense


def _others(octets: bytes, meanings: _Meanings, fill_bits: int) -> Iterator[tuple[float, str]]:
    """Yield the readings that are meant or make sense; on a tie the stronger proof comes first.

    Each comes with its sense, 0 if it is meant but makes little sense.
    """
    printable, is_ascii = _is_mostly_printable(octets), octets.isascii()
    if not printable:
        yield from _packed(octets, fill_bits, is_meant=meanings.is_gsm)
    if not is_ascii:
        yield from _utf8(octets, meanings)
        yield from _gbk(octets, meanings)
        if meanings.is_gsm:
            yield 0.0, gsm0338.decode(octets.translate(LOW_SEPTETS))
    # Han has octets over 0x7F and Latin text has NULs, or nearly always so.
    is_latin = printable or (is_ascii and 4 * octets.count(0) < len(octets))
    yield from _ucs2(octets, strict=is_latin)
    if printable or not meanings.is_only_ucs2:
        yield from _single_octet(octets, meanings, is_ascii=is_ascii)
    if meanings.rest:
        yield from _rest(octets, meanings.rest)
    if meanings.may_be_ucs2:
        yield 0.0, read(octets, Alphabet.UCS2_LE)


def _packed(octets: bytes, fill_bits: int, *, is_meant: bool) -> Iterator[tuple[float, str]]:
    septets = gsm0338.unpack(octets, fill_bits=fill_bits)
    sense = _share(septets, _WORDY)
    if sense >= _PACKED_SENSE:
        yield sense, gsm0338.decode(septets)
    elif is_meant:
        yield 0.0, gsm0338.decode(septets)


# If the sender wrote this character itself, it is not a decoding fault.
_UTF8_REPLACEMENT = gsm0338.REPLACEMENT.encode()


def _utf8(octets: bytes, meanings: _Meanings) -> Iterator[tuple[float, str]]:
    """Yield UTF-8, judged by the characters beyond ASCII: ASCII is right in any reading."""
    text = read(octets, Alphabet.UTF8)
    # Any script will do here: octets are not UTF-8 by accident.
    faults = text.count(gsm0338.REPLACEMENT) - octets.count(_UTF8_REPLACEMENT)
    sense = 1 - faults / _beyond_ascii(text)
    if sense >= _MULTIBYTE_SENSE:
        yield sense, text
    elif sense and meanings.may_be_utf8:
        yield 0.0, text


def _gbk(octets: bytes, meanings: _Meanings) -> Iterator[tuple[float, str]]:
    """Yield GBK, judged like UTF-8, and the GSM alphabet if only 3GPP gives that meaning.

    Not the GSM alphabet for a text that is GBK throughout: it is surely meant as GBK, and a
    second reading of each such text would cost half as much again.
    """
    text = read(octets, Alphabet.GBK)
    sense = 1 - len(_SENSELESS.findall(text)) / _beyond_ascii(text)
    if sense >= _MULTIBYTE_SENSE:
        yield sense, text
    elif meanings.may_be_gbk and _HAN.search(text):
        yield 0.0, text
    if meanings.first is Alphabet.GBK and sense < 1.0:
        yield 0.0, gsm0338.decode(octets.translate(LOW_SEPTETS))


def _beyond_ascii(text: str) -> int:
    """Count the characters beyond ASCII; at least one, since the octets have one."""
    return len(text) - len(text.encode("ascii", "ignore"))


def _ucs2(octets: bytes, *, strict: bool) -> Iterator[tuple[float, str]]:
    for alphabet, high_at, mark in _BYTE_ORDERS:
        if octets.startswith(mark):
            yield _CERTAIN, read(octets, alphabet)
        elif _is_all_han(octets, high_at) or (
            not strict and _reads_as_units(octets[high_at::2], octets[1 - high_at :: 2])
        ):
            text = read(octets, alphabet)
            yield _sense(text), text


def _single_octet(
    octets: bytes, meanings: _Meanings, *, is_ascii: bool
) -> Iterator[tuple[float, str]]:
    """Yield the GSM alphabet and Latin-1. If GSM is a second meaning, its high bits are masked."""
    sense = _share(octets, _SENSIBLE_IN_GSM)
    if meanings.may_be_gsm and (is_ascii or meanings.first is not Alphabet.GBK):
        text = gsm0338.decode(octets if is_ascii else octets.translate(LOW_SEPTETS))
        yield (sense if sense >= _LATIN_SENSE else 0.0), text
    elif sense >= _LATIN_SENSE:
        yield sense, gsm0338.decode(octets)
    if len(octets.translate(None, _OWN_IN_LATIN1)) < len(octets):
        sense = _share(octets, _SENSIBLE_IN_LATIN1)
        if sense >= _LATIN_SENSE:
            yield sense, octets.decode("latin-1")
        elif meanings.may_be_latin1:
            yield 0.0, octets.decode("latin-1")


def _rest(octets: bytes, alphabets: tuple[Alphabet, ...]) -> Iterator[tuple[float, str]]:
    """Yield the second and further meanings that are not weighed for every text."""
    for alphabet in alphabets:
        text = read(octets, alphabet)
        yield (_sense(text) if alphabet is Alphabet.UCS2 else 0.0), text


_MEANINGS = tuple(_meanings(meanings_of(coding)) for coding in range(256))
