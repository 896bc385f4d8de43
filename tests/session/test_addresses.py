"""Addresses of peers."""

from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.session.stranger_limits import ip_of, origin_of


def test_an_ipv4_peer_on_a_dual_stack_listener_is_its_ipv4_address() -> None:
    assert ip_of("::ffff:192.0.2.1") == ip_address("192.0.2.1")
    assert origin_of("::ffff:192.0.2.1") == origin_of("192.0.2.1") == "192.0.2.1"


def test_addresses_of_one_ipv6_customer_have_one_origin() -> None:
    assert origin_of("2001:db8:0:1::1") == origin_of("2001:db8:0:1:ffff::9") == "2001:db8:0:1::/64"
    assert origin_of("2001:db8:0:2::1") != origin_of("2001:db8:0:1::1")


def test_a_scoped_link_local_address_is_an_address() -> None:
    assert ip_of("fe80::1%eth0") is not None
    assert origin_of("fe80::1%eth0") == "fe80::/64"


@pytest.mark.parametrize("address", ["", "unix", "192.0.2.256", "192.0.2.1:2775"])
def test_what_is_no_address_is_none_and_still_counted(address: str) -> None:
    assert ip_of(address) is None
    assert origin_of(address) == address


@given(st.text(max_size=50) | st.ip_addresses().map(str))
def test_any_address_has_an_origin_and_one_that_is_none_is_its_own(address: str) -> None:
    origin = origin_of(address)

    assert origin == address or ip_of(address) is not None


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_no_choice_of_the_lower_half_changes_an_ipv6_origin(ip: IPv6Address, lower: int) -> None:
    assume(ip.ipv4_mapped is None)
    sibling = IPv6Address(int(ip) >> 64 << 64 | lower)
    assume(sibling.ipv4_mapped is None)

    assert origin_of(str(sibling)) == origin_of(str(ip))
