"""Places as values."""

from gateway.domain.places import NOWHERE, Region


def test_an_unknown_place_is_no_country_and_no_province() -> None:
    assert Region() == NOWHERE == Region(country="", province="")
