"""The OpenAPI description of the API: examples of all that is asked and answered, and problems."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI

from gateway.web.idempotency import IDEMPOTENCY_KEY, MAX_KEY_CHARS
from gateway.web.problems import MEDIA_TYPE, Problem, ProblemError, body_of_problem

Schema = dict[str, Any]

_ACTS = frozenset({"post", "put", "patch", "delete"})
_OPERATIONS = _ACTS | {"get"}
_PROBLEM = "Problem"
_REFUSED, _BROKEN = "4XX", "5XX"

# What a text field of this name says, where its own schema has no example.
_WORDS: Mapping[str, str] = {
    "about": "10690001",
    "act": "dispatch",
    "address": "192.0.2.7:49152",
    "answer": "已核实并处理",
    "bind_type": "bind_transceiver",
    "by": "api: soc",
    "campaign": "c3f1d9a07b2e4c55f",
    "category": "loan",
    "code": "482913",
    "conditions": "仅向已同意用户发送",
    "destination": "138****8000",
    "digest": "3f1d9a07b2e4",
    "evidence": "领取奖金",
    "group": "default",
    "name": "shop",
    "note": "工单 2026-118",
    "owner": "中国联通/广东",
    "problem": "is no subscriber number",
    "province": "广东",
    "reason": "工单 2026-118",
    "role": "viewer",
    "rule": "K-FRAUD",
    "sender": "10690001",
    "source": "10690001",
    "system_id": "shop",
    "text": "【示例商城】您的订单已发货",
    "title": "There is no such thing.",
    "version": "1.0.0",
}
_FORMATS: Mapping[str, str] = {
    "date-time": "2025-11-25T04:00:00Z",
    "date": "2035-12-31",
    "binary": "",
}
_MAX_DEPTH = 12

_KEY_PARAMETER: Schema = {
    "name": IDEMPOTENCY_KEY,
    "in": "header",
    "required": False,
    "description": "The client's own name of this act: the same again within a day does nothing"
    " and has the answer of the first.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARS},
    "example": "5f0c1f0e-7a52-4f4e-9d7e-0f6b7a3c9d21",
}
_PROBLEM_SCHEMA: Schema = {
    "title": _PROBLEM,
    "description": "What went wrong (RFC 9457). It repeats no number, token or text.",
    "type": "object",
    "required": ["type", "title", "title_zh", "status"],
    "properties": {
        "type": {"type": "string", "description": "Tells the kinds apart."},
        "title": {"type": "string"},
        "title_zh": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "faults": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "problem"],
                "properties": {"pointer": {"type": "string"}, "problem": {"type": "string"}},
            },
        },
    },
}
_RATE_HEADERS: Schema = {
    "RateLimit-Policy": {
        "description": "So many requests `q` of a client in so many seconds `w`.",
        "schema": {"type": "string"},
        "example": '"client";q=100;w=5',
    },
    "RateLimit": {
        "description": "So many may come at once `r`, and in `t` seconds the whole share.",
        "schema": {"type": "string"},
        "example": '"client";r=99;t=1',
    },
}


class DescribedApi(FastAPI):
    """An application that describes each operation with examples and with its problems."""

    def openapi(self) -> dict[str, Any]:
        """Return the description, made once."""
        if not self.openapi_schema:
            described = super().openapi()
            schemas: Schema = described.setdefault("components", {}).setdefault("schemas", {})
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            schemas[_PROBLEM] = _PROBLEM_SCHEMA
            for method, operation in operations_of(described):
                _complete(method, operation, schemas)
        return super().openapi()


def operations_of(described: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield method and operation of all paths of a description."""
    for path in described["paths"].values():
        yield from ((method, one) for method, one in path.items() if method in _OPERATIONS)


def _complete(method: str, operation: Schema, schemas: Schema) -> None:
    """Add what every operation has: examples, problems, the header of acts."""
    parameters = operation.setdefault("parameters", [])
    for one in parameters:
        if "example" not in one and "examples" not in one:
            one["example"] = example_of(one["schema"], schemas, one["name"])
    if method in _ACTS and "security" in operation:
        parameters.append(_KEY_PARAMETER)
    _show(operation.get("requestBody", {}), schemas)
    responses = operation["responses"]
    responses.pop("422", None)
    for answer in responses.values():
        if "security" in operation:
            answer["headers"] = _RATE_HEADERS
        _show(answer, schemas)
    responses[_REFUSED] = _problem_answer(Problem.NOT_AS_DESCRIBED, "What is asked is refused.")
    responses[_BROKEN] = _problem_answer(Problem.UNAVAILABLE, "It cannot be answered now.")


def _show(body: Schema, schemas: Schema) -> None:
    """Add an example to each form of a body that has none."""
    for media in body.get("content", {}).values():
        if "schema" in media and "examples" not in media:
            media.setdefault("example", example_of(media["schema"], schemas))


def _problem_answer(kind: Problem, description: str) -> Schema:
    example = body_of_problem(ProblemError(kind))
    return {
        "description": description,
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": f"#/components/schemas/{_PROBLEM}"},
                "example": example,
            }
        },
    }


def example_of(schema: Schema, schemas: Schema, name: str = "", depth: int = 0) -> object:
    """Return a value that a schema describes, of a field called `name`."""
    if depth > _MAX_DEPTH:
        return None
    said = [schema[key] for key in ("example", "const") if key in schema]
    said += [schema[key][0] for key in ("examples", "enum") if schema.get(key)]
    if said:
        return said[0]
    for one in _meant_by(schema, schemas):
        return example_of(one, schemas, name, depth + 1)
    return _plain_example(schema, schemas, name, depth)


def _meant_by(schema: Schema, schemas: Schema) -> Iterator[Schema]:
    """Yield the schemas that may stand for `schema`, the best first."""
    if "$ref" in schema:
        yield schemas[schema["$ref"].rpartition("/")[2]]
    for key in ("anyOf", "oneOf", "allOf"):
        yield from sorted(schema.get(key, ()), key=lambda one: one.get("type") == "null")


def _plain_example(schema: Schema, schemas: Schema, name: str, depth: int) -> object:
    match schema.get("type"):
        case "object":
            return _object_example(schema, schemas, depth)
        case "array":
            return [example_of(schema.get("items", {}), schemas, name, depth + 1)]
        case "boolean":
            return bool(schema.get("default", False))
        case "integer" | "number":
            return schema.get("default", schema.get("minimum", 1))
        case "string":
            return _FORMATS.get(schema.get("format", "")) or _WORDS.get(name, "shop")
        case _:
            return None


def _object_example(schema: Schema, schemas: Schema, depth: int) -> Schema:
    properties = schema.get("properties", {})
    if properties:
        return {name: example_of(one, schemas, name, depth + 1) for name, one in properties.items()}
    values = schema.get("additionalProperties")
    if not isinstance(values, dict):
        return {}
    names = schema.get("propertyNames", {"type": "string"})
    key = str(example_of(names, schemas, "system_id", depth + 1))
    return {key: example_of(values, schemas, "", depth + 1)}
