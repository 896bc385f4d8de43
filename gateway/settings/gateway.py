"""What `gateway.yaml` settles: one node's listeners, SMSCs, timers, limits, stores and keys."""

import os
import re
import stat
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from gateway.domain.subscription import Hub
from gateway.policy.disk_stages import DiskReserve
from gateway.runtime.sealing import KEY_ID, KEY_OCTETS, KeyFileError, Keys, Sealer, trusted_key
from gateway.session.timers import Timers
from gateway.settings import yaml
from gateway.settings.credentials import digest_in
from gateway.settings.fault import Fault, SettingsError, whole_file_fault
from gateway.settings.gateway_file import (
    GatewayFile,
    LearningShape,
    ListenerShape,
    NodeRole,
    PrivacyShape,
    SmscShape,
)
from gateway.settings.schema import Address, unique, validate

_MAX_KEYS = 64
_ENV = "env:"
_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_HOW = "make one with: smsward keys new"


def load_keys(source: str) -> Mapping[str, bytes]:
    """Return the keys of `source`, a file or ``env:NAME``: one ``id: base64`` a line.

    A file must be its owner's alone. Raises SettingsError with all faults; none of them
    shows a key.
    """
    document = _document(source)
    entries = document.value
    if not isinstance(entries, dict) or not entries:
        raise whole_file_fault(document.path, f"must hold keys, one `id: base64` a line; {_HOW}")
    if len(entries) > _MAX_KEYS:
        raise whole_file_fault(document.path, f"holds more than {_MAX_KEYS} keys")
    faults = list(document.faults)
    keys: dict[str, bytes] = {}
    for key_id, value in entries.items():
        key = _key_of(value)
        if not KEY_ID.fullmatch(key_id):
            problem = "an id has 1 to 16 of a-z, 0-9, - and _"
            faults.append(document.fault((key_id,), problem, at_key=True))
        elif key is None:
            problem = f"must be base64 of 32, 48 or 64 octets; {_HOW}"
            faults.append(document.fault((key_id,), problem))
        else:
            keys[key_id] = key
    if faults:
        raise SettingsError(faults)
    return keys


def _document(source: str) -> yaml.Document:
    if not source.startswith(_ENV):
        path = Path(source)
        document = yaml.read(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise whole_file_fault(path, "others may read it: chmod 600")
        return document
    name, named = source.removeprefix(_ENV), Path(source)
    if not _VARIABLE.fullmatch(name):
        raise SettingsError([Fault(named, 1, 1, "env: must name an environment variable")])
    if name not in os.environ:
        raise SettingsError([Fault(named, 1, 1, f"environment variable {name} is not set")])
    return yaml.compose(named, os.fsencode(os.environ[name]))


def _key_of(value: yaml.Value) -> bytes | None:
    if not isinstance(value, str):
        return None
    try:
        key = b64decode(value, validate=True)
    except ValueError:
        return None
    return key if len(key) in KEY_OCTETS else None


class SmscMode(StrEnum):
    """How binds reach the SMSC: `TRANSPARENT` opens one for each bind of an SP."""

    TRANSPARENT = "transparent"


@dataclass(frozen=True, slots=True)
class Node:
    """Which carrier and province this gateway stands for, and at which end of a message."""

    carrier: str
    province: str
    role: NodeRole


@dataclass(frozen=True, slots=True)
class ListenerTls:
    """What SPs are shown; with `client_ca` they must show a certificate of it."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """One address that SPs connect to. Port 0 lets the system choose.

    Peers in the networks of `proxy_protocol` are load balancers, which say whom they speak for.
    """

    name: str
    address: Address
    tls: ListenerTls | None = None
    proxy_protocol: tuple[IPv4Network | IPv6Network, ...] = ()


@dataclass(frozen=True, slots=True)
class SmscTls:
    """How an SMSC is trusted (`ca`, else the system's) and what it is shown.

    `server_name` is the name its certificate must bear, the address's host when None.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class Smsc:
    """One SMSC to forward to."""

    name: str
    address: Address
    mode: SmscMode = SmscMode.TRANSPARENT
    tls: SmscTls | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what peers can make grow."""

    pdu_octets: int = 70_000
    sessions: int = 2_000
    window: int = 1_000
    bad_binds_per_minute: int = 10
    held_per_sender: int = 100_000
    held_octets_per_sender: int = 2**30
    connections_per_s: float = 100
    connections_at_once: int = 1_000


@dataclass(frozen=True, slots=True)
class RecordKeeping:
    """What records hold and how long they stay.

    With `texts` they hold each text of a port once an hour, until the records of its SP take
    `max_octets_per_day`. Nothing goes before
    `keep_months`, everything that no legal hold keeps goes after `purge_after_months`.
    """

    texts: bool = False
    keep_months: int = 5
    purge_after_months: int = 6
    max_octets_per_day: int = 8 * 2**30


@dataclass(frozen=True, slots=True)
class Privacy:
    """With which keys closed hours are sealed: where they are, and the id of the one in use."""

    keys: str
    current: str


@dataclass(frozen=True, slots=True)
class LearningSettings:
    """Whether verdicts are kept as samples, where models are, and who must have signed them."""

    samples: bool = True
    models: Path = Path("var/models")
    trusted_keys: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """One `gateway.yaml`. Relative paths count from the working directory."""

    node: Node
    listeners: tuple[Listener, ...]
    smscs: tuple[Smsc, ...]
    timers: Timers
    limits: Limits
    store_url: str
    records_directory: Path
    metrics_address: Address
    licence_required: bool = False
    record_keeping: RecordKeeping = RecordKeeping()
    privacy: Privacy | None = None
    hub: Hub = field(default_factory=Hub)
    webhook_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    learning: LearningSettings = LearningSettings()
    store_max_octets: int = 32 * 2**30
    disk: DiskReserve = field(default_factory=DiskReserve)
    metrics_token: bytes | None = field(default=None, repr=False)
    """The digest of the token that /metrics asks for."""


def load_gateway(path: Path) -> GatewaySettings:
    """Read `gateway.yaml`. Raises SettingsError with all its faults."""
    document = yaml.read(path)
    file = validate(
        document,
        GatewayFile,
        unique("listeners", "*", "name"),
        unique("listeners", "*", "address"),
    )
    return GatewaySettings(
        node=Node(file.node.carrier, file.node.province, file.node.role),
        listeners=tuple(map(_listener, file.listeners)),
        smscs=tuple(map(_smsc, file.smscs)),
        timers=Timers(**file.timers.model_dump()),
        limits=Limits(**file.limits.model_dump()),
        store_url=file.store.url,
        records_directory=Path(file.records.directory),
        metrics_address=file.metrics.address,
        licence_required=file.filings.licence_required,
        record_keeping=RecordKeeping(**file.records.model_dump(exclude={"directory"})),
        privacy=_privacy(document, file.privacy),
        hub=Hub(frozenset(file.hub.codes), file.hub.cancel_all),
        webhook_networks=tuple(map(ip_network, file.webhooks.networks)),
        learning=_learning(document, file.learning),
        store_max_octets=file.store.max_octets,
        disk=DiskReserve(**file.disk.model_dump()),
        metrics_token=None if file.metrics.token is None else digest_in(file.metrics.token),
    )


def keys_of(settings: GatewaySettings) -> Keys | None:
    """Return the keys that records and the store are sealed with, None where there are none.

    Raises SettingsError when they have gone since `settings` were loaded.
    """
    if settings.privacy is None:
        return None
    return Keys(load_keys(settings.privacy.keys), settings.privacy.current)


def load_sealer(settings: GatewaySettings) -> Sealer | None:
    """Return what seals and opens records, None where there are no keys.

    Raises SettingsError when the keys have gone since `settings` were loaded.
    """
    keys = keys_of(settings)
    return None if keys is None else Sealer(keys.by_id, keys.current)


def _privacy(document: yaml.Document, shape: PrivacyShape) -> Privacy | None:
    """Return where the keys are, once they have been read: no start may find them missing."""
    if shape.keys is None or shape.current is None:
        return None
    if shape.current not in load_keys(shape.keys):
        problem = "privacy.current: there is no key of this id"
        raise SettingsError([document.fault(("privacy", "current"), problem)])
    return Privacy(shape.keys, shape.current)


def _learning(document: yaml.Document, shape: LearningShape) -> LearningSettings:
    """Return where models are, once every key is known to be one: none may be trusted unread."""
    faults: list[Fault] = []
    for number, name in enumerate(shape.trusted_keys):
        try:
            trusted_key(Path(name))
        except KeyFileError:
            problem = f"learning.trusted_keys[{number}]: holds no public Ed25519 key in PEM"
            faults.append(document.fault(("learning", "trusted_keys", number), problem))
    if faults:
        raise SettingsError(faults)
    return LearningSettings(shape.samples, Path(shape.models), tuple(map(Path, shape.trusted_keys)))


def _listener(shape: ListenerShape) -> Listener:
    tls, proxies = shape.tls, tuple(shape.proxy_protocol)
    if tls is None:
        return Listener(shape.name, shape.address, proxy_protocol=proxies)
    shown = ListenerTls(Path(tls.certificate), Path(tls.key), _path(tls.client_ca))
    return Listener(shape.name, shape.address, shown, proxies)


def _smsc(shape: SmscShape) -> Smsc:
    mode = SmscMode(shape.mode)
    if shape.tls is None:
        return Smsc(shape.name, shape.address, mode)
    tls = SmscTls(
        _path(shape.tls.ca),
        _path(shape.tls.certificate),
        _path(shape.tls.key),
        shape.tls.server_name,
    )
    return Smsc(shape.name, shape.address, mode, tls)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
