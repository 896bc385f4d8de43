"""smpplib as an independent witness of the codec, where it can bear witness.

It skips TLVs it does not know, has no submit_multi, cancel_sm and replace_sm, and cannot write
again what it has read; so each direction is tried by itself.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib import smpp
from smpplib.client import SimpleSequenceGenerator

from gateway.smpp import pdu as answers
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import FieldValue, Tag, Tlv
from gateway.smpp.pdu import decode, make
from gateway.smpp.status import CommandStatus

digits = st.text("0123456789", min_size=1, max_size=20)
letters = st.text("abcXYZ019", max_size=8)
octet = st.integers(0, 255)


class Witness:
    """What smpplib wants of a client: sequence numbers."""

    def __init__(self) -> None:
        self.sequence_generator = SimpleSequenceGenerator()

    def next_sequence(self) -> int:
        return int(self.sequence_generator.next_sequence())


def read_by_smpplib(pdu: bytes) -> dict[str, object]:
    return dict(vars(smpp.parse_pdu(pdu, client=Witness(), allow_unknown_opt_params=True)))


messages = st.fixed_dictionaries(
    {
        "source_addr_ton": octet,
        "source_addr_npi": octet,
        "source_addr": digits,
        "dest_addr_ton": octet,
        "dest_addr_npi": octet,
        "destination_addr": digits,
        "esm_class": octet,
        "protocol_id": octet,
        "priority_flag": octet,
        "registered_delivery": octet,
        "data_coding": octet,
        "short_message": st.binary(max_size=254),
    }
)


@pytest.mark.parametrize("command", ["submit_sm", "deliver_sm"])
@given(fields=messages)
def test_a_message_of_smpplib_is_read(command: str, fields: dict[str, int | str | bytes]) -> None:
    witness = smpp.make_pdu(command, client=Witness(), sequence=7, **fields)

    pdu = decode(witness.generate())

    assert pdu.command_id == CommandId[command.upper()]
    assert pdu.sequence_number == 7
    for name, value in fields.items():
        expected = value.encode() if isinstance(value, str) else value
        assert pdu.fields[name] == expected, name


@given(fields=messages)
def test_a_message_of_ours_is_read_by_smpplib(fields: dict[str, int | str | bytes]) -> None:
    values: dict[str, FieldValue] = {
        name: value.encode() if isinstance(value, str) else value for name, value in fields.items()
    }

    seen = read_by_smpplib(make(CommandId.SUBMIT_SM, 7, 0, tlvs=(), **values))

    assert {name: seen[name] for name in values if values[name]} == {
        name: value for name, value in values.items() if value
    }


@pytest.mark.parametrize("command", ["bind_transmitter", "bind_receiver", "bind_transceiver"])
@given(system_id=letters, password=letters, system_type=letters)
def test_a_bind_of_smpplib_is_read(
    command: str, system_id: str, password: str, system_type: str
) -> None:
    witness = smpp.make_pdu(
        command,
        client=Witness(),
        system_id=system_id,
        password=password,
        system_type=system_type,
    )

    pdu = decode(witness.generate())

    assert pdu.octets("system_id") == system_id.encode()
    assert pdu.octets("password") == password.encode()
    assert pdu.octets("system_type") == system_type.encode()
    assert pdu.number("interface_version") == 0x34


def test_tlvs_are_read_alike() -> None:
    witness = smpp.make_pdu(
        "submit_sm",
        client=Witness(),
        source_addr="10690001",
        destination_addr="13800138000",
        message_payload="代开".encode("utf-16-be"),
        sar_msg_ref_num=0x1234,
    )
    tlvs = (
        Tlv(Tag.SAR_MSG_REF_NUM, b"\x12\x34"),
        Tlv(Tag.MESSAGE_PAYLOAD, "代开".encode("utf-16-be")),
    )

    ours = make(CommandId.SUBMIT_SM, 7, source_addr=b"10690001", short_message=b"x", tlvs=tlvs)

    assert decode(witness.generate()).tlvs == tlvs
    assert read_by_smpplib(ours)["message_payload"] == "代开".encode("utf-16-be")
    assert read_by_smpplib(ours)["sar_msg_ref_num"] == 0x1234


@pytest.mark.parametrize(
    ("octets", "command", "expected"),
    [
        (answers.submit_sm_resp(7, b"80001"), "submit_sm_resp", {"message_id": b"80001"}),
        (
            make(
                CommandId.BIND_TRANSCEIVER_RESP,
                7,
                system_id=b"smsward",
                tlvs=(Tlv(Tag.SC_INTERFACE_VERSION, b"\x34"),),
            ),
            "bind_transceiver_resp",
            {"system_id": b"smsward", "sc_interface_version": 0x34},
        ),
        (
            make(CommandId.BIND_RECEIVER_RESP, 7, CommandStatus.ESME_RBINDFAIL),
            "bind_receiver_resp",
            {"status": 0x0D},
        ),
        (answers.enquire_link(7), "enquire_link", {}),
        (answers.enquire_link_resp(7), "enquire_link_resp", {}),
        (answers.unbind(7), "unbind", {}),
        (answers.unbind_resp(7), "unbind_resp", {}),
        (answers.generic_nack(3, 7), "generic_nack", {"status": 3}),
        (
            make(CommandId.QUERY_SM_RESP, 7, message_id=b"77", message_state=2),
            "query_sm_resp",
            {"message_id": b"77", "message_state": 2},
        ),
        (
            make(CommandId.ALERT_NOTIFICATION, 7, source_addr=b"138", esme_addr=b"1069"),
            "alert_notification",
            {"source_addr": b"138", "esme_addr": b"1069"},
        ),
    ],
)
def test_our_answers_are_read_by_smpplib(
    octets: bytes, command: str, expected: dict[str, object]
) -> None:
    seen = smpp.parse_pdu(octets, client=Witness(), allow_unknown_opt_params=True)

    assert seen.command == command
    assert seen.sequence == 7
    assert {name: getattr(seen, name) for name in expected} == expected
