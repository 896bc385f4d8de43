"""The shape of `services.yaml`, and what it settles: services to order, and how (R24)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, Strict

from gateway.domain.outbound_message import chars_of
from gateway.domain.sender import Sender
from gateway.domain.subscription import Cycle, Service, Terms
from gateway.filter.normalise.folding import normalise
from gateway.policy.replies import CONFIRM, Intent, MoContext, key_of, meaning_of
from gateway.settings import yaml
from gateway.settings.fault import Fault
from gateway.settings.schema import Shape, Text, Version, validate
from gateway.settings.yaml import Document, Where

# What still leaves room for the rest in a request for the yes of 70 characters.
MAX_NAME_CHARS = 10

_MAX_PRICE_FEN = 999_999
_MAX_TRIAL_DAYS = 180
_MAX_SERVICES = 10_000
_MAX_WORDS = 20
_MAX_WORD_CHARS = 20
_ID = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_PORT = re.compile("[0-9]{1,20}")


def _is_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError("must be 1 to 32 of A-Z a-z 0-9 . _ - and start with a letter or digit")
    return text


def _is_name(text: str) -> str:
    if chars_of(text) > MAX_NAME_CHARS:
        raise ValueError(f"is longer than {MAX_NAME_CHARS} characters")
    return text


def _is_port(text: str) -> str:
    if not _PORT.fullmatch(text):
        raise ValueError("must be 1 to 20 digits")
    return text


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
    id: Annotated[str, AfterValidator(_is_id)]
    name: Annotated[Text, AfterValidator(_is_name)]
    port: Annotated[str, AfterValidator(_is_port)]
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
    if not path.exists():
        return ()
    known = senders or {}

    def offered(document: Document) -> Iterator[Fault]:
        return _not_owned(document, known) if senders is not None else iter(())

    file = validate(yaml.read(path), ServicesFile, _repeated, _ambiguous, offered)
    return tuple(_service(shape, known) for shape in file.services)


def _service(shape: ServiceShape, senders: Mapping[str, Sender]) -> Service:
    sender = senders.get(shape.system_id)
    terms = Terms(
        sender_name=sender.name if sender is not None else shape.system_id,
        name=shape.name,
        port=shape.port,
        price_fen=shape.price_fen,
        cycle=shape.cycle,
        trial_days=shape.trial_days,
    )
    return Service(shape.system_id, shape.id, terms, tuple(shape.order_words))


def _fields(document: Document, *names: str) -> Iterator[tuple[Where, tuple[str, ...]]]:
    """Yield way and values of `names` of each service that has them all as text."""
    for where, service in document.find("services", "*"):
        if isinstance(service, dict):
            values = tuple(value for name in names if isinstance(value := service.get(name), str))
            if len(values) == len(names):
                yield where, values


def _repeated(document: Document) -> Iterator[Fault]:
    """Find ids and names that an SP gave twice: a subscriber cancels by them."""
    for name in ("id", "name"):
        seen: dict[tuple[str, str], Where] = {}
        for where, (system_id, value) in _fields(document, "system_id", name):
            first = seen.setdefault((system_id, key_of(value)), where)
            if first != where:
                line = document.marks[(*first, name)].line
                yield document.fault((*where, name), f"is the one in line {line} already")


def _ambiguous(document: Document) -> Iterator[Fault]:
    """Find order words that an SP gave twice, also in other spellings."""
    owners = {where: system_id for where, (system_id,) in _fields(document, "system_id")}
    seen: dict[tuple[str, str], Where] = {}
    for where, word in document.find("services", "*", "order_words", "*"):
        system_id = owners.get(where[:2])
        if system_id is None or not isinstance(word, str):
            continue
        first = seen.setdefault((system_id, key_of(word)), where)
        if first != where:
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


def load_offered(config: Path) -> tuple[Service, ...]:
    """Read `services.yaml`, with the SPs' names from the `senders.yaml` beside it.

    The passwords in that file may be in the environment of the gateway alone, so nothing else
    in it is looked at. Raises SettingsError with all faults of the services.
    """
    names = dict(_names(config / "senders.yaml"))
    return tuple(
        replace(one, terms=replace(one.terms, sender_name=names.get(one.system_id, one.system_id)))
        for one in load_services(config / "services.yaml", None)
    )


def _names(senders: Path) -> Iterator[tuple[str, str]]:
    for _, sender in yaml.read(senders).find("senders", "*"):
        if isinstance(sender, dict):
            system_id, name = sender.get("system_id"), sender.get("name")
            if isinstance(system_id, str) and isinstance(name, str):
                yield system_id, name
