"""What the shapes of all files share: strict models, faults at file:line:col, ids, addresses."""

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from itertools import chain
from typing import Annotated, Any, ClassVar, NamedTuple, TypeAlias, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, ErrorDetails
from pydantic_core.core_schema import no_info_after_validator_function

from gateway.domain.linkage import MAX_ORGANISATION_CHARS
from gateway.domain.sender import PORT_PATTERN, PORT_PROBLEM, IpNetwork
from gateway.settings.yaml import Document, Fault, SettingsError, Where

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
    "dataclass_type": "must be a mapping",
    "unexpected_keyword_argument": "unknown key",
}
_UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")
_MAX_NAME_CHARS = 80


# Nothing is converted, and unknown keys are faults. A fault must not show a password, so the
# input stays out of errors.
_CONFIG = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class Shape(BaseModel):
    """A mapping in a file."""

    model_config = _CONFIG


class Section:
    """Base of a frozen dataclass that a mapping in a file becomes, checked as a Shape is.

    One that the program makes itself is checked by its __post_init__ alone.
    """

    __slots__ = ()
    __pydantic_config__: ClassVar[ConfigDict] = _CONFIG

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema = handler(source)
        # A strict one would be taken as an instance only, and not as a mapping.
        inner: Any = handler.resolve_ref_schema(schema)
        inner["strict"] = False
        return schema


@dataclass(frozen=True, slots=True)
class ReadAs:
    """Note on a field: a file says it as `written`, and `become` makes the value of that.

    `become` raises ValueError for what is no usable value.
    """

    written: Any
    become: Callable[[Any], object]

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        written = handler.generate_schema(self.written)
        return no_info_after_validator_function(self.become, written)


Model = TypeVar("Model", bound=Shape | Section)
DocumentCheck: TypeAlias = Callable[[Document], Iterable[Fault]]

# What validates each shape: built once in a process, in 10 ms for a large one.
_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def validate(
    document: Document, model: type[Model], *checks: DocumentCheck, within: str = ""
) -> Model:
    """Return `document` as `model`; `within` names what it is a part of.

    `checks` look across fields; they see the raw values, so they report beside the faults
    of shape and not only once those are repaired. Raises SettingsError with all faults.
    """
    faults = [*document.faults, *chain.from_iterable(check(document) for check in checks)]
    try:
        shaped: Model = _adapter_of(model).validate_python(document.value)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        faults.extend(_fault_of(document, detail, within) for detail in details)
        raise SettingsError(faults) from None
    if faults:
        raise SettingsError(faults)
    return shaped


def _adapter_of(model: type[Model]) -> TypeAdapter[Model]:
    found: TypeAdapter[Model] | None = _ADAPTERS.get(model)
    if found is None:
        found = _ADAPTERS[model] = TypeAdapter(model)
    return found


def _fault_of(document: Document, detail: ErrorDetails, within: str) -> Fault:
    kind, where = detail["type"], detail["loc"]
    # pydantic's way to a key of a mapping leads past it.
    is_key = kind in _UNKNOWN_KEY or where[-1:] == ("[key]",)
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
    """Return a check that no text found by `pattern` stands there twice."""

    def check(document: Document) -> Iterable[Fault]:
        texts = ((way, value) for way, value in document.find(*pattern) if isinstance(value, str))
        for where, first in repeated(texts):
            line = document.marks[first].line
            yield document.fault(where, f"{_name_of(where)}: as in line {line} already")

    return check


def owner_names(*pattern: str) -> DocumentCheck:
    """Return a check that carrier and province together are not too long for an owner of cases."""

    def check(document: Document) -> Iterable[Fault]:
        for where, one in document.find(*pattern):
            if isinstance(one, dict):
                words = f"{one.get('carrier', '')}/{one.get('province', '')}"
                if len(words) > MAX_ORGANISATION_CHARS:
                    most = f"carrier/province: at most {MAX_ORGANISATION_CHARS} characters"
                    yield document.fault(where, most)

    return check


def repeated(found: Iterable[tuple[Where, Hashable]]) -> Iterator[tuple[Where, Where]]:
    """Yield each way with a value that an earlier way has, with the first such way."""
    seen: dict[Hashable, Where] = {}
    for where, value in found:
        first = seen.setdefault(value, where)
        if first != where:
            yield where, first


def without(problem_of: Callable[[str], str | None]) -> AfterValidator:
    """Return a validator that refuses a text with what `problem_of` says of it."""

    def check(text: str) -> str:
        problem = problem_of(text)
        if problem:
            raise ValueError(problem)
        return text

    return AfterValidator(check)


def matching(pattern: str, problem: str) -> AfterValidator:
    """Return a validator that refuses a text that is not wholly of `pattern`."""
    whole = re.compile(pattern)
    return without(lambda text: None if whole.fullmatch(text) else problem)


def _unshown(text: str) -> str | None:
    if not text.strip():
        return "is empty"
    is_hidden = any(unicodedata.category(char)[0] == "C" for char in text)
    return "holds a control character" if is_hidden else None


def _is_version(number: int) -> int:
    if number != 1:
        raise ValueError("must be 1: no other version of this file is known")
    return number


Text = Annotated[str, Field(max_length=200), without(_unshown)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Version = Annotated[
    int, AfterValidator(_is_version), WithJsonSchema({"type": "integer", "const": 1})
]

_ID = "[A-Za-z0-9][A-Za-z0-9._-]{0,31}"


def is_id(text: str) -> bool:
    """Tell whether `text` can be the id of a list or a rule, or the name of a profile."""
    return re.fullmatch(_ID, text) is not None


Id = Annotated[
    str,
    matching(_ID, "must be 1 to 32 of A-Z a-z 0-9 . _ - and start with a letter or digit"),
]

MAX_PORT_DIGITS = 20  # extension included

# A C-octet string of 16 with its NUL (SMPP 3.4, 5.2.1), and nothing that a log could not show.
SystemId = Annotated[str, matching("[!-~]{1,15}", "must be 1 to 15 visible ASCII characters")]
PortNumber = Annotated[str, matching(PORT_PATTERN, PORT_PROBLEM)]


_UCS2_OCTETS = 140


def _overlong(text: str) -> str | None:
    is_long = len(text.encode("utf-16-be")) > _UCS2_OCTETS
    return "is longer than one message of 70 characters" if is_long else None


Reply = Annotated[Text, without(_overlong)]

# getaddrinfo raises UnicodeError, not OSError, for a label that is empty or too long.
_LABELS = r"(?!.*(\.\.|[^.:]{64}))"
_HOST = re.compile(_LABELS + "[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
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


def is_loopback(host: str) -> bool:
    """Tell whether only this machine is reached at `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_MAX_URL_CHARS = 500
_URL = re.compile("[!-~]+")
# What every reader of URLs takes for the same host: here it is looked at, elsewhere dialled.
_URL_HOST = re.compile(_LABELS + "([a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?|[0-9a-f:]+:[0-9a-f.]*)")


def url_problem(url: str) -> str | None:
    """Return what is wrong with a URL as configured, or None. Never shows it.

    Numbers travel there: only this machine may be written to without TLS.
    """
    if len(url) > _MAX_URL_CHARS or not _URL.fullmatch(url):
        return f"must be a URL of up to {_MAX_URL_CHARS} visible ASCII characters"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "cannot be read as a URL"
    if "@" in parts.netloc or "#" in url:
        return "must hold neither a user, nor a password, nor a fragment"
    if parts.scheme not in ("https", "http") or not _URL_HOST.fullmatch(host) or port == 0:
        return "must be https://host/path"
    if parts.scheme == "http" and not is_loopback(host):
        return "must be https://: only this machine may be told without TLS"
    return None


ListenAddress = Annotated[Address, PlainValidator(parse_address)]
# What may stand in a command of SMTP and in a header, without quotes.
MAIL_PATTERN = "[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,190}"
MailAddress = Annotated[str, matching(MAIL_PATTERN, "must be as name@example.com")]
PeerAddress = Annotated[Address, PlainValidator(parse_peer)]
Network = Annotated[IpNetwork, PlainValidator(parse_network)]
