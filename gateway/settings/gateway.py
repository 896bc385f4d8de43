"""What `gateway.yaml` settles: one node's listeners, SMSCs, timers, limits, stores and keys."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.resources import files
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, Strict

from gateway.domain.sender import IpNetwork, Route
from gateway.domain.subscription import CancelAll, Hub
from gateway.policy.disk_stages import DiskReserve
from gateway.runtime.sealing import KeyFileError, Keys, Sealer, trusted_key
from gateway.session.timers import Timers
from gateway.settings import yaml
from gateway.settings.credentials import TokenDigest, load_keys, mail_password_problem
from gateway.settings.measures import (
    ComplaintSettings,
    HubCode,
    SanctionSettings,
    XarfSettings,
)
from gateway.settings.schema import (
    Address,
    Count,
    ListenAddress,
    MailAddress,
    Network,
    PeerAddress,
    ReadAs,
    Section,
    Shape,
    Text,
    Version,
    owner_names,
    unique,
    validate,
    without,
)
from gateway.settings.smscs import (
    AnyRoute,
    ReadableFile,
    Smsc,
    SmscGroups,
    one_mode,
    routes_to_smscs,
)
from gateway.settings.yaml import Document, SettingsError

_DAY_S = 86_400
_METRICS_ADDRESS = Address("127.0.0.1", 9464)


class NodeRole(StrEnum):
    """At which end of a message the gateway stands: the sender's or the subscriber's."""

    ORIGIN = "origin"
    TERMINATING = "terminating"


def _trusted(path: Path) -> Path:
    try:
        trusted_key(path)
    except KeyFileError as error:
        raise ValueError("holds no public Ed25519 key in PEM") from error
    return path


def _database_file(rest: str) -> Path:
    place = rest.removeprefix("/")
    # What is held must survive a restart, so no memory in disguise.
    if place in ("", rest) or place.startswith(":") or "?" in place:
        raise ValueError("must name a file: sqlite:///var/smsward.db")
    return Path(place)


# By the scheme of `store.url`: what takes the text behind "://", and returns the path of the
# database, beside which the gateway has its own files.
_STORES: dict[str, Callable[[str], Path]] = {"sqlite": _database_file}


def _path_of_store(url: str) -> Path:
    scheme, _, rest = url.partition("://")
    found = _STORES.get(scheme)
    return Path(f"{scheme}:") if found is None else found(rest)


def _supported_store(url: str) -> str:
    if url.partition("://")[0] not in _STORES:
        known = " and ".join(f"{one}:///…" for one in _STORES)
        raise ValueError(f"only {known} is supported so far")
    _path_of_store(url)
    return url


def _to_network(text: str) -> IpNetwork:
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError("must be a network, as 10.20.0.0/16 or fd00::/8") from None


AnyPath = Annotated[Path, ReadAs(Text, Path)]
# A time that may be switched off with 0, and one without which a peer could hold on for ever.
OffOrSeconds = Annotated[float, Field(ge=0, le=_DAY_S)]
Seconds = Annotated[float, Field(gt=0, le=_DAY_S)]
# One PDU at least, and no more than any file system holds.
Octets = Annotated[int, Field(ge=2**20, le=2**60)]
AnyOctets = Annotated[int, Field(ge=0, le=2**60)]
Months = Annotated[int, Field(ge=1, le=120)]


@dataclass(frozen=True, slots=True)
class Node(Section):
    """`node`: which carrier and province this gateway stands for, at which end of a message.

    So many messages of spam on a day block a number of another network, 0 none (R63).
    """

    carrier: Text = "unnamed"
    province: Text = "unnamed"
    role: Annotated[NodeRole, Strict(False)] = NodeRole.ORIGIN
    block_after: Annotated[int, Field(ge=0, le=1_000_000)] = 500


@dataclass(frozen=True, slots=True)
class ListenerTls(Section):
    """`listeners[].tls`: what SPs are shown, and the CA of what they must show, if any."""

    certificate: ReadableFile
    key: ReadableFile
    client_ca: ReadableFile | None = None


@dataclass(frozen=True, slots=True)
class Listener(Section):
    """`listeners[]`: one address that SPs connect to. Port 0 lets the system choose.

    Peers in the networks of `proxy_protocol` are load balancers, which say whom they speak for.
    """

    name: Text
    address: ListenAddress
    tls: ListenerTls | None = None
    proxy_protocol: Annotated[
        tuple[IpNetwork, ...], ReadAs(Annotated[list[Network], Field(max_length=64)], tuple)
    ] = ()


@dataclass(frozen=True, slots=True)
class Limits(Section):
    """`limits`: bounds of what peers can make grow.

    A PDU with the longest message_payload needs some 66 000 octets.
    """

    pdu_octets: Annotated[int, Field(ge=1_024, le=1_048_576)] = 70_000
    sessions: Count = 2_000
    window: Count = 1_000
    bad_binds_per_minute: Count = 10
    held_per_sender: Count = 100_000
    held_octets_per_sender: Octets = 2**30
    connections_per_s: Annotated[float, Field(gt=0, le=100_000)] = 100
    connections_at_once: Count = 1_000


@dataclass(frozen=True, slots=True)
class RecordKeeping(Section):
    """`records`: where records are, what they hold and how long they stay.

    With `texts` they hold each text of a port once an hour, until the records of its SP take
    `max_octets_per_day`. Nothing goes before
    `keep_months`, everything that no legal hold keeps goes after `purge_after_months`.
    """

    directory: AnyPath = Path("var/cdr")
    texts: bool = False
    keep_months: Months = 5
    purge_after_months: Months = 6
    max_octets_per_day: Octets = 8 * 2**30

    def __post_init__(self) -> None:
        if self.purge_after_months < self.keep_months:
            raise ValueError("purge_after_months is less than keep_months")


def shipped(name: str) -> Path:
    """Return the directory `name` that comes with the program."""
    package = Path(str(files("gateway")))
    in_wheel = package / "_defaults" / name
    # Only a built wheel has _defaults; an editable install runs from the repository.
    return in_wheel if in_wheel.is_dir() else package.parent / name


@dataclass(frozen=True, slots=True)
class LearningSettings(Section):
    """`learning`: whether verdicts become samples, where models are, who must have signed them.

    `starter`: whether the model that is shipped is asked while none is installed.
    """

    samples: bool = True
    starter: bool = True
    models: AnyPath = Path("var/models")
    trusted_keys: Annotated[
        tuple[Path, ...],
        ReadAs(
            Annotated[
                list[Annotated[ReadableFile, AfterValidator(_trusted)]], Field(max_length=16)
            ],
            tuple,
        ),
    ] = ()

    @property
    def starter_file(self) -> Path | None:
        """Return the model that is asked while none is installed, None for none."""
        return shipped("models") / "starter.npz" if self.starter else None


@dataclass(frozen=True, slots=True)
class ReviewSettings(Section):
    """`review`: which share of the held messages that one reviewer decided on a second one sees."""

    dealt_twice: Annotated[float, Field(ge=0, le=1)] = 0.02


@dataclass(frozen=True, slots=True)
class StoreSettings(Section):
    """`store`: where the database is, and how large it may become."""

    url: Annotated[Text, AfterValidator(_supported_store)] = "sqlite:///var/smsward.db"
    max_octets: Octets = 32 * 2**30

    @property
    def path(self) -> Path:
        """Return the path of the database; that of the default counts from the working directory.

        A store without a file has that of its scheme. Raises ValueError for a URL that was not
        checked and names no file.
        """
        return _path_of_store(self.url)

    @property
    def control(self) -> Path:
        """Return where the running gateway answers commands."""
        return self.path.with_name(f"{self.path.name}.control")


@dataclass(frozen=True, slots=True)
class FilingsSettings(Section):
    """`filings`: what SPs must have on file to bind."""

    licence_required: bool = False


@dataclass(frozen=True, slots=True)
class WebhookSettings(Section):
    """`webhooks`: networks that are not public, but may be written to."""

    networks: Annotated[
        tuple[IpNetwork, ...],
        ReadAs(
            Annotated[list[Annotated[IpNetwork, ReadAs(Text, _to_network)]], Field(max_length=64)],
            tuple,
        ),
    ] = ()


class MailTls(StrEnum):
    """How mail goes to its server: TLS asked for, TLS from the first octet, or none."""

    STARTTLS = "starttls"
    TLS = "tls"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class MailSettings(Section):
    """`mail`: the server that takes alerts to SPs; its port is 587 where STARTTLS is usual."""

    server: PeerAddress
    sender: MailAddress
    tls: Annotated[MailTls, Strict(False)] = MailTls.STARTTLS
    user: Text | None = None
    password: Annotated[str, without(mail_password_problem)] | None = field(
        default=None, repr=False
    )

    def __post_init__(self) -> None:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        if self.user is not None and self.tls is MailTls.OFF:
            raise ValueError("a password needs tls: starttls or tls")


@dataclass(frozen=True, slots=True)
class MetricsSettings(Section):
    """`metrics`: where /metrics answers, and the digest of the token that it asks for."""

    address: ListenAddress = _METRICS_ADDRESS
    token: TokenDigest | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Privacy:
    """With which keys closed hours are sealed: where they are, and the id of the one in use."""

    keys: str
    current: str


class TimersShape(Shape):
    """`timers`."""

    session_init_s: Seconds = 5
    pdu_read_s: Seconds = 10
    enquire_link_s: OffOrSeconds = 30
    response_s: Seconds = 30
    inactivity_s: OffOrSeconds = 300
    reconnect_max_s: Seconds = 15
    drain_s: OffOrSeconds = 15


class DiskShape(Shape):
    """`disk`. Free octets of the file systems of the store and of the records."""

    warn_octets: AnyOctets = 5 * 2**30
    stop_octets: AnyOctets = 2**30
    full_octets: AnyOctets = 128 * 2**20


class PrivacyShape(Shape):
    """`privacy`."""

    keys: Text | None = None
    current: Text | None = None


class HubShape(Shape):
    """`hub`."""

    codes: list[HubCode] = Field(default_factory=list)
    cancel_all: Annotated[CancelAll, Strict(False)] = CancelAll.CONFIRM


def _disk(shape: DiskShape) -> DiskReserve:
    if not shape.warn_octets >= shape.stop_octets >= shape.full_octets:
        raise ValueError("must fall: warn_octets, stop_octets, full_octets")
    return DiskReserve(**dict(shape))


def _privacy(shape: PrivacyShape) -> Privacy | None:
    if (shape.keys is None) != (shape.current is None):
        raise ValueError("keys and current go together")
    return Privacy(shape.keys, shape.current) if shape.keys and shape.current else None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings(Section):
    """One `gateway.yaml`. Its paths count from its directory, defaults from the working one."""

    version: Version
    listeners: Annotated[
        tuple[Listener, ...], ReadAs(Annotated[list[Listener], Field(min_length=1)], tuple)
    ]
    smscs: Annotated[
        tuple[Smsc, ...], ReadAs(Annotated[list[Smsc], Field(min_length=1, max_length=64)], tuple)
    ]
    routes: Annotated[
        tuple[Route, ...], ReadAs(Annotated[list[AnyRoute], Field(max_length=1_000)], tuple)
    ] = ()
    node: Node = Node()
    timers: Annotated[Timers, ReadAs(TimersShape, lambda shape: Timers(**dict(shape)))] = field(
        default_factory=Timers
    )
    limits: Limits = Limits()
    store: StoreSettings = StoreSettings()
    records: RecordKeeping = RecordKeeping()
    disk: Annotated[DiskReserve, ReadAs(DiskShape, _disk)] = field(default_factory=DiskReserve)
    filings: FilingsSettings = FilingsSettings()
    privacy: Annotated[Privacy | None, ReadAs(PrivacyShape, _privacy)] = None
    hub: Annotated[
        Hub, ReadAs(HubShape, lambda shape: Hub(frozenset(shape.codes), shape.cancel_all))
    ] = field(default_factory=Hub)
    complaints: ComplaintSettings = field(default_factory=ComplaintSettings)
    sanctions: SanctionSettings = field(default_factory=SanctionSettings)
    webhooks: WebhookSettings = WebhookSettings()
    mail: MailSettings | None = None
    xarf: XarfSettings | None = None
    learning: LearningSettings = LearningSettings()
    review: ReviewSettings = ReviewSettings()
    metrics: MetricsSettings = MetricsSettings()

    @property
    def needs_ids(self) -> bool:
        """Tell whether an SMSC alone cannot know which SP a message_id belongs to."""
        shared = any(one.is_pooled or one.own_bind is not None for one in self.smscs)
        return shared or len(self.smscs) > 1


def groups_of(settings: GatewaySettings | None) -> SmscGroups:
    """Return the groups of SMSCs that a sender may name; none where they cannot be known."""
    if settings is None:
        return SmscGroups()
    return SmscGroups(
        frozenset(smsc.group for smsc in settings.smscs),
        frozenset(smsc.group for smsc in settings.smscs if smsc.is_pooled),
        settings.routes,
    )


def report_codes_of(settings: GatewaySettings | None) -> Collection[str]:
    """Return the codes that no port of a sender may own; none where they cannot be known."""
    return () if settings is None else settings.complaints.codes


_DATA = (("store", "url"), ("records", "directory"), ("learning", "models"))
_PATHS = (
    *_DATA,
    *(("listeners", "*", "tls", one) for one in ("certificate", "key", "client_ca")),
    *(("smscs", "*", "tls", one) for one in ("ca", "certificate", "key")),
    ("learning", "trusted_keys", "*"),
    ("privacy", "keys"),
)


def _read_anchored(path: Path) -> Document:
    """Return the file with absolute paths. Raises SettingsError, also for data left behind.

    Before they counted from the file that names them, relative paths counted from the working
    directory. A gateway must not start without what lies there: it would know no refusal.
    """
    document = yaml.read(path)
    faults = []
    for where, before, now in yaml.anchor(document, _PATHS):
        if where in _DATA and before.exists() and not now.exists():
            problem = f"counts from this file: {now} is not there, and {before.absolute()} is"
            faults.append(
                document.fault(where, f"{'.'.join(map(str, where))}: {problem}; write that path")
            )
    if faults:
        raise SettingsError(faults)
    return document


def load_gateway(path: Path) -> GatewaySettings:
    """Read `gateway.yaml`. Raises SettingsError with all its faults.

    The keys are read, too: no start may find them missing.
    """
    document = _read_anchored(path)
    settings = validate(
        document,
        GatewaySettings,
        unique("listeners", "*", "name"),
        unique("listeners", "*", "address"),
        unique("smscs", "*", "name"),
        unique("smscs", "*", "address"),
        unique("xarf", "webhooks", "*", "name"),
        owner_names("node"),
        one_mode,
        routes_to_smscs,
    )
    privacy = settings.privacy
    if privacy is not None and privacy.current not in load_keys(privacy.keys):
        problem = "privacy.current: there is no key of this id"
        raise SettingsError([document.fault(("privacy", "current"), problem)])
    return settings


def control_of(path: Path) -> Path:
    """Return where the gateway of a faulty `gateway.yaml` answers. SettingsError: it is no YAML."""
    value = _read_anchored(path).value
    store = value.get("store") if isinstance(value, dict) else None
    url = store.get("url") if isinstance(store, dict) else None
    try:
        return (StoreSettings(url) if isinstance(url, str) else StoreSettings()).control
    except ValueError:  # so it was never started with this one
        return StoreSettings().control


def keys_of(settings: GatewaySettings) -> Keys | None:
    """Return the keys that records and the store are sealed with, None where there are none.

    Raises SettingsError when they have gone since `settings` were loaded.
    """
    if settings.privacy is None:
        return None
    return Keys(load_keys(settings.privacy.keys), settings.privacy.current)


def load_sealer(settings: GatewaySettings) -> Sealer | None:
    """Return what seals and opens records, None where there are no keys. Raises as keys_of."""
    keys = keys_of(settings)
    return None if keys is None else Sealer(keys.by_id, keys.current)
