"""The schemas that editors take: they know every key, and say what it is for."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.settings import yaml
from gateway.settings.bundles.bundle import BundlePart, schema_of
from gateway.settings.bundles.rules import SHAPES

POLICIES = Path(__file__).parents[3] / "policies"


def objects(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, dict):
        yield value
        for below in value.values():
            yield from objects(below)
    elif isinstance(value, list):
        for below in value:
            yield from objects(below)


@pytest.mark.parametrize("part", BundlePart)
@pytest.mark.parametrize("partial", [False, True])
def test_every_key_of_every_file_is_explained(part: BundlePart, partial: bool) -> None:  # noqa: FBT001 - a parameter of the test
    schema = schema_of(part, partial=partial)

    unexplained = {
        name
        for found in objects(schema)
        for name, below in (found.get("properties") or {}).items()  # type: ignore[attr-defined]
        if "description" not in below
    }
    assert unexplained == set()
    assert str(schema["title"]).startswith(part)


def test_a_rule_is_one_of_the_checks_and_nothing_else() -> None:
    schema = schema_of(BundlePart.RULES)

    shapes = schema["$defs"]
    assert isinstance(shapes, dict)
    rules = [shape for shape in shapes.values() if "check" in shape.get("properties", {})]
    assert {shape["properties"]["check"]["const"] for shape in rules} == set(SHAPES)
    assert all(shape["additionalProperties"] is False for shape in rules)
    assert all({"id", "title", "article", "check"} <= set(shape["required"]) for shape in rules)


def test_times_are_text_of_one_form_to_an_editor() -> None:
    text = json.dumps(schema_of(BundlePart.RULES))

    assert "08:00-21:00" in text
    assert '"format": "duration"' not in text
    assert '"format": "time"' not in text


def test_a_file_that_adds_to_another_may_say_less() -> None:
    schema = schema_of(BundlePart.RULES, partial=True)

    shapes = schema["$defs"]
    assert isinstance(shapes, dict)
    rules = [shape for shape in shapes.values() if "check" in shape.get("properties", {})]
    assert all(shape["required"] == ["id"] for shape in rules)
    assert shapes["OverrideShape"]["required"] == ["mode"]
    assert "oneOf" not in json.dumps(schema)
    assert schema_of(BundlePart.KEYWORDS, partial=True)["required"] == ["version", "id"]


@pytest.mark.parametrize("part", BundlePart)
@pytest.mark.parametrize("partial", [False, True])
def test_the_shipped_schemas_are_those_of_the_code(part: BundlePart, partial: bool) -> None:  # noqa: FBT001 - a parameter of the test
    path = POLICIES / "schemas" / ("partial" if partial else "") / f"{part}.json"

    assert json.loads(path.read_text(encoding="utf-8")) == schema_of(part, partial=partial)


def test_shipped_rules_name_only_keys_that_the_schema_knows() -> None:
    shapes = schema_of(BundlePart.RULES)["$defs"]
    assert isinstance(shapes, dict)
    known = {
        shape["properties"]["check"]["const"]: set(shape["properties"])
        for shape in shapes.values()
        if "check" in shape.get("properties", {})
    }

    for path in sorted((POLICIES / "rules").glob("*.yaml")):
        for _, rule in yaml.load(path).find("rules", "*"):
            assert isinstance(rule, dict)
            assert set(rule) <= known[str(rule["check"])]
