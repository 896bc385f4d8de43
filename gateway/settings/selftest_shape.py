"""The shape of `selftest.yaml`: texts and messages, and what must become of them."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from gateway.domain.msisdn import msisdn_of
from gateway.domain.policy import Expectation
from gateway.domain.sender import Purpose
from gateway.settings.names import Id
from gateway.settings.schema import Shape, Text, Version
from gateway.settings.senders_file import MAX_PORT_DIGITS

_MAX_CASES = 5_000
_MAX_CHARS = 1_000
_SENDS = ", ".join(Purpose)
# Days around a moment are looked at, too, by more than one clock: the calendar must have them.
_YEARS = range(1990, 2200)


def _unless_auto(value: object) -> object:
    return None if value == "auto" else value


def _is_source(text: str) -> str:
    is_number = text.isascii() and text.isdigit() and len(text) <= MAX_PORT_DIGITS
    if text not in set(Purpose) and not is_number:
        raise ValueError(f"must be what a port is for, {_SENDS}, or a number in quotes")
    return text


def _is_subscriber(text: str) -> str:
    if msisdn_of(text.encode()) is None:
        raise ValueError("must be the number of a subscriber, in quotes")
    return text


def _to_moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.year not in _YEARS:
        raise ValueError("must be a time with its zone, as 2026-03-04T09:30+08:00")
    return moment


# Not a union with "auto": each of its branches would report the same fault once more.
Coding = Annotated[Annotated[int, Field(ge=0, le=255)] | None, BeforeValidator(_unless_auto)]
Moment = Annotated[datetime, BeforeValidator(_to_moment, json_schema_input_type=str)]


class CaseShape(Shape):
    """One of `cases` of `selftest.yaml`. A text may hold any character, as those of SPs do."""

    text: Annotated[str, Field(min_length=1, max_length=_MAX_CHARS)]
    data_coding: Coding = None
    from_: Annotated[str, AfterValidator(_is_source)] | None = Field(None, alias="from")
    to: Annotated[str, AfterValidator(_is_subscriber)] | None = None
    time: Moment | None = None
    consent: Literal["agreed", "refused"] | None = None
    suspended: bool = False
    expect: Annotated[Expectation, Strict(False)]
    rule: Id | None = None
    list: Id | None = None
    why: Text | None = None

    @property
    def is_message(self) -> bool:
        """Tell whether more is said than a text, so that all rules are asked."""
        said = (self.from_, self.to, self.time, self.consent, self.rule)
        return self.suspended or any(one is not None for one in said)


class SelfTestFile(Shape):
    """`selftest.yaml`."""

    version: Version
    cases: Annotated[list[CaseShape], Field(min_length=1, max_length=_MAX_CASES)]
