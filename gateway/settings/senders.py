"""`senders.yaml` and `services.yaml`: the SPs by system_id, and what they offer (R24)."""

import math
import stat
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, Strict

from gateway.domain.msisdn import is_mobile
from gateway.domain.outbound_message import chars_of
from gateway.domain.sender import (
    BindLimits,
    BindType,
    Port,
    Purpose,
    Rate,
    Sender,
    SenderState,
    Webhook,
)
from gateway.domain.subscription import Cycle, Service, Terms
from gateway.domain.verdict import Reason
from gateway.filter.normalise.folding import normalise
from gateway.policy.replies import CONFIRM, Intent, MoContext, key_of, meaning_of
from gateway.settings import yaml
from gateway.settings.credentials import (
    is_samples_own,
    password_problem,
    webhook_key_problem,
)
from gateway.settings.schema import (
    MAX_PORT_DIGITS,
    Count,
    DocumentCheck,
    Id,
    Network,
    PortNumber,
    Shape,
    SystemId,
    Text,
    Version,
    parse_network,
    repeated,
    unique,
    url_problem,
    validate,
    without,
)
from gateway.settings.yaml import Document, Fault, Where
from gateway.smpp.status import CommandStatus

# What still leaves room for the rest in a request for the yes of 70 characters.
MAX_NAME_CHARS = 10

_MAX_PRICE_FEN = 999_999
_MAX_TRIAL_DAYS = 180
_MAX_SERVICES = 10_000
_MAX_WORDS = 20
_MAX_WORD_CHARS = 20


class BindsShape(Shape):
    """`senders[].binds`. Unless addresses are named, only this machine may bind."""

    max: Count = 10
    types: Annotated[list[Annotated[BindType, Strict(False)]], Field(min_length=1)] = Field(
        default_factory=lambda: list(BindType)
    )
    addresses: list[Network] = Field(
        default_factory=lambda: [parse_network("127.0.0.0/8"), parse_network("::1/128")]
    )


class PortShape(Shape):
    """`senders[].ports[]`. The purpose has no default: it decides which law applies."""

    number: PortNumber
    extension_digits: Annotated[int, Field(ge=0, lt=MAX_PORT_DIGITS)] = 0
    purpose: Annotated[Purpose, Strict(False)]


class RateShape(Shape):
    """`senders[].rate`. Without a burst, one second's worth."""

    per_s: Annotated[float, Field(gt=0, le=1_000_000)] = 100
    burst: Count | None = None


class WebhookShape(Shape):
    """`senders[].webhook`. Both have no default: what is not signed proves nothing."""

    url: Annotated[str, without(url_problem)]
    key: Annotated[str, without(webhook_key_problem)]


class SenderShape(Shape):
    """`senders[]`."""

    system_id: SystemId
    password: Annotated[str, without(password_problem)]
    name: Text | None = None
    owner: Annotated[Text, Field(max_length=64)] | None = None
    state: Annotated[SenderState, Strict(False)] = SenderState.ACTIVE
    binds: BindsShape = BindsShape()
    ports: list[PortShape] = Field(default_factory=list)
    rate: RateShape = RateShape()
    window: Count = 100
    statuses: dict[str, str] = Field(default_factory=dict)
    webhook: WebhookShape | None = None


class SendersFile(Shape):
    """The whole file."""

    version: Version
    allow_plain_passwords: bool = False
    senders: list[SenderShape]


def load_senders(path: Path) -> dict[str, Sender]:
    """Read `senders.yaml`. Raises SettingsError with all its faults."""
    file = validate(
        yaml.read(path),
        SendersFile,
        unique("senders", "*", "system_id"),
        _plain_passwords,
        _long_ports,
        _extended_people,
        _shared_ports,
        _statuses,
    )
    return {shape.system_id: _sender(shape) for shape in file.senders}


def are_secrets_readable(path: Path, senders: Iterable[Sender]) -> bool:
    """Tell whether every account of this machine can read secrets in `senders.yaml`.

    A hash is one, for it can be tried at leisure. What stands in the environment is not in the
    file, and the sample's password is no secret.
    """
    if not stat.S_IMODE(path.stat().st_mode) & stat.S_IROTH:
        return False
    return any(
        _is_secret(one.password) or (one.webhook is not None and _is_secret(one.webhook.key))
        for one in senders
    )


def _is_secret(stored: str) -> bool:
    return not stored.startswith("env:") and not is_samples_own(stored)


def _sender(shape: SenderShape) -> Sender:
    binds, rate, webhook = shape.binds, shape.rate, shape.webhook
    return Sender(
        system_id=shape.system_id,
        password=shape.password,
        name=shape.name or shape.system_id,
        state=shape.state,
        binds=BindLimits(binds.max, frozenset(binds.types), tuple(binds.addresses)),
        ports=tuple(Port(**dict(port)) for port in shape.ports),
        rate=Rate(rate.per_s, rate.burst or math.ceil(rate.per_s)),
        window=shape.window,
        statuses=shape.statuses,
        webhook=None if webhook is None else Webhook(webhook.url, webhook.key),
        owner=shape.owner or "",
    )


def _plain_passwords(document: Document) -> Iterator[Fault]:
    if any(value is True for _, value in document.find("allow_plain_passwords")):
        return
    for way in (("password",), ("webhook", "key")):
        for where, secret in document.find("senders", "*", *way):
            if isinstance(secret, str) and secret.startswith("plain:"):
                yield document.fault(
                    where,
                    f"plain: {way[-1]}s need allow_plain_passwords: true (demo and tests only)",
                )


def _ports(document: Document) -> Iterator[tuple[Where, str, int]]:
    """Yield the way to its number, number and extension digits of each port of sound shape."""
    for where, port in document.find("senders", "*", "ports", "*"):
        if isinstance(port, dict):
            number, extension = port.get("number"), port.get("extension_digits", 0)
            if isinstance(number, str) and isinstance(extension, int):
                yield (*where, "number"), number, extension


def _long_ports(document: Document) -> Iterator[Fault]:
    for where, number, extension in _ports(document):
        if len(number) <= MAX_PORT_DIGITS < len(number) + extension:
            yield document.fault(
                where, f"number and extension together exceed {MAX_PORT_DIGITS} digits"
            )


def _extended_people(document: Document) -> Iterator[Fault]:
    """Find ports that people's mobile numbers with digits behind them would be sources of.

    A person writes from the number alone, and is judged as one; longer, as a port.
    """
    for where, number, extension in _ports(document):
        for digits in range(min(extension, MAX_PORT_DIGITS)):
            if is_mobile(number.encode("utf-8", "replace") + b"0" * digits):
                yield document.fault(
                    (*where[:-1], "extension_digits"),
                    "digits behind a person's mobile number would make it a port:"
                    f" {digits} at most here",
                )


def _shared_ports(document: Document) -> Iterator[Fault]:
    """Find source addresses that two SPs would own, and numbers that one SP lists twice."""
    owners: dict[str, tuple[Where, int]] = {}
    for where, number, extension in _ports(document):
        owners.setdefault(number, (where, extension))
    for where, number, _ in _ports(document):
        first = _other_owner(owners, where, number)
        if first is not None:
            line = document.marks[first].line
            yield document.fault(where, f"overlaps the port in line {line}")


def _other_owner(
    owners: Mapping[str, tuple[Where, int]], where: Where, number: str
) -> Where | None:
    """Return the first port that owns `number` too, or None.

    An SP may register a longer number of its own for another purpose: the longest decides.
    """
    for length in range(1, min(len(number), MAX_PORT_DIGITS) + 1):
        other, extension = owners.get(number[:length], (where, 0))
        is_same_number = length == len(number)
        if (
            other != where
            and len(number) - length <= extension
            and (is_same_number or other[:2] != where[:2])
        ):
            return other
    return None


def _statuses(document: Document) -> Iterator[Fault]:
    """Find overrides of reasons or with statuses that there are not.

    ESME_ROK would tell the SP that a refused message was accepted.
    """
    for where, status in document.find("senders", "*", "statuses", "*"):
        if where[-1] not in Reason.__members__:
            yield document.fault(where, "no such reason", at_key=True)
        if not isinstance(status, str):
            continue  # the shape finds this
        if status not in CommandStatus.__members__ or status == CommandStatus.ESME_ROK.name:
            yield document.fault(where, "not the name of an error status, as ESME_RSUBMITFAIL is")


def _long_name(text: str) -> str | None:
    is_long = chars_of(text) > MAX_NAME_CHARS
    return f"is longer than {MAX_NAME_CHARS} characters" if is_long else None


def _is_order_word(text: str) -> str:
    """Return a word that always means the order, independently of earlier messages."""
    if not 1 < len(key_of(text)) <= _MAX_WORD_CHARS:
        raise ValueError(f"must hold 2 to {_MAX_WORD_CHARS} letters or digits")
    context = MoContext(is_pending=True, listed=9_999)
    if key_of(text) in CONFIRM or meaning_of(text, context).intent is not Intent.NONE:
        raise ValueError("means something else to a subscriber: an answer, a refusal, an item")
    if normalise(text).isdigit():
        raise ValueError("is a number: subscribers write those for many reasons")
    return text


class ServiceShape(Shape):
    """`services[]`."""

    system_id: Text
    id: Id
    name: Annotated[Text, without(_long_name)]
    port: PortNumber
    order_words: Annotated[
        list[Annotated[Text, AfterValidator(_is_order_word)]],
        Field(min_length=1, max_length=_MAX_WORDS),
    ]
    price_fen: Annotated[int, Field(ge=0, le=_MAX_PRICE_FEN)]
    cycle: Annotated[Cycle, Strict(False)] = Cycle.MONTH
    trial_days: Annotated[int, Field(ge=0, le=_MAX_TRIAL_DAYS)] = 0


class ServicesFile(Shape):
    """The whole file."""

    version: Version
    services: Annotated[list[ServiceShape], Field(max_length=_MAX_SERVICES)]


def load_services(path: Path, senders: Mapping[str, Sender] | None) -> tuple[Service, ...]:
    """Read `services.yaml`; without the file there is no service.

    `senders` None means that they cannot be known, so that no service is held against them.
    Raises SettingsError with all faults.
    """
    if senders is None:
        return _services(path, {})
    names = {system_id: sender.name for system_id, sender in senders.items()}
    return _services(path, names, partial(_not_owned, senders=senders))


def load_offered(config: Path) -> tuple[Service, ...]:
    """Read `services.yaml`, with the SPs' names from the `senders.yaml` beside it.

    The passwords in that file may be in the environment of the gateway alone, so nothing else
    in it is looked at. Raises SettingsError with all faults of the services.
    """
    names = {
        system_id: name
        for _, sender in yaml.read(config / "senders.yaml").find("senders", "*")
        if isinstance(sender, dict)
        and isinstance(system_id := sender.get("system_id"), str)
        and isinstance(name := sender.get("name"), str)
    }
    return _services(config / "services.yaml", names)


def _services(path: Path, names: Mapping[str, str], *checks: DocumentCheck) -> tuple[Service, ...]:
    """Return the services of a file; an SP without a name is called by its system_id."""
    if not path.exists():
        return ()
    file = validate(yaml.read(path), ServicesFile, _repeated_services, _ambiguous_words, *checks)
    return tuple(
        Service(
            shape.system_id,
            shape.id,
            Terms(
                sender_name=names.get(shape.system_id, shape.system_id),
                name=shape.name,
                port=shape.port,
                price_fen=shape.price_fen,
                cycle=shape.cycle,
                trial_days=shape.trial_days,
            ),
            tuple(shape.order_words),
        )
        for shape in file.services
    )


def _fields(document: Document, *names: str) -> Iterator[tuple[Where, tuple[str, ...]]]:
    """Yield way and values of `names` of each service that has them all as text."""
    for where, service in document.find("services", "*"):
        if isinstance(service, dict):
            values = tuple(value for name in names if isinstance(value := service.get(name), str))
            if len(values) == len(names):
                yield where, values


def _repeated_services(document: Document) -> Iterator[Fault]:
    """Find ids and names that an SP gave twice: a subscriber cancels by them."""
    for name in ("id", "name"):
        named = _fields(document, "system_id", name)
        keys = ((where, (system_id, key_of(value))) for where, (system_id, value) in named)
        for where, first in repeated(keys):
            line = document.marks[(*first, name)].line
            yield document.fault((*where, name), f"is the one in line {line} already")


def _ambiguous_words(document: Document) -> Iterator[Fault]:
    """Find order words that an SP gave twice, also in other spellings."""
    owners = {where: system_id for where, (system_id,) in _fields(document, "system_id")}
    words = (
        (where, (owners[where[:2]], key_of(word)))
        for where, word in document.find("services", "*", "order_words", "*")
        if where[:2] in owners and isinstance(word, str)
    )
    for where, first in repeated(words):
        line = document.marks[first].line
        yield document.fault(where, f"orders the service in line {line} already")


def _not_owned(document: Document, senders: Mapping[str, Sender]) -> Iterator[Fault]:
    """Find services of SPs that there are not, or at ports of somebody else's."""
    for where, (system_id, port) in _fields(document, "system_id", "port"):
        sender = senders.get(system_id)
        if sender is None:
            yield document.fault((*where, "system_id"), "there is no such sender in senders.yaml")
        elif sender.port_of(port) is None:
            yield document.fault((*where, "port"), f"is no port of {system_id} in senders.yaml")
