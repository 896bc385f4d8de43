"""The codings of a text as senders announce them, and what they leave to the phone."""

from collections.abc import Callable
from dataclasses import dataclass

# 3GPP TS 23.038, 6.2.1: the default alphabet and its extension table.
_DEFAULT = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = {
    "\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F, "[": 0x3C, "~": 0x3D, "]": 0x3E,
    "|": 0x40, "€": 0x65,
}  # fmt: skip
# 23.038, A.2.1 and A.2.2: single shift tables, beside the extension above.
_TURKISH_SINGLE = {"Ğ": 0x47, "İ": 0x49, "Ş": 0x53, "ç": 0x63, "ğ": 0x67, "ı": 0x69, "ş": 0x73}
_SPANISH_SINGLE = {
    "ç": 0x09, "Á": 0x41, "Í": 0x49, "Ó": 0x4F, "Ú": 0x55, "á": 0x61, "í": 0x69, "ó": 0x6F,
    "ú": 0x75,
}  # fmt: skip
# 23.038, A.3.1: where the Turkish locking shift table differs from the default alphabet.
_TURKISH_LOCKING = {
    0x04: "€", 0x07: "ı", 0x0B: "Ğ", 0x0C: "ğ", 0x1C: "Ş", 0x1D: "ş", 0x40: "İ", 0x60: "ç",
}  # fmt: skip
# 23.038, A.3.6: the Hindi locking shift table.
_HINDI_LOCKING = (
    "ँंःअआइईउऊऋ\nऌऍ\rऎएऐऑऒओऔकखगघङच\x1bछजझञ !टठडढणत)(थद,ध.न0123456789:;ऩपफ?"
    "बभमयरऱलळऴवशषसह़ऽािीुूृॄॅॆेैॉॊोौ्ॐabcdefghijklmnopqrstuvwxyzॲॻॼॾॿ"
)
_ESC = 0x1B


class Unwritable(Exception):  # noqa: N818 - no fault: most disguises fit few codings
    """The text has a character that the coding has not."""


@dataclass(frozen=True, slots=True)
class Coding:
    """A coding: the octets of a text, the data_coding they go under, and the header they need.

    `elements` are information elements of the user data header; `fill_bits` tells whether
    packed septets begin at a septet's bound behind a header.
    """

    name: str
    data_coding: int
    write: Callable[[str], bytes]
    elements: bytes = b""
    is_packed: bool = False

    def octets(self, text: str, header_octets: int = 0) -> bytes:
        """Return `text` behind a header of that many octets; raise Unwritable."""
        try:
            written = self.write(text)
        except UnicodeError as error:
            raise Unwritable from error
        return _packed(written, -8 * header_octets % 7) if self.is_packed else written


def _in_septets(table: str, single: dict[str, int]) -> Callable[[str], bytes]:
    codes = {one: bytes((code,)) for code, one in enumerate(table) if code != _ESC}
    codes = {**{one: bytes((_ESC, code)) for one, code in single.items()}, **codes}

    def write(text: str) -> bytes:
        try:
            return b"".join(codes[one] for one in text)
        except KeyError as error:
            raise Unwritable from error

    return write


def _packed(septets: bytes, fill_bits: int) -> bytes:
    """Pack septets into octets, the lowest bits first (23.038, 6.1.2.1.1)."""
    whole = 0
    for place, septet in enumerate(septets):
        whole |= septet << (fill_bits + 7 * place)
    return whole.to_bytes(-(-(fill_bits + 7 * len(septets)) // 8), "little")


def _exchanged(table: str, changes: dict[int, str]) -> str:
    return "".join(changes.get(code, one) for code, one in enumerate(table))


def _charset(name: str) -> Callable[[str], bytes]:
    return lambda text: text.encode(name)


def _codings() -> tuple[Coding, ...]:
    ucs2, little = _charset("utf-16-be"), _charset("utf-16-le")
    gsm = _in_septets(_DEFAULT, _EXTENSION)
    turkish = _exchanged(_DEFAULT, _TURKISH_LOCKING)
    return (
        Coding("UCS-2", 0x08, ucs2),
        Coding("UCS-2, little-endian", 0x08, little),
        Coding("UCS-2 behind its mark", 0x08, lambda text: ucs2("\ufeff" + text)),
        Coding("little-endian behind its mark", 0x08, lambda t: b"\xff\xfe" + little(t)),
        Coding("UCS-2 of the flash class", 0x18, ucs2),
        Coding("UCS-2 with a class for the SIM", 0x1A, ucs2),
        Coding("UCS-2 of the waiting group", 0xE0, ucs2),
        Coding("UCS-2 called binary", 0x04, ucs2),
        Coding("UCS-2 called binary of 3.4", 0x02, ucs2),
        Coding("UCS-2 under 9", 0x09, ucs2),
        Coding("UCS-2 under 10", 0x0A, ucs2),
        Coding("UCS-2 under 11", 0x0B, ucs2),
        Coding("UTF-8 called binary", 0x04, str.encode),
        Coding("UTF-8 called the default", 0x00, str.encode),
        Coding("GBK", 0x0F, _charset("gbk")),
        Coding("GB 18030", 0x0F, _charset("gb18030")),
        Coding("GSM 03.38", 0x00, gsm),
        Coding("GSM 03.38, packed", 0x00, gsm, is_packed=True),
        Coding("GSM 03.38 of the flash class", 0x10, gsm),
        Coding("GSM 03.38, high bits set", 0x00, lambda t: bytes(o | 0x80 for o in gsm(t))),
        Coding("IA5", 0x01, _charset("ascii")),
        Coding("Latin-1", 0x03, _charset("latin-1")),
        Coding("Shift JIS", 0x05, _charset("shift_jis")),
        Coding("ISO 8859-5", 0x06, _charset("iso8859-5")),
        Coding("EUC-JP", 0x0D, _charset("euc_jp")),
        Coding("KS C 5601", 0x0E, _charset("euc_kr")),
        Coding("KS C 5601 under 84h", 0x84, _charset("euc_kr")),
        Coding(
            "Turkish single shift", 0x00, _in_septets(_DEFAULT, _EXTENSION | _TURKISH_SINGLE),
            b"\x24\x01\x01",
        ),
        Coding(
            "Spanish single shift", 0x00, _in_septets(_DEFAULT, _EXTENSION | _SPANISH_SINGLE),
            b"\x24\x01\x02",
        ),
        Coding(
            "Turkish locking shift", 0x00, _in_septets(turkish, {}), b"\x25\x01\x01",
        ),
        Coding("Hindi locking shift", 0x00, _in_septets(_HINDI_LOCKING, {}), b"\x25\x01\x06"),
        Coding(
            "Hindi locking shift, packed", 0x00, _in_septets(_HINDI_LOCKING, {}),
            b"\x25\x01\x06", is_packed=True,
        ),
    )  # fmt: skip


CODINGS = _codings()
