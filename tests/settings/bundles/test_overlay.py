"""Documents laid over each other: what wins, and that every value keeps its place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings import yaml
from gateway.settings.bundles.layers import entries_of, overlaid
from gateway.settings.yaml import Document, Mark, Value, Where

BELOW, ABOVE = Path("below.yaml"), Path("above.yaml")


def laid(below: str, above: str, *appended: str) -> Document:
    return overlaid(
        (yaml.compose(BELOW, below.encode()), yaml.compose(ABOVE, above.encode())), appended
    )


@pytest.mark.parametrize(
    ("below", "above", "together"),
    [
        ("a: 1", "b: 2", {"a": 1, "b": 2}),
        ("a: 1\nb: 2", "b: 3", {"a": 1, "b": 3}),
        ("a: {x: 1, y: 2}", "a: {y: 3, z: 4}", {"a": {"x": 1, "y": 3, "z": 4}}),
        ("a: [1, 2]", "a: [3]", {"a": [3]}),
        ("a: {x: 1}", "a: 5", {"a": 5}),
        ("a: 5", "a: {x: 1}", {"a": {"x": 1}}),
        ("a: 5", "a:", {"a": None}),
        ("a: 1", "[b]", ["b"]),
    ],
)
def test_mappings_merge_key_by_key_and_anything_else_replaces(
    below: str, above: str, together: Value
) -> None:
    assert laid(below, above).value == together


def test_lists_that_are_named_are_joined() -> None:
    both = laid("words: [a]\nx: {words: [b]}", "words: [c]\nx: {words: [d]}", "words")

    assert both.value == {"words": ["a", "c"], "x": {"words": ["d"]}}
    assert both.mark(("words", 0)).path == BELOW
    assert both.mark(("words", 1)) == Mark(ABOVE, 1, 9)
    assert both.mark(("x", "words", 0)) == Mark(ABOVE, 2, 13)


def test_a_fault_lies_in_the_file_that_said_it() -> None:
    both = laid("a: {x: 1, y: 2}\nb: [1, 2]\n", "\na: {y: 3}\nb: [7]\n")

    assert both.fault(("a", "x"), "").path == BELOW
    assert (both.fault(("a", "y"), "").path, both.fault(("a", "y"), "").line) == (ABOVE, 2)
    assert both.fault(("b", 0), "").path == ABOVE
    assert both.fault(("b", 1), "") == both.fault(("b",), "")
    assert both.fault(("a", "y"), "", at_key=True).path == ABOVE
    assert both.fault(("a", "z"), "").path == BELOW


def test_repeated_keys_of_both_are_kept() -> None:
    assert len(laid("a: 1\na: 2", "b: 1\nb: 2").faults) == 2


def test_an_entry_is_a_document_of_its_own() -> None:
    document = yaml.compose(BELOW, b"rules:\n  - {id: a}\n  - {id: b, x: [1]}\n")

    first, second = entries_of(document, "rules")

    assert (first.value, second.value) == ({"id": "a"}, {"id": "b", "x": [1]})
    assert second.mark(("x", 0)) == Mark(BELOW, 3, 17)
    assert second.fault(("x",), "", at_key=True).column == 13
    assert second.mark(()) == Mark(BELOW, 3, 5)


@pytest.mark.parametrize("text", ["rules: 5", "rules:", "other: []", "[]", "5", ""])
def test_what_has_no_such_list_has_no_entries(text: str) -> None:
    assert entries_of(yaml.compose(BELOW, text.encode()), "rules") == []


VALUES = st.recursive(
    st.integers(0, 9),
    lambda below: st.one_of(
        st.lists(below, max_size=3), st.dictionaries(st.sampled_from("ab"), below, max_size=2)
    ),
    max_leaves=8,
)


def document_of(path: Path, value: Value) -> Document:
    """Return a document of `value` whose marks count its values."""
    marks: dict[Where, Mark] = {}
    key_marks: dict[Where, Mark] = {}

    def walk(where: Where, below: Value) -> None:
        marks[where] = Mark(path, len(marks) + 1, 1)
        if isinstance(below, dict):
            for key, item in below.items():
                key_marks[*where, key] = Mark(path, len(marks) + 1, 1)
                walk((*where, key), item)
        if isinstance(below, list):
            for index, item in enumerate(below):
                walk((*where, index), item)

    walk((), value)
    return Document(path, value, marks, key_marks)


def ways(where: Where, value: Value) -> set[Where]:
    found = {where}
    if isinstance(value, dict):
        found |= {way for key, item in value.items() for way in ways((*where, key), item)}
    if isinstance(value, list):
        found |= {way for at, item in enumerate(value) for way in ways((*where, at), item)}
    return found


@given(VALUES, VALUES, st.sampled_from([(), ("a",), ("a", "b")]))
def test_whatever_is_laid_over_whatever_each_value_and_nothing_else_has_its_place(
    below: Value, above: Value, appended: tuple[str, ...]
) -> None:
    both = overlaid((document_of(BELOW, below), document_of(ABOVE, above)), appended)

    assert both.marks.keys() == ways((), both.value)
