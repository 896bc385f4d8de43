"""The shape of `gateway.yaml`, with a default for all that can have one."""

import os
import re
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, Strict, model_validator

from gateway.domain.subscription import CancelAll
from gateway.settings.credentials import UsableToken
from gateway.settings.schema import (
    Address,
    Count,
    ListenAddress,
    Network,
    PeerAddress,
    Shape,
    Text,
    Version,
)

_DAY_S = 86_400
_SQLITE = "sqlite:///"
_CODE = re.compile("[0-9]{3,20}")


class NodeRole(StrEnum):
    """At which end of a message the gateway stands: the sender's or the subscriber's."""

    ORIGIN = "origin"
    TERMINATING = "terminating"


def _readable(text: str) -> str:
    if not Path(text).is_file():
        raise ValueError("no such file (a relative path counts from the working directory)")
    if not os.access(text, os.R_OK):
        raise ValueError("this file cannot be read")
    return text


def _supported_mode(text: str) -> str:
    if text == "pooled":
        raise ValueError("pooled is not supported yet; transparent is")
    if text != "transparent":
        raise ValueError("must be transparent")
    return text


def _supported_store(url: str) -> str:
    place = url.removeprefix(_SQLITE)
    if place == url:
        raise ValueError(f"only {_SQLITE}… is supported so far")
    # What is held must survive a restart, so no memory in disguise.
    if not place or place.startswith(":") or "?" in place:
        raise ValueError(f"must name a file: {_SQLITE}var/smsward.db")
    return url


ReadableFile = Annotated[Text, AfterValidator(_readable)]
# A time that may be switched off with 0, and one without which a peer could hold on for ever.
OffOrSeconds = Annotated[float, Field(ge=0, le=_DAY_S)]
Seconds = Annotated[float, Field(gt=0, le=_DAY_S)]
# One PDU at least, and no more than any file system holds.
Octets = Annotated[int, Field(ge=2**20, le=2**60)]
AnyOctets = Annotated[int, Field(ge=0, le=2**60)]
Months = Annotated[int, Field(ge=1, le=120)]


class NodeShape(Shape):
    """`node`."""

    carrier: Text = "unnamed"
    province: Text = "unnamed"
    role: Annotated[NodeRole, Strict(False)] = NodeRole.ORIGIN


class ListenerTlsShape(Shape):
    """`listeners[].tls`."""

    certificate: ReadableFile
    key: ReadableFile
    client_ca: ReadableFile | None = None


class ListenerShape(Shape):
    """`listeners[]`."""

    name: Text
    address: ListenAddress
    tls: ListenerTlsShape | None = None
    proxy_protocol: list[Network] = Field(default_factory=list, max_length=64)


class SmscTlsShape(Shape):
    """`smscs[].tls`."""

    ca: ReadableFile | None = None
    certificate: ReadableFile | None = None
    key: ReadableFile | None = None
    server_name: Text | None = None

    @model_validator(mode="after")
    def _is_pair(self) -> "SmscTlsShape":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self


class SmscShape(Shape):
    """`smscs[]`."""

    name: Text
    address: PeerAddress
    mode: Annotated[str, AfterValidator(_supported_mode)] = "transparent"
    tls: SmscTlsShape | None = None


class TimersShape(Shape):
    """`timers`."""

    session_init_s: Seconds = 5
    pdu_read_s: Seconds = 10
    enquire_link_s: OffOrSeconds = 30
    response_s: Seconds = 30
    inactivity_s: OffOrSeconds = 300
    reconnect_max_s: Seconds = 15
    drain_s: OffOrSeconds = 15


class LimitsShape(Shape):
    """`limits`. A PDU with the longest message_payload needs some 66 000 octets."""

    pdu_octets: Annotated[int, Field(ge=1_024, le=1_048_576)] = 70_000
    sessions: Count = 2_000
    window: Count = 1_000
    bad_binds_per_minute: Count = 10
    held_per_sender: Count = 100_000
    held_octets_per_sender: Octets = 2**30
    connections_per_s: Annotated[float, Field(gt=0, le=100_000)] = 100
    connections_at_once: Count = 1_000


class StoreShape(Shape):
    """`store`."""

    url: Annotated[Text, AfterValidator(_supported_store)] = f"{_SQLITE}var/smsward.db"
    max_octets: Octets = 32 * 2**30


class RecordsShape(Shape):
    """`records`."""

    directory: Text = "var/cdr"
    texts: bool = False
    keep_months: Months = 5
    purge_after_months: Months = 6
    max_octets_per_day: Octets = 8 * 2**30

    @model_validator(mode="after")
    def _is_kept_first(self) -> "RecordsShape":
        if self.purge_after_months < self.keep_months:
            raise ValueError("purge_after_months is less than keep_months")
        return self


class DiskShape(Shape):
    """`disk`. Free octets of the file systems of the store and of the records."""

    warn_octets: AnyOctets = 5 * 2**30
    stop_octets: AnyOctets = 2**30
    full_octets: AnyOctets = 128 * 2**20

    @model_validator(mode="after")
    def _is_in_order(self) -> "DiskShape":
        if not self.warn_octets >= self.stop_octets >= self.full_octets:
            raise ValueError("must fall: warn_octets, stop_octets, full_octets")
        return self


class PrivacyShape(Shape):
    """`privacy`."""

    keys: Text | None = None
    current: Text | None = None

    @model_validator(mode="after")
    def _is_pair(self) -> "PrivacyShape":
        if (self.keys is None) != (self.current is None):
            raise ValueError("keys and current go together")
        return self


class FilingsShape(Shape):
    """`filings`."""

    licence_required: bool = False


def _is_code(text: str) -> str:
    if not _CODE.fullmatch(text):
        raise ValueError("must be 3 to 20 digits")
    return text


class HubShape(Shape):
    """`hub`."""

    codes: list[Annotated[str, AfterValidator(_is_code)]] = Field(default_factory=list)
    cancel_all: Annotated[CancelAll, Strict(False)] = CancelAll.CONFIRM


def _is_network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        raise ValueError("must be a network, as 10.20.0.0/16 or fd00::/8") from None
    return text


class WebhooksShape(Shape):
    """`webhooks`."""

    networks: list[Annotated[Text, AfterValidator(_is_network)]] = Field(
        default_factory=list, max_length=64
    )


class LearningShape(Shape):
    """`learning`."""

    samples: bool = True
    models: Text = "var/models"
    trusted_keys: list[ReadableFile] = Field(default_factory=list, max_length=16)


class MetricsShape(Shape):
    """`metrics`."""

    address: ListenAddress = Address("127.0.0.1", 9464)
    token: UsableToken | None = None


def _only_one(shapes: list[SmscShape]) -> list[SmscShape]:
    if len(shapes) > 1:
        raise ValueError("more than one SMSC is not supported yet; run a gateway for each")
    return shapes


class GatewayFile(Shape):
    """The whole file."""

    version: Version
    listeners: list[ListenerShape] = Field(min_length=1)
    smscs: Annotated[list[SmscShape], AfterValidator(_only_one)] = Field(min_length=1)
    node: NodeShape = NodeShape()
    timers: TimersShape = TimersShape()
    limits: LimitsShape = LimitsShape()
    store: StoreShape = StoreShape()
    records: RecordsShape = RecordsShape()
    disk: DiskShape = DiskShape()
    filings: FilingsShape = FilingsShape()
    privacy: PrivacyShape = PrivacyShape()
    hub: HubShape = HubShape()
    webhooks: WebhooksShape = WebhooksShape()
    learning: LearningShape = LearningShape()
    metrics: MetricsShape = MetricsShape()
