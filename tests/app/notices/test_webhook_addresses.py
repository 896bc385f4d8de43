"""Which addresses a webhook may have."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.app.webhook_client import may_be_dialled


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "64:ff9b::101:101"])
def test_public_addresses_are_dialled(address: str) -> None:
    assert may_be_dialled(ip_address(address))


@given(st.ip_addresses(network="10.20.0.0/16"))
def test_a_network_that_is_named_is_allowed_whole(address: object) -> None:
    found = ip_address(str(address))

    assert may_be_dialled(found, [ip_network("10.20.0.0/16")])
    assert not may_be_dialled(found, [ip_network("10.21.0.0/16")])


@given(st.ip_addresses(v=6))
def test_no_address_of_version_six_hides_a_private_one_of_version_four(address: object) -> None:
    hidden = ip_address(
        f"::ffff:{ip_address(int(ip_address(str(address))) & 0x00FFFFFF | 0x0A000000)}"
    )

    assert not may_be_dialled(hidden)
