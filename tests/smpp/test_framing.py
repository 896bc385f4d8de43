"""Framing whole, byte by byte, and with lies in command_length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.framing import HEADER, FramingError, split
from gateway.smpp.status import CommandStatus

MAX_OCTETS = 200
ENQUIRE_LINK = bytes.fromhex("00000010 00000015 00000000 00000007")


def pdu(body: bytes, sequence_number: int = 1) -> bytes:
    return HEADER.pack(16 + len(body), 4, 0, sequence_number) + body


pdus = st.builds(pdu, st.binary(max_size=40), st.integers(0, 0xFFFFFFFF))


@given(st.lists(pdus, max_size=6), pdus, st.data())
def test_whole_pdus_come_out_and_the_begun_one_stays(
    whole: list[bytes], last: bytes, data: st.DataObject
) -> None:
    begun = last[: data.draw(st.integers(0, len(last) - 1))]

    assert split(b"".join(whole) + begun, MAX_OCTETS) == (whole, begun)


@given(st.lists(pdus, max_size=4))
def test_octets_that_come_one_at_a_time_give_the_same_pdus(whole: list[bytes]) -> None:
    found: list[bytes] = []
    rest = b""
    for octet in b"".join(whole):
        more, rest = split(rest + bytes((octet,)), MAX_OCTETS)
        found += more

    assert found == whole
    assert rest == b""


@pytest.mark.parametrize("length", [0, 1, 15, MAX_OCTETS + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_bad_length_is_noticed_at_its_fourth_octet(length: int) -> None:
    lie = length.to_bytes(4, "big")

    assert split(lie[:3], MAX_OCTETS) == ([], lie[:3])
    with pytest.raises(FramingError) as caught:
        split(lie, MAX_OCTETS)
    assert caught.value.status is CommandStatus.ESME_RINVCMDLEN
    assert caught.value.field == "command_length"
    assert caught.value.sequence_number == 0
    assert caught.value.pdus == []


@pytest.mark.parametrize("length", [16, MAX_OCTETS])
def test_the_limits_themselves_are_allowed(length: int) -> None:
    whole = pdu(bytes(length - 16))

    assert split(whole, MAX_OCTETS) == ([whole], b"")


def test_the_sequence_number_of_a_whole_bad_header_is_read() -> None:
    bad = HEADER.pack(15, 4, 0, 0xA2859F22)

    with pytest.raises(FramingError) as caught:
        split(bad, MAX_OCTETS)
    assert caught.value.sequence_number == 0xA2859F22


def test_the_sequence_number_is_that_of_the_bad_header_not_of_the_first() -> None:
    with pytest.raises(FramingError) as caught:
        split(ENQUIRE_LINK + HEADER.pack(15, 4, 0, 99)[:15], MAX_OCTETS)
    assert caught.value.sequence_number == 0


def test_what_stood_before_the_fault_is_not_lost() -> None:
    with pytest.raises(FramingError) as caught:
        split(ENQUIRE_LINK + ENQUIRE_LINK + b"\0\0\0\0", MAX_OCTETS)
    assert caught.value.pdus == [ENQUIRE_LINK, ENQUIRE_LINK]


@given(st.binary(max_size=300))
def test_any_octets_are_cut_without_loss_or_refused(octets: bytes) -> None:
    try:
        whole, rest = split(octets, MAX_OCTETS)
    except FramingError as error:
        assert b"".join(error.pdus) == octets[: sum(map(len, error.pdus))]
    else:
        assert b"".join(whole) + rest == octets
        assert all(16 <= len(one) <= MAX_OCTETS for one in whole)
