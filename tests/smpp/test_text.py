"""No data_coding talks the filter out of reading: what is said in any encoding is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp import gsm0338
from gateway.smpp.errors import EncodeError
from gateway.smpp.text import decode_text, encode_text, readings

NOTICE = "【示例银行】您的验证码是123456，请在5分钟内输入，切勿告诉他人。"
ADVERT = "特价促销！全场五折起，详情请登录 http://www.example.com/sale?id=123 退订回T"
ENGLISH = "Your code is 123456. Do not share it with anyone, thanks."
SPAM = "代开发票请加微信"
EVERY_CODING = range(256)
UCS2_CODINGS = (0x08, 0x18, 0x19, 0x48, 0xE0)


@given(st.binary(max_size=160), st.integers(0, 255), st.integers(0, 6))
def test_any_octets_give_one_to_six_readings_none_twice(
    octets: bytes, data_coding: int, fill_bits: int
) -> None:
    found = readings(octets, data_coding, fill_bits=fill_bits)

    assert 1 <= len(found) <= 6
    assert len(set(found)) == len(found)
    assert readings(octets, data_coding)[0] == decode_text(octets, data_coding)
    assert all(text.encode("utf-8") is not None for text in found)


@pytest.mark.parametrize(
    ("octets", "data_coding", "text"),
    [
        (ENGLISH.encode(), 0, ENGLISH),
        (b"test", 0, "test"),
        (b"", 0, ""),
        (b"", 8, ""),
        (gsm0338.encode("a@b_c for $5, 10 £"), 0, "a@b_c for $5, 10 £"),
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
    assert ENGLISH in readings(gsm0338.pack(gsm0338.encode(ENGLISH)), data_coding)
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
    packed = gsm0338.pack(b"\0" + gsm0338.encode(ENGLISH))
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


def test_the_peers_default_alphabet_is_what_0_means() -> None:
    assert decode_text(b"a_b@c", 0) == "a§b¡c"
    assert decode_text(b"a_b@c", 0, default="ascii") == "a_b@c"
    assert decode_text(b"\xd6\xd0", 0, default="gbk") == "中"
    assert decode_text(b"a_b@c", 0xF0, default="ascii") == "a§b¡c"


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
