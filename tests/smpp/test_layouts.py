"""The table of fields against what the specification lays down."""

import pytest

from gateway.smpp.commands import LAYOUTS, RESPONSE_BIT, CommandId

BROADCASTS = {command for command in CommandId if "BROADCAST" in command.name}


def names(command_id: CommandId) -> list[str]:
    return [field.name for field in LAYOUTS[command_id]]


def test_every_command_but_the_broadcasts_of_5_0_has_a_layout() -> None:
    assert LAYOUTS.keys() == set(CommandId) - BROADCASTS


@pytest.mark.parametrize("command_id", LAYOUTS)
def test_no_field_stands_twice(command_id: CommandId) -> None:
    assert len(set(names(command_id))) == len(names(command_id))


def test_the_three_binds_are_alike() -> None:
    binds = (CommandId.BIND_RECEIVER, CommandId.BIND_TRANSMITTER, CommandId.BIND_TRANSCEIVER)

    assert len({LAYOUTS[bind] for bind in binds}) == 1
    assert len({LAYOUTS[CommandId(bind | RESPONSE_BIT)] for bind in binds}) == 1


def test_submit_multi_is_submit_sm_with_a_list_for_the_destination() -> None:
    single = names(CommandId.SUBMIT_SM)
    at = single.index("dest_addr_ton")

    assert names(CommandId.SUBMIT_MULTI) == [*single[:at], "dest_address", *single[at + 3 :]]


def test_replace_sm_has_no_data_coding() -> None:
    assert "data_coding" not in names(CommandId.REPLACE_SM)
    assert names(CommandId.REPLACE_SM)[-1] == "short_message"
