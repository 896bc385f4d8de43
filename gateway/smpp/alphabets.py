"""What data_coding says about an alphabet, and how each alphabet is read and written."""

from enum import StrEnum

from gateway.smpp import gsm0338
from gateway.smpp.errors import EncodeError


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
    SHIFT_JIS = "shift_jis"
    ISO2022_JP = "iso2022_jp"
    EUC_JP = "euc_jp"
    EUC_KR = "euc_kr"
    BINARY = "binary"


_BYTE_ORDER_MARK = "\ufeff"

# GB 18030 reads every GBK text alike and knows the characters added since.
_CODECS = {
    Alphabet.ASCII: "ascii",
    Alphabet.LATIN1: "latin-1",
    Alphabet.CYRILLIC: "iso8859_5",
    Alphabet.HEBREW: "iso8859_8",
    Alphabet.UTF8: "utf-8",
    Alphabet.UCS2: "utf-16-be",
    Alphabet.UCS2_LE: "utf-16-le",
    Alphabet.GBK: "gb18030",
    Alphabet.SHIFT_JIS: "shift_jis",
    Alphabet.ISO2022_JP: "iso2022_jp",
    Alphabet.EUC_JP: "euc_jp",
    Alphabet.EUC_KR: "euc_kr",
}

# SMPP 3.4, 5.2.19; 15 is GBK by the custom of mainland gateways.
_SMPP_CODINGS = {
    0: Alphabet.GSM,
    1: Alphabet.ASCII,
    3: Alphabet.LATIN1,
    5: Alphabet.SHIFT_JIS,
    6: Alphabet.CYRILLIC,
    7: Alphabet.HEBREW,
    8: Alphabet.UCS2,
    9: Alphabet.SHIFT_JIS,
    10: Alphabet.ISO2022_JP,
    13: Alphabet.EUC_JP,
    14: Alphabet.EUC_KR,
    15: Alphabet.GBK,
}
_GSM_GROUP_ALPHABETS = (Alphabet.GSM, Alphabet.BINARY, Alphabet.UCS2, Alphabet.BINARY)


def alphabet_of(data_coding: int) -> Alphabet:
    """Return the alphabet `data_coding` announces, BINARY for octets without one.

    Above 15 stand the groups of 3GPP TS 23.038, section 4: 0x18 and 0x19 are UCS-2 with a
    message class.
    """
    return _ALPHABETS[data_coding & 0xFF]


def read(octets: bytes, alphabet: Alphabet) -> str:
    """Return `octets` read in `alphabet`; what does not fit becomes U+FFFD, nothing raises.

    UCS-2 loses its byte order mark and an odd last octet. BINARY is shown as Latin-1.
    """
    if alphabet is Alphabet.GSM:
        return gsm0338.decode(octets)
    codec = _CODECS.get(alphabet, "latin-1")
    if alphabet is Alphabet.UCS2 or alphabet is Alphabet.UCS2_LE:
        return octets[: len(octets) & ~1].decode(codec, "replace").removeprefix(_BYTE_ORDER_MARK)
    return octets.decode(codec, "replace")


def write(text: str, alphabet: Alphabet) -> bytes:
    """Return `text` in `alphabet`; raise EncodeError when it cannot hold it."""
    if alphabet is Alphabet.GSM:
        return gsm0338.encode(text)
    codec = _CODECS.get(alphabet)
    if codec is None:
        raise EncodeError("binary holds no text")
    try:
        return text.encode(codec)
    except UnicodeEncodeError as error:
        # The codec's error holds the text, which belongs in no traceback.
        raise EncodeError(f"character {error.start} is not in {alphabet}") from None


def _group_alphabet(data_coding: int) -> Alphabet:
    """Return the alphabet of a GSM coding group (3GPP TS 23.038, section 4)."""
    match data_coding >> 4:
        case group if 1 <= group <= 7:
            return _GSM_GROUP_ALPHABETS[data_coding >> 2 & 3]
        case 0xC | 0xD:
            return Alphabet.GSM
        case 0xE:
            return Alphabet.UCS2
        case 0xF:
            return Alphabet.BINARY if data_coding & 4 else Alphabet.GSM
        case _:
            return Alphabet.BINARY


_ALPHABETS = tuple(_SMPP_CODINGS.get(coding, _group_alphabet(coding)) for coding in range(256))
