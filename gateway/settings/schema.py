"""What the shapes of all files share: strict models, faults at file:line:col, ids, addresses."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_network
from itertools import chain
from typing import Annotated, NamedTuple, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails

from gateway.domain.sender import IpNetwork
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
DocumentCheck: TypeAlias = Callable[[Document], Iterable[Fault]]


def validate(
    document: Document, model: type[Model], *checks: DocumentCheck, within: str = ""
) -> Model:
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


def unique(*pattern: str) -> DocumentCheck:
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


_ID = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,31}")


def is_id(text: str) -> bool:
    """Tell whether `text` can be the id of a list or a rule, or the name of a profile."""
    return _ID.fullmatch(text) is not None


def _checked(text: str) -> str:
    if not is_id(text):
        raise ValueError("must be 1 to 32 of A-Z a-z 0-9 . _ - and start with a letter or digit")
    return text


Id = Annotated[str, AfterValidator(_checked)]

MAX_PORT_DIGITS = 20  # extension included

# A C-octet string of 16 with its NUL (SMPP 3.4, 5.2.1), and nothing that a log could not show.
_SYSTEM_ID = re.compile("[!-~]{1,15}")
_PORT_NUMBER = re.compile(f"[0-9]{{1,{MAX_PORT_DIGITS}}}")


def _is_system_id(text: str) -> str:
    if not _SYSTEM_ID.fullmatch(text):
        raise ValueError("must be 1 to 15 visible ASCII characters")
    return text


def _is_port_number(text: str) -> str:
    if not _PORT_NUMBER.fullmatch(text):
        raise ValueError(f"must be 1 to {MAX_PORT_DIGITS} digits")
    return text


SystemId = Annotated[str, AfterValidator(_is_system_id)]
PortNumber = Annotated[str, AfterValidator(_is_port_number)]


_UCS2_OCTETS = 140


def _fits_one_message(text: str) -> str:
    if len(text.encode("utf-16-be")) > _UCS2_OCTETS:
        raise ValueError("is longer than one message of 70 characters")
    return text


Reply = Annotated[Text, AfterValidator(_fits_one_message)]


_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_MAX_PORT = 65535


class Address(NamedTuple):
    """A host name or IP address, and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return ``host:port``, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: object) -> Address:
    """Read ``host:port`` or ``[::1]:port``. Raises ValueError.

    The host must be named: to listen everywhere is written out, ``0.0.0.0:2775``.
    """
    if not isinstance(text, str):
        raise ValueError('must be text such as "127.0.0.1:2775", in quotes')  # noqa: TRY004 - pydantic collects ValueError, a TypeError would pass through it
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch("[0-9]{1,5}", port) or int(port) > _MAX_PORT:
        raise ValueError(f"must be host:port, the port 0 to {_MAX_PORT}")
    if host.startswith("[") and host.endswith("]"):
        return Address(str(IPv6Address(host[1:-1])), int(port))
    if not _HOST.fullmatch(host):
        raise ValueError("must be host:port, an IPv6 host in brackets")
    return Address(host, int(port))


def parse_peer(text: object) -> Address:
    """Read an address to connect to: its port cannot be 0. Raises ValueError."""
    address = parse_address(text)
    if address.port == 0:
        raise ValueError("port 0 cannot be connected to")
    return address


def parse_network(text: object) -> IpNetwork:
    """Read an IP network or a single address. Raises ValueError, also for set host bits."""
    if not isinstance(text, str):
        raise ValueError('must be text such as "10.0.0.0/8", in quotes')  # noqa: TRY004 - as above
    return ip_network(text)


ListenAddress = Annotated[Address, PlainValidator(parse_address)]
PeerAddress = Annotated[Address, PlainValidator(parse_peer)]
Network = Annotated[IpNetwork, PlainValidator(parse_network)]
