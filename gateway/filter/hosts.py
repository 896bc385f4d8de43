"""Hosts that are numbers: IPv6 addresses, and IPv4 addresses in all spellings."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

# What may stand in brackets: an IPv6 address, and its zone.
ADDRESS = "[0-9a-f:.]{2,45}(?:%[a-z0-9._-]{1,20})?"

_IPV4_LABELS = 4
_NUMBER = re.compile("0x[0-9a-f]*+|[0-9]++")
_MAX_DIGITS = 32
_OCTET = 256


def address_of(text: str) -> str | None:
    """Return the IP address `text` in its usual spelling, None if it is no address.

    An IPv6 address that stands for an IPv4 address (::ffff:192.0.2.1) is returned as IPv4.
    """
    try:
        if ":" not in text:  # most often a name: a cheap test of its last character tells
            return str(IPv4Address(text)) if text[-1:].isdigit() else None
        six = IPv6Address(text.partition("%")[0])
    except ValueError:
        return None
    return str(six.ipv4_mapped or six)


def number_of(labels: Sequence[str]) -> str | None:
    """Return the IPv4 address that browsers take `labels` for, None if they do not.

    One to four numbers, each decimal, octal after 0 or hexadecimal after 0x; the last one
    fills the octets that the others leave (WHATWG URL, 3.5).
    """
    if not 1 <= len(labels) <= _IPV4_LABELS or not all(map(_NUMBER.fullmatch, labels)):
        return None
    *octets, last = map(_value, labels)
    rest = _OCTET ** (_IPV4_LABELS - len(octets))
    if last is None or last >= rest:
        return None
    whole = 0
    for octet in octets:
        if octet is None or octet >= _OCTET:
            return None
        whole = whole * _OCTET + octet
    return str(IPv4Address(whole * rest + last))


def _value(label: str) -> int | None:
    if len(label) > _MAX_DIGITS:
        return None
    try:
        if label.startswith("0x"):
            return int(label[2:] or "0", 16)
        return int(label, 8 if label.startswith("0") and len(label) > 1 else 10)
    except ValueError:
        return None  # an 8 or 9 behind 0
