"""What the shapes of all files share: strict models, and their faults at file:line:col."""

import unicodedata
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Annotated, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails

from gateway.settings.fault import Fault, SettingsError
from gateway.settings.yaml import Document, Where

# Plain words where pydantic's are about Python; all others stand as they are.
_WORDING = {
    "missing": "is missing",
    "extra_forbidden": "unknown key",
    "string_type": "must be text: put numbers, true and false in quotes",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
}
_MAX_NAME_CHARS = 80


class Shape(BaseModel):
    """A mapping in a file. Nothing is converted, and unknown keys are faults."""

    # A fault must not show a password, so the input stays out of errors.
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


Model = TypeVar("Model", bound=Shape)
Check: TypeAlias = Callable[[Document], Iterable[Fault]]


def validate(document: Document, model: type[Model], *checks: Check, within: str = "") -> Model:
    """Return `document` as `model`; `within` names what it is a part of.

    `checks` look across fields; they see the raw values, so they report beside the faults
    of shape and not only once those are repaired. Raises SettingsError with all faults.
    """
    faults = [*document.faults, *chain.from_iterable(check(document) for check in checks)]
    try:
        shaped = model.model_validate(document.value)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        faults.extend(_fault_of(document, detail, within) for detail in details)
        raise SettingsError(faults) from None
    if faults:
        raise SettingsError(faults)
    return shaped


def _fault_of(document: Document, detail: ErrorDetails, within: str) -> Fault:
    kind, where = detail["type"], detail["loc"]
    # pydantic's way to a key of a mapping leads past it.
    is_key = kind == "extra_forbidden" or where[-1:] == ("[key]",)
    where = where[:-1] if where[-1:] == ("[key]",) else where
    said = detail["ctx"]["error"] if kind == "value_error" else detail["msg"]
    name = _name_of((within, *where) if within else where)
    problem = f"{name}: {_WORDING.get(kind, str(said))}".removeprefix(": ")
    return document.fault(where, problem, at_key=is_key)


def _name_of(where: Where) -> str:
    """Return `where` as people write it: ``senders[0].ports[1].number``."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in where)
    return "".join(steps).removeprefix(".")[:_MAX_NAME_CHARS]


def unique(*pattern: str) -> Check:
    """Return a check that no value found by `pattern` stands there twice."""

    def check(document: Document) -> Iterable[Fault]:
        seen: dict[str, Where] = {}
        for where, value in document.find(*pattern):
            if not isinstance(value, str):
                continue
            first = seen.setdefault(value, where)
            if first != where:
                line = document.marks[first].line
                yield document.fault(where, f"{_name_of(where)}: as in line {line} already")

    return check


def _is_shown(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    if any(unicodedata.category(char)[0] == "C" for char in text):
        raise ValueError("holds a control character")
    return text


def _is_version(number: int) -> int:
    if number != 1:
        raise ValueError("must be 1: no other version of this file is known")
    return number


Text = Annotated[str, Field(max_length=200), AfterValidator(_is_shown)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Version = Annotated[
    int, AfterValidator(_is_version), WithJsonSchema({"type": "integer", "const": 1})
]
