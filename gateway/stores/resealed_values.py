"""Single values of a store, sealed with another key than before."""

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from cryptography.exceptions import InvalidTag
from sqlalchemy import Column

from gateway.runtime.sealing import Keys
from gateway.stores.sealed_columns import KeyOrNumber, Seal, SealedNumber, SealedOctets
from gateway.stores.seals import NUMBER_KINDS, SealMismatch, seal_with

# What SQLite holds.
Value: TypeAlias = int | str | bytes | None

V = TypeVar("V")
K = TypeVar("K", bytes, int | bytes)


class ValueResealer:
    """Takes values to the current one of `keys`, from any other, or from none if `is_open`."""

    def __init__(self, keys: Keys, *, is_open: bool) -> None:
        self._seal = seal_with(keys)
        # Any key, the current one as well, may have sealed for no column yet.
        self._others = [
            Seal(name, key, is_bound=is_bound)
            for name, key in keys.by_id.items()
            for is_bound in (True, False)
            if (name, is_bound) != (keys.current, True)
        ]
        self._is_open = is_open

    def value(self, column: Column[object], value: Value, kind: Value) -> Value:
        """Return `value` of `column` sealed: the same one where it is already.

        `kind` tells of a change whether it is about a number. Raises SealMismatch.
        """
        if value is None:
            return None
        try:
            return self._value(column, value, kind)
        except InvalidTag:
            raise SealMismatch(
                f"something in {column.table.name} opens with none of the keys: put back the one"
                " it was sealed with"
            ) from None

    def _value(self, column: Column[object], value: int | str | bytes, kind: Value) -> Value:
        is_number = isinstance(column.type, SealedNumber)
        match value:
            case int():
                return self._seal.number(value)
            case str() if isinstance(column.type, KeyOrNumber):
                return self._seal.number(int(value)) if kind in NUMBER_KINDS else value
            case str():
                return self._seal.text(value, _place_of(column))
            case _ if is_number or isinstance(column.type, KeyOrNumber):
                return self._again(value, Seal.opened_number, Seal.number)
            case _ if isinstance(column.type, SealedOctets):
                return self._octets(value, _place_of(column))
            case _:
                place = _place_of(column)
                return self._again(
                    value,
                    lambda seal, kept: seal.opened_text(kept, place),
                    lambda seal, text: seal.text(text, place),
                )

    def _octets(self, value: bytes, place: str) -> bytes:
        try:
            return self._again(
                value,
                lambda seal, kept: seal.opened_octets(kept, place),
                lambda seal, octets: seal.octets(octets, place),
            )
        except InvalidTag:
            if not self._is_open:
                raise
            return self._seal.octets(value, place)

    def _again(
        self, kept: bytes, opened: Callable[[Seal, bytes], V], sealed: Callable[[Seal, V], K]
    ) -> bytes | K:
        try:
            opened(self._seal, kept)
        except InvalidTag:
            return sealed(self._seal, self._opened(kept, opened))
        return kept

    def _opened(self, kept: bytes, opened: Callable[[Seal, bytes], V]) -> V:
        for other in self._others:
            try:
                return opened(other, kept)
            except InvalidTag:
                continue
        raise InvalidTag


def _place_of(column: Column[object]) -> str:
    return f"{column.table.name}.{column.name}"
