"""Read the text of a message: the best way for people, and every plausible way for inspection.

data_coding is the sender's word. A filter that believes it can be talked out of looking, so
`readings` looks at the octets as well: little-endian UCS-2 under 8, GBK or UTF-8 under 0, text
under "binary" all come out as text.
"""

import re
from collections.abc import Iterator

from gateway.smpp import gsm0338
from gateway.smpp.alphabets import Alphabet, alphabet_of, read, write

_MAX_READINGS = 6

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_ESCAPE = b"\x1b"
_PRINTABLE = bytes(range(0x20, 0x7F)) + b"\r\n\t" + _ESCAPE
# Octets that mean the same in the GSM alphabet and in ASCII.
_SAME_IN_GSM = _LETTERS + b" !\"#%&'()*+,-./:;<=>?\r\n"
# Octets by which a Latin-1 reading differs from the GSM one in more than control characters.
_OWN_IN_LATIN1 = b"$@[\\]^_`{|}~" + bytes(range(0xA0, 0x100))
# High octets of the UCS-2 characters that Chinese messages are made of: Latin, general
# punctuation, CJK punctuation and kana, Han, full-width forms; and pairs for emoji.
_HAN_HIGH = bytes(range(0x4E, 0xA0))
_SENSIBLE_HIGH = _HAN_HIGH + b"\x00\x20\x30\xff\xd8\xd9\xda\xdb\xdc\xdd\xde\xdf"

# Hangul is not among the usual: in UCS-2 it is what GBK octets look like.
_SENSELESS = re.compile(
    "[^ -~\n\r\t£¥§¡¿À-ÿ\u2010-\u203b\u20ac\u3000-\u30ff\u4e00-\u9fff\uff01-\uffee"
    "\U0001f300-\U0001faff]"
)
# The same judgement an octet at a time: translate is ten times as fast as the pattern.
_SENSIBLE_IN_GSM, _SENSIBLE_IN_LATIN1 = (
    bytes(octet for octet in range(256) if not _SENSELESS.search(read(bytes((octet,)), alphabet)))
    for alphabet in (Alphabet.GSM, Alphabet.LATIN1)
)
_SENSIBLE_IN_GSM += _ESCAPE
_WORDY = _LETTERS + b" .,:/?!\n-"

_LITTLE_ENDIAN_MARK = b"\xff\xfe"
# Alphabet, where a unit's high octet stands, byte order mark.
_BYTE_ORDERS = ((Alphabet.UCS2, 0, b"\xfe\xff"), (Alphabet.UCS2_LE, 1, _LITTLE_ENDIAN_MARK))
_CERTAIN = 2.0  # over any share: a byte order mark says it
_NOMINAL_SENSE = 0.6
_LATIN_SENSE = 0.75
_PACKED_SENSE = 0.85
_MULTIBYTE_SENSE = 0.6
_STRICT_UNITS = 8


def decode_text(octets: bytes, data_coding: int, *, default: str = "gsm") -> str:
    """Return the reading that people should see: `readings`' first.

    `default` names the Alphabet that data_coding 0 stands for with this peer.
    """
    return readings(octets, data_coding, default=default)[0]


def readings(
    octets: bytes, data_coding: int, *, default: str = "gsm", fill_bits: int = 0
) -> tuple[str, ...]:
    """Return every plausible reading of `octets`, the best first; one to six, none twice.

    The reading that `data_coding` announces is always among them. `fill_bits` stand before
    packed text that follows a user data header. Never raises, and costs 1 to 3 us for the usual
    message: the cheap tests come first.
    """
    alphabet = alphabet_of(data_coding) if data_coding else Alphabet(default)
    if alphabet is Alphabet.UCS2:
        if _is_plainly_ucs2(octets):
            return (read(octets, Alphabet.UCS2),)
    elif not (
        octets.translate(None, _SAME_IN_GSM) or _is_all_han(octets, 0) or _is_all_han(octets, 1)
    ):
        return (octets.decode("ascii"),)
    return _weighed(octets, alphabet, fill_bits)


def encode_text(text: str, data_coding: int) -> bytes:
    """Return `text` as `data_coding` wants it; raise EncodeError when it cannot hold it."""
    return write(text, alphabet_of(data_coding))


def _is_plainly_ucs2(octets: bytes) -> bool:
    """Tell whether big-endian UCS-2 is the only way to read `octets`."""
    return (
        8 * _odd_units(octets[0::2]) <= len(octets) // 2
        and not _reads_as_units(octets[1::2], octets[0::2])
        and not _is_mostly_printable(octets)
        and not octets.startswith(_LITTLE_ENDIAN_MARK)
    )


def _odd_units(high: bytes) -> int:
    """Count the high octets that no usual character has."""
    return len(high.translate(None, _SENSIBLE_HIGH))


def _reads_as_units(high: bytes, low: bytes) -> bool:
    """Tell whether three in five units read as usual characters.

    A unit with a zero low octet does not count: it is Latin text read the wrong way round.
    """
    units = min(len(high), len(low))
    usual = units - _odd_units(high[:units]) - low[:units].count(0)
    return units > 0 and 5 * usual >= 3 * units


def _is_all_han(octets: bytes, high_at: int) -> bool:
    """Tell whether every unit is Han, though its octets may be Latin letters each.

    Long enough not to be a word: in a sentence a space or a digit spoils it.
    """
    return len(octets) >= 2 * _STRICT_UNITS and not octets[high_at::2].translate(None, _HAN_HIGH)


def _is_mostly_printable(octets: bytes) -> bool:
    return 5 * len(octets.translate(None, _PRINTABLE)) <= len(octets)


def _sense(text: str) -> float:
    """Return the share of `text` that usual messages are made of, 0 to 1."""
    return 1 - len(_SENSELESS.findall(text)) / len(text) if text else 0.0


def _share(octets: bytes, usual: bytes) -> float:
    """Return the share of `octets` that are among `usual`, 0 to 1."""
    return 1 - len(octets.translate(None, usual)) / len(octets) if octets else 0.0


def _weighed(octets: bytes, alphabet: Alphabet, fill_bits: int) -> tuple[str, ...]:
    """Return the plausible readings; the announced one first unless another reads better."""
    nominal = read(octets, alphabet)
    others = sorted(_plausible(octets, alphabet, fill_bits), key=_by_sense, reverse=True)
    texts = [text for _, text in others]
    best = others[0][0] if others else 0.0
    texts.insert(1 if best > _standing(nominal, octets, alphabet) else 0, nominal)
    return tuple(dict.fromkeys(texts))[:_MAX_READINGS]


def _standing(nominal: str, octets: bytes, alphabet: Alphabet) -> float:
    """Return the sense another reading must exceed to be shown before the announced one."""
    is_ucs2 = alphabet is Alphabet.UCS2
    # A NUL is the GSM alphabet's @: text of which a quarter is @ is Latin text in UCS-2.
    if alphabet is Alphabet.BINARY or (not is_ucs2 and 4 * octets.count(0) > len(octets)):
        return 0.0
    sense = _sense(nominal)
    is_clean = sense >= _NOMINAL_SENSE and gsm0338.REPLACEMENT not in nominal
    return 1.0 if is_clean else sense


def _by_sense(reading: tuple[float, str]) -> float:
    return reading[0]


def _plausible(octets: bytes, alphabet: Alphabet, fill_bits: int) -> Iterator[tuple[float, str]]:
    """Yield the readings that make sense, with their sense; on a tie the stronger proof first."""
    printable = _is_mostly_printable(octets)
    if not printable:
        yield from _packed(octets, fill_bits)
    if not octets.isascii():
        yield from _multibyte(octets)
    # Han has octets over 0x7F and Latin text has NULs, or nearly always so.
    is_latin = printable or (octets.isascii() and 4 * octets.count(0) < len(octets))
    yield from _ucs2(octets, strict=is_latin)
    if printable or alphabet is not Alphabet.UCS2:
        yield from _single_octet(octets)


def _packed(octets: bytes, fill_bits: int) -> Iterator[tuple[float, str]]:
    septets = gsm0338.unpack(octets, fill_bits=fill_bits)
    sense = _share(septets, _WORDY)
    if sense >= _PACKED_SENSE:
        yield sense, gsm0338.decode(septets)


def _multibyte(octets: bytes) -> Iterator[tuple[float, str]]:
    """Yield UTF-8 and GBK, judged by what is not ASCII: the rest is right in any reading."""
    utf8 = read(octets, Alphabet.UTF8)
    # Any script will do here: octets are not UTF-8 by accident.
    sense = 1 - utf8.count(gsm0338.REPLACEMENT) / _beyond_ascii(utf8)
    if sense >= _MULTIBYTE_SENSE:
        yield sense, utf8
    gbk = read(octets, Alphabet.GBK)
    sense = 1 - len(_SENSELESS.findall(gbk)) / _beyond_ascii(gbk)
    if sense >= _MULTIBYTE_SENSE:
        yield sense, gbk


def _beyond_ascii(text: str) -> int:
    """Count the characters that are not ASCII; there is one, for the octets had one."""
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


def _single_octet(octets: bytes) -> Iterator[tuple[float, str]]:
    sense = _share(octets, _SENSIBLE_IN_GSM)
    if sense >= _LATIN_SENSE:
        yield sense, read(octets, Alphabet.GSM)
    if len(octets.translate(None, _OWN_IN_LATIN1)) < len(octets):
        sense = _share(octets, _SENSIBLE_IN_LATIN1)
        if sense >= _LATIN_SENSE:
            yield sense, read(octets, Alphabet.LATIN1)
