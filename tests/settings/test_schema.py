from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import Field

from gateway.settings import yaml
from gateway.settings.schema import Count, Shape, Text, Version, unique, validate
from gateway.settings.yaml import Fault, SettingsError

FaultsOf = Callable[[Callable[[], object]], list[str]]


class Item(Shape):
    name: Text
    count: Count = 1
    share: float = 0.5
    on: bool = False


class Whole(Shape):
    version: Version
    items: list[Item] = Field(default_factory=list)
    notes: dict[str, str] = Field(default_factory=dict)


def document(text: str) -> yaml.Document:
    return yaml.compose(Path("a.yaml"), text.encode())


def test_a_sound_file_becomes_its_shape() -> None:
    whole = validate(
        document("version: 1\nitems: [{name: 示例, count: 2, share: 1, on: true}]\n"), Whole
    )

    assert whole.items == [Item(name="示例", count=2, share=1, on=True)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1:1 must be a mapping"),
        ("[]", "1:1 must be a mapping"),
        ("items: []", "1:1 version: is missing"),
        ("\n# so\n  items: []", "3:3 version: is missing"),
        ("version: 2", "1:10 version: must be 1: no other version of this file is known"),
        ("version: true", "1:10 version: must be a whole number"),
        ("version: 1.0", "1:10 version: must be a whole number"),
        ("version: '1'", "1:10 version: must be a whole number"),
        ("version: 1\nitem: []", "2:1 item: unknown key"),
        ("version: 1\nitems: {}", "2:8 items: must be a list"),
        ("version: 1\nitems:", "2:7 items: must be a list"),
        ("version: 1\nitems: [x]", "2:9 items[0]: must be a mapping"),
        (
            "version: 1\nitems: [{name: a}, {name: 7}]",
            "2:27 items[1].name: must be text: put numbers, true and false in quotes",
        ),
        (
            "version: 1\nitems:\n- name: true",
            "3:9 items[0].name: must be text: put numbers, true and false in quotes",
        ),
        ("version: 1\nitems:\n- nam: a\n  name: a", "3:3 items[0].nam: unknown key"),
        ("version: 1\nitems: [{name: ''}]", "2:16 items[0].name: is empty"),
        ("version: 1\nitems: [{name: ' '}]", "2:16 items[0].name: is empty"),
        (
            'version: 1\nitems: [{name: "a\\0b"}]',
            "2:16 items[0].name: holds a control character",
        ),
        (
            "version: 1\nitems: [{name: a, count: '3'}]",
            "2:26 items[0].count: must be a whole number",
        ),
        (
            "version: 1\nitems: [{name: a, count: 0}]",
            "2:26 items[0].count: Input should be greater than or equal to 1",
        ),
        (
            "version: 1\nitems: [{name: a, share: 1e3}]",
            "2:26 items[0].share: must be a number",
        ),
        ("version: 1\nitems: [{name: a, on: no}]", "2:23 items[0].on: must be true or false"),
        ("version: 1\nnotes: []", "2:8 notes: must be a mapping"),
    ],
)
def test_a_fault_of_shape_names_its_place(text: str, fault: str) -> None:
    with pytest.raises(SettingsError) as raised:
        validate(document(text), Whole)

    assert str(raised.value) == f"a.yaml:{fault}"


def test_all_faults_of_a_file_come_at_once_whatever_their_kind() -> None:
    text = "version: 3\nversion: 1\nitems: [{name: a, x: 1}, {name: 2}, {name: a}]\n"

    with pytest.raises(SettingsError) as raised:
        validate(document(text), Whole, unique("items", "*", "name"))

    assert [str(fault) for fault in raised.value.faults] == [
        "a.yaml:1:10 version: must be 1: no other version of this file is known",
        "a.yaml:2:1 repeated key 'version' (first in line 1)",
        "a.yaml:3:19 items[0].x: unknown key",
        "a.yaml:3:33 items[1].name: must be text: put numbers, true and false in quotes",
        "a.yaml:3:44 items[2].name: as in line 3 already",
    ]


def test_a_check_alone_refuses_a_file_of_sound_shape() -> None:
    def check(document: yaml.Document) -> Iterator[Fault]:
        yield document.fault(("version",), "not today")

    with pytest.raises(SettingsError) as raised:
        validate(document("version: 1"), Whole, check)

    assert str(raised.value) == "a.yaml:1:10 not today"


def test_neither_fault_nor_cause_shows_what_was_written() -> None:
    with pytest.raises(SettingsError) as raised:
        validate(document("version: plain:secret"), Whole)

    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert "secret" not in str(raised.value.__context__)


def test_a_very_long_key_is_cut() -> None:
    with pytest.raises(SettingsError) as raised:
        validate(document(f"version: 1\n{'k' * 900}: 1"), Whole)

    assert str(raised.value) == f"a.yaml:2:1 {'k' * 80}: unknown key"
