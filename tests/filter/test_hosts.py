"""Hosts that are numbers, in all the spellings that browsers take."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.links import address_of, links_of, number_of, registrable_domain
from gateway.filter.normalise.views import Views

_SPELLINGS = (str, hex, lambda number: f"0{number:o}", lambda number: f"0X{number:04X}")
# What may stand before the @ of a link: no slash, question mark or number sign.
_USERS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/\\?#"))


def _labels(address: int, count: int, spelt: Sequence[int]) -> list[str]:
    """Return `address` in `count` numbers, each in one of the spellings."""
    left = 8 * (5 - count)
    numbers = [address >> at & 0xFF for at in range(24, left - 1, -8)][: count - 1]
    numbers.append(address & ((1 << left) - 1))
    return [_SPELLINGS[way](number) for number, way in zip(numbers, spelt, strict=False)]


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 4),
    st.lists(st.integers(0, 3), min_size=4, max_size=4),
)
def test_an_address_is_the_same_in_every_spelling(
    address: int, count: int, spelt: list[int]
) -> None:
    usual = ".".join(str(address >> at & 0xFF) for at in (24, 16, 8, 0))
    labels = _labels(address, count, spelt)

    (link,) = links_of(Views(f"请看 http://{'.'.join(labels)}/x 谢谢"))

    assert number_of([label.lower() for label in labels]) == usual
    assert (link.host, link.opened, link.domain) == (usual, usual, usual)


@given(_USERS)
def test_whoever_the_user_of_a_link_is_its_host_is_found(user: str) -> None:
    found = links_of(Views(f"请看 https://{user}@evil.top/x 谢谢"))

    assert found[-1].opened == "evil.top"
    assert found[-1].is_disguised


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%wlan0", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2", None),
        ("192.0.2.01", None),
        ("12:30", None),
        ("", None),
    ],
)
def test_an_address_has_one_usual_spelling(text: str, address: str | None) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize(
    "labels",
    [
        [],
        ["256", "1"],
        ["1", "256", "1"],
        ["4294967296"],
        ["1"] * 5,
        ["089"],
        ["1", "x"],
        ["9" * 40],
    ],
)
def test_numbers_that_are_too_large_or_too_many_are_no_address(labels: list[str]) -> None:
    assert number_of(labels) is None


def test_an_address_of_version_6_is_its_own_domain() -> None:
    assert registrable_domain("2001:db8::1") == "2001:db8::1"
    assert registrable_domain("2001:db8::0:1") is None
