"""Ready answers against golden octets and against the table-driven encoder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp import pdu as answers
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.pdu import Pdu, decode, make
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlv import Tlv

BINDS = (CommandId.BIND_RECEIVER, CommandId.BIND_TRANSMITTER, CommandId.BIND_TRANSCEIVER)
sequence_numbers = st.integers(0, 0xFFFFFFFF)


@pytest.mark.parametrize(
    ("octets", "golden"),
    [
        (
            answers.generic_nack(CommandStatus.ESME_RINVCMDID, 0),
            "00000010 80000000 00000003 00000000",
        ),
        (answers.enquire_link(1), "00000010 00000015 00000000 00000001"),
        (answers.enquire_link_resp(0xA2859F22), "00000010 80000015 00000000 a2859f22"),
        (answers.unbind(2), "00000010 00000006 00000000 00000002"),
        (answers.unbind_resp(3), "00000010 80000006 00000000 00000003"),
        (
            answers.header_only(
                CommandId.SUBMIT_SM_RESP, CommandStatus.ESME_RSUBMITFAIL, 0xFFFFFFFF
            ),
            "00000010 80000004 00000045 ffffffff",
        ),
        (
            answers.submit_sm_resp(5, b"80001"),
            "00000016 80000004 00000000 00000005 383030303100",
        ),
    ],
)
def test_golden_octets(octets: bytes, golden: str) -> None:
    assert octets == bytes.fromhex(golden)


@given(sequence_numbers, st.binary(max_size=64).map(lambda octets: octets.replace(b"\0", b"0")))
def test_a_submit_is_acknowledged_as_the_table_says(
    sequence_number: int, message_id: bytes
) -> None:
    golden = make(CommandId.SUBMIT_SM_RESP, sequence_number, message_id=message_id)

    assert answers.submit_sm_resp(sequence_number, message_id) == golden


@pytest.mark.parametrize("command_id", BINDS)
@pytest.mark.parametrize(
    ("interface_version", "tlvs"),
    [
        (None, ()),
        (0x00, ()),
        (0x33, ()),
        (0x34, (Tlv(0x0210, b"\x34"),)),
        (0x50, (Tlv(0x0210, b"\x34"),)),
    ],
)
def test_only_a_peer_that_knows_tlvs_is_sent_one(
    command_id: CommandId, interface_version: int | None, tlvs: tuple[Tlv, ...]
) -> None:
    octets = answers.bind_resp(command_id, 0, 9, b"smsward", interface_version)

    answer = Pdu(command_id | RESPONSE_BIT, 0, 9, {"system_id": b"smsward"}, tlvs)
    assert decode(octets) == answer
    assert answers.bind_resp(command_id | RESPONSE_BIT, 0, 9, b"smsward", interface_version) == (
        octets
    )


@pytest.mark.parametrize("command_id", BINDS)
def test_a_refused_bind_has_no_body(command_id: CommandId) -> None:
    octets = answers.bind_resp(command_id, CommandStatus.ESME_RBINDFAIL, 9, b"smsward", 0x34)

    assert octets == make(command_id | RESPONSE_BIT, 9, CommandStatus.ESME_RBINDFAIL)
    assert len(octets) == 16
