"""The national language tables, word by word (3GPP TS 23.038, annex A)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp import gsm0338
from gateway.smpp.gsm0338 import LAST_LANGUAGE, Shift, decode_shifted

LANGUAGES = st.integers(0, LAST_LANGUAGE)


@pytest.mark.parametrize(
    ("language", "octets", "word"),
    [
        (1, "1d 61 6e 73 20 6f 79 75 6e 75", "şans oyunu"),
        (1, "40 1c 49 07 04", "İŞIı€"),
        (2, "61 64 69 08 73", "adiòs"),  # there is no such table: the default alphabet
        (3, "61 09 7b 6f 18", "ação€"),
        (4, "40 50 01 46 50", "বাংলা"),
        (5, "17 53 1d 44 50 27 52", "ગુજરાતી"),
        (6, "40 52 42 50 20 09 26", "बीमा ऋण"),
        (7, "15 2f 5f 2f 24", "ಕನ್ನಡ"),
        (8, "42 46 43 50 47 01", "മലയാളം"),
        (9, "41 46", "ଭଲ"),
        (10, "3d 7b 1d 50 40 52", "ਪੰਜਾਬੀ"),
        (11, "27 42 51 48 5f", "தமிழ்"),
        (12, "27 58 46 53 17 53", "తెలుగు"),
        (13, "00 25 1a 53", "اردو"),
    ],
)
def test_a_locking_shift_table_writes_its_language(language: int, octets: str, word: str) -> None:
    assert decode_shifted(bytes.fromhex(octets), Shift(language, 0)) == word


@pytest.mark.parametrize(
    ("language", "code", "character"),
    [
        *((1, code, there) for code, there in zip(b"GISci\x73", "ĞİŞçış", strict=True)),
        *((2, code, there) for code, there in zip(b"\x09AIOUaiou", "çÁÍÓÚáíóú", strict=True)),
        *(
            (3, code, there)
            for code, there in zip(b"\x05\x0e\x12\x1f[a\x7f", "êÁΦÊÃÂâ", strict=True)
        ),
        (4, 0x19, "০"),
        (4, 0x24, "\N{BENGALI LETTER YYA}"),
        (4, 0x34, "৺"),
        (5, 0x1D, "૧"),
        (6, 0x1D, "१"),
        (6, 0x2C, "\N{DEVANAGARI LETTER QA}"),
        (6, 0x3A, "ॱ"),
        (7, 0x1E, "೨"),
        (7, 0x2A, "ೲ"),
        (8, 0x30, "ൻ"),
        (9, 0x26, "\N{ORIYA LETTER RRA}"),
        (9, 0x2C, "ୱ"),
        (10, 0x2B, "ੜ"),
        (10, 0x2D, "ੵ"),
        (11, 0x1E, "௨"),
        (11, 0x2E, "௺"),
        (12, 0x2C, "౺"),
        (12, 0x32, "౿"),
        (13, 0x19, "\u0600"),
        (13, 0x3F, "۔"),
    ],
)
def test_a_single_shift_table_has_its_characters(language: int, code: int, character: str) -> None:
    assert decode_shifted(bytes((0x1B, code)), Shift(0, language)) == character


@pytest.mark.parametrize("language", range(LAST_LANGUAGE + 1))
def test_every_single_shift_table_has_the_brackets_and_the_euro(language: int) -> None:
    assert decode_shifted(b"\x1b(\x1b)\x1b/\x1b<\x1b=\x1b>\x1b@\x1be", Shift(0, language)) == (
        "{}\\[~]|€"
    )


def test_both_tables_work_on_one_text() -> None:
    assert decode_shifted(b"\x40\x52\x1b\x1d\x1bA", Shift(6, 6)) == "बी१A"
    assert decode_shifted(b"\x1bA", Shift(6, 1)) == "भ"  # not in the Turkish table: the Hindi one


def test_what_no_table_has_is_a_space() -> None:
    assert decode_shifted(b"\x11\x1b\x11", Shift(7, 0)) == "  "


@pytest.mark.parametrize(
    ("octets", "text"),
    [(b"a\x1b", "a\ufffd"), (b"\x1b\x1bs", " s"), (b"", ""), (b"\xf3\x1b\xf3", "sş")],
    ids=["cut off", "two escapes", "nothing", "high bits"],
)
def test_escapes_at_their_worst(octets: bytes, text: str) -> None:
    assert decode_shifted(octets, Shift(1, 1)) == text


@given(st.binary(max_size=160), LANGUAGES, LANGUAGES)
def test_any_octets_are_read_by_any_tables(octets: bytes, locking: int, single: int) -> None:
    text = decode_shifted(octets, Shift(locking, single))

    assert text.encode("utf-8").decode() == text
    assert "\0" not in text
    assert len(text) >= len(octets) // 2


@given(st.binary(max_size=160))
def test_the_default_tables_read_the_default_alphabet(octets: bytes) -> None:
    septets = bytes(octet & 0x7F for octet in octets)

    assert decode_shifted(octets, Shift(0, 0)) == gsm0338.decode(septets)
