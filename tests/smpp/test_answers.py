"""Ready answers against golden octets and against the table-driven encoder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp import pdu as answers
from gateway.smpp.commands import CommandId
from gateway.smpp.pdu import make
from gateway.smpp.status import CommandStatus

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
