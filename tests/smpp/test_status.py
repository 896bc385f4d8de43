"""command_status values, and their names as policies write them."""

import pytest
from smpplib import consts

from gateway.smpp.status import CommandStatus, status_named

OF_34 = {
    name.removeprefix("SMPP_"): value
    for name, value in vars(consts).items()
    if name.startswith("SMPP_ESME_")
}


@pytest.mark.parametrize(("name", "value"), OF_34.items())
def test_statuses_agree_with_an_independent_table(name: str, value: int) -> None:
    assert status_named(name) == value


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("ESME_RINVTLVSTREAM", CommandStatus.ESME_RINVOPTPARSTREAM),
        ("ESME_RTLVNOTALLWD", CommandStatus.ESME_ROPTPARNOTALLWD),
        ("ESME_RINVTLVLEN", CommandStatus.ESME_RINVPARLEN),
        ("ESME_RMISSINGTLV", CommandStatus.ESME_RMISSINGOPTPARAM),
        ("ESME_RINVTLVVAL", CommandStatus.ESME_RINVOPTPARAMVAL),
    ],
)
def test_the_names_of_5_0_are_aliases(name: str, status: CommandStatus) -> None:
    assert status_named(name) is status


@pytest.mark.parametrize(("name", "value"), [("0x400", 0x400), ("0x4ff", 0x4FF)])
def test_a_vendors_own_status_is_a_number(name: str, value: int) -> None:
    assert status_named(name) == value


@pytest.mark.parametrize(
    "name",
    ["0x3FF", "0x500", "0x4000", "1040", "", "ESME_ROKAY", "esme_rok", "0x45", "RSUBMITFAIL"],
)
def test_a_name_that_is_no_status_is_an_error(name: str) -> None:
    with pytest.raises(KeyError):
        status_named(name)
