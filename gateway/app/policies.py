"""Policies and senders in force: load and compile off the loop, swap or refuse.

Every policy that comes into force is kept in the history.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

import structlog

from gateway.app.followers import Rounds
from gateway.dataplane.pipeline import Pipeline
from gateway.domain.live import SuspendedSender
from gateway.domain.policy import KeywordList
from gateway.domain.sanction import Sanction
from gateway.domain.sender import Sender, SenderState
from gateway.domain.subscription import Service
from gateway.filter.scan import ContentScan
from gateway.policy.bundle import Bundle
from gateway.policy.knowledge import Knowledge
from gateway.policy.places import ProvinceTable
from gateway.policy.ruleset import RuleSet
from gateway.runtime.clock import utcnow
from gateway.runtime.tasks import to_thread
from gateway.runtime.traces import span
from gateway.settings.bundles.archive import packed, restored_bundle, unpacked
from gateway.settings.bundles.bundle import ReadBundle, read_bundle
from gateway.settings.bundles.difference import effect, missing_senders, shrunk
from gateway.settings.bundles.selftest import selftest_faults
from gateway.settings.credentials import is_samples_own
from gateway.settings.filings import load_provinces
from gateway.settings.senders import load_senders
from gateway.settings.services import load_services
from gateway.settings.smscs import SmscGroups
from gateway.settings.yaml import FaultCollector, SettingsError
from gateway.storage.errors import StoreUnavailable
from gateway.systems.early_warnings.service import Probation, closed_of, probations_of
from gateway.systems.policy_history import (
    NewPolicyVersion,
    PolicyRequest,
    PolicyStore,
    ReloadRequestState,
)
from gateway.systems.subscriptions.model import Catalogue
from gateway.systems.suspended_senders import SuspendedSenderStore

log = structlog.get_logger()

# The posture that stops nothing for its contents.
_RECORDS_ONLY = "watch"


_EVERY_S = 0.5
_MOST_UNRECORDED = 5  # of up to 16 MiB each
_SHOWN = 20
_FAILED = "the gateway failed to load them: its log tells why (follower.failed)"

# Loads the policies for a request; returns the digest in force, and the faults if refused.
Reload = Callable[[PolicyRequest], Awaitable[tuple[str, tuple[str, ...]]]]


class PolicyRequests:
    """Reads open requests twice a second, and answers each after the reload."""

    def __init__(self, store: PolicyStore, reload: Reload) -> None:
        self._store = store
        self._reload = reload
        self._lock = asyncio.Lock()
        self._is_failing = False

    async def follow(self, rounds: Rounds, record_late: Callable[[], Awaitable[None]]) -> NoReturn:
        """Handle requests and record late versions until cancelled; `rounds` logs a failure."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await rounds.take("policy_requests", self.meet)
            await rounds.take("policy_history", record_late)

    async def meet(self) -> None:
        """Handle every open request; if the store fails, the rest stays open."""
        async with self._lock:
            try:
                while (request := await self._store.open_request()) is not None:
                    try:
                        digest, faults = await self._reload(request)
                    except StoreUnavailable:
                        raise
                    except Exception:
                        # Else it stays open, is tried twice a second, and blocks later requests.
                        await self._store.answer(
                            request.number, ReloadRequestState.REFUSED, _FAILED
                        )
                        raise
                    state = ReloadRequestState.REFUSED if faults else ReloadRequestState.TAKEN
                    said = "\n".join(faults[:_SHOWN]) if faults else digest
                    await self._store.answer(request.number, state, said)
            except StoreUnavailable as error:
                if not self._is_failing:
                    log.error("policy.request_unreadable", said=str(error))
                self._is_failing = True
            else:
                self._is_failing = False


_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class _PolicyContent:
    """The content of both directories; `losses` are large losses that may be an accident.

    `effect` is what may stop less than those in force.
    """

    policies: ReadBundle
    senders: Mapping[str, Sender]
    services: tuple[Service, ...]
    provinces: ProvinceTable
    losses: tuple[str, ...]
    effect: str


class Policies:
    """One reload at a time; a refused one leaves everything as it was."""

    def __init__(
        self,
        pipeline: Pipeline,
        knowledge: Knowledge,
        directories: tuple[Path | None, Path | None],
    ) -> None:
        self.senders: Mapping[str, Sender] = {}
        self.groups = SmscGroups()  # senders may name no other
        self.takes_peers = True
        self.catalogue = Catalogue()
        self._history: PolicyStore | None = None
        # Versions that the store has not taken yet, oldest first, each with its effect. At a start
        # it is the bundle instead, which is to be compared with the newest on record.
        self._unrecorded: deque[tuple[NewPolicyVersion, str | Bundle]] = deque(
            maxlen=_MOST_UNRECORDED
        )
        # Number of faults of the last reload, if it was refused.
        self.refused_faults = 0
        self.since = utcnow()  # the policy in force
        self.suspended: dict[str, SuspendedSender] = {}  # by order
        self.suspended_ports: Mapping[str, frozenset[str]] = {}
        self.closed: Mapping[str, SuspendedSender] = {}  # by sanctions
        self._probations: list[Probation] = []
        self._day: date | None = None
        self.is_current = True  # what is known of them; the last known ones hold in any case
        self._pipeline = pipeline
        self._knowledge = knowledge
        self._config, self._policies = directories
        self._lock = asyncio.Lock()

    async def follow_orders(self, store: SuspendedSenderStore) -> None:
        """Suspend those who were suspended before a restart. Raises StoreUnavailable."""
        self.suspended = {one.system_id: one for one in await store.listed()}
        self._stand()

    def suspend(self, one: SuspendedSender) -> None:
        """Refuse all messages and binds of an SP from now on."""
        self.suspended[one.system_id] = one
        self._stand()

    def suspend_ports(self, ports: Mapping[str, frozenset[str]]) -> None:
        """Refuse all messages from these ports of SPs from now on, and from no others (R88)."""
        self.suspended_ports = ports
        self._stand()

    def know_sanctions(self, in_force: Iterable[Sanction]) -> None:
        """Close these SPs and hold these to their caps from now on, and no others (R96, R97)."""
        found = list(in_force)
        self.closed = closed_of(found)
        before = {one.number: one for one in self._probations}
        self._probations = [before.get(one.number, one) for one in probations_of(found)]
        self._stand()

    def begin_day(self, at: datetime) -> None:
        """End probations that are over, and begin the counts of a day; call it all the time."""
        running = [one for one in self._probations if one.until > at]
        if len(running) < len(self._probations):
            self._probations = running
            self._stand()
        day = at.astimezone(ZoneInfo(self._pipeline.plane.rules.bundle.surroundings.zone)).date()
        if day != self._day:
            self._day = day
            for one in running:
                one.cap.renew()

    def resume(self, system_id: str) -> None:
        """Let an SP be in the state that senders.yaml says."""
        self.suspended.pop(system_id, None)
        self._stand()

    def _stand(self) -> None:
        for system_id, account in self._pipeline.plane.rules.accounts.items():
            is_suspended = system_id in self.suspended or system_id in self.closed
            configured = self.senders[system_id].state
            account.stand(SenderState.SUSPENDED if is_suspended else configured)
            ports = (
                self.suspended_ports.get(one, frozenset()) for one in {account.scope, system_id}
            )
            account.suspend_ports(frozenset().union(*ports))
            account.limit_ports(
                {one.port: one.cap for one in self._probations if one.system_id == system_id}
            )

    def offer(self, services: tuple[Service, ...]) -> None:
        """Let subscribers order only `services` from now on."""
        self.catalogue = Catalogue(services)

    def know(self, provinces: ProvinceTable) -> None:
        """Use this table for the provinces of subscribers from now on (R04)."""
        self._knowledge.provinces = provinces

    async def begin(self, history: PolicyStore) -> None:
        """Record the policy in force, and every later one, in `history`."""
        self._history = history
        bundle = self._pipeline.plane.rules.bundle
        async with self._lock:
            try:
                read = (await to_thread(self._read, bundle)).policies
            except SettingsError:
                read = ReadBundle(bundle, {})
            # If the files were changed since, they are not those of the policy in force.
            files = read.files if read.bundle.digest == bundle.digest else {}
            await self._record(bundle, files, bundle, by="start", note="")

    async def _record(
        self,
        bundle: Bundle,
        files: Mapping[str, bytes],
        told: str | Bundle,
        *,
        by: str,
        note: str,
    ) -> None:
        """Record `bundle` with its files, unless it is the newest on record already.

        What the store does not take stops no reload, and is recorded later.
        """
        if self._history is None:
            return
        archive = await to_thread(packed, files) if files else b""
        version = NewPolicyVersion(bundle.digest, bundle.name, utcnow(), by, note, archive)
        self._unrecorded.append((version, told))
        try:
            await self._record_all(self._history)
        except StoreUnavailable as error:
            log.error("policy.history_failed", digest=bundle.digest, said=str(error))

    async def _record_all(self, history: PolicyStore) -> None:
        while self._unrecorded:
            version, told = waiting = self._unrecorded.popleft()
            try:
                if isinstance(told, Bundle):
                    told = await _effect_since(history, told)
                await history.record(version, told)
            except (StoreUnavailable, asyncio.CancelledError):
                self._unrecorded.appendleft(waiting)
                raise  # after any other error it would fail again, and keep back the later ones

    async def record_late(self) -> None:
        """Write the versions that the store refused into the history, if it takes them now."""
        async with self._lock:
            if self._history is not None:
                with suppress(StoreUnavailable):
                    await self._record_all(self._history)

    async def reload(
        self, *, force: bool = False, by: str = "reload", note: str = ""
    ) -> tuple[str, ...]:
        """Read both directories again; return the faults, empty if the new state is in force.

        A keyword list that lost more than half of its words, or a senders.yaml that lost more
        than half of its SPs, is refused without `force`: it may be a half-written export.
        `by` and `note` are for the history.
        """
        with span("policy reload") as found:
            async with self._lock:
                faults = await self._reload(by, note, force=force)
                self.refused_faults = len(faults)
                if faults:
                    log.error("policy.refused", faults=faults[:_SHOWN], count=len(faults))
            found.note("smsward.faults", len(faults))
        return faults

    async def _reload(self, by: str, note: str, *, force: bool) -> tuple[str, ...]:
        before = [self._pipeline.plane.rules]
        digest = before[0].digest
        try:
            read = [await to_thread(self._read, before[0].bundle)]
        except SettingsError as error:
            return tuple(map(str, error.faults))
        faults = await self._take(read[0], before[0], force=force)
        if not faults:
            # The scan as it is now: later, a scan with another model may take over its texts.
            await to_thread(_let_go, before, self._pipeline.plane.rules.scan)
            policies, told = read[0].policies, read[0].effect
            if policies.bundle.digest != digest:
                await self._record(policies.bundle, policies.files, told, by=by, note=note)
            del policies
        if read[0].policies.bundle is not self._pipeline.plane.rules.bundle:
            await to_thread(_forget, read)
        return faults

    async def _take(self, read: _PolicyContent, before: RuleSet, *, force: bool) -> tuple[str, ...]:
        """Put what was read in force, or return its faults."""
        if read.losses and not force:
            hint = "`smsward policy reload --force` takes it anyway"
            return (f"{'; '.join(read.losses)}; {hint}",)
        try:
            await self._compile(read.policies.bundle, read.senders, before)
        except SettingsError as error:
            return tuple(map(str, error.faults))
        self.offer(read.services)
        self.know(read.provinces)
        return ()

    def _read(self, bundle: Bundle) -> _PolicyContent:
        """Read both directories. Raises SettingsError with the faults of all files."""
        gathering = FaultCollector()
        read, senders = ReadBundle(bundle, {}), self.senders
        services, provinces = self.catalogue.services, self._knowledge.provinces
        policies, config = self._policies, self._config
        codes = [one.decode() for one in self._pipeline.plane.complaint_codes]
        if policies is not None:
            read = gathering.take(lambda: read_bundle(policies), read)
        if config is not None:
            senders = found = gathering.take(
                partial(
                    load_senders,
                    config / "senders.yaml",
                    self.groups,
                    codes,
                    takes_peers=self.takes_peers,
                ),
                senders,
            )
            services = gathering.take(
                lambda: load_services(config / "services.yaml", found), services
            )
            provinces = gathering.take(lambda: load_provinces(config / "provinces.csv"), provinces)
        gathering.close()
        guards = (shrunk(bundle, read.bundle), missing_senders(self.senders, senders))
        losses = tuple(loss for loss in guards if loss is not None)
        told = effect(bundle, read.bundle)
        return _PolicyContent(read, senders, services, provinces, losses, told)

    async def _compile(
        self, bundle: Bundle, senders: Mapping[str, Sender], before: RuleSet
    ) -> None:
        if bundle.digest == before.digest and dict(senders) == dict(self.senders):
            log.info("policy.unchanged", digest=bundle.digest)
            return
        rules = await to_thread(self._proven, bundle, senders, before)
        self._pipeline.load(rules)
        self.senders, self.since = senders, utcnow()
        self._stand()
        log.info("policy.reloaded", name=bundle.name, digest=bundle.digest, senders=len(senders))
        tell_posture(bundle)
        tell_known_passwords(senders.values())

    def _proven(self, bundle: Bundle, senders: Mapping[str, Sender], before: RuleSet) -> RuleSet:
        """Compile, and run the bundle's self-test. Raises SettingsError if a case fails."""
        compiled = [RuleSet(bundle, senders.values(), self._knowledge, before)]
        # The same bundle was tested already, and the loop uses its scan.
        if self._policies is not None and bundle.digest != before.digest:
            faults = selftest_faults(bundle, self._policies, compiled[0])
            if faults:
                _let_go(compiled, before.scan)
                raise SettingsError(faults)
        return compiled[0]


async def _effect_since(history: PolicyStore, bundle: Bundle) -> str:
    """Return what may stop less than in the newest version on record.

    Raises StoreUnavailable.
    """
    newest = next(iter(await history.versions(limit=1)), None)
    if newest is None or newest.digest == bundle.digest:
        return ""
    before = await to_thread(_bundle_of, await history.archive_of(newest.number))
    return "not compared" if before is None else await to_thread(effect, before, bundle)


def _bundle_of(archive: bytes) -> Bundle | None:
    try:
        return restored_bundle(unpacked(archive))
    except ValueError:
        return None


def _let_go(before: list[RuleSet], scan: ContentScan) -> None:
    """Take the rules out of `before` and free them piece by piece, except what `scan` uses.

    Freed on the loop or in one call, a full text cache would stop all messages for 25 ms, and
    100 000 words for 5 ms.
    """
    ended = before.pop()
    if ended.scan is not scan:
        ended.scan.memory.forget()
    index = ended.scan.index
    # For unchanged lists the index holds the lists of an older bundle.
    lists = [*ended.bundle.keyword_lists, *index.lists]
    parts = [*vars(index).values(), *vars(ended).values()]
    del ended, index
    while parts:
        parts.pop()
    _end_words(lists)


def _forget(read: list[_PolicyContent]) -> None:
    """Take what was read out of `read`, and free its words piece by piece."""
    _end_words([*read.pop().policies.bundle.keyword_lists])


def _end_words(lists: list[KeywordList]) -> None:
    words = [word for keywords in lists for word in keywords.words]
    lists.clear()
    while words:
        del words[-_AT_ONCE:]


def tell_posture(bundle: Bundle) -> None:
    """Log how much the policy stops; as a warning if that is nothing of what looks like spam."""
    tell = log.warning if bundle.posture == _RECORDS_ONLY else log.info
    tell("posture.chosen", posture=bundle.posture)
    if bundle.is_open:
        log.warning("bundle.open", name=bundle.name, digest=bundle.digest)


def tell_known_passwords(senders: Iterable[Sender]) -> None:
    """Log the SPs that still have a password of the shipped sample: anybody can bind as them."""
    known = sorted(one.system_id for one in senders if is_samples_own(one.password))
    if known:
        log.warning("senders.exposed", senders=known[:_SHOWN], count=len(known))
