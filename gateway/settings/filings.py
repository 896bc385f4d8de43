"""Files of filings (报备), and of the province of each head of mobile numbers (号段归属, R04)."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated

import yaml as pyyaml
from pydantic import AfterValidator, BeforeValidator, Field, Strict, model_validator

from gateway.domain.filings import (
    KEYS,
    MAX_SOURCES,
    MAX_VARIABLE_CHARS,
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
from gateway.policy.places import ProvinceTable
from gateway.settings import yaml
from gateway.settings.schema import (
    DocumentCheck,
    Shape,
    SystemId,
    Version,
    repeated,
    unique,
    validate,
    without,
)
from gateway.settings.yaml import Document, Fault, SettingsError, decode_utf8, read_octets

_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MAX_TABLE_OCTETS = 64 * 1024 * 1024
_MAX_PROVINCES = 255
_MAX_CHARS = 32
_HEAD = re.compile("1[0-9]{6}")

Problems = Callable[[str], Iterator[str]]


def _of_all(problems: Problems) -> AfterValidator:
    """Return a validator that says all of a text's problems."""
    return without(lambda text: "; ".join(problems(text)))


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
Label = Annotated[str, _of_all(label_problems)]
Digits = Annotated[str, _of_all(port_problems)]


class LicenceShape(Shape):
    """`senders[].licence`."""

    number: Label
    valid_until: Day


class SignatureShape(Shape):
    """`senders[].signatures[]`. Without sources, any port of the SP may bear it."""

    name: Annotated[str, _of_all(name_problems)]
    sources: Annotated[list[Digits], Field(max_length=MAX_SOURCES)] = Field(default_factory=list)
    valid_until: Day | None = None


class TemplateShape(Shape):
    """`senders[].templates[]`."""

    id: Label
    kind: Annotated[TemplateKind, Strict(False)]
    text: Annotated[str, _of_all(text_problems)]
    max_variable: Annotated[int, Field(ge=1, le=MAX_VARIABLE_CHARS)] = 20
    valid_until: Day | None = None

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


# The list in which each kind of filing stands.
_LIST_OF: Mapping[type[Filing], str] = {
    Signature: "signatures",
    Template: "templates",
    PortScope: "scopes",
    Approval: "approvals",
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
    checks: list[DocumentCheck] = [unique("senders", "*", "system_id"), _refiled, _shared_sources]
    if senders is not None:
        checks += [partial(one, senders=senders) for one in (_unknown_senders, _foreign_ports)]
    file = validate(document, FilingsFile, *checks)
    return tuple(filing for shape in file.senders for filing in filings_in(shape))


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


def filings_in(shape: FiledShape) -> Iterator[Filing]:
    """Yield what one SP files."""
    sp = shape.system_id
    if shape.licence is not None:
        yield Licence(sp, **dict(shape.licence))
    for signature in shape.signatures:
        yield Signature(sp, signature.name, tuple(signature.sources), signature.valid_until)
    yield from (Template(sp, **dict(one)) for one in shape.templates)
    yield from (PortScope(sp, **dict(one)) for one in shape.scopes)
    yield from (Approval(sp, **dict(one)) for one in shape.approvals)


def _as_mapping(system_id: str, filings: Sequence[Filing]) -> dict[str, object]:
    mapping: dict[str, object] = {"system_id": system_id}
    lists: defaultdict[str, list[dict[str, object]]] = defaultdict(list)
    for filing in filings:
        written = asdict(filing).items()
        said = {name: _plain(value) for name, value in written if value not in ((), None)}
        del said["system_id"]
        if isinstance(filing, Licence):
            mapping["licence"] = said
        else:
            lists[_LIST_OF[type(filing)]].append(said)
    return {**mapping, **lists}


def _plain(value: object) -> object:
    match value:
        case date():
            return value.isoformat()
        case TemplateKind():
            return value.value
        case tuple():
            return list(value)
        case _:
            return value


def _refiled(document: Document) -> Iterator[Fault]:
    """Find what one SP files twice: the second would silently take the place of the first."""
    for kind, name in _LIST_OF.items():
        keys = KEYS[kind][1:]  # within one SP
        named = (
            (where, (where[:2], *(str(entry[key]) for key in keys)))
            for where, entry in document.find("senders", "*", name, "*")
            if isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in keys)
        )
        for where, first in repeated(named):
            line = document.mark(first).line
            yield document.fault((*where, keys[-1]), f"filed in line {line} already")


def _shared_sources(document: Document) -> Iterator[Fault]:
    """Find sources that two signatures of one SP claim (R06)."""
    claimed = (
        (where, (where[:2], source))
        for where, source in document.find("senders", "*", "signatures", "*", "sources", "*")
        if isinstance(source, str)
    )
    for where, first in repeated(claimed):
        if first[:4] != where[:4]:
            line = document.mark(first).line
            yield document.fault(where, f"belongs to the signature in line {line} already")


def _unknown_senders(document: Document, senders: Mapping[str, Sender]) -> Iterator[Fault]:
    for where, system_id in document.find("senders", "*", "system_id"):
        if isinstance(system_id, str) and system_id not in senders:
            yield document.fault(where, "no such sender in senders.yaml")


def _foreign_ports(document: Document, senders: Mapping[str, Sender]) -> Iterator[Fault]:
    """Find what is filed for a port that its SP does not own.

    Scopes and approvals are of ports as they are registered, signatures of any address.
    """
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


def load_provinces(path: Path) -> ProvinceTable:
    """Read `provinces.csv`; without the file no number's province is known.

    Raises SettingsError with all faults.
    """
    if not path.exists():
        return ProvinceTable()
    heads: dict[int, str] = {}
    faults: list[Fault] = []
    provinces: set[str] = set()
    for line, head, province in _lines(decode_utf8(path, read_octets(path, _MAX_TABLE_OCTETS))):
        problem = _province_problem(head, province)
        if problem is None and heads.setdefault(int(head), province) != province:
            problem = f"{head} is given to {heads[int(head)]} already"
        if problem is None:
            provinces.add(province)
            problem = "names more than 255 provinces" if len(provinces) > _MAX_PROVINCES else None
        if problem is not None:
            faults.append(Fault(path, line, 1, problem))
    if faults:
        raise SettingsError(faults)
    return ProvinceTable(heads.items())


def _lines(text: str) -> Iterator[tuple[int, str, str]]:
    for line, raw in enumerate(text.split("\n"), start=1):
        written = raw.strip()
        if written and not written.startswith("#"):
            head, _, province = written.partition(",")
            yield line, head.strip(), province.strip()


def _province_problem(head: str, province: str) -> str | None:
    if not _HEAD.fullmatch(head):
        return "must begin with the first seven digits of mobile numbers, as 1380591,福建"
    if not province:
        return "names no province behind the comma"
    if len(province) > _MAX_CHARS or not province.isprintable() or "," in province:
        return f"a province is named in up to {_MAX_CHARS} characters without a comma"
    return None
