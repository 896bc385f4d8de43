"""gateway.yaml while the gateway runs: read again, taken over or refused as a whole."""

import asyncio
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from hashlib import sha256
from pathlib import Path

import structlog

from gateway.app.health import GatewayHealth
from gateway.app.installed_models import models_of
from gateway.console.http_server import MetricsReaders
from gateway.dataplane.part_table import SmscMessageIds
from gateway.domain.live import ConfigReload
from gateway.domain.sender import PortOwners, RouteTable
from gateway.proxy.listener import Listeners, PreparedListener
from gateway.proxy.routes import Routes
from gateway.proxy.sessions import Keepalive
from gateway.proxy.upstream import SmscState
from gateway.records.archive import words_of
from gateway.runtime.traces import span
from gateway.session.stranger_limits import Lockouts
from gateway.settings import yaml
from gateway.settings.gateway import GatewaySettings, groups_of, keys_of, load_gateway
from gateway.settings.yaml import Fault, SettingsError
from gateway.systems.quarantine.model import HeldTotals

log = structlog.get_logger()

_SHOWN = 20
# What is in force at once, by the beginnings of the names. All else waits for a restart.
_LIVE = (
    "complaints.",
    "disk.",
    "filings.",
    "hub.",
    "learning.",
    "limits.",
    "listeners",
    "metrics.token",
    "privacy.",
    "records.keep_months",
    "records.max_octets_per_day",
    "records.purge_after_months",
    "records.texts",
    "routes",
    "sanctions.",
    "smscs",
    "timers.",
    "webhooks.",
    "xarf",  # only commands read it
)
CERTIFICATES = "certificates"  # or keys, in files whose names are the same


@dataclass(frozen=True, slots=True)
class ConfigParts:
    """Parts that hold what gateway.yaml says, beside those that `health` has anyway."""

    health: GatewayHealth
    lockouts: Lockouts
    routes: Routes
    keeper: Keepalive
    listeners: Listeners
    readers: MetricsReaders
    key_id: str  # of the store


class LiveConfig:
    """Takes gateway.yaml over, one reload at a time; a refused one leaves everything as it was.

    `faults` are those of the last reload, none once one was taken.
    """

    def __init__(self, path: Path, settings: GatewaySettings, parts: ConfigParts) -> None:
        self.faults: tuple[str, ...] = ()
        self.settings = settings  # in force, where they need no restart
        self._path = path
        self._parts = parts
        self._certificates = _digest_of(settings)
        self._restart: tuple[str, ...] = ()
        self._lock = asyncio.Lock()
        parts.health.config_faults = lambda: len(self.faults)
        parts.health.config_waiting = lambda: self._restart

    def watched(self) -> set[Path]:
        """Return the directories of the certificates: they change without gateway.yaml."""
        return tls_directories(self.settings)

    async def reload(self) -> ConfigReload:
        """Read gateway.yaml again; put it in force, or return its faults."""
        with span("config reload") as found:
            async with self._lock:
                reloaded = await self._reload()
            found.note("smsward.faults", len(self.faults))
        return reloaded

    async def _reload(self) -> ConfigReload:
        try:
            settings = await asyncio.to_thread(load_gateway, self._path)
            certificates = await asyncio.to_thread(_digest_of, settings)
            smscs = await self._smscs_of(settings)
            await self._check_report_codes(settings)
            await self._check_keys(settings)
            models = await asyncio.to_thread(models_of, settings.learning)
            prepared = await self._prepare(settings)
        except SettingsError as error:
            return self._refuse(error.faults)
        self.faults = ()
        changed = _changed(self.settings, settings)
        taken = tuple(one for one in changed if one.startswith(_LIVE))
        if certificates != self._certificates:
            self._certificates = certificates
            taken = (*taken, CERTIFICATES)
        restart = tuple(one for one in changed if not one.startswith(_LIVE))
        if settings.learning != self.settings.learning:
            self._parts.health.models.follow(models)
        self._apply(settings, prepared, smscs)
        if taken or restart != self._restart:
            log.info("config.reloaded", changed=taken, needs_restart=restart)
        self._restart = restart
        return ConfigReload(taken, restart)

    def _refuse(self, faults: tuple[Fault, ...]) -> ConfigReload:
        self.faults = tuple(map(str, faults))
        log.error("config.refused", faults=self.faults[:_SHOWN], count=len(faults))
        return ConfigReload(faults=self.faults)

    async def _prepare(self, settings: GatewaySettings) -> list[PreparedListener]:
        """Return listeners that can be opened. Raises SettingsError; nothing is open then."""
        prepared: list[PreparedListener] = []
        handshake_s = settings.timers.session_init_s
        for place, listener in enumerate(settings.listeners):
            try:
                prepared.append(await self._parts.listeners.prepare(listener, handshake_s))
            except BaseException as error:
                for one in prepared:
                    for each in one.sockets:
                        each.close()
                if not isinstance(error, OSError):
                    raise
                key = "tls" if isinstance(error, ssl.SSLError) else "address"
                raise await self._fault(("listeners", place, key), words_of(error)) from error
        return prepared

    async def _check_keys(self, settings: GatewaySettings) -> None:
        """Raise SettingsError unless the key of the store is among the new ones."""
        keys, own = await asyncio.to_thread(keys_of, settings), self._parts.key_id
        if keys is not None and own and own not in keys.by_id:
            problem = f"the key {own}, which the store is sealed with, is not among them"
            raise await self._fault(("privacy", "keys"), f"{problem}: put it back")

    async def _check_report_codes(self, settings: GatewaySettings) -> None:
        """Raise SettingsError for one that is a port of a sender, or under one."""
        owners = PortOwners(self._parts.health.policies.senders.values())
        for code in settings.complaints.codes:
            if owned := owners.of(code):
                problem = f"is a port of {', '.join(owned)}: no SP gets what is written to it"
                raise await self._fault(("complaints", "codes", code), problem)

    async def _fault(self, where: tuple[str | int, ...], problem: str) -> SettingsError:
        document = await asyncio.to_thread(yaml.read, self._path)
        named = ".".join(map(str, where))
        return SettingsError([document.fault(where, f"{named}: {problem}")])

    async def _smscs_of(self, settings: GatewaySettings) -> list[SmscState]:
        """Return the SMSCs as nothing is known of them yet. Raises SettingsError."""
        groups = groups_of(settings)
        for one in self._parts.health.policies.senders.values():
            if one.group not in groups.names:
                problem = f"none has the group {one.group} of the sender {one.system_id}"
                raise await self._fault(("smscs",), problem)
        states: list[SmscState] = []
        for place, smsc in enumerate(settings.smscs):
            try:
                states.append(await asyncio.to_thread(SmscState.of, smsc))
            except OSError as error:  # as ssl.SSLError is
                raise await self._fault(("smscs", place, "tls"), words_of(error)) from error
        return states

    def _apply(
        self,
        settings: GatewaySettings,
        prepared: list[PreparedListener],
        smscs: list[SmscState],
    ) -> None:
        """Put `settings` in force between two ticks, except what needs a restart."""
        parts, before, limits = self._parts, self.settings, settings.limits
        health, timers = parts.health, settings.timers
        plane = health.tick.pipeline.plane
        self.settings = replace(
            settings,
            node=before.node,
            store=before.store,
            mail=before.mail,
            review=before.review,
            records=replace(settings.records, directory=before.records.directory),
            privacy=settings.privacy if before.privacy and settings.privacy else before.privacy,
            metrics=replace(settings.metrics, address=before.metrics.address),
        )
        parts.listeners.take(prepared)
        plane.pdu_octets, plane.response_s = limits.pdu_octets, timers.response_s
        plane.deliver_window = parts.routes.window = limits.window
        plane.keeps_texts, plane.hub = settings.records.texts, settings.hub
        plane.keep_codes()
        plane.complaint_codes = settings.complaints.formats
        if plane.ids is None and settings.needs_ids:
            plane.ids = SmscMessageIds()
        plane.routes = RouteTable.of(groups_of(settings).routes)
        health.tick.records.lines.max_octets_per_day = settings.records.max_octets_per_day
        health.gate.licence_required = settings.filings.licence_required
        parts.lockouts.limit(limits.bad_binds_per_minute)
        health.held_counts.maximum = HeldTotals(
            limits.held_per_sender, limits.held_octets_per_sender
        )
        health.disk.follow(settings.disk)
        health.beside.notifying.postman.networks[:] = settings.webhooks.networks
        health.beside.sanctions.ladder = settings.sanctions.ladder
        parts.readers.digest = settings.metrics.token
        parts.keeper.timers = timers
        health.upstream.follow_timers(timers)
        health.policies.groups = groups_of(settings)
        health.sessions.follow_settings(settings)
        health.sessions.follow_smscs(smscs)


def _changed(before: object, after: object, name: str = "") -> tuple[str, ...]:
    """Return the names of the settings that differ, as ``timers.response_s``."""
    if before == after:
        return ()
    if not is_dataclass(before) or type(before) is not type(after):
        return (name,)
    return tuple(
        found
        for field in fields(before)
        for found in _changed(
            getattr(before, field.name),
            getattr(after, field.name),
            f"{name}.{field.name}".removeprefix("."),
        )
    )


def tls_directories(settings: GatewaySettings) -> set[Path]:
    """Return the directories of certificates, keys and authorities."""
    return {file.parent for file in _tls_files(settings)}


def _tls_files(settings: GatewaySettings) -> Iterator[Path]:
    files: list[Path | None] = []
    for listener in settings.listeners:
        if listener.tls is not None:
            files += listener.tls.certificate, listener.tls.key, listener.tls.client_ca
    for smsc in settings.smscs:
        if smsc.tls is not None:
            files += smsc.tls.ca, smsc.tls.certificate, smsc.tls.key
    yield from (one for one in files if one is not None)


def _digest_of(settings: GatewaySettings) -> bytes:
    """Return a digest of all files of TLS. Raises SettingsError."""
    octets = (yaml.read_octets(file, yaml.MAX_OCTETS) for file in _tls_files(settings))
    return b"".join(sha256(one).digest() for one in octets)
