"""Places as values."""

from gateway.domain.places import NOWHERE, Place


def test_an_unknown_place_is_no_country_and_no_province() -> None:
    assert Place() == NOWHERE == Place(country="", province="")
