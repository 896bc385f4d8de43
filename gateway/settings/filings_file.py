"""The shape of a file of filings (报备), for `smsward filings import` and `export`."""

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, Strict, model_validator

from gateway.domain.filing_rules import (
    LIMITS,
    date_problems,
    label_problems,
    name_problems,
    port_problems,
    request_problems,
    text_problems,
)
from gateway.domain.filings import TemplateKind
from gateway.settings.schema import Shape, Version
from gateway.settings.senders_file import SystemId

_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")

Problems = Callable[[str], Iterator[str]]


def _without(problems: Problems) -> AfterValidator:
    """Return a validator that says all of a text's problems."""

    def check(text: str) -> str:
        said = "; ".join(problems(text))
        if said:
            raise ValueError(said)
        return text

    return AfterValidator(check)


def _to_date(value: object) -> date:
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:  # there is no such day
        pass
    raise ValueError("must be a day such as 2027-03-31")


def _is_usable(day: date) -> date:
    for problem in date_problems(day):
        raise ValueError(problem)
    return day


Day = Annotated[date, BeforeValidator(_to_date), AfterValidator(_is_usable)]
Label = Annotated[str, _without(label_problems)]
Digits = Annotated[str, _without(port_problems)]


class LicenceShape(Shape):
    """`senders[].licence`."""

    number: Label
    valid_until: Day


class SignatureShape(Shape):
    """`senders[].signatures[]`. Without sources, any port of the SP may bear it."""

    name: Annotated[str, _without(name_problems)]
    sources: Annotated[list[Digits], Field(max_length=LIMITS.sources)] = Field(default_factory=list)


class TemplateShape(Shape):
    """`senders[].templates[]`."""

    id: Label
    kind: Annotated[TemplateKind, Strict(False)]
    text: Annotated[str, _without(text_problems)]
    max_variable: Annotated[int, Field(ge=1, le=LIMITS.variable_chars)] = 20

    @model_validator(mode="after")
    def _says_what_is_asked(self) -> "TemplateShape":
        if self.kind is TemplateKind.CONSENT_REQUEST:
            said = "; ".join(request_problems(self.text))
            if said:
                raise ValueError(said)
        return self


class ScopeShape(Shape):
    """`senders[].scopes[]`."""

    port: Digits
    province: Label


class ApprovalShape(Shape):
    """`senders[].approvals[]`."""

    port: Digits
    reference: Label
    valid_from: Day
    valid_until: Day

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "ApprovalShape":
        if self.valid_until < self.valid_from:
            raise ValueError("ends before it begins")
        return self


class FiledShape(Shape):
    """`senders[]`."""

    system_id: SystemId
    licence: LicenceShape | None = None
    signatures: list[SignatureShape] = Field(default_factory=list)
    templates: list[TemplateShape] = Field(default_factory=list)
    scopes: list[ScopeShape] = Field(default_factory=list)
    approvals: list[ApprovalShape] = Field(default_factory=list)


class FilingsFile(Shape):
    """The whole file."""

    version: Version
    senders: list[FiledShape]
