import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib import command_codes, consts

from simulators import builders, wire
from simulators.smsc.witness import decode
from simulators.wire import CommandId, CommandStatus, Framer, MalformedError, Tag


def test_commands_are_numbered_as_smpplib_numbers_them() -> None:
    for command in CommandId:
        assert command_codes.get_command_name(command) == command.name.lower()


def test_statuses_are_numbered_as_smpplib_numbers_them() -> None:
    for status in CommandStatus:
        assert getattr(consts, f"SMPP_{status.name}") == status


def test_tags_are_numbered_as_smpplib_numbers_them() -> None:
    for tag in Tag:
        assert consts.OPTIONAL_PARAMS[tag.name.lower()] == tag


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 50))
def test_a_stream_is_cut_alike_however_it_arrives(bodies: list[bytes], step: int) -> None:
    pdus = [wire.pdu(4, number, body) for number, body in enumerate(bodies)]
    stream = b"".join(pdus)
    framer = Framer()

    cut = [
        octets
        for at in range(0, len(stream), step)
        for octets in framer.feed(stream[at : at + step])
    ]

    assert cut == pdus
    assert not framer.is_broken


@pytest.mark.parametrize("length", [0, 15, wire.MAX_PDU_OCTETS + 1, 0x48545450])
def test_a_lying_command_length_ends_the_stream_after_what_was_whole(length: int) -> None:
    framer = Framer()
    whole = builders.enquire_link(9)

    cut = framer.feed(whole + length.to_bytes(4, "big") + b"rest of it" + whole)

    assert cut == [whole]
    assert framer.is_broken
    assert framer.feed(whole) == []


def test_the_longest_legal_pdu_is_whole() -> None:
    longest = wire.pdu(4, 1, b"x" * (wire.MAX_PDU_OCTETS - 16))

    assert Framer().feed(longest) == [longest]


@given(
    st.sampled_from([CommandId.SUBMIT_SM, CommandId.SUBMIT_MULTI, CommandId.DATA_SM, 0x15]),
    st.binary(max_size=120),
)
def test_any_body_is_read_or_malformed(command_id: int, body: bytes) -> None:
    try:
        message = wire.read_message(wire.pdu(command_id, 1, body))
    except MalformedError:
        return
    assert message.destinations


@given(st.data(), st.binary(max_size=100))
def test_a_message_cut_anywhere_inside_its_fields_is_malformed(
    data: st.DataObject, octets: bytes
) -> None:
    whole = builders.submit_sm("10690001", "13800138000", octets)
    end = data.draw(st.integers(16, len(whole) - 1))

    with pytest.raises(MalformedError):
        wire.read_message(whole[:end])


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=9)), max_size=6))
def test_tlvs_keep_their_order_and_their_doubles(tlvs: list[tuple[int, bytes]]) -> None:
    assert wire.tlvs_of(wire.tlv_octets(tlvs)) == tlvs


@pytest.mark.parametrize("octets", [b"\x04", b"\x04\x24\x00", b"\x04\x24\x00\x05abcd"])
def test_a_tlv_that_runs_past_the_pdu_is_malformed(octets: bytes) -> None:
    with pytest.raises(MalformedError):
        wire.tlvs_of(octets)


def test_an_answer_without_a_body_has_no_message_id() -> None:
    assert wire.message_id_of(wire.pdu(0x80000004, 1, command_status=0x45)) == ""
    assert wire.message_id_of(wire.pdu(0x80000004, 1, b"42\0")) == "42"


def test_smpplib_knows_every_command_the_simulated_smsc_asks_it_about() -> None:
    assert decode(builders.query_sm("42", "10690001")) is not None
    assert decode(builders.bind("sp1", "secret")) is not None
