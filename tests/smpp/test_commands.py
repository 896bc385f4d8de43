"""command_id values against the specification's table."""

import pytest

from gateway.smpp.commands import RESPONSE_BIT, CommandId

WITHOUT_ANSWER = {CommandId.OUTBIND, CommandId.ALERT_NOTIFICATION}


@pytest.mark.parametrize(
    "request_id",
    [c for c in CommandId if not c & RESPONSE_BIT and c not in WITHOUT_ANSWER],
)
def test_a_request_and_its_answer_differ_by_the_response_bit(request_id: CommandId) -> None:
    answer = CommandId(request_id | RESPONSE_BIT)

    assert answer.name == f"{request_id.name}_RESP"


@pytest.mark.parametrize(
    ("command_id", "value"),
    [
        (CommandId.BIND_RECEIVER, 0x00000001),
        (CommandId.BIND_TRANSMITTER, 0x00000002),
        (CommandId.SUBMIT_SM, 0x00000004),
        (CommandId.DELIVER_SM, 0x00000005),
        (CommandId.BIND_TRANSCEIVER, 0x00000009),
        (CommandId.OUTBIND, 0x0000000B),
        (CommandId.ENQUIRE_LINK, 0x00000015),
        (CommandId.SUBMIT_MULTI, 0x00000021),
        (CommandId.ALERT_NOTIFICATION, 0x00000102),
        (CommandId.DATA_SM, 0x00000103),
        (CommandId.GENERIC_NACK, 0x80000000),
    ],
)
def test_command_ids_are_those_of_the_specification(command_id: CommandId, value: int) -> None:
    assert command_id == value
