"""Where a subscriber's number belongs: this decides the law and the local time that apply."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Region:
    """A country (ISO 3166-1, two letters) and a province as the operator's table codes it.

    Empty text means unknown and matches no place.
    """

    country: str = ""
    province: str = ""


NOWHERE = Region()
