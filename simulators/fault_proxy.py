"""A TCP relay whose link can be made slow, narrow, stuck, deaf or short-lived at any moment."""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast

from simulators import sockets
from simulators.watch import Watch

WITHIN_S = 60.0
# Octets held for one direction of one connection before its source is no longer read.
HIGH_WATER_OCTETS = 256 * 1024
# What a narrow link carries at a time, as TCP does over Ethernet.
SEGMENT_OCTETS = 1460


@dataclass(slots=True)
class Faults:
    """What is wrong with one direction, for all connections; counts for what comes next.

    `slice_octets` n writes 1 to n octets at a time. `is_stalled` stops reading, so that the
    sender feels it; `is_deaf` reads and drops, so that it does not.
    """

    latency_s: float = 0.0
    octets_per_s: float = 0.0
    slice_octets: int = 0
    is_deaf: bool = False
    is_stalled: bool = False


class FaultProxy:
    """Relays TCP from a free port of `host` to a target; an async context manager.

    `to_target` and `to_caller` hold the faults; `stall` switches a stall, which acts at once.
    """

    def __init__(
        self, target_host: str, target_port: int, *, host: str = "127.0.0.1", seed: int = 0
    ) -> None:
        self.target_host = target_host
        self.target_port = target_port
        self.host = host
        self.port = 0
        self.to_target = Faults()
        self.to_caller = Faults()
        self.refuses = False
        self.pairs: list[_Pair] = []
        self.watch = Watch()
        # Not for secrets: a run must be repeatable.
        self.slicing = random.Random(seed)  # noqa: S311
        self._server: asyncio.Server | None = None
        self._dials: set[asyncio.Task[None]] = set()

    @property
    def octets_waiting(self) -> int:
        """Return how many octets are on their way, in both directions of all connections."""
        return sum(pair.octets_waiting for pair in self.pairs)

    async def start(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Pair(self).caller, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and reset every connection."""
        if self._server is None:
            return
        self._server.close()
        for dial in self._dials:
            dial.cancel()
        self.reset_all()
        await self.watch.until(lambda: not self.pairs, WITHIN_S)
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

    def stall(self, faults: Faults, *, is_stalled: bool = True) -> None:
        """Stop one direction (`to_target` or `to_caller`), or let it flow again."""
        faults.is_stalled = is_stalled
        for pair in self.pairs:
            pair.changed()

    def reset_all(self) -> None:
        """End every connection with a RST on both sides."""
        for pair in list(self.pairs):
            pair.reset()

    def half_close_all(self, faults: Faults) -> None:
        """Send a FIN in one direction (`to_target` or `to_caller`); the other flows on."""
        for pair in self.pairs:
            pair.half_close(faults)

    def dial(self, pair: "_Pair") -> None:
        """Connect `pair` to the target, or reset its caller."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._dial(pair))
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)

    async def _dial(self, pair: "_Pair") -> None:
        try:
            if self.refuses:
                raise ConnectionRefusedError
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: pair.target, self.target_host, self.target_port)
        except OSError:
            pair.reset()


class _Pair:
    """One connection through the proxy: two ends, and what flows between them."""

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self.caller = _End(self, lambda: proxy.dial(self))
        self.target = _End(self, self.changed)
        self._flows = (
            _Flow(self, proxy.to_target, self.caller, self.target),
            _Flow(self, proxy.to_caller, self.target, self.caller),
        )
        self.caller.outflow, self.target.outflow = self._flows
        self.target.inflow, self.caller.inflow = self._flows
        proxy.pairs.append(self)

    @property
    def octets_waiting(self) -> int:
        return sum(flow.octets_waiting for flow in self._flows)

    @property
    def is_over(self) -> bool:
        return self.caller.is_lost or self.target.is_lost

    def changed(self) -> None:
        for flow in self._flows:
            flow.changed()

    def reset(self) -> None:
        for end in (self.caller, self.target):
            end.reset()
        self.ended()

    def half_close(self, faults: Faults) -> None:
        for flow in self._flows:
            if flow.faults is faults:
                flow.finish()

    def ended(self) -> None:
        """Close both ends when one is lost or both FINs are out; forget the pair after that."""
        ends = (self.caller, self.target)
        if self.is_over or all(flow.is_closed for flow in self._flows):
            for flow in self._flows:
                flow.stop()
            for end in ends:
                end.close()
        if all(end.is_gone for end in ends) and self in self.proxy.pairs:
            self.proxy.pairs.remove(self)
        self.proxy.watch.changed()


class _End(asyncio.Protocol):
    """One of the two TCP connections of a pair."""

    outflow: "_Flow"
    inflow: "_Flow"

    def __init__(self, pair: _Pair, on_made: Callable[[], None]) -> None:
        self._pair = pair
        self._on_made = on_made
        self.transport: asyncio.Transport | None = None
        self.is_lost = False

    @property
    def is_gone(self) -> bool:
        return self.is_lost or self.transport is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self._pair.is_over:
            self.reset()
        else:
            self._on_made()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        if exc is None:
            self._pair.ended()
        else:
            # The other side shall learn of a RST as a RST.
            self._pair.reset()

    def data_received(self, data: bytes) -> None:
        self.outflow.take(data)

    def eof_received(self) -> bool:
        self.outflow.finish()
        return True

    def pause_writing(self) -> None:
        self.inflow.congest(is_congested=True)

    def resume_writing(self) -> None:
        self.inflow.congest(is_congested=False)

    def reset(self) -> None:
        if self.transport is not None:
            sockets.reset(self.transport)

    def close(self) -> None:
        if self.transport is not None and not self.is_lost:
            self.transport.close()


class _Flow:
    """One direction of a pair: octets wait here until they are due."""

    def __init__(self, pair: "_Pair", faults: Faults, source: _End, sink: _End) -> None:
        self.faults = faults
        self._pair = pair
        self._source = source
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[float, bytes]] = deque()
        self.octets_waiting = 0
        self._last_due = 0.0
        self._timer: asyncio.Handle | None = None
        self._is_congested = False
        self._is_finished = False
        self.is_closed = False

    def take(self, data: bytes) -> None:
        """Queue what the source sent, or drop it."""
        if self.faults.is_deaf or self._is_finished:
            return
        for piece in self._sliced(data):
            due = max(self._last_due, self._loop.time() + self.faults.latency_s)
            if self.faults.octets_per_s:
                due += len(piece) / self.faults.octets_per_s
            self._last_due = due
            self._waiting.append((due, piece))
            self.octets_waiting += len(piece)
        self.changed()
        self._pair.proxy.watch.changed()

    def finish(self) -> None:
        """Send a FIN once everything queued is out; what the source sends later is dropped."""
        self._is_finished = True
        self.changed()

    def congest(self, *, is_congested: bool) -> None:
        """Hold back while the sink does not take more."""
        self._is_congested = is_congested
        self.changed()

    def changed(self) -> None:
        """Read, write and wait as the faults now say."""
        if self._timer is None:
            self._pump()
        if self._source.transport is None:
            return
        if self.faults.is_stalled or self.octets_waiting > HIGH_WATER_OCTETS:
            self._source.transport.pause_reading()
        else:
            self._source.transport.resume_reading()

    def stop(self) -> None:
        """Write no more: an end is lost."""
        self.is_closed = True

    def _pump(self) -> None:
        self._timer = None
        sink = self._sink.transport
        if sink is None or self.is_closed or self.faults.is_stalled or self._is_congested:
            return
        now = self._loop.time()
        while self._waiting and self._waiting[0][0] <= now and not self._is_congested:
            _, piece = self._waiting.popleft()
            self.octets_waiting -= len(piece)
            sink.write(piece)
            if self.faults.slice_octets:
                # A turn of the loop, so that the next piece leaves in a segment of its own.
                self._timer = self._loop.call_soon(self._turn)
                return
        if self._waiting:
            self._timer = self._loop.call_at(max(now, self._waiting[0][0]), self._turn)
        elif self._is_finished:
            self.is_closed = True
            sink.write_eof()
            self._pair.ended()

    def _turn(self) -> None:
        self._timer = None
        self.changed()

    def _sliced(self, data: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(data):
            if self.faults.slice_octets:
                step = self._pair.proxy.slicing.randint(1, self.faults.slice_octets)
            else:
                step = SEGMENT_OCTETS if self.faults.octets_per_s else len(data)
            yield data[at : at + step]
            at += step
