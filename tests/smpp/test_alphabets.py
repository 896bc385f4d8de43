"""What data_coding announces, for all 256 values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.alphabets import Alphabet, alphabet_of, meanings_of, read, write
from gateway.smpp.status import EncodeError


@pytest.mark.parametrize(
    ("codings", "alphabet"),
    [
        ([0x00, 0x10, 0x13, 0x20, 0x30, 0x40, 0x71, 0xC0, 0xD8, 0xF0, 0xF3, 0xFB], Alphabet.GSM),
        ([0x01], Alphabet.ASCII),
        ([0x02, 0x04, 0x0C, 0x14, 0x1C, 0x80, 0xBF, 0xF4, 0xF7, 0xFF], Alphabet.BINARY),
        ([0x03], Alphabet.LATIN1),
        ([0x05, 0x09], Alphabet.SHIFT_JIS),
        ([0x06], Alphabet.CYRILLIC),
        ([0x07], Alphabet.HEBREW),
        ([0x08, 0x0B, 0x18, 0x19, 0x1B, 0x28, 0x48, 0x78, 0xE0, 0xEF], Alphabet.UCS2),
        ([0x0A], Alphabet.ISO2022_JP),
        ([0x0D], Alphabet.EUC_JP),
        ([0x0E, 0x84], Alphabet.EUC_KR),
        ([0x0F], Alphabet.GBK),
    ],
)
def test_data_coding_announces_an_alphabet(codings: list[int], alphabet: Alphabet) -> None:
    assert {alphabet_of(coding) for coding in codings} == {alphabet}


def of_3gpp(coding: int) -> set[Alphabet]:
    """Return what 3GPP TS 23.038, section 4, calls `coding`; Android reads 8 bits as GSM."""
    if coding == 0x84:  # reserved, and Korean on Android
        return {Alphabet.EUC_KR, Alphabet.GSM}
    if coding < 0x80 and coding & 0x0C == 0x08:
        return {Alphabet.UCS2}
    return {Alphabet.UCS2} if 0xE0 <= coding <= 0xEF else {Alphabet.GSM}


@pytest.mark.parametrize("coding", range(256))
def test_every_coding_has_the_meaning_of_3gpp(coding: int) -> None:
    assert of_3gpp(coding) <= set(meanings_of(coding))


def test_the_second_meaning_is_that_of_3gpp() -> None:
    for coding in range(256):
        meanings = meanings_of(coding)
        assert meanings[min(1, len(meanings) - 1)] in of_3gpp(coding)
        assert meanings[0] is alphabet_of(coding)
        assert len(meanings) <= 5


@pytest.mark.parametrize(
    ("coding", "alphabets"),
    [
        (0, {Alphabet.GSM, Alphabet.LATIN1, Alphabet.UTF8, Alphabet.GBK}),
        (1, {Alphabet.ASCII}),
        (2, {Alphabet.BINARY}),
        (3, {Alphabet.LATIN1}),
        (4, {Alphabet.BINARY}),
        (5, {Alphabet.JIS, Alphabet.SHIFT_JIS, Alphabet.EUC_JP, Alphabet.ISO2022_JP}),
        (6, {Alphabet.CYRILLIC}),
        (7, {Alphabet.HEBREW}),
        (8, {Alphabet.UCS2}),
        (9, {Alphabet.SHIFT_JIS}),
        (10, {Alphabet.ISO2022_JP}),
        (13, {Alphabet.JIS, Alphabet.EUC_JP, Alphabet.ISO2022_JP}),
        (14, {Alphabet.EUC_KR}),
        (15, {Alphabet.GBK}),
    ],
)
def test_every_coding_below_16_has_the_meaning_of_smpp(
    coding: int, alphabets: set[Alphabet]
) -> None:
    assert alphabets <= set(meanings_of(coding))


@given(st.binary(max_size=80), st.sampled_from(Alphabet))
def test_any_octets_are_read_in_any_alphabet(octets: bytes, alphabet: Alphabet) -> None:
    text = read(octets, alphabet)

    assert text.encode("utf-8").decode() == text


@pytest.mark.parametrize(
    ("alphabet", "text", "octets"),
    [
        (Alphabet.GSM, "a@b", b"a\0b"),
        (Alphabet.ASCII, "a@b", b"a@b"),
        (Alphabet.LATIN1, "é", b"\xe9"),
        (Alphabet.CYRILLIC, "я", b"\xef"),
        (Alphabet.HEBREW, "א", b"\xe0"),
        (Alphabet.UTF8, "中", b"\xe4\xb8\xad"),
        (Alphabet.UCS2, "中😀", b"\x4e\x2d\xd8\x3d\xde\x00"),
        (Alphabet.UCS2_LE, "中", b"\x2d\x4e"),
        (Alphabet.GBK, "中", b"\xd6\xd0"),
        (Alphabet.SHIFT_JIS, "中", b"\x92\x86"),
        (Alphabet.ISO2022_JP, "中", b"\x1b$BCf\x1b(B"),
        (Alphabet.EUC_JP, "中", b"\xc3\xe6"),
        (Alphabet.EUC_KR, "한", b"\xc7\xd1"),
        (Alphabet.EUC_KR, "샾", b"\x98\xde"),
        (Alphabet.SHIFT_JIS, "①", b"\x87\x40"),
    ],
)
def test_golden_octets_both_ways(alphabet: Alphabet, text: str, octets: bytes) -> None:
    assert read(octets, alphabet) == text
    assert write(text, alphabet) == octets


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"\xfe\xff\x4e\x2d", "中"),
        (b"\x4e\x2d\x4e", "中"),
        (b"\xd8\x3d\x4e\x2d", "\ufffd中"),
        (b"\x4e", ""),
    ],
    ids=["byte order mark", "odd octet", "half an emoji", "one octet"],
)
def test_ucs2_is_read_as_it_comes(octets: bytes, text: str) -> None:
    assert read(octets, Alphabet.UCS2) == text


def test_bare_codes_of_jis_are_read_two_by_two() -> None:
    assert read(bytes.fromhex("2546 2539 2548"), Alphabet.JIS) == "テスト"


def test_binary_is_shown_octet_by_octet() -> None:
    assert read(b"\x00A\xff", Alphabet.BINARY) == "\x00A\xff"


@pytest.mark.parametrize(
    ("alphabet", "text"),
    [
        (Alphabet.ASCII, "é"),
        (Alphabet.GSM, "中"),
        (Alphabet.BINARY, "z"),
        (Alphabet.JIS, "テスト"),
        (Alphabet.UCS2, "\ud800"),
    ],
)
def test_a_text_the_alphabet_cannot_hold_is_refused_without_being_told(
    alphabet: Alphabet, text: str
) -> None:
    with pytest.raises(EncodeError) as caught:
        write(text, alphabet)
    assert text not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
