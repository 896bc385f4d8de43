"""Which SMSC a bind goes to: groups, priorities, weights, failover, and the way back."""

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NoReturn

import structlog

from gateway.dataplane.link import Link
from gateway.proxy.connection import Connection, Dialler, SmscUnreachableError, Target
from gateway.proxy.listener import smsc_context
from gateway.runtime.clock import epoch, monotonic
from gateway.runtime.tasks import spawn
from gateway.session.timers import Timers, reconnect_delay_s
from gateway.settings.smscs import Smsc
from gateway.smpp.pdu import enquire_link, status_of
from gateway.smpp.status import CommandStatus

log = structlog.get_logger()

# The SMSC no longer accepts the account: other SMSCs have the same accounts, and more attempts
# would lock it there.
FATAL = frozenset({CommandStatus.ESME_RINVPASWD, CommandStatus.ESME_RINVSYSID})
# How often an SMSC without a bind, a standby say, is asked for a sign of life.
_ASK_EVERY_S = 30.0


@dataclass(slots=True, eq=False)
class SmscState:
    """One SMSC and how it stands; `binds` are ours.

    `down_since` is in epoch seconds, None while it is up; `up_since` None until it has answered.
    """

    target: Target
    settings: Smsc
    binds: int = 0
    down_since: float | None = None
    up_since: float | None = None
    is_drained: bool = False  # by order: it gets no bind
    is_gone: bool = False  # gateway.yaml names it no more

    @classmethod
    def of(cls, smsc: Smsc) -> "SmscState":
        """Return the state of an SMSC that nothing is known of. Raises OSError or ssl.SSLError."""
        return cls(_target(smsc), smsc)

    @property
    def name(self) -> str:
        """Return the name that its operator gave it."""
        return self.target.name


def _target(smsc: Smsc) -> Target:
    host, port = smsc.address
    if smsc.tls is None:
        return Target(smsc.name, host, port)
    return Target(smsc.name, host, port, smsc_context(smsc.tls), smsc.tls.server_name or host)


class Upstream:
    """Opens binds at the SMSCs of a group, and knows which of them are up.

    One that does not answer is down. It gets no bind while another of its group is up, and is
    asked with an enquire_link, with growing pauses, until it gives a sign of life.
    """

    def __init__(self, dialler: Dialler, smscs: Iterable[Smsc], timers: Timers) -> None:
        self.smscs = [SmscState.of(smsc) for smsc in smscs]
        self._dialler = dialler
        self._timers = timers
        self._of: dict[Link, SmscState] = {}  # of each link that is bound
        self._drained: set[str] = set()  # by order, also before gateway.yaml names it again

    def follow_timers(self, timers: Timers) -> None:
        """Use other timers from now on."""
        self._timers = timers

    def drain(self, names: Iterable[str]) -> None:
        """Give these SMSCs no bind from now on, also after a reload."""
        self._drained.update(names)
        for smsc in self.smscs:
            smsc.is_drained = smsc.name in self._drained

    def resume(self, name: str) -> None:
        """Let an SMSC have binds again."""
        self._drained.discard(name)
        self.drain(())

    def follow(self, smscs: Iterable[SmscState]) -> tuple[list[SmscState], list[SmscState]]:
        """Use exactly these from now on; return which are gone, and which are new.

        One that differs in priority and weight alone stays as it stands.
        """
        before = {one.name: one for one in self.smscs}
        self.smscs, fresh = [], []
        for one in smscs:
            known, new = before.get(one.name), one.settings
            # Its `own_bind` stays the same object, as the pool knows it.
            as_new = known and replace(known.settings, priority=new.priority, weight=new.weight)
            if known is not None and as_new == new:
                del before[one.name]
                known.settings, known.target = as_new, one.target
                self.smscs.append(known)
            else:
                fresh.append(one)
                self.smscs.append(one)
        self.drain(())
        for one in before.values():
            one.is_gone, one.down_since = True, None
        return list(before.values()), fresh

    def order(self, group: str) -> list[SmscState]:
        """Return the SMSCs of `group`, the one that shall have the next bind first."""

        def standing(smsc: SmscState) -> tuple[bool, int, float]:
            of, share = smsc.settings, (smsc.binds + 1) / smsc.settings.weight
            return smsc.down_since is not None, of.priority, share

        found = (s for s in self.smscs if s.settings.group == group and not s.is_drained)
        return sorted(found, key=standing)

    async def dial(
        self, bind_pdu: bytes, *, system_id: str, group: str, window: int, is_told: bool = True
    ) -> tuple[Connection | None, bytes, int]:
        """Bind at the first SMSC of `group` that will; return the connection, the answer, and 0.

        Without a bind return None and the status to tell the SP. All of it takes session_init_s
        at most: each SMSC has its share of what is left. `is_told` logs those that are not reached.
        """
        status: int = CommandStatus.ESME_RBINDFAIL
        deadline = monotonic() + self._timers.session_init_s
        smscs = self.order(group)
        for tried, smsc in enumerate(smscs):
            connection, answer, said = await self.open(
                smsc,
                bind_pdu,
                system_id=system_id,
                window=window,
                within_s=max(0.0, deadline - monotonic()) / (len(smscs) - tried),
                is_told=is_told,
            )
            if connection is not None:
                return connection, answer, 0
            status = said or status
            if status in FATAL:
                break
        return None, b"", status

    async def open(  # noqa: PLR0913 - what a bind needs
        self,
        smsc: SmscState,
        bind_pdu: bytes,
        *,
        system_id: str,
        window: int,
        within_s: float,
        is_told: bool,
        connection: Connection | None = None,
    ) -> tuple[Connection | None, bytes, int]:
        """Bind at one SMSC; return the connection and the answer, or the status of its refusal.

        The status is 0 with a bind, and without an answer. If the SMSC itself has opened a
        `connection`, that is bound; it says nothing of the SMSC's address, which may be down.
        """
        tells_of_address = connection is None
        try:
            connection, answer = await self._dialler.dial(
                smsc.target,
                bind_pdu,
                system_id=system_id,
                window=window,
                within_s=within_s,
                connection=connection,
            )
        except SmscUnreachableError as error:
            if is_told:
                log.warning("smsc.unreachable", smsc=smsc.name, said=str(error))
            if tells_of_address:
                self._fallen(smsc)
            return None, b"", 0
        status = status_of(answer, CommandStatus.ESME_RBINDFAIL)
        if not status and (smsc.is_drained or smsc.is_gone):
            connection.abort()  # since it was dialled
            return None, b"", 0
        if not status:
            if tells_of_address or smsc.down_since is None:
                self._risen(smsc)
            smsc.binds += 1
            self._of[connection.link] = smsc
            return connection, answer, 0
        log.warning("smsc.refused", smsc=smsc.name, system_id=system_id, status=_name(status))
        connection.abort()
        if tells_of_address:
            self._refused(smsc, system_id)
        return None, b"", status

    def _refused(self, smsc: SmscState, system_id: str) -> None:
        if not smsc.settings.is_pooled:
            self._risen(smsc)
        elif not self._has_bind(smsc, system_id):
            self._fallen(smsc)  # it has no use

    def _has_bind(self, smsc: SmscState, system_id: str) -> bool:
        """Tell whether another bind of this account stands, so that fewer are up than wanted."""
        return any(of is smsc and k.system_id == system_id for k, of in self._of.items())

    def lost(self, link: Link) -> None:
        """Note that a link to an SMSC has ended, bound or not."""
        self._dialler.lost(link)
        smsc = self._of.pop(link, None)
        if smsc is not None:
            smsc.binds -= 1

    def faults(self) -> list[str]:
        """Return a sentence for each SMSC that is down or drained."""
        return [
            *(
                f"the SMSC {smsc.name} is down since {_moment(smsc.down_since)}"
                for smsc in self.smscs
                if smsc.down_since is not None
            ),
            *(
                f"the SMSC {smsc.name} is drained: `smsward smsc resume {smsc.name}`"
                for smsc in self.smscs
                if smsc.is_drained
            ),
        ]

    def _fallen(self, smsc: SmscState) -> None:
        if smsc.down_since is None and not smsc.is_gone:
            smsc.down_since, smsc.up_since = epoch(), None
            if not smsc.settings.is_pooled:  # the pool dials it again and again
                spawn(self._watch(smsc), name=f"smsc-{smsc.name}")

    def _risen(self, smsc: SmscState) -> None:
        if smsc.down_since is not None:
            log.info("smsc.recovered", smsc=smsc.name, after_s=round(epoch() - smsc.down_since))
            smsc.down_since = None
        if smsc.up_since is None:
            smsc.up_since = epoch()

    async def _watch(self, smsc: SmscState) -> None:
        """Ask an SMSC that is down until it gives a sign of life."""
        attempt = 0
        while smsc.down_since is not None:
            fraction = random.random()  # noqa: S311 - jitter, not a secret
            await asyncio.sleep(reconnect_delay_s(attempt, self._timers.reconnect_max_s, fraction))
            attempt += 1
            if await _gives_sign(smsc.target, self._timers.session_init_s):
                self._risen(smsc)

    async def keep(self) -> NoReturn:
        """Ask those that have no bind, until cancelled: nothing else tells of a dead standby."""
        while True:
            for smsc in self.smscs:
                is_alone = smsc.settings.is_pooled or len(self.order(smsc.settings.group)) == 1
                if is_alone or smsc.binds or smsc.is_drained or smsc.down_since is not None:
                    continue
                if not await _gives_sign(smsc.target, self._timers.session_init_s):
                    log.warning("smsc.unreachable", smsc=smsc.name, said="no sign of life")
                    self._fallen(smsc)
            await asyncio.sleep(_ASK_EVERY_S)


async def _gives_sign(target: Target, within_s: float) -> bool:
    """Tell whether an SMSC answers an enquire_link in any way; a close is an answer too."""
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_connection(
                target.host,
                target.port,
                ssl=target.tls,
                server_hostname=target.server_name if target.tls else None,
            )
            try:
                writer.write(enquire_link(1))
                await reader.read(1)
            finally:
                writer.close()
    except ConnectionResetError:
        return True
    except (OSError, UnicodeError):  # a TimeoutError is an OSError
        return False
    return True


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _name(status: int) -> str:
    try:
        return CommandStatus(status).name
    except ValueError:
        return f"0x{status:08X}"
