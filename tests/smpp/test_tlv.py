"""TLVs keep their order, their duplicates and what nobody knows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib import consts

from gateway.smpp.fields import Tag, Tlv, first, read_tlvs, write_tlvs
from gateway.smpp.status import CommandStatus, DecodeError, EncodeError

tlvs_of_any_kind = st.lists(
    st.builds(Tlv, st.integers(0, 0xFFFF), st.binary(max_size=20)), max_size=8
).map(tuple)


@given(tlvs_of_any_kind, st.binary(max_size=3))
def test_order_duplicates_and_stray_octets_survive(tlvs: tuple[Tlv, ...], stray: bytes) -> None:
    octets = write_tlvs(tlvs) + stray

    assert read_tlvs(octets, 0, len(octets)) == (tlvs, stray)


@given(st.binary(max_size=60), st.integers(0, 60))
def test_any_octets_decode_or_raise_decode_error(octets: bytes, at: int) -> None:
    try:
        tlvs, stray = read_tlvs(octets, at, len(octets))
    except DecodeError as error:
        assert error.status is CommandStatus.ESME_RINVOPTPARSTREAM
    else:
        assert len(stray) <= 3
        assert write_tlvs(tlvs) + stray == octets[at:]


def test_a_length_beyond_the_pdu_is_an_error_even_if_octets_follow_it() -> None:
    octets = bytes.fromhex("0424 0005 6869") + b"next pdu"

    with pytest.raises(DecodeError) as caught:
        read_tlvs(octets, 0, 6)
    assert caught.value.status == 0xC0
    assert caught.value.field == "TLV 0x0424"


def test_the_first_of_two_is_found() -> None:
    tlvs = (Tlv(0x1400, b"x"), Tlv(Tag.MESSAGE_PAYLOAD, b"one"), Tlv(Tag.MESSAGE_PAYLOAD, b"two"))

    assert first(tlvs, Tag.MESSAGE_PAYLOAD) == b"one"
    assert first(tlvs, Tag.MESSAGE_STATE) is None


@pytest.mark.parametrize("tlv", [Tlv(-1, b""), Tlv(0x10000, b""), Tlv(1, bytes(0x10000))])
def test_what_16_bits_cannot_say_is_not_written(tlv: Tlv) -> None:
    with pytest.raises(EncodeError):
        write_tlvs((tlv,))


@pytest.mark.parametrize("tag", Tag)
def test_tags_agree_with_an_independent_table(tag: Tag) -> None:
    assert consts.OPTIONAL_PARAMS[tag.name.lower()] == tag
