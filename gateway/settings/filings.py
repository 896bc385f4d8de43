"""A file of filings (报备): its shape, what it says, and how it is written."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

import yaml as pyyaml
from pydantic import AfterValidator, BeforeValidator, Field, Strict, model_validator

from gateway.domain.filings import (
    LIMITS,
    Approval,
    Filing,
    Licence,
    PortScope,
    Signature,
    Template,
    TemplateKind,
    date_problems,
    label_problems,
    name_problems,
    port_problems,
    request_problems,
    text_problems,
)
from gateway.domain.sender import Sender
from gateway.settings import yaml
from gateway.settings.fault import Fault
from gateway.settings.schema import DocumentCheck, Shape, SystemId, Version, unique, validate
from gateway.settings.yaml import Document, Value, Where

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


_LISTS: Mapping[str, tuple[str, ...]] = {
    "signatures": ("name",),
    "templates": ("id",),
    "scopes": ("port",),
    "approvals": ("port", "reference"),
}


def load_filings(path: Path, senders: Mapping[str, Sender] | None = None) -> tuple[Filing, ...]:
    """Read a file of filings, as `filings_of` does. Raises SettingsError."""
    return filings_of(yaml.read(path), senders)


def filings_of(
    document: Document, senders: Mapping[str, Sender] | None = None
) -> tuple[Filing, ...]:
    """Return the filings of a file. Raises SettingsError with all its faults.

    With `senders` it is also a fault to file something for an SP that is not among them, or for
    a port that the SP does not own.
    """
    checks: list[DocumentCheck] = [unique("senders", "*", "system_id"), _repeated, _shared_sources]
    if senders is not None:
        checks += [_unknown_senders(senders), _foreign_ports(senders)]
    file = validate(document, FilingsFile, *checks)
    return tuple(filing for shape in file.senders for filing in _filings(shape))


def written(filings: Iterable[Filing]) -> str:
    """Return `filings` as the text of a file that `load_filings` reads."""
    document = {"version": 1, "senders": as_mappings(filings)}
    return str(pyyaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=100))


def as_mappings(filings: Iterable[Filing]) -> list[dict[str, object]]:
    """Return `filings` by SP, in the shape of the file."""
    by_sender: defaultdict[str, list[Filing]] = defaultdict(list)
    for filing in filings:
        by_sender[filing.system_id].append(filing)
    return [_as_mapping(system_id, filed) for system_id, filed in sorted(by_sender.items())]


def _filings(shape: FiledShape) -> Iterator[Filing]:
    sp = shape.system_id
    if shape.licence is not None:
        yield Licence(sp, shape.licence.number, shape.licence.valid_until)
    for one in shape.signatures:
        yield Signature(sp, one.name, tuple(one.sources))
    for made in shape.templates:
        yield Template(sp, made.id, made.kind, made.text, made.max_variable)
    for scope in shape.scopes:
        yield PortScope(sp, scope.port, scope.province)
    for given in shape.approvals:
        yield Approval(sp, given.port, given.reference, given.valid_from, given.valid_until)


def _as_mapping(system_id: str, filings: Sequence[Filing]) -> dict[str, object]:
    mapping: dict[str, object] = {"system_id": system_id}
    lists: defaultdict[str, list[dict[str, object]]] = defaultdict(list)
    for filing in filings:
        match filing:
            case Licence(_, number, valid_until):
                mapping["licence"] = {"number": number, "valid_until": valid_until.isoformat()}
            case Signature(_, name, sources):
                bound: dict[str, object] = {"sources": list(sources)} if sources else {}
                lists["signatures"].append({"name": name} | bound)
            case Template():
                lists["templates"].append(
                    {
                        "id": filing.id,
                        "kind": filing.kind.value,
                        "text": filing.text,
                        "max_variable": filing.max_variable,
                    }
                )
            case PortScope(_, port, province):
                lists["scopes"].append({"port": port, "province": province})
            case _:
                lists["approvals"].append(
                    {
                        "port": filing.port,
                        "reference": filing.reference,
                        "valid_from": filing.valid_from.isoformat(),
                        "valid_until": filing.valid_until.isoformat(),
                    }
                )
    return {**mapping, **lists}


def _repeated(document: Document) -> Iterator[Fault]:
    """Find what one SP files twice: the second would silently take the place of the first."""
    for name, keys in _LISTS.items():
        seen: dict[tuple[Value, ...], Where] = {}
        for where, entry in document.find("senders", "*", name, "*"):
            if not isinstance(entry, dict) or not all(
                isinstance(entry.get(key), str) for key in keys
            ):
                continue
            named = (str(where[:2]), *(entry[key] for key in keys))
            first = seen.setdefault(named, where)
            if first != where:
                line = document.mark(first).line
                yield document.fault((*where, keys[-1]), f"filed in line {line} already")


def _shared_sources(document: Document) -> Iterator[Fault]:
    """Find sources that two signatures of one SP claim (R06)."""
    owners: dict[tuple[Where, Value], Where] = {}
    for where, source in document.find("senders", "*", "signatures", "*", "sources", "*"):
        if not isinstance(source, str):
            continue
        first = owners.setdefault((where[:2], source), where)
        if first[:4] != where[:4]:
            line = document.mark(first).line
            yield document.fault(where, f"belongs to the signature in line {line} already")


def _unknown_senders(senders: Mapping[str, Sender]) -> DocumentCheck:
    def check(document: Document) -> Iterator[Fault]:
        for where, system_id in document.find("senders", "*", "system_id"):
            if isinstance(system_id, str) and system_id not in senders:
                yield document.fault(where, "no such sender in senders.yaml")

    return check


def _foreign_ports(senders: Mapping[str, Sender]) -> DocumentCheck:
    """Return a check for what is filed for a port that its SP does not own.

    Scopes and approvals are of ports as they are registered, signatures of any address.
    """

    def check(document: Document) -> Iterator[Fault]:
        owners = {
            where[:2]: senders[system_id]
            for where, system_id in document.find("senders", "*", "system_id")
            if isinstance(system_id, str) and system_id in senders
        }
        for name in ("scopes", "approvals"):
            for where, port in document.find("senders", "*", name, "*", "port"):
                owner = owners.get(where[:2])
                if owner is not None and all(port != one.number for one in owner.ports):
                    yield document.fault(where, f"no port of {owner.system_id} in senders.yaml")
        for where, source in document.find("senders", "*", "signatures", "*", "sources", "*"):
            owner = owners.get(where[:2])
            if owner is not None and isinstance(source, str) and owner.port_of(source) is None:
                yield document.fault(where, f"no source of {owner.system_id} in senders.yaml")

    return check
