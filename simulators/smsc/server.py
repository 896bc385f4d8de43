"""The simulated SMSC: listens, keeps its journal, and misbehaves on request."""

import asyncio
from collections.abc import Callable
from ssl import SSLContext
from types import TracebackType
from typing import Self

from simulators.builders import UCS2, ucs2
from simulators.smsc.behaviour import Behaviour
from simulators.smsc.exchange import Exchange
from simulators.smsc.journal import Cancelled, Counters, MessageState, Received
from simulators.smsc.session import Mobile, Session
from simulators.wire import Tlvs

WITHIN_S = 60.0


# Turns of the loop until what was accepted last is a session that can be reset.
_ACCEPTING = 5


class SimulatedSmsc:
    """An SMSC on a loopback port, usable as an async context manager.

    `port` 0 takes a free one; a stopped SMSC starts again on the port it had, with its journal.
    `behaviour` may be replaced at any time and counts from the next PDU on.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        behaviour: Behaviour | None = None,
        *,
        ssl: SSLContext | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.sessions: list[Session] = []
        self._ssl = ssl
        self._server: asyncio.Server | None = None
        self._exchange = Exchange(behaviour or Behaviour(), _loop_time)
        self._sessions_seen = 0

    @property
    def behaviour(self) -> Behaviour:
        """Return what `behaviour` was last set to."""
        return self._exchange.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._exchange.behaviour = behaviour

    @property
    def journal(self) -> list[Received]:
        """Return every message received, refused ones too, in order."""
        return self._exchange.journal

    @property
    def cancels(self) -> list[Cancelled]:
        """Return every cancel_sm received, refused ones too, in order."""
        return self._exchange.cancels

    def state_of(self, message_id: str) -> MessageState | None:
        """Return what query_sm would tell; None for what never was, or was forgotten."""
        return self._exchange.memory.state_of(message_id)

    @property
    def counters(self) -> Counters:
        """Return how often what happened since the SMSC was made."""
        return self._exchange.counters

    async def start(self) -> None:
        """Listen; raise OSError when the port cannot be had."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, self.host, self.port, ssl=self._ssl)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and reset whoever is connected."""
        if self._server is None:
            return
        self._server.close()
        for _ in range(_ACCEPTING):
            await asyncio.sleep(0)
        self.disconnect_all(by_reset=True)
        await self.until(lambda: not self.sessions)
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def until(self, is_met: Callable[[], bool], within_s: float = WITHIN_S) -> None:
        """Wait for a condition on journal, counters or sessions; raise TimeoutError if in vain."""
        await self._exchange.watch.until(is_met, within_s)

    async def received(self, count: int, within_s: float = WITHIN_S) -> None:
        """Wait until `count` messages have come since the start."""
        await self.until(lambda: self.counters.messages >= count, within_s)

    async def bound(self, count: int = 1, within_s: float = WITHIN_S) -> None:
        """Wait until exactly `count` sessions are bound."""
        await self.until(lambda: len(self._bound()) == count, within_s)

    def pause(self) -> None:
        """Stop reading from every session, present and future: a stalled SMSC."""
        self._stall(is_stalled=True)

    def resume(self) -> None:
        """Read on."""
        self._stall(is_stalled=False)

    def release_answers(self) -> None:
        """Send the answers that Behaviour.hold_answers kept back."""
        for session in self.sessions:
            session.release_answers()

    def disconnect_all(self, *, by_reset: bool = False) -> None:
        """End every connection without a word: with a FIN, or with a RST and losing answers."""
        for session in self.sessions:
            session.close(by_reset=by_reset)

    async def unbind_all(self, within_s: float = WITHIN_S) -> list[int]:
        """Unbind every ESME; return the command_status each answered with, and close."""
        bound = self._bound()
        async with asyncio.timeout(within_s):
            statuses = [await answer for answer in [one.request_unbind() for one in bound]]
        for session in bound:
            session.close()
        return statuses

    # One parameter for each field of the PDU that a test may want to set.
    async def deliver(  # noqa: PLR0913
        self,
        system_id: str,
        source: str,
        destination: str,
        text: str | bytes,
        *,
        data_coding: int | None = None,
        esm_class: int = 0,
        tlvs: Tlvs = (),
        within_s: float = WITHIN_S,
    ) -> int:
        """Send an MO to an ESME; return the command_status of its answer.

        A str goes as UCS-2, octets as they are under data_coding 0 unless told otherwise.
        Raises ConnectionError when the ESME is not there or goes, TimeoutError when it is silent.
        """
        octets = ucs2(text) if isinstance(text, str) else text
        if data_coding is None:
            data_coding = UCS2 if isinstance(text, str) else 0
        message = Mobile(source, destination, octets, data_coding, esm_class, tlvs)
        answer = self._receiver(system_id).deliver(message)
        async with asyncio.timeout(within_s):
            return await answer

    def inject(self, system_id: str, octets: bytes) -> int:
        """Send octets of any kind to one bound session of `system_id`; return how many wait."""
        session = next((one for one in self._bound() if one.system_id == system_id), None)
        if session is None:
            raise ConnectionError(f"{system_id} is not bound")
        session.write(octets)
        return session.unsent

    def _session(self) -> Session:
        self._sessions_seen += 1
        return Session(self._exchange, self._sessions_seen, self.sessions)

    def _stall(self, *, is_stalled: bool) -> None:
        self._exchange.is_stalled = is_stalled
        for session in self.sessions:
            session.stall(is_stalled=is_stalled)

    def _bound(self) -> list[Session]:
        return [session for session in self.sessions if session.bind_type]

    def _receiver(self, system_id: str) -> Session:
        for session in self.sessions:
            if session.system_id == system_id and session.can_receive:
                return session
        raise ConnectionError(f"{system_id} is not bound for receiving")


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
