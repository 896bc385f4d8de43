"""The fields of requests and answers: numbers, moments, days, words; each says what is wrong."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from gateway.domain.consent import NUMBERS_AT_ONCE
from gateway.domain.msisdn import msisdn_of

MAX_ITEMS = NUMBERS_AT_ONCE

# The shortest numbers have seven digits with their country code.
_FIRST = 1_000_000
_MAX_CHARS = 20
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    _DAY.pattern
    + r"T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)"
)


class RequestBody(BaseModel):
    """A mapping in a request: unknown names are faults."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _msisdn(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError("must be text, in quotes")  # noqa: TRY004 - pydantic collects ValueError
    if len(value) > _MAX_CHARS:
        raise ValueError("is no subscriber number")
    msisdn = msisdn_of(value.encode("utf-8", "replace"))
    if msisdn is None or msisdn < _FIRST:
        raise ValueError("is no subscriber number: digits only, bare or with 86, +86 or 0086")
    return msisdn


def _day(value: object) -> date:
    """Return the day; other forms of ISO 8601 are errors, for they are read wrongly."""
    if isinstance(value, str) and _DAY.fullmatch(value):
        with suppress(ValueError):  # no such day
            return date.fromisoformat(value)
    raise ValueError("is no day written as text: 2035-12-31")


def _moment(value: object) -> datetime:
    """Return the moment; a number would be guessed to be seconds, or milliseconds, since 1970."""
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        with suppress(ValueError):  # no such day, hour or offset
            return datetime.fromisoformat(value)
    raise ValueError("is no moment written as text with its offset: 2025-11-24T09:30:00+08:00")


def _is_shown(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    if not text.isprintable():
        raise ValueError("holds a character that cannot be shown")
    return text


def example(value: Mapping[str, object]) -> ConfigDict:
    """Return the `model_config` of a request with the example `value`."""

    def add(schema: dict[str, Any]) -> None:
        schema["examples"] = [value]

    return ConfigDict(json_schema_extra=add)


Number = Annotated[
    int,
    BeforeValidator(_msisdn),
    WithJsonSchema(
        {
            "type": "string",
            "title": "Number",
            "description": "A subscriber's number, bare or with 86, +86 or 0086 before it.",
            "examples": ["13800138000"],
        }
    ),
]
Numbers = Annotated[list[Number], Field(min_length=1, max_length=MAX_ITEMS)]
Day = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2035-12-31"]}),
]
Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "description": "ISO 8601 with an offset, and in no other way.",
            "examples": ["2025-11-24T09:30:00+08:00"],
        }
    ),
]
Words = Annotated[str, Field(max_length=64), AfterValidator(_is_shown)]
Reason = Annotated[str, Field(max_length=400), AfterValidator(_is_shown)]


def each_once(numbers: Iterable[int]) -> list[int]:
    """Return `numbers` in their order, each once."""
    return list(dict.fromkeys(numbers))
