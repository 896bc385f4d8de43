"""What data_coding says about an alphabet, and how each alphabet is read and written."""

from enum import StrEnum

from gateway.smpp import gsm0338
from gateway.smpp.status import EncodeError


class Alphabet(StrEnum):
    """The alphabets a short message may be written in."""

    GSM = "gsm"
    ASCII = "ascii"
    LATIN1 = "latin1"
    CYRILLIC = "cyrillic"
    HEBREW = "hebrew"
    UTF8 = "utf8"
    UCS2 = "ucs2"
    UCS2_LE = "ucs2_le"
    GBK = "gbk"
    JIS = "jis"
    SHIFT_JIS = "shift_jis"
    ISO2022_JP = "iso2022_jp"
    EUC_JP = "euc_jp"
    EUC_KR = "euc_kr"
    BINARY = "binary"


_BYTE_ORDER_MARK = "\ufeff"

# GB 18030 reads every GBK text alike and knows the characters added since. So do the code
# pages of Windows with Shift-JIS and EUC-KR, and ISO-2022-JP-2 with its first version. JIS are
# the bare codes of JIS X 0208, two octets without high bits each: those of EUC-JP less 0x8080.
_CODECS = {
    Alphabet.ASCII: "ascii",
    Alphabet.LATIN1: "latin-1",
    Alphabet.CYRILLIC: "iso8859_5",
    Alphabet.HEBREW: "iso8859_8",
    Alphabet.UTF8: "utf-8",
    Alphabet.UCS2: "utf-16-be",
    Alphabet.UCS2_LE: "utf-16-le",
    Alphabet.GBK: "gb18030",
    Alphabet.SHIFT_JIS: "cp932",
    Alphabet.ISO2022_JP: "iso2022_jp_2",
    Alphabet.EUC_JP: "euc_jp",
    Alphabet.JIS: "euc_jp",
    Alphabet.EUC_KR: "cp949",
}
_NEVER_WRITTEN = {Alphabet.JIS, Alphabet.BINARY}

_GSM_ALIKE = (Alphabet.GSM, Alphabet.GSM, Alphabet.LATIN1, Alphabet.GBK, Alphabet.UTF8)
_OCTETS = (Alphabet.BINARY, Alphabet.GSM, Alphabet.GBK, Alphabet.UTF8, Alphabet.UCS2)
_ONLY_UCS2 = (Alphabet.UCS2,)
# What each data_coding below 16 means to SMPP (3.4, 5.2.19; 5.0, 4.7.7.1), what the same octet
# means to 3GPP TS 23.038, section 4, and then what else is made of it. An SMSC that hands the
# octet on makes the second of the first. 0 is whatever the SMSC has, 2 and 4 are octets of any
# alphabet, 15 is GBK by the custom of mainland gateways. 3GPP has its bits 3 and 2 for the
# alphabet, and whatever is reserved is read as the default one; of 8 bit data handsets show the
# GSM characters, one an octet.
_SMPP_CODINGS = {
    0: _GSM_ALIKE,
    1: (Alphabet.ASCII, Alphabet.GSM),
    2: _OCTETS,
    3: (Alphabet.LATIN1, Alphabet.GSM),
    4: _OCTETS,
    5: (
        Alphabet.SHIFT_JIS,
        Alphabet.GSM,
        Alphabet.EUC_JP,
        Alphabet.ISO2022_JP,
        Alphabet.JIS,
    ),
    6: (Alphabet.CYRILLIC, Alphabet.GSM),
    7: (Alphabet.HEBREW, Alphabet.GSM),
    8: _ONLY_UCS2,
    9: (Alphabet.SHIFT_JIS, Alphabet.UCS2),
    10: (Alphabet.ISO2022_JP, Alphabet.UCS2),
    11: (Alphabet.UCS2, Alphabet.UCS2, Alphabet.GSM),
    12: _OCTETS,
    13: (
        Alphabet.EUC_JP,
        Alphabet.GSM,
        Alphabet.SHIFT_JIS,
        Alphabet.ISO2022_JP,
        Alphabet.JIS,
    ),
    14: (Alphabet.EUC_KR, Alphabet.GSM),
    15: (Alphabet.GBK, Alphabet.GSM),
}
# KSC 5601 in Korea, and so on Android, though reserved in 3GPP TS 23.038.
_KOREAN = 0x84
_GSM_GROUP_ALPHABETS = (_GSM_ALIKE, _OCTETS, _ONLY_UCS2, _OCTETS)


def alphabet_of(data_coding: int) -> Alphabet:
    """Return the alphabet `data_coding` announces, BINARY for octets without one.

    Above 15 stand the groups of 3GPP TS 23.038, section 4: 0x18 and 0x19 are UCS-2 with a
    message class.
    """
    return _MEANINGS[data_coding & 0xFF][0]


def meanings_of(data_coding: int) -> tuple[Alphabet, ...]:
    """Return the alphabets that `data_coding` may mean, one to five, the announced one first.

    That is SMPP's meaning, the second 3GPP's, and then others that are in use. The first two
    may be one; with a single meaning there is no other.
    """
    return _MEANINGS[data_coding & 0xFF]


def read(octets: bytes, alphabet: Alphabet) -> str:
    """Return `octets` read in `alphabet`; what does not fit becomes U+FFFD, nothing raises.

    UCS-2 loses its byte order mark and an odd last octet. BINARY is shown as Latin-1.
    """
    if alphabet is Alphabet.GSM:
        return gsm0338.decode(octets)
    if alphabet is Alphabet.JIS:
        octets = octets.translate(_JIS_TO_EUC)
    codec = _CODECS.get(alphabet, "latin-1")
    if alphabet is Alphabet.UCS2 or alphabet is Alphabet.UCS2_LE:
        return octets[: len(octets) & ~1].decode(codec, "replace").removeprefix(_BYTE_ORDER_MARK)
    return octets.decode(codec, "replace")


def write(text: str, alphabet: Alphabet) -> bytes:
    """Return `text` in `alphabet`; raise EncodeError when it cannot hold it."""
    if alphabet is Alphabet.GSM:
        return gsm0338.encode(text)
    if alphabet in _NEVER_WRITTEN:
        raise EncodeError(f"{alphabet} holds no text that could be written")
    try:
        return text.encode(_CODECS[alphabet])
    except UnicodeEncodeError as error:
        # The codec's error holds the text, which belongs in no traceback.
        raise EncodeError(f"character {error.start} is not in {alphabet}") from None


def _group_meanings(data_coding: int) -> tuple[Alphabet, ...]:
    """Return the meanings of a GSM coding group (3GPP TS 23.038, section 4).

    The bit that says that a text is compressed changes none: who does not know it shows the
    text as it is, and what is compressed is not inflated here.
    """
    match data_coding >> 4:
        case group if 1 <= group <= 7:
            return _GSM_GROUP_ALPHABETS[data_coding >> 2 & 3]
        case 0xC | 0xD:
            return _GSM_ALIKE
        case 0xE:
            return _ONLY_UCS2
        case 0xF:
            return _OCTETS if data_coding & 4 else _GSM_ALIKE
        case _:
            return (Alphabet.EUC_KR, Alphabet.GSM) if data_coding == _KOREAN else _OCTETS


_MEANINGS = tuple(_SMPP_CODINGS.get(coding, _group_meanings(coding)) for coding in range(256))
_JIS_TO_EUC = bytes(octet | 0x80 if 0x21 <= octet <= 0x7E else octet for octet in range(256))
