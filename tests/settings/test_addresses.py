from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.schema import Address, parse_address, parse_network, parse_peer


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:2775", "127.0.0.1", 2775),
        ("smsc-1.example.net:2776", "smsc-1.example.net", 2776),
        ("localhost:0", "localhost", 0),
        ("h:65535", "h", 65535),
        (f"{'a' * 63}.{'b' * 63}:1", f"{'a' * 63}.{'b' * 63}", 1),
        ("[::1]:2775", "::1", 2775),
        ("[2001:DB8::0]:1", "2001:db8::", 1),
    ],
)
def test_host_and_port_are_read(text: str, host: str, port: int) -> None:
    assert parse_address(text) == (host, port)


NO_ADDRESSES = {
    "a part is missing": ["", ":", "2775", ":2775", "host:", "host", "[::1]", "[]:1"],
    "no port": ["host:65536", "host:-1", "host:+1", "host:1_0", "host: 1", "host:１", "h:000001"],
    "no host": ["::1:2775", "[host]:1", "a b:1", "-a:1", "a-:1", f"{'a' * 255}:1"],
    "a label that no name can have": ["smsc..example:1", f"smsc.{'a' * 64}.example:1"],
}


@pytest.mark.parametrize("text", [text for texts in NO_ADDRESSES.values() for text in texts])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"must be host:port|At least 3 parts|Address cannot be empty"
    ):
        parse_address(text)


@pytest.mark.parametrize("parse", [parse_address, parse_peer, parse_network])
def test_a_number_is_no_address(parse: object) -> None:
    assert callable(parse)
    with pytest.raises(ValueError, match="must be text"):
        parse(2775)


def test_nothing_can_connect_to_port_0() -> None:
    assert parse_peer("localhost:1") == ("localhost", 1)
    with pytest.raises(ValueError, match="port 0 cannot be connected to"):
        parse_peer("localhost:0")


@pytest.mark.parametrize("text", ["127.0.0.1:2775", "[::1]:2775", "localhost:0"])
def test_an_address_is_written_as_it_was_read(text: str) -> None:
    assert str(parse_address(text)) == text


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert isinstance(address, Address)
    assert parse_address(str(address)) == address


def test_networks_and_single_addresses_are_read() -> None:
    assert parse_network("127.0.0.0/8") == ip_network("127.0.0.0/8")
    assert parse_network("10.1.2.3") == ip_network("10.1.2.3/32")
    assert parse_network("2001:db8::/32") == ip_network("2001:db8::/32")


def test_an_address_where_a_network_was_meant_is_refused() -> None:
    with pytest.raises(ValueError, match="has host bits set"):
        parse_network("10.1.2.3/8")
