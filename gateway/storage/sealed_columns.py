"""Columns of subscribers' numbers and of what they were sent: sealed where there is a key (R73).

One key seals a whole database, so that equal values stay equal: comparisons, joins, unique
indexes and pages work as they do on open values, only that the order is that of the sealed
octets. Numbers are joined over tables, so the seal of a number is the same in all of them; that
of a text or of octets holds for its own column alone. The key hangs on an engine's dialect; an
engine without one keeps values as they are.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from sqlalchemy import BigInteger, Dialect, LargeBinary, String, Text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.types import TypeDecorator

from gateway.storage.errors import StoreUnavailable

# A number, or what a store keeps in its place.
Kept: TypeAlias = int | bytes

_V = TypeVar("_V")
_K = TypeVar("_K")

# What no number is, and what all of them lie between, sealed or open: SQLite sorts an
# integer before any octets.
BEFORE_ALL = -1
AFTER_ALL = 2**63 - 1

SEAL_OCTETS = 16  # by which octets and texts are longer once sealed (RFC 5297)

_NUMBER_OCTETS = 8
_AFTER_ALL_SEALED = b"\xff" * 64  # longer than any number sealed
_IN_DIALECT = "smsward_seal"
# What a value is goes into its seal, and where it stands: none opens in another place.
_OCTETS, _TEXT = [b"octets"], [b"text"]


class Seal:
    """Seals for one database with the key `key_id`, by AES-SIV without a nonce (RFC 5297).

    Texts and octets are sealed for a place, ``table.column``, and open for no other.
    """

    def __init__(self, key_id: str, key: bytes) -> None:
        self.key_id = key_id
        self._cipher = AESSIV(key)

    def number(self, msisdn: int) -> Kept:
        """Return the octets of a number; what lies before all of them stays as it is."""
        if 0 <= msisdn < AFTER_ALL:
            return self._cipher.encrypt(msisdn.to_bytes(_NUMBER_OCTETS, "big"), None)
        return _AFTER_ALL_SEALED if msisdn > 0 else msisdn

    def opened_number(self, kept: Kept) -> int:
        """Return the number. Raises InvalidTag for octets that are none of this key's."""
        if isinstance(kept, int):
            return kept
        return int.from_bytes(self._cipher.decrypt(kept, None), "big")

    def octets(self, value: bytes, place: str = "") -> bytes:
        """Return `value` sealed for `place`."""
        return self._cipher.encrypt(value, _bound(_OCTETS, place))

    def opened_octets(self, kept: bytes, place: str = "") -> bytes:
        """Return what was sealed for `place`. Raises InvalidTag."""
        return self._cipher.decrypt(kept, _bound(_OCTETS, place))

    def text(self, value: str, place: str = "") -> bytes:
        """Return `value` sealed for `place`."""
        return self._cipher.encrypt(value.encode("utf-8", "surrogatepass"), _bound(_TEXT, place))

    def opened_text(self, kept: bytes | str, place: str = "") -> str:
        """Return what was sealed, and a str as it is: one that a statement wrote out."""
        if isinstance(kept, str):
            return kept
        opened = self._cipher.decrypt(kept, _bound(_TEXT, place))
        return opened.decode("utf-8", "surrogatepass")


def _bound(sort: list[bytes], place: str) -> list[bytes]:
    return [*sort, place.encode()] if place else sort


def give_seal(engine: AsyncEngine, seal: Seal | None) -> None:
    """Let an engine that has not connected yet seal with `seal`."""
    vars(engine.dialect)[_IN_DIALECT] = seal


def _seal_of(dialect: Dialect) -> Seal | None:
    seal = vars(dialect).get(_IN_DIALECT)
    return seal if isinstance(seal, Seal) else None


class _SealedColumn(TypeDecorator[_V]):
    """Values that are sealed if the engine has a seal, else kept as they are."""

    cache_ok = True

    def ways(self, seal: Seal) -> tuple[Callable[[_V], object], Callable[[Any], _V]]:
        """Return what seals a value, and what opens it."""
        raise NotImplementedError

    def bind_processor(self, dialect: Dialect) -> Callable[[_V | None], object] | None:
        """Return what seals."""
        seal = _seal_of(dialect)
        if seal is None:
            return super().bind_processor(dialect)
        sealed, _ = self.ways(seal)
        return lambda value: None if value is None else sealed(value)

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[object], _V | None] | None:
        """Return what opens."""
        seal = _seal_of(dialect)
        if seal is None:
            return super().result_processor(dialect, coltype)
        return _opening(self.ways(seal)[1])


class SealedNumber(_SealedColumn[int]):
    """A subscriber's number: an integer, or 24 octets."""

    impl = BigInteger
    cache_ok = True

    def ways(self, seal: Seal) -> tuple[Callable[[int], Kept], Callable[[Kept], int]]:
        """Return what seals a number, and what opens it."""
        return seal.number, seal.opened_number


class SealedText(_SealedColumn[str]):
    """A text of the column `place`, ``table.column``."""

    impl: type[String] = Text
    cache_ok = True

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place

    def ways(self, seal: Seal) -> tuple[Callable[[str], bytes], Callable[[bytes | str], str]]:
        """Return what seals a text, and what opens it."""
        return partial(seal.text, place=self.place), partial(seal.opened_text, place=self.place)


class SealedAddress(SealedText):
    """An address as an SP writes it; a bound of its length holds where it is not sealed."""

    impl = String
    cache_ok = True

    def __init__(self, length: int, place: str) -> None:
        TypeDecorator.__init__(self, length)
        self.length = length
        self.place = place


class SealedOctets(_SealedColumn[bytes]):
    """A whole PDU of the column `place`, ``table.column``."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place

    def ways(self, seal: Seal) -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]:
        """Return what seals octets, and what opens them."""
        return partial(seal.octets, place=self.place), partial(seal.opened_octets, place=self.place)


class KeyOrNumber(TypeDecorator[str]):
    """What a change is about: a str is kept as it is, an int is a subscriber's number."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[str | int | None], object]:
        """Return what seals numbers."""
        seal = _seal_of(dialect)

        def kept(value: str | int | None) -> object:
            if not isinstance(value, int):
                return value
            return str(value) if seal is None else seal.number(value)

        return kept

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[bytes | str | None], str | None] | None:
        """Return what opens; None where values are kept as they are."""
        del coltype
        seal = _seal_of(dialect)
        if seal is None:
            return None
        opened = _opening(seal.opened_number)
        return lambda kept: str(opened(kept)) if isinstance(kept, bytes) else kept


SEALED_TYPES = (SealedNumber, SealedText, SealedOctets, KeyOrNumber)


def _opening(unseal: Callable[[_K], _V]) -> Callable[[_K | None], _V | None]:
    def opened(kept: _K | None) -> _V | None:
        if kept is None:
            return None
        try:
            return unseal(kept)
        except InvalidTag:
            raise StoreUnavailable("what is sealed here cannot be opened with the key") from None

    return opened
