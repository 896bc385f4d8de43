"""Where a subscriber's number belongs: what the law of a place and its time hang on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A country (ISO 3166-1, two letters) and a province as the operator's table codes it.

    Empty text is unknown: it is not to be taken for any place.
    """

    country: str = ""
    province: str = ""


NOWHERE = Place()
