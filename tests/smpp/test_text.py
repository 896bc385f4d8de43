"""No data_coding talks the filter out of reading: what is said in any encoding is found."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.smpp import gsm0338
from gateway.smpp.alphabets import Alphabet, meanings_of, read
from gateway.smpp.gsm0338 import Shift, decode_shifted
from gateway.smpp.status import EncodeError
from gateway.smpp.text import (
    MAX_READINGS,
    decode_text,
    encode_text,
    is_plain,
    little_endian_text,
    meant_texts,
    packed_text,
    readings,
)
from tests.septets import pack

NOTICE = "【示例银行】您的验证码是123456，请在5分钟内输入，切勿告诉他人。"
ADVERT = "特价促销！全场五折起，详情请登录 http://www.example.com/sale?id=123 退订回T"
ENGLISH = "Your code is 123456. Do not share it with anyone, thanks."
SPAM = "代开发票请加微信"
EVERY_CODING = range(256)
UCS2_CODINGS = (0x08, 0x18, 0x19, 0x48, 0xE0)


SHIFTS = st.none() | st.builds(Shift, st.integers(0, 13), st.integers(0, 13))
# One alphabet may show octets as no characters, the next may take them for characters.
PADDING = "☀☂☃" * 100


@given(st.binary(max_size=160), st.integers(0, 255), st.integers(0, 6), SHIFTS)
def test_any_octets_give_a_bounded_number_of_readings_none_twice(
    octets: bytes, data_coding: int, fill_bits: int, shift: Shift | None
) -> None:
    found = readings(octets, data_coding, fill_bits=fill_bits, shift=shift)

    assert 1 <= len(found) <= MAX_READINGS + (2 if shift is not None else 0)
    assert len(set(found)) == len(found)
    assert readings(octets, data_coding)[0] == decode_text(octets, data_coding)
    assert all(text.encode("utf-8") is not None for text in found)


def _has_nothing_new(octets: bytes, alphabet: Alphabet, found: tuple[str, ...]) -> bool:
    """Tell whether octets in an alphabet show no word that others would not show.

    Letters and digits of Latin-1 are those of GSM; the own characters of GBK are Han; and what
    reads as GBK throughout is GBK on the mainland.
    """
    text = read(octets, alphabet)
    match alphabet:
        case Alphabet.LATIN1:
            return not any(one in "$@[\\]^_`{|}~" or one >= "\xa0" for one in text)
        case Alphabet.UTF8:
            return not any("\x7f" < one != "\ufffd" for one in text)
        case Alphabet.GBK:
            return not any("\u4e00" <= one <= "\u9fff" for one in text)
        case Alphabet.GSM:
            return read(octets, Alphabet.GBK) in found
        case _:
            return False


def _may_be_left_out(data_coding: int) -> set[Alphabet]:
    """Return the meanings that are not read where they have nothing new."""
    if data_coding == 15:
        return {Alphabet.GSM}
    is_open = data_coding in {0, 2, 4, 12} or data_coding > 15
    return {Alphabet.LATIN1, Alphabet.UTF8, Alphabet.GBK} if is_open else set()


@given(st.binary(max_size=40), st.integers(0, 255))
@example("代开发票".encode("utf-16-be"), 9)
@example(b"plain words", 5)
def test_any_octets_are_read_in_each_meaning_of_any_coding(octets: bytes, data_coding: int) -> None:
    found = readings(octets, data_coding)

    for place, alphabet in enumerate(meanings_of(data_coding)):
        is_masked = alphabet is Alphabet.GSM and place
        text = read(bytes(octet & 0x7F for octet in octets) if is_masked else octets, alphabet)
        is_left_out = alphabet in _may_be_left_out(data_coding) and place
        assert text in found or (is_left_out and _has_nothing_new(octets, alphabet, found)), text


@given(st.binary(max_size=40), st.integers(0, 255), st.integers(0, 6), SHIFTS)
def test_the_parts_of_a_long_message_have_a_text_for_each_meaning(
    octets: bytes, data_coding: int, fill_bits: int, shift: Shift | None
) -> None:
    texts = meant_texts(octets, data_coding, shift=shift)
    packed = packed_text(octets, data_coding, fill_bits=fill_bits, shift=shift)

    assert len(texts) in {1, len(meanings_of(data_coding))}
    assert packed is not None or shift is None
    found = readings(octets, data_coding, fill_bits=fill_bits, shift=shift)
    assert packed is None or any(text.startswith(packed) for text in found)
    if shift is not None and Alphabet.GSM in meanings_of(data_coding):
        assert decode_shifted(octets, shift) in texts


def _is_ucs2_somewhere(data_coding: int) -> bool:
    is_general = data_coding < 0x80 and data_coding & 0x0C == 0x08
    return is_general or data_coding >> 4 == 0xE


@pytest.mark.parametrize("data_coding", [*filter(_is_ucs2_somewhere, range(256))])
def test_symbols_around_it_hide_no_word_in_ucs2(data_coding: int) -> None:
    text = PADDING + SPAM + PADDING

    assert text in readings(text.encode("utf-16-be"), data_coding)


@pytest.mark.parametrize(
    ("codec", "word", "padding", "codings"),
    [
        ("cp949", "도박사이트", "※☆★○●◎◇" * 60, (0x0E, 0x84)),
        ("iso8859_5", "казино", "§№Ђ" * 100, (0x06,)),
        ("iso8859_8", "קזינו", "¢£¤¥" * 100, (0x07,)),
        ("shift_jis", "出会い系", "◆□■△▲▽" * 60, (0x05, 0x09)),
        ("iso2022_jp", "出会い系", "◆□■△▲▽" * 60, (0x05, 0x0A, 0x0D)),
        ("euc_jp", "出会い系", "◆□■△▲▽" * 60, (0x05, 0x0D)),
        ("gb18030", SPAM, "★○●◎◇" * 60, (0x00, 0x02, 0x04, 0x0F, 0xF4)),
        ("utf-8", SPAM, "★○●◎◇" * 60, (0x00, 0x02, 0x04, 0xF4)),
    ],
)
def test_symbols_around_it_hide_no_word_in_the_coding_that_is_said(
    codec: str, word: str, padding: str, codings: tuple[int, ...]
) -> None:
    octets = (padding + word + padding).encode(codec)

    for data_coding in codings:
        assert any(word in text for text in readings(octets, data_coding)), hex(data_coding)


def test_octets_of_no_character_around_it_hide_no_utf8_word() -> None:
    octets = b"\xff" * 400 + SPAM.encode("utf-8") + b"\xff" * 400

    for data_coding in (0, 2, 4):
        assert any(SPAM in text for text in readings(octets, data_coding))


@pytest.mark.parametrize("data_coding", [0, 1, 2, 3, 4, 6, 7, 12, 14, 16, 0x40, 0x90, 0xC0, 0xF1])
def test_a_high_bit_on_letters_hides_no_word(data_coding: int) -> None:
    whole = bytes(letter | 0x80 for letter in b"casino")
    mixed = bytes((b"casino"[0], *whole[1:4], *b"no"))

    for octets in (whole, mixed, b"\xa7" * 300 + mixed + b"\xb1" * 300):
        assert any("casino" in text for text in readings(octets, data_coding)), octets[:8]


def test_a_high_bit_on_letters_hides_no_word_where_gbk_makes_no_sense_of_it() -> None:
    octets = b"\xff " + bytes(letter | 0x80 for letter in b"casino")

    assert any("casino" in text for text in readings(octets, 15))


def test_a_text_behind_national_language_tables_is_read_by_them() -> None:
    turkish = b"\x1d\x61\x6e\x73 oyunu"

    unpacked = readings(turkish, 0, shift=Shift(1, 0))
    packed = readings(pack(b"\0" + turkish)[1:], 0, fill_bits=-1 % 7, shift=Shift(1, 0))

    assert unpacked[0] == "şans oyunu"
    assert any("ans oyunu" in text for text in packed)


@pytest.mark.parametrize("fill_bits", range(7))
def test_packed_text_behind_any_header_is_read_by_its_tables(fill_bits: int) -> None:
    packed = pack(bytes.fromhex("40 52 42 50 20 09 26") + b" " * 9)
    shifted = (int.from_bytes(packed, "little") << fill_bits).to_bytes(len(packed) + 1, "little")

    found = readings(shifted, 0, fill_bits=fill_bits, shift=Shift(6, 0))

    assert found[0].startswith("बीमा ऋण")


def test_the_tables_say_nothing_of_a_text_in_ucs2_but_are_read_all_the_same() -> None:
    found = readings(SPAM.encode("utf-16-be"), 8, shift=Shift(1, 1))

    assert found[0] == SPAM
    assert len(found) > 1


def test_japanese_codes_without_a_high_bit_are_read_under_their_coding() -> None:
    octets = bytes(octet & 0x7F for octet in "出会い系".encode("euc_jp"))

    assert "出会い系" in readings(octets, 5)


@pytest.mark.parametrize(
    ("octets", "data_coding", "text"),
    [
        (ENGLISH.encode(), 0, ENGLISH),
        (b"test", 0, "test"),
        (b"", 0, ""),
        (b"", 8, ""),
        (gsm0338.encode("Write to a@b_c for $5 or 10 £"), 0, "Write to a@b_c for $5 or 10 £"),
        (NOTICE.encode("utf-16-be"), 8, NOTICE),
        (ADVERT.encode("utf-16-be"), 8, ADVERT),
        (ADVERT.encode("utf-16-be"), 0x18, ADVERT),
        (ENGLISH.encode("utf-16-be"), 8, ENGLISH),
        (SPAM.encode("utf-16-be") + b"\x4e", 8, SPAM),
        ("Привет, как дела".encode("utf-16-be"), 8, "Привет, как дела"),
        ("代开发票".encode("utf-16-be"), 8, "代开发票"),
        (b"\xfe\xff" + NOTICE.encode("utf-16-be"), 8, NOTICE),
    ],
)
def test_an_honest_message_has_one_reading(octets: bytes, data_coding: int, text: str) -> None:
    assert readings(octets, data_coding) == (text,)


@pytest.mark.parametrize("data_coding", EVERY_CODING)
@pytest.mark.parametrize(
    "codec", ["utf-16-be", "utf-16-le", "utf-16", "utf-8", "gb18030", "gb2312"]
)
def test_chinese_spam_is_read_whatever_data_coding_says(codec: str, data_coding: int) -> None:
    for text in (SPAM, NOTICE, ADVERT):
        assert text in readings(text.encode(codec), data_coding)


@pytest.mark.parametrize("data_coding", EVERY_CODING)
def test_latin_spam_is_read_whatever_data_coding_says(data_coding: int) -> None:
    assert ENGLISH in readings(ENGLISH.encode(), data_coding)
    assert ENGLISH in readings(ENGLISH.encode("utf-16-le"), data_coding)
    assert ENGLISH in readings(ENGLISH.encode("utf-16-be"), data_coding)
    assert ENGLISH in readings(pack(gsm0338.encode(ENGLISH)), data_coding)
    assert "a_b@[x]" in readings(b"a_b@[x]", data_coding)
    assert "a_b@[x]€" in readings(gsm0338.encode("a_b@[x]€"), data_coding)


@pytest.mark.parametrize("data_coding", EVERY_CODING)
def test_han_made_of_latin_letters_is_read_as_han_too(data_coding: int) -> None:
    letters = b"N1O2P3Q4R5S6T7U8V9"

    assert letters.decode("utf-16-be") in readings(letters, data_coding)
    assert letters.decode() in readings(letters, data_coding)


@pytest.mark.parametrize("data_coding", EVERY_CODING)
def test_little_endian_han_made_of_latin_letters_is_read_as_han_too(data_coding: int) -> None:
    letters = b"1N2O3P4Q5R6S7T8U9V"

    assert letters.decode("utf-16-le") in readings(letters, data_coding)


def test_packed_text_behind_a_user_data_header_is_read() -> None:
    packed = pack(b"\0" + gsm0338.encode(ENGLISH))
    shifted = (int.from_bytes(packed, "little") >> 6).to_bytes(len(packed), "little")

    assert ENGLISH in [text.rstrip("@") for text in readings(shifted, 0, fill_bits=1)]


@pytest.mark.parametrize(
    ("octets", "data_coding"),
    [
        (SPAM.encode("gbk"), 0),
        (SPAM.encode("gbk"), 4),
        (SPAM.encode("gbk"), 15),
        (SPAM.encode("utf-8"), 0),
        (SPAM.encode("utf-8"), 4),
        (SPAM.encode("utf-16-be"), 0),
        (SPAM.encode("utf-16-le"), 0),
        (SPAM.encode("utf-16-le"), 8),
        (b"\xff\xfe" + SPAM.encode("utf-16-le"), 8),
        (SPAM.encode("utf-16-be"), 0x80),
    ],
)
def test_people_see_the_reading_that_makes_sense(octets: bytes, data_coding: int) -> None:
    assert decode_text(octets, data_coding) == SPAM


def test_a_text_of_nothing_but_ucs2_latin_under_0_is_not_shown_with_at_signs() -> None:
    assert decode_text(ENGLISH.encode("utf-16-be"), 0) == ENGLISH


def test_a_little_endian_mark_before_big_endian_text_hides_nothing() -> None:
    octets = SPAM.encode("utf-16-be")

    found = readings(b"\xff\xfe" + octets, 8)

    assert found[0] == octets.decode("utf-16-le")
    assert any(SPAM in text for text in found)


def test_a_few_wrong_octets_do_not_hide_a_utf8_text() -> None:
    octets = SPAM.encode("utf-8")[1:] + b"\xe4"

    assert any(SPAM[1:] in text for text in readings(octets, 0))


@pytest.mark.parametrize("text", ["Café déjà vu à Paris", "Größe äöü ÄÖÜß çñ"])
def test_latin1_under_0_is_shown_as_latin1(text: str) -> None:
    assert decode_text(text.encode("latin-1"), 0) == text


def test_another_script_in_ucs2_is_not_read_as_latin_octets() -> None:
    text = "샀에허샀에허샀에허"
    octets = text.encode("utf-16-be")

    found = readings(octets, 8)

    assert text in found
    assert octets.decode("latin-1") not in found


@pytest.mark.parametrize("data_coding", [0, 1, 3, 8, 15])
def test_a_written_text_is_read_back(data_coding: int) -> None:
    assert decode_text(encode_text("Hello, 5 at 10:00", data_coding), data_coding) == (
        "Hello, 5 at 10:00"
    )


def test_a_text_that_does_not_fit_is_refused() -> None:
    with pytest.raises(EncodeError):
        encode_text("验证码", 0)
    with pytest.raises(EncodeError):
        encode_text("hello", 4)


OF_MANY_SCRIPTS = (
    "привет, казино",
    "आसान कर्ज",
    "เว็บพนัน",
    "كازينو",
    "도박사이트",
    "カジノ",
    "şans oyunu",
    "A片",
)


@pytest.mark.parametrize("data_coding", [*UCS2_CODINGS, 9, 10, 11, 2, 4, 12, 0x14, 0x80, 0xF4])
@pytest.mark.parametrize("order", ["be", "le"])
@pytest.mark.parametrize("text", OF_MANY_SCRIPTS)
def test_ucs2_of_any_script_is_read_in_either_byte_order(
    text: str, order: str, data_coding: int
) -> None:
    assert text in readings(text.encode(f"utf-16-{order}"), data_coding)


@pytest.mark.parametrize("text", OF_MANY_SCRIPTS[:-2])
def test_words_with_their_octets_exchanged_are_read_among_others(text: str) -> None:
    octets = (NOTICE * 3).encode("utf-16-be") + text.encode("utf-16-le")

    assert any(text in reading for reading in readings(octets, 8))


@pytest.mark.parametrize("text", ["您好★您好，再见！", "Привет", "สวัสดี", "\ufeff您好您好您好您好"])
def test_characters_of_one_script_and_a_few_symbols_are_plainly_ucs2(text: str) -> None:
    octets = text.encode("utf-16-be")

    assert len(readings(octets, 8)) == 1
    assert is_plain(octets, 8)
    assert not is_plain(octets, 4)


def test_only_what_may_be_ucs2_is_read_as_its_little_endian() -> None:
    assert little_endian_text("казино".encode("utf-16-le"), 4) == "казино"
    assert little_endian_text(b"plain", 0) is None


@pytest.mark.parametrize("word", ["A片", "a博a"])
def test_a_single_han_character_among_letters_is_read_in_gbk(word: str) -> None:
    octets = b"\xa7\x40" * 60 + word.encode("gbk")

    assert any(word in reading for reading in readings(octets, 0))
