"""PROXY protocol version 2, by golden octets and with any octets."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.session.stranger_limits import (
    MAX_OCTETS,
    PREFIX_OCTETS,
    ProxyHeaderError,
    address_in,
    rest_octets,
)

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
ALPN = bytes.fromhex("010002") + b"h2"  # a TLV that nobody here reads


def header(version: int, family: int, rest: bytes = b"") -> tuple[bytes, bytes]:
    return SIGNATURE + bytes((version, family)) + len(rest).to_bytes(2, "big"), rest


def addresses(source: str) -> bytes:
    packed = ip_address(source).packed
    return packed + bytes(len(packed)) + bytes.fromhex("c0e80ad7")  # ports 49384 and 2775


def test_the_golden_header_of_an_ipv4_peer() -> None:
    octets = bytes.fromhex("0d0a0d0a000d0a515549540a 21 11 000c cb007109 c0000201 c0e8 0ad7")

    assert rest_octets(octets[:PREFIX_OCTETS]) == 12
    assert address_in(octets[:16], octets[16:]) == "203.0.113.9"


@pytest.mark.parametrize("tlvs", [b"", ALPN, ALPN * 100])
@pytest.mark.parametrize(("family", "source"), [(0x11, "192.0.2.7"), (0x21, "2001:db8::7")])
def test_the_source_is_read_whatever_tlvs_follow(family: int, source: str, tlvs: bytes) -> None:
    assert address_in(*header(0x21, family, addresses(source) + tlvs)) == source


@pytest.mark.parametrize(
    ("version", "family", "rest"),
    [
        (0x20, 0x00, b""),  # LOCAL
        (0x20, 0x11, addresses("192.0.2.7")),
        (0x20, 0xFF, b"x"),
        (0x21, 0x00, b""),  # UNSPEC
        (0x21, 0x00, ALPN),
        (0x21, 0x31, bytes(216)),  # UNIX
    ],
)
def test_a_proxy_that_speaks_for_itself_or_no_ip_address_counts_itself(
    version: int, family: int, rest: bytes
) -> None:
    assert address_in(*header(version, family, rest)) is None


@pytest.mark.parametrize(
    ("version", "family", "rest"),
    [
        (0x11, 0x11, addresses("192.0.2.7")),  # version 1
        (0x22, 0x11, addresses("192.0.2.7")),  # no such command
        (0x21, 0x41, bytes(300)),  # no such family
        (0x21, 0x12, addresses("192.0.2.7")),  # UDP
        (0x21, 0x10, addresses("192.0.2.7")),
        (0x21, 0x11, addresses("192.0.2.7")[:-1]),
        (0x21, 0x21, addresses("192.0.2.7")),
        (0x21, 0x31, bytes(215)),
    ],
)
def test_what_is_no_header_of_a_tcp_peer_is_refused(version: int, family: int, rest: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        address_in(*header(version, family, rest))


@pytest.mark.parametrize(
    "prefix",
    [
        b"",
        SIGNATURE,
        b"PROXY TCP4 192.0",
        b"GET / HTTP/1.1\r\n",
        SIGNATURE + b"\x21\x11" + (MAX_OCTETS + 1).to_bytes(2, "big"),
    ],
)
def test_a_prefix_that_announces_nothing_readable_is_refused(prefix: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        rest_octets(prefix)


def test_a_header_that_was_cut_is_refused() -> None:
    prefix, rest = header(0x21, 0x11, addresses("192.0.2.7"))

    with pytest.raises(ProxyHeaderError):
        address_in(prefix, rest[:-1])


@given(st.ip_addresses(), st.binary(max_size=200))
def test_every_address_comes_through(source: IPv4Address | IPv6Address, tlvs: bytes) -> None:
    family = 0x11 if source.version == 4 else 0x21

    assert address_in(*header(0x21, family, addresses(str(source)) + tlvs)) == str(source)


@given(
    st.one_of(st.binary(max_size=40), st.binary(max_size=4).map(lambda rest: SIGNATURE + rest)),
    st.binary(max_size=300),
)
def test_any_octets_are_an_address_none_or_an_error(prefix: bytes, rest: bytes) -> None:
    try:
        found = address_in(prefix, rest)
    except ProxyHeaderError:
        return
    assert found is None or str(ip_address(found)) == found
