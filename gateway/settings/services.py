"""`services.yaml`: what SPs offer (R24)."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, Strict

from gateway.domain.outbound_message import chars_of
from gateway.domain.sender import Sender
from gateway.domain.subscription import Cycle, Service, Terms
from gateway.filter.normalise.folding import normalise
from gateway.policy.replies import CONFIRM, Intent, MoContext, key_of, meaning_of
from gateway.settings import yaml
from gateway.settings.schema import (
    DocumentCheck,
    Id,
    PortNumber,
    Shape,
    Text,
    Version,
    repeated,
    validate,
    without,
)
from gateway.settings.yaml import Document, Fault, Where

# What still leaves room for the rest in a request for the yes of 70 characters.
MAX_NAME_CHARS = 10

_MAX_PRICE_FEN = 999_999
_MAX_TRIAL_DAYS = 180
_MAX_SERVICES = 10_000
_MAX_WORDS = 20
_MAX_WORD_CHARS = 20


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
