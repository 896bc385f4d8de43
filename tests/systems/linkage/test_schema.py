"""The JSON Schema of events is the one in the package, and says what the models do."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from jsonschema import Draft202012Validator

from gateway.systems import linkage
from gateway.systems.linkage.envelope import event_schema
from gateway.systems.linkage.model import SCHEMA, SCHEMA_VERSION, EventType
from tests.systems.linkage.conftest import Node, dispatched

Cli = Callable[..., CompletedProcess[str]]
SHIPPED = Path(linkage.__path__[0]) / f"schemas/linkage-event-{SCHEMA_VERSION}.json"


def test_the_schema_in_the_package_is_that_of_the_code(cli: Cli) -> None:
    """Before the first release write it again: smsward linkage schema. Then add a version."""
    ran = cli("linkage", "schema")

    assert ran.returncode == 0
    assert SHIPPED.read_text(encoding="utf-8") == ran.stdout


def test_the_schema_names_its_version_and_every_type() -> None:
    schema = json.loads(json.dumps(event_schema()))

    assert schema["$id"] == f"{SCHEMA}{SCHEMA_VERSION}"
    assert schema["properties"]["type"] == {"enum": list(EventType)}
    assert {one["if"]["properties"]["type"]["const"] for one in schema["allOf"]} == set(EventType)


def test_every_reference_of_the_schema_leads_somewhere() -> None:
    schema = event_schema()

    references = list(references_in(schema))

    assert len(references) > len(EventType)
    for reference in references:
        found: object = schema
        for step in reference.removeprefix("#/").split("/"):
            assert isinstance(found, dict)
            found = found[step]


def references_in(value: object) -> list[str]:
    match value:
        case {"$ref": str(reference), **rest}:
            return [reference, *references_in(rest)]
        case dict():
            return [one for inner in value.values() for one in references_in(inner)]
        case list():
            return [one for inner in value for one in references_in(inner)]
        case _:
            return []


def test_the_schema_refuses_what_the_code_refuses() -> None:
    validator = Draft202012Validator(json.loads(SHIPPED.read_text(encoding="utf-8")))
    envelope = json.loads(Node("a").signer.sign_event(dispatched()))
    event = json.loads(urlsafe_b64decode(envelope["payload"] + "=="))

    assert validator.is_valid(event)
    for change in ({"type": "smsward.case.later"}, {"sequence": "1"}, {"data": {"port": "x"}}):
        assert not validator.is_valid(event | change)
