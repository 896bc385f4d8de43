"""Documents laid over each other: what one says changes what those below it said."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import reduce

from gateway.settings.yaml import Document, Mark, Value, Where


def overlaid(documents: Sequence[Document], appended: Collection[str] = ()) -> Document:
    """Return what `documents`, the lowest first, say together; one at least.

    Mappings are merged key by key, anything else replaces what was there. The lists under the
    keys `appended` of the top are joined. Every value keeps its place in the file that said it.
    """
    joined = frozenset((key,) for key in appended)
    return reduce(lambda below, above: _Overlay(joined).document(below, above), documents)


def entries_of(document: Document, key: str) -> list[Document]:
    """Return each entry of the list under `key` as a document of its own."""
    value = document.value.get(key) if isinstance(document.value, dict) else None
    entries = value if isinstance(value, list) else []
    marks = _below(document.marks.items(), key, len(entries))
    key_marks = _below(document.key_marks.items(), key, len(entries))
    return [
        Document(document.path, entry, marks[index], key_marks[index])
        for index, entry in enumerate(entries)
    ]


def _below(marks: Iterable[tuple[Where, Mark]], key: str, count: int) -> list[dict[Where, Mark]]:
    """Return the marks below each entry of the list `key`, in one pass over all of them."""
    found: list[dict[Where, Mark]] = [{} for _ in range(count)]
    for where, mark in marks:
        match where:
            case (first, int(index), *rest) if first == key:
                found[index][tuple(rest)] = mark
    return found


class _Overlay:
    """Lays one document over another."""

    def __init__(self, joined: Collection[Where]) -> None:
        self._joined = joined
        self._replaced: set[Where] = set()
        # How far the entries of a joined list moved back.
        self._moved: dict[Where, int] = {}

    def document(self, below: Document, above: Document) -> Document:
        value = self._value(below.value, above.value, ())
        return Document(
            below.path,
            value,
            self._marks(below.marks, above.marks),
            self._marks(below.key_marks, above.key_marks),
            (*below.faults, *above.faults),
        )

    def _value(self, below: Value, above: Value, where: Where) -> Value:
        match below, above:
            case dict(), dict():
                both = {
                    key: self._value(below[key], item, (*where, key)) if key in below else item
                    for key, item in above.items()
                }
                return {**below, **both}
            case list(), list() if where in self._joined:
                self._moved[where] = len(below)
                return [*below, *above]
            case _:
                self._replaced.add(where)
                return above

    def _marks(self, below: Mapping[Where, Mark], above: Mapping[Where, Mark]) -> dict[Where, Mark]:
        kept = {where: mark for where, mark in below.items() if not self._is_replaced(where)}
        # What both have is a mapping, or a joined list: that it lacks something is said first
        # where it stood first.
        return {self._place_of(where): mark for where, mark in above.items()} | kept

    def _is_replaced(self, where: Where) -> bool:
        return any(where[:depth] in self._replaced for depth in range(len(where) + 1))

    def _place_of(self, where: Where) -> Where:
        offset = self._moved.get(where[:1]) if len(where) > 1 else None
        index = where[1] if offset is not None else None
        if offset is None or not isinstance(index, int):
            return where
        return (where[0], index + offset, *where[2:])
