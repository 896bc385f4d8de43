"""What people order of the running gateway; each order is in the journal with who and why."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

import structlog

from gateway.app.policies import Policies
from gateway.console.control_socket import Answer, OrderRefusedError
from gateway.domain.live import SuspendedSender
from gateway.domain.records import NewAccess
from gateway.proxy.routes import Pair
from gateway.proxy.sessions import Sessions
from gateway.proxy.upstream import SmscState, Upstream
from gateway.runtime.clock import utcnow
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores

log = structlog.get_logger()


class Orders:
    """Carries out orders: closes sessions, suspends SPs, drains SMSCs.

    One order at a time: else a slow resume would end a suspension that was ordered after it.
    """

    def __init__(
        self, stores: Stores, sessions: Sessions, policies: Policies, upstream: Upstream
    ) -> None:
        self._stores = stores
        self._upstream = upstream
        self._sessions = sessions
        self._policies = policies
        self._lock = asyncio.Lock()

    def answers(self) -> dict[str, Answer]:
        """Return the function for each order."""
        changes: dict[str, Answer] = {
            "sender suspend": self.suspend,
            "sender resume": self.resume,
            "smsc drain": self.drain_smsc,
            "smsc resume": self.resume_smsc,
        }
        in_turn = {name: partial(self._in_turn, change) for name, change in changes.items()}
        return {"session close": self.close_sessions, **in_turn}

    async def _in_turn(self, change: Answer, asked: Mapping[str, object]) -> object:
        async with self._lock:
            return await change(asked)

    async def close_sessions(self, asked: Mapping[str, object]) -> Sequence[int]:
        """Unbind from sessions once what they sent is answered; return their numbers."""
        system_id, number = asked.get("system_id"), asked.get("number")
        pairs = self._sessions.pairs.values()
        meant = [
            one
            for one in pairs
            if system_id == one.sender.system_id or number == one.session.number
        ]
        if not meant:
            said = (
                f"there is no session {number}"
                if system_id is None
                else f"{system_id} is not bound"
            )
            raise OrderRefusedError(said, "`smsward session list` lists those that are bound")
        await self._note(asked, about_sessions(meant))
        for one in meant:
            self._sessions.leaving.part(one.session)
        return [one.session.number for one in meant]

    async def suspend(self, asked: Mapping[str, object]) -> SuspendedSender:
        """Refuse all that an SP submits, from this moment on; `unbind` its sessions if asked."""
        system_id = self._known(asked)
        one = SuspendedSender(system_id, utcnow(), str(asked["by"]), str(asked["note"]))
        before = self._policies.suspended.get(system_id)
        self._policies.suspend(one)
        try:
            await self._note(asked, system_id, at=one.since)
            await self._stores.suspended_senders.suspend(one)
        except StoreUnavailable:
            self._policies.suspend(before) if before else self._policies.resume(system_id)
            raise
        if asked.get("unbind"):
            part_sender(self._sessions, system_id)
        return one

    async def resume(self, asked: Mapping[str, object]) -> SuspendedSender:
        """Let an SP send again; return what is over."""
        system_id = self._known(asked)
        before = self._policies.suspended.get(system_id)
        if before is None:
            raise OrderRefusedError(
                f"{system_id} was not suspended by order",
                "`smsward sender show` tells its state; one of senders.yaml is changed there",
            )
        await self._note(asked, system_id)
        await self._stores.suspended_senders.resume(system_id)
        self._policies.resume(system_id)
        return before

    async def drain_smsc(self, asked: Mapping[str, object]) -> str:
        """Give an SMSC no more requests, and unbind once it has answered; return its name.

        Refused without `force` where no other SMSC of its group is up.
        """
        smsc = self._smsc(asked)
        others = (one for one in self._upstream.order(smsc.settings.group) if one is not smsc)
        if not asked.get("force") and all(one.down_since is not None for one in others):
            raise OrderRefusedError(
                f"no other SMSC of the group {smsc.settings.group} is up",
                "--force drains it all the same: SPs wait, and are refused then",
            )
        await self._note(asked, smsc.name)
        await self._stores.drained_smscs.drain(smsc.name)
        self._upstream.drain([smsc.name])
        self._sessions.drain_smsc(smsc.name)
        return smsc.name

    async def resume_smsc(self, asked: Mapping[str, object]) -> str:
        """Let an SMSC have binds again; return its name."""
        smsc = self._smsc(asked)
        if not smsc.is_drained:
            raise OrderRefusedError(f"the SMSC {smsc.name} is not drained")
        await self._note(asked, smsc.name)
        await self._stores.drained_smscs.resume(smsc.name)
        self._upstream.resume(smsc.name)
        return smsc.name

    def _smsc(self, asked: Mapping[str, object]) -> SmscState:
        name = str(asked["name"])
        for one in self._upstream.smscs:
            if one.name == name:
                return one
        raise OrderRefusedError(f"there is no SMSC {name}", "`smsward smsc list` lists them")

    def _known(self, asked: Mapping[str, object]) -> str:
        system_id = str(asked["system_id"])
        if system_id not in self._policies.senders:
            raise OrderRefusedError(
                f"there is no sender {system_id}", "`smsward sender list` lists them"
            )
        return system_id

    async def _note(
        self, asked: Mapping[str, object], about: str, at: datetime | None = None
    ) -> None:
        """Write an order into the journal, and into the log. Raises StoreUnavailable."""
        order, by, why = str(asked["do"]), str(asked["by"]), str(asked["note"])
        access = NewAccess(by, order, why, about, at or utcnow())
        await self._stores.journals.note_access(access)
        log.info("order.given", order=order, by=by, about=about)


def part_sender(sessions: Sessions, system_id: str) -> None:
    """Unbind from the sessions of an SP once what it sent is answered."""
    for pair in list(sessions.pairs.values()):
        if pair.sender.system_id == system_id:
            sessions.leaving.part(pair.session)


def about_sessions(pairs: Sequence[Pair]) -> str:
    """Return which sessions are meant, for the journal."""
    listed = ", ".join(f"{one.session.number} of {one.sender.system_id}" for one in pairs[:20])
    return f"session {listed}" + (f" and {len(pairs) - 20} more" if len(pairs) > 20 else "")
