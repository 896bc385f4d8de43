"""Binds of the gateway's own at SMSCs: those that sessions of SPs share, and others beside them."""

import asyncio
import hmac
import random
from collections.abc import Callable, Iterable

import structlog

from gateway.dataplane.link import Link
from gateway.domain.sender import BindType
from gateway.proxy.connection import Connection
from gateway.proxy.tick import Tick
from gateway.proxy.upstream import SmscState, Upstream
from gateway.runtime.clock import monotonic
from gateway.runtime.tasks import spawn
from gateway.session.operations import SessionState
from gateway.session.stranger_limits import Lockouts, ip_of
from gateway.session.timers import Timers, reconnect_delay_s
from gateway.settings.credentials import secret_of
from gateway.settings.smscs import OutbindPeer, OwnAccount, OwnBindType, Smsc
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.fields import Tag, Tlv
from gateway.smpp.pdu import HEADER, decode, make
from gateway.smpp.status import DecodeError

log = structlog.get_logger()

_BINDS = {
    OwnBindType.TRANSMITTER: (CommandId.BIND_TRANSMITTER, SessionState.BOUND_TX),
    OwnBindType.RECEIVER: (CommandId.BIND_RECEIVER, SessionState.BOUND_RX),
    OwnBindType.TRANSCEIVER: (CommandId.BIND_TRANSCEIVER, SessionState.BOUND_TRX),
}


class Pool:
    """Keeps the binds, and gives each session one of those that are shared.

    A session stays on its bind until that is lost: so the order of its messages is kept. `joined`
    is called with a group that has one more bind. An `own_bind` of an SMSC is no session's: it
    hears and sends for SPs that are not there.
    """

    def __init__(
        self,
        tick: Tick,
        upstream: Upstream,
        timers: Timers,
        is_draining: Callable[[], bool],
        lockouts: Lockouts,
    ) -> None:
        self._lockouts = lockouts
        self.joined: Callable[[str], None] = lambda _group: None
        self._tick = tick
        self._upstream = upstream
        self._timers = timers
        self._is_draining = is_draining
        self._binds: dict[Link, SmscState] = {}
        self._own: dict[Link, SmscState] = {}
        self._lost: dict[Link, asyncio.Event] = {}
        self._called: dict[Link, SmscState] = {}  # SMSCs that have connected to us

    def __contains__(self, group: str) -> bool:
        smscs = (one.settings for one in self._upstream.smscs)
        return any(one.is_pooled and one.group == group for one in smscs)

    def follow_timers(self, timers: Timers) -> None:
        """Use other timers from now on."""
        self._timers = timers

    async def begin(self) -> None:
        """Begin to keep all binds; return when each was tried once, or after session_init_s."""
        tried = self.keep(self._upstream.smscs)
        if tried:
            await asyncio.wait(tried, timeout=self._timers.session_init_s)

    def keep(self, smscs: Iterable[SmscState]) -> list[asyncio.Task[bool]]:
        """Begin to keep the binds at `smscs`; return tasks that end when each was tried once."""
        tried: list[asyncio.Task[bool]] = []
        for smsc in smscs:
            own = smsc.settings.own_bind if smsc.settings.outbind is None else None
            for account in (*_shared_accounts(smsc.settings), *([] if own is None else [own])):
                first = asyncio.Event()
                spawn(self._keep(smsc, account, first), name=f"pool-{smsc.name}")
                tried.append(spawn(first.wait(), name="pool-first"))
        return tried

    async def _keep(self, smsc: SmscState, account: OwnAccount, tried: asyncio.Event) -> None:
        """Bind, and bind again whenever the bind is lost, until the gateway drains."""
        pdu, attempt, is_told = _bind_pdu(account), 0, True
        while not self._is_draining() and not smsc.is_gone:
            connection = None
            if not smsc.is_drained:
                connection, _, _ = await self._upstream.open(
                    smsc,
                    pdu,
                    system_id=account.system_id,
                    window=smsc.settings.window,
                    within_s=self._timers.session_init_s,
                    is_told=is_told,
                )
            attempt += 1
            is_told = connection is not None
            if connection is not None:
                bound_at = monotonic()
                lost = self._lost[connection.link] = asyncio.Event()
                self._stands(smsc, account, connection.link)
                tried.set()
                await lost.wait()
                # Else one that closes each bind at once would be dialled ten times a second.
                if monotonic() - bound_at >= self._timers.reconnect_max_s:
                    attempt = 0
            tried.set()
            fraction = random.random()  # noqa: S311 - jitter, not a secret
            await asyncio.sleep(reconnect_delay_s(attempt, self._timers.reconnect_max_s, fraction))

    def smsc_of(self, link: Link, pdu: bytes) -> str:
        """Return the SMSC that an outbind is from; "" if no SMSC may send it, or has one bound."""
        connection = self._tick.connections.get(link)
        ip = ip_of(connection.peer_address) if connection is not None else None
        if ip is None or self._is_draining():
            return ""
        for smsc in self._upstream.smscs:
            of = smsc.settings.outbind
            if of is not None and any(ip in network for network in of.addresses):
                if smsc.is_drained or smsc in self._called.values():
                    continue
                if self._is_right(of, str(ip), pdu):
                    return smsc.name
        return ""

    def _is_right(self, of: OutbindPeer, address: str, pdu: bytes) -> bool:
        """Tell whether an outbind proves its password; guesses lock an address out as binds do."""
        try:
            asked = decode(pdu)
        except DecodeError:
            return False
        if asked.octets("system_id") != of.system_id.encode():
            return False
        now, secret = monotonic(), secret_of(of.password)
        if not self._lockouts.may_check(address, of.system_id, now):
            return False
        if secret and hmac.compare_digest(asked.octets("password"), secret):
            return True
        self._lockouts.failed(address, of.system_id, now)
        return False

    def answer(self, connection: Connection, name: str) -> None:
        """Bind at the SMSC that has opened a connection."""
        smsc = next((one for one in self._upstream.smscs if one.name == name), None)
        if smsc is None or smsc in self._called.values():  # two may call in one tick
            connection.close()
            return
        self._called[connection.link] = smsc
        spawn(self._answer(connection, smsc), name=f"outbind-{name}")

    async def _answer(self, connection: Connection, smsc: SmscState) -> None:
        settings = smsc.settings
        account = settings.own_bind or _shared_accounts(settings)[0]
        connection.link.window = connection.link.allowed = settings.window
        bound, _, _ = await self._upstream.open(
            smsc,
            _bind_pdu(account),
            system_id=account.system_id,
            window=settings.window,
            within_s=self._timers.session_init_s,
            is_told=True,
            connection=connection,
        )
        if bound is not None:
            self._stands(smsc, account, connection.link)
        else:
            connection.abort()

    def _stands(self, smsc: SmscState, account: OwnAccount, link: Link) -> None:
        link.is_shared = True
        link.state = _BINDS[account.bind_type][1]
        log.info("smsc.bound", system_id=link.system_id, session=link.number, smsc=link.smsc)
        if account is smsc.settings.own_bind:
            self._own[link] = smsc
        else:
            self._binds[link] = smsc
            self.joined(smsc.settings.group)
        self._tick.resume((link,))

    def lost(self, link: Link) -> None:
        """Forget a bind that has ended, if it is one of the pool."""
        self._binds.pop(link, None)
        self._own.pop(link, None)
        self._called.pop(link, None)
        lost = self._lost.pop(link, None)
        if lost is not None:
            lost.set()

    def pick(self, group: str, name: str = "") -> Connection | None:
        """Return the bind for one more session of `group`, "" for any; None if none stands.

        It is at an SMSC of the lowest priority that has one, the least used for its weight, or at
        the SMSC of that `name`.
        """
        used: dict[SmscState, int] = {}
        for link, smsc in self._binds.items():
            used[smsc] = used.get(smsc, 0) + _sessions_on(link)
        links = [
            (smsc.settings.priority, used[smsc] / smsc.settings.weight, _sessions_on(link), link)
            for link, smsc in self._binds.items()
            if group in ("", smsc.settings.group) and name in ("", smsc.name) and _can_submit(link)
        ]
        best = min(links, key=lambda one: one[:3], default=None)
        return None if best is None else self._tick.connections.get(best[3])

    def way_to(self, session: Link, group: str) -> Link | None:
        """Return the bind of `group` that a session's messages go on; None if none stands.

        It stays the same until it is lost, so that the order of the messages is kept.
        """
        for link in (session.peer, *session.detours):
            smsc = None if link is None else self._binds.get(link)
            if smsc is not None and smsc.settings.group == group:
                return link
        connection = self.pick(group)
        if connection is None:
            return None
        connection.link.share_with(session)
        session.detours[connection.link] = 0
        return connection.link

    def submitter(self, group: str, name: str) -> Connection | None:
        """Return a bind to submit on for SPs of `group` that have none; "" for no SP's messages.

        What SPs have at the SMSC of that `name` is known to the binds that they share there alone.
        """
        pooled = self.pick(group, name) if group or name else None
        if pooled is not None or name:
            return pooled
        of_group = (k for k, of in self._own.items() if group in ("", of.settings.group))
        own = next(filter(_can_submit, of_group), None)
        return self.pick(group) if own is None else self._tick.connections.get(own)

    def own_binds(self) -> dict[str, int]:
        """Return 1 for each SMSC where its `own_bind` stands, 0 where it does not."""
        up = {smsc.name for smsc in self._own.values()}
        named = [one.name for one in self._upstream.smscs if one.settings.own_bind is not None]
        return {name: int(name in up) for name in named}

    def _callers(self) -> set[str]:
        return {one.name for one in self._upstream.smscs if one.settings.outbind is not None}

    def faults(self) -> list[str]:
        """Return a sentence for each `own_bind` that does not stand, unless its SMSC calls."""
        return [
            f"the own bind at the SMSC {name} does not stand: what is for SPs that are not there"
            " waits at the SMSC (the log tells why: smsc.refused, smsc.unreachable)"
            for name, is_up in self.own_binds().items()
            if not is_up and name not in self._callers()
        ]


def answer_to(bind_pdu: bytes) -> bytes:
    """Return the answer to an SP's bind that the gateway itself accepts."""
    _, command_id, _, sequence = HEADER.unpack_from(bind_pdu)
    version = Tlv(Tag.SC_INTERFACE_VERSION, b"\x34")
    return make(command_id | RESPONSE_BIT, sequence, system_id=b"smsward", tlvs=(version,))


def _can_submit(link: Link) -> bool:
    return link.state.can_submit and not link.is_leaving


def _sessions_on(link: Link) -> int:
    return sum(map(len, link.sharers.values()))


def _shared_accounts(smsc: Smsc) -> list[OwnAccount]:
    """Return the account of each bind that sessions share."""
    if smsc.system_id is None or smsc.password is None:
        return []
    is_tx = smsc.bind_type is BindType.TX
    bind_type = OwnBindType.TRANSMITTER if is_tx else OwnBindType.TRANSCEIVER
    return smsc.binds * [OwnAccount(smsc.system_id, smsc.password, bind_type)]


def _bind_pdu(account: OwnAccount) -> bytes:
    return make(
        _BINDS[account.bind_type][0],
        1,
        system_id=account.system_id.encode(),
        password=secret_of(account.password),
        system_type=account.system_type.encode(),
    )
