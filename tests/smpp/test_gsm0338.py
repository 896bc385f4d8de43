"""The GSM alphabet, its extension, and septets packed into octets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib import gsm as smpplib_gsm

from gateway.smpp import gsm0338
from gateway.smpp.status import EncodeError
from tests.septets import pack

septets_of_any_kind = st.lists(st.integers(0, 127), max_size=200).map(bytes)
ALPHABET = gsm0338.decode(bytes(range(27)) + bytes(range(28, 128)))
EXTENSION = "\f^{}\\[~]|€"


def unpacked_bit_by_bit(octets: bytes, fill_bits: int) -> bytes:
    """Read the septets the slow way: one number, seven bits at a time."""
    number = int.from_bytes(octets, "little") >> fill_bits
    fitting = max(0, 8 * len(octets) - fill_bits) // 7
    return bytes(number >> 7 * septet & 0x7F for septet in range(fitting))


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("@£$¥", b"\x00\x01\x02\x03"),
        ("Hello_world", b"Hello\x11world"),
        ("[x]{y}", b"\x1b\x3cx\x1b\x3e\x1b\x28y\x1b\x29"),
        ("5€ ^\\~|\f", b"5\x1be \x1b\x14\x1b/\x1b=\x1b@\x1b\n"),
        ("ΔΦΓΛΩΠΨΣΘΞ", bytes.fromhex("1012131415161718191a")),
        ("§¿äöñüà", bytes.fromhex("5f607b7c7d7e7f")),
        ("", b""),
    ],
)
def test_golden_octets_both_ways(text: str, octets: bytes) -> None:
    assert gsm0338.encode(text) == octets
    assert gsm0338.decode(octets) == text


@given(st.text(alphabet=ALPHABET + EXTENSION))
def test_any_text_of_the_alphabet_survives_packing(text: str) -> None:
    octets = gsm0338.encode(text)

    assert gsm0338.decode(gsm0338.unpack(pack(octets))[: len(octets)]) == text


# smpplib has a ` where § belongs, and no form feed.
@pytest.mark.parametrize("character", [c for c in ALPHABET + EXTENSION if c not in "\f§"])
def test_the_table_agrees_with_an_independent_one(character: str) -> None:
    assert gsm0338.encode(character) == smpplib_gsm.gsm_encode(character)


@given(st.binary(max_size=200))
def test_any_octets_decode(octets: bytes) -> None:
    text = gsm0338.decode(octets)

    assert len(text) <= len(octets)
    assert text.count("\ufffd") >= sum(octet > 0x7F for octet in octets.replace(b"\x1b", b""))


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"a\x80b\xff", "a\ufffdb\ufffd"),
        (b"\x1ba", "a"),
        (b"\x1b\x1ba", " a"),
        (b"cut\x1b", "cut\ufffd"),
        (b"\x1b\xff", "\ufffd"),
    ],
    ids=["high octets", "no such extension", "escape twice", "cut off", "escaped high octet"],
)
def test_what_the_tables_do_not_have_is_read_as_phones_do(octets: bytes, text: str) -> None:
    assert gsm0338.decode(octets) == text


@pytest.mark.parametrize("text", ["验证码", "a`b", "\x1b", "[\x1b", "\x00"])
def test_what_the_alphabet_lacks_is_not_encoded(text: str) -> None:
    with pytest.raises(EncodeError) as caught:
        gsm0338.encode(text)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_the_well_known_packing_of_hellohello() -> None:
    assert pack(b"hellohello") == bytes.fromhex("e8329bfd4697d9ec37")
    assert gsm0338.unpack(bytes.fromhex("e8329bfd4697d9ec37")) == b"hellohello"


@given(st.binary(max_size=200), st.integers(0, 6))
def test_unpacking_agrees_with_reading_bit_by_bit(octets: bytes, fill_bits: int) -> None:
    assert gsm0338.unpack(octets, fill_bits=fill_bits) == unpacked_bit_by_bit(octets, fill_bits)


@given(septets_of_any_kind)
def test_packed_septets_take_seven_octets_for_eight(septets: bytes) -> None:
    packed = pack(septets)

    assert len(packed) == (7 * len(septets) + 7) // 8
    assert gsm0338.unpack(packed)[: len(septets)] == septets
