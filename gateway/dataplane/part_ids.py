"""Which parts of long messages the SMSC's message_ids stand for, until they may be replaced."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.dataplane.attention import Ask
from gateway.dataplane.late_parts import KeyFilter
from gateway.dataplane.parts import Key
from gateway.dataplane.submit_request import Care, PartPosition
from gateway.filter.fair_shares import FairShares

_MAXIMUM = 50_000
# What an SMSC was given for later it keeps for weeks, and so long it may be replaced.
_KEEP_S = 30 * 86_400.0

# By whom, and under which id.
_Id = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class PartErrand:
    """Which parts a request brings, beside another `errand` that it may have."""

    places: tuple[PartPosition, ...]
    errand: object


def with_places(care: Care, errand: object) -> object:
    """Return the errand of a request: with its places, if it is a part."""
    places = tuple(place for place in care.places if place.joint.total > 1)
    return PartErrand(places, errand) if places else errand


def parts_in(errand: object) -> tuple[tuple[PartPosition, ...], object]:
    """Return the places that an errand tells of, and what else it is."""
    match errand:
        case PartErrand(places, other):
            return places, other
        case Ask(message=message) if message.care is not None:
            return tuple(p for p in message.care.places if p.joint.total > 1), errand
        case _:
            return (), errand


class PartIds:
    """The parts that an SMSC took, by its message_id, for 30 days.

    At most 50 000; who has most makes room. An id that had to go is known still to be that of
    a part. After a restart none is known.
    """

    def __init__(self, maximum: int = _MAXIMUM) -> None:
        self._maximum = maximum
        self._places: dict[_Id, tuple[float, tuple[Key, int] | None]] = {}
        self._shares: FairShares[_Id] = FairShares()
        self._forgotten: dict[str, KeyFilter] = {}

    def __len__(self) -> int:
        return len(self._places)

    def note(
        self, system_id: str, message_id: bytes, places: Sequence[PartPosition], now: float
    ) -> None:
        """Note under which id the SMSC took a part; of one to many, only that it is one."""
        key = _id_of(system_id, message_id)
        if key not in self._places:
            if len(self._places) >= self._maximum:
                self._make_room(system_id, now)
            self._shares.add(system_id, key)
        place = (places[0].joint.key, places[0].number) if len(places) == 1 else None
        self._places[key] = (now + _KEEP_S, place)

    def is_part(self, system_id: str, message_id: bytes, now: float) -> bool:
        """Tell whether an id is, or may be, that of a part."""
        key = _id_of(system_id, message_id)
        known = self._forgotten.get(system_id)
        return key in self._places or (known is not None and known.has(key, now))

    def place_of(self, system_id: str, message_id: bytes) -> tuple[Key, int] | None:
        """Return the message, and the number in it, of a part; None where it is not known."""
        entry = self._places.get(_id_of(system_id, message_id))
        return None if entry is None else entry[1]

    def expire(self, now: float) -> None:
        """Forget what can not be replaced any more; ids are in the order of their answers."""
        while self._places:
            key, (expires_at, _) = next(iter(self._places.items()))
            if expires_at > now:
                break
            self._drop(key)
        for system_id, known in list(self._forgotten.items()):
            if known.turn(now):
                del self._forgotten[system_id]

    def _make_room(self, system_id: str, now: float) -> None:
        key = self._shares.longest_rested(system_id)
        known = self._forgotten.get(key[0])
        if known is None:
            known = self._forgotten[key[0]] = KeyFilter(_KEEP_S, now)
        known.add(key, now)
        self._drop(key)

    def _drop(self, key: _Id) -> None:
        del self._places[key]
        self._shares.remove(key[0], key)


def _id_of(system_id: str, message_id: bytes) -> _Id:
    # An SMSC that counts takes 0042 for 42, and one that writes hexadecimal 2a for 2A.
    return system_id, message_id.strip().lstrip(b"0").lower()
