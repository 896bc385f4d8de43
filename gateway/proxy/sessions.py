"""The SPs' connections and sessions, from the first octet to the last."""

import structlog

from gateway.dataplane.link import Link
from gateway.proxy.connection import Connection
from gateway.proxy.dialling import Dialler
from gateway.proxy.gate import Gate
from gateway.proxy.joining import Joining
from gateway.proxy.leaving import Leaving
from gateway.proxy.numbers import Numbers
from gateway.proxy.pairs import Pairs
from gateway.proxy.tick import Tick
from gateway.runtime.clock import monotonic
from gateway.runtime.tasks import spawn
from gateway.session.states import SessionState, Side
from gateway.session.timers import Timers

log = structlog.get_logger()

# How long new messages wait for a lost SMSC before they are refused: a flap must not burn an
# SP's queue, a real outage must be told.
_WAIT_FOR_SMSC_S = 2.0
_FEWEST_STRANGERS = 4


class Sessions:
    """Accepts connections, forgets them, and knows who is bound.

    `joining` binds them, `leaving` lets them go. `maximum` bounds the connections of SPs,
    `window` the requests of each that are under way.
    """

    def __init__(
        self, tick: Tick, dialler: Dialler, gate: Gate, numbers: Numbers, timers: Timers
    ) -> None:
        self.pairs: Pairs = {}
        self.maximum = 2000
        self.leaving = Leaving(tick, self.pairs, timers.drain_s)
        self.joining = Joining(tick, dialler, gate, self.pairs, self.leaving, timers)
        self._tick = tick
        self._dialler = dialler
        self._gate = gate
        self._numbers = numbers

    @property
    def window(self) -> int:
        """Return how many requests of any session may be under way."""
        return self.joining.window

    def accept(self) -> Connection:
        """Return the protocol for a connection that an SP opened."""
        link = Link(self._numbers.next(), Side.ESME, self.window, monotonic())
        return Connection(self._tick, link, self._welcome)

    def _welcome(self, connection: Connection) -> None:
        if self.leaving.is_draining or self._is_crowded(connection.peer_address):
            connection.abort()
        else:
            self._tick.add(connection)

    def forget(self, connection: Connection) -> None:
        """Clear up after a connection that is gone; its outstanding requests are answered."""
        link = connection.link
        if link.side is Side.ESME:
            self._forget_esme(link)
        else:
            self._forget_smsc(link)

    def _is_crowded(self, address: str) -> bool:
        """Tell whether there is no room for one more.

        Those that have not bound may take half of it at most, and those of one address a
        quarter: a crowd of strangers must leave room for SPs that come back.
        """
        open_now = [c for c in self._tick.connections.values() if c.link.side is Side.ESME]
        if len(open_now) >= self.maximum:
            return True
        strangers = [c for c in open_now if c.link not in self.pairs]
        from_there = sum(c.peer_address == address for c in strangers)
        return len(strangers) >= max(_FEWEST_STRANGERS, self.maximum // 2) or from_there >= max(
            _FEWEST_STRANGERS, self.maximum // 4
        )

    def _forget_esme(self, session: Link) -> None:
        self.leaving.forget(session)
        pair = self.pairs.pop(session, None)
        if pair is None:
            return
        self._gate.leave(pair.sender.system_id)
        log.info("esme.closed", system_id=pair.sender.system_id, session=session.number)
        if pair.smsc is not None:
            self.leaving.retire(pair.smsc.link)

    def _forget_smsc(self, link: Link) -> None:
        self._dialler.lost(link)
        self.leaving.forget(link)
        session = link.peer
        pair = self.pairs.get(session) if session is not None else None
        if session is None or pair is None or session.peer is not link:
            return
        session.peer = pair.smsc = None
        if session.state is SessionState.UNBINDING or self.leaving.is_draining:
            self.leaving.turned()
            return
        log.warning("smsc.lost", system_id=pair.sender.system_id, session=session.number)
        session.wait_until = monotonic() + _WAIT_FOR_SMSC_S
        spawn(self.joining.reconnect(pair), name=f"reconnect-{session.number}")

    def follow_accounts(self) -> None:
        """Hold sessions to what a reload changed: whose sender is gone must go too."""
        accounts = self._tick.pipeline.plane.rules.accounts
        for session, pair in list(self.pairs.items()):
            account = accounts.get(pair.sender.system_id)
            if account is None:
                self.leaving.dismiss(session)
                continue
            pair.sender = account.sender
            session.window = min(account.sender.window, self.window)
