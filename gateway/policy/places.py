"""From a subscriber's number to its place and its time (R04, R40)."""

from collections.abc import Iterable, Mapping
from typing import TypeVar
from zoneinfo import ZoneInfo

from gateway.domain.places import NOWHERE, Region
from gateway.policy.calling_codes import LONGEST_PREFIX, PREFIXES

# A mainland mobile number is 86, then a head (号段) of seven digits, then four digits.
_MAINLAND = 86
_FIRST_HEAD, _HEADS = 1_000_000, 1_000_000
_PER_HEAD = 10_000
_MAX_PROVINCES = 255

# Shorter numbers are service numbers of some network: their first digits are not a country code.
_SHORTEST = 8

_PLACES = {prefix: Region(country) for prefix, (country, _) in PREFIXES.items()}
_HERE = Region("CN")

Kept = TypeVar("Kept")


class ProvinceTable:
    """The province of each head of seven digits; one octet a head, 1 MB in all.

    The carriers must supply the assignments. A number that moved with its owner keeps the province
    of its head.
    """

    __slots__ = ("_places", "_rows")

    def __init__(self, heads: Iterable[tuple[int, str]] = ()) -> None:
        """Take (head, province code) pairs.

        Raises ValueError for a head that is not a mobile one or is given to two provinces, and for
        more than 255 provinces.
        """
        self._places = [_HERE]
        self._rows = bytearray(_HEADS)
        known: dict[str, int] = {}
        for head, province in heads:
            self._enter(head, province, known)

    def _enter(self, head: int, province: str, known: dict[str, int]) -> None:
        row = head - _FIRST_HEAD
        if not 0 <= row < _HEADS:
            raise ValueError(f"{head} is no head of seven digits that starts with 1")
        if not province:
            raise ValueError(f"{head} has no province")
        if province not in known:
            if len(known) == _MAX_PROVINCES:
                raise ValueError(f"more than {_MAX_PROVINCES} provinces")
            known[province] = len(self._places)
            self._places.append(Region(_HERE.country, province))
        if self._rows[row] not in (0, known[province]):
            raise ValueError(f"{head} is given to two provinces")
        self._rows[row] = known[province]

    def place_of_head(self, head: int) -> Region:
        """Return mainland China, with the province if the head is known."""
        row = head - _FIRST_HEAD
        return self._places[self._rows[row]] if 0 <= row < _HEADS else _HERE


_NO_PROVINCES = ProvinceTable()


def place_of(msisdn: int, provinces: ProvinceTable = _NO_PROVINCES) -> Region:
    """Return the place of a whole E.164 number; NOWHERE if its country is not known."""
    head = msisdn // _PER_HEAD
    if head // _HEADS // 10 == _MAINLAND:
        return provinces.place_of_head(head % (10 * _HEADS))
    return _longest(_PLACES, msisdn, NOWHERE)


class Zones:
    """The time zones of numbers.

    `default` is the zone of the profile: it holds for unknown numbers, and for countries of several
    zones if the number does not tell the area. `by_country` sets one zone for a country instead.
    Every zone is read when this is made: a name that the time zone database lacks raises ValueError
    then, not when the first message asks for it.
    """

    __slots__ = ("_by_prefix", "default")

    def __init__(self, default: str, by_country: Mapping[str, str] | None = None) -> None:
        named = by_country or {}
        unknown = set(named) - {country for country, _ in PREFIXES.values()}
        if unknown:
            raise ValueError(f"no calling code is known for {', '.join(sorted(unknown))}")
        self.default = _read(default)
        self._by_prefix = {
            prefix: _read(name) if name else self.default
            for prefix, (country, zone) in PREFIXES.items()
            for name in (named.get(country, zone),)
        }

    def zone_of(self, msisdn: int) -> ZoneInfo:
        """Return the time zone of the subscriber of a whole E.164 number."""
        return _longest(self._by_prefix, msisdn, self.default)


def _read(name: str) -> ZoneInfo:
    # zoneinfo reads the system's time zone database: data, no clock.
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # KeyError: no such zone; OSError: a folder
        raise ValueError(f"time zone {name!r} is not in the time zone database") from error


def _longest(table: Mapping[str, Kept], msisdn: int, otherwise: Kept) -> Kept:
    digits = str(msisdn)
    if len(digits) < _SHORTEST:
        return otherwise
    for length in range(LONGEST_PREFIX, 0, -1):
        found = table.get(digits[:length])
        if found is not None:
            return found
    return otherwise
