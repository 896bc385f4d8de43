"""What `services.yaml` settles: the services that subscribers can order, and how (R24)."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.domain.sender import Sender
from gateway.domain.subscription import Service, Terms
from gateway.policy.mo_words import key_of
from gateway.settings import yaml
from gateway.settings.fault import Fault
from gateway.settings.schema import validate
from gateway.settings.services_file import ServicesFile, ServiceShape
from gateway.settings.yaml import Document, Where


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
