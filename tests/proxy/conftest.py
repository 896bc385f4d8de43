"""A gateway between real sockets: an SMSC on one side, SPs on the other, nothing replaced."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, tzinfo
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest
import uvloop
from starlette.applications import Starlette

from gateway.app import followers
from gateway.app import gateway as composition
from gateway.app.gateway import Gateway
from gateway.console.http_server import MetricsReaders
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.policy import ContentRule, Enforcement, KeywordList, ListAction
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.sender import BindLimits, BindType, Port, Purpose, Rate, Sender, SenderState
from gateway.policy.bundle import Bundle, Rule, Title
from gateway.policy.checks.opt_out import OptOut
from gateway.proxy.sessions import Keepalive
from gateway.records.writer import Records
from gateway.runtime import clock
from gateway.runtime.clock import utcnow
from gateway.runtime.logging import configure_logging
from gateway.session import stranger_limits
from gateway.session.timers import Timers
from gateway.settings.gateway import (
    GatewaySettings,
    Limits,
    Listener,
    MetricsSettings,
    Node,
    NodeRole,
    RecordKeeping,
    StoreSettings,
)
from gateway.settings.schema import Address
from gateway.settings.smscs import Smsc
from gateway.storage.database import Database
from gateway.stores import Stores
from gateway.systems.consent import follower
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from tests import real_time

LogLines = list[dict[str, object]]
BuildSender = Callable[..., Sender]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
# What an SMSC of a test's own says to one PDU: octets, or None to hang up after them.
Say = Callable[[bytes], Awaitable[bytes | None]]
Serve = Callable[[Say], Awaitable[Smsc]]

WITHIN_S = 60.0
# Lines that tell of a fault of ours. A test that provokes one takes them out of `log`.
FAULTS = {"task.failed", "tick.failed", "loop.failed", "log.unlisted", "library.warned"}

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}

REFUSALS = Rule(
    "R21",
    Title("用户拒绝后不得再发", "A refusal ends it"),
    "DEC2012 (7)",
    OptOut(),
    Enforcement.ENFORCE,
)

# No keepalive of a slow machine comes between what a test sends and what it hears.
TIMERS = Timers(session_init_s=60, enquire_link_s=600, reconnect_max_s=0.1, drain_s=5)


# Where it matters when a loop tells of a lost connection, the tests run on both.
ON_BOTH_LOOPS = (
    "test_sessions",
    "test_connection",
    "test_tick",
    "test_bad_input",
    "test_upstream",
    "test_pool",
)


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Choose the loop of production, and asyncio's own beside it for some."""
    if item.path.stem.startswith(ON_BOTH_LOOPS):
        return LOOPS
    return {"uvloop": LOOPS["uvloop"]}


class Wall:
    """The clock on the wall: it stands still until a test sets it."""

    def __init__(self) -> None:
        self._now = utcnow()

    def set(self, moment: str) -> None:
        """Let it show a moment, in ISO form with its offset."""
        self._now = datetime.fromisoformat(moment)

    def time(self) -> float:
        """Return seconds since 1970."""
        return self._now.timestamp()

    def now(self, zone: tzinfo) -> datetime:
        """Return the time in `zone`."""
        return self._now.astimezone(zone)


class Unprobed:
    """In place of the probe server, for tests/app asks that one."""

    def __init__(self, address: Address, _app: Starlette, _readers: MetricsReaders) -> None:
        self.port = address.port

    async def start(self) -> None:
        """Open nothing."""

    async def stop(self, *, at_once: bool) -> None:
        """Close nothing."""


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    """Take the hand off the clock of the gateway; what measures spans goes on."""
    wall = Wall()
    spans = time.monotonic  # noqa: TID251 - it goes on where the gateway asks for it
    monkeypatch.setattr(clock, "time", SimpleNamespace(time=wall.time, monotonic=spans))
    monkeypatch.setattr(clock, "datetime", wall)
    return wall


@pytest.fixture
def log() -> Iterator[LogLines]:
    """Collect what is logged, as a machine would read it; faults of ours must not be in it."""
    lines: LogLines = []
    configure_logging(json=True, strict=True, sink=lambda line: lines.append(orjson.loads(line)))
    yield lines
    assert [line for line in lines if line["event"] in FAULTS] == []


@pytest.fixture
def sender() -> BuildSender:
    """Build a sender; give what should be otherwise."""
    usual = Sender(
        system_id="sp1",
        password="plain:secret",
        name="示例商城",
        state=SenderState.ACTIVE,
        binds=BindLimits(10, frozenset(BindType), (ip_network("127.0.0.0/8"),)),
        ports=(Port("10690001", 4, Purpose.MARKETING), Port("10690002", 0, Purpose.VERIFICATION)),
        rate=Rate(100_000, 100_000),
        window=1000,
    )
    return lambda **changes: replace(usual, **changes)


@pytest.fixture
def bundle() -> Bundle:
    """A policy with a word that rejects, one that holds, and refusals that count."""
    return Bundle(
        name="test",
        digest="0123456789ab",
        keyword_lists=(
            KeywordList("K-FRAUD", "fraud", ListAction.REJECT, ("代开发票",)),
            KeywordList("K-LOAN", "loan", ListAction.QUARANTINE, ("低息贷款",)),
        ),
        rules=(REFUSALS,),
        content=ContentRule(),
    )


@pytest.fixture
async def smsc() -> AsyncIterator[SimulatedSmsc]:
    """An SMSC without a fault; a test sets `behaviour` to what it is about."""
    async with SimulatedSmsc(behaviour=Behaviour(seed=7)) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, smsc: SimulatedSmsc) -> GatewaySettings:
    """Free ports, a store that forgets, and the SMSC of this test."""
    return GatewaySettings(
        version=1,
        node=Node("cmcc", "福建", NodeRole.ORIGIN),
        listeners=(Listener("plain", Address("127.0.0.1", 0)),),
        smscs=(Smsc("main", Address(smsc.host, smsc.port)),),
        timers=TIMERS,
        limits=Limits(),
        store=StoreSettings("memory://"),
        records=RecordKeeping(tmp_path / "cdr"),
        metrics=MetricsSettings(Address("127.0.0.1", 0)),
    )


@pytest.fixture
async def start(
    settings: GatewaySettings,
    sender: BuildSender,
    bundle: Bundle,
    monkeypatch: pytest.MonkeyPatch,
    log: LogLines,  # noqa: ARG001 - every gateway is watched for faults of its own
    database: Database,  # noqa: ARG001 - it is closed after the gateways
) -> AsyncIterator[Start]:
    """Start a gateway; what is given may differ from `sender`, `bundle` and `settings`."""
    # Nobody waits for a quarter of a second here, nor for the pause after a wrong password.
    monkeypatch.setattr(followers, "_EVERY_S", 0.01)
    # A busy machine may let this process stand still for a second: no reason to refuse adverts.
    monkeypatch.setattr(follower, "_CURRENT_S", 10 * WITHIN_S)
    # Nobody asks for probes here, and uvicorn takes a tenth of a second to stop.
    monkeypatch.setattr(composition, "ProbeServer", Unprobed)
    monkeypatch.setattr(stranger_limits, "FIRST_DELAY_S", 0.0)
    running: list[Gateway] = []

    async def begin(  # noqa: PLR0913 - what tests vary, each with its everyday value
        *,
        senders: tuple[Sender, ...] = (),
        policy: Bundle = bundle,
        stores: Stores | None = None,
        store_url: str = settings.store.url,
        smscs: tuple[Smsc, ...] = settings.smscs,
        timers: Timers = settings.timers,
        limits: Limits = settings.limits,
    ) -> Gateway:
        async def given(_url: str, **_how: object) -> Stores:
            assert stores is not None
            return stores

        with monkeypatch.context() as patch:
            if stores is not None:
                patch.setattr(composition, "open_store", given)
            known: Mapping[str, Sender] = {s.system_id: s for s in senders or (sender(),)}
            store = StoreSettings(store_url)
            chosen = replace(settings, store=store, smscs=smscs, timers=timers, limits=limits)
            gateway = Gateway(chosen, known, policy)
            running.append(gateway)
            await gateway.start()
        return gateway

    yield begin
    # The latest first: one loop is one gateway's, and stopping ends every task of the loop.
    for gateway in reversed(running):
        await gateway.stop()
        for left in gateway.handed_over:  # no process follows
            left.socket.close()


@pytest.fixture
async def gateway(start: Start) -> Gateway:
    """A gateway with sp1 and the policy of `bundle`."""
    return await start()


@pytest.fixture
async def attach() -> AsyncIterator[Attach]:
    """Connect to a gateway and bind, unless `kind` is None; closed in the end."""
    esmes: list[RawEsme] = []

    async def connect_and_bind(
        gateway: Gateway, system_id: str = "sp1", kind: str | None = "trx"
    ) -> RawEsme:
        esme = await RawEsme.connect(*gateway.addresses["plain"])
        esmes.append(esme)
        if kind is not None:
            assert await esme.bind(system_id, "secret", kind) == 0
        return esme

    yield connect_and_bind
    for esme in esmes:
        await esme.__aexit__(None, None, None)


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Stand in for an SMSC that says what no simulated one would, PDU by PDU."""
    servers: list[asyncio.Server] = []
    writers: list[asyncio.StreamWriter] = []

    async def listen(say: Say) -> Smsc:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    head = await reader.readexactly(16)
                    rest = await reader.readexactly(int.from_bytes(head[:4], "big") - 16)
                    octets = await say(head + rest)
                    if octets is None:
                        break
                    writer.write(octets)
            writer.close()

        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        servers.append(server)
        return Smsc("puppet", Address("127.0.0.1", server.sockets[0].getsockname()[1]))

    yield listen
    for server in servers:
        server.close()
    for writer in writers:
        writer.close()


@pytest.fixture
def until() -> Until:
    """Wait for a condition inside the gateway, which tells nobody when it changes."""

    return real_time.until


@pytest.fixture
def unkept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the keeper from mending within a second what should have been prompt."""

    async def never(_keeper: Keepalive) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Keepalive, "keep", never)


@pytest.fixture
def unwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rows of the records stay where a test can read them, however long it takes."""
    monkeypatch.setattr(Records, "settle", lambda _self: None)
    monkeypatch.setattr(Records, "flush", lambda _self: None)


@pytest.fixture
def refuse(until: Until) -> Callable[[Gateway, int], Awaitable[None]]:
    """Record that a subscriber wants nothing from sp1 any more; return once that holds."""

    async def record(gateway: Gateway, msisdn: int) -> None:
        answer = ConsentAnswer(msisdn, "sp1", Answer.REFUSED, utcnow(), "mo")
        await gateway.stores.consent.record([answer])
        await until(lambda: gateway._knowledge.consent.is_refused("sp1", msisdn))

    return record


@pytest.fixture
def reach() -> Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]:
    """Wait until a held message stands in a state, and return it."""

    async def wait(gateway: Gateway, message_id: str, state: HoldState) -> HeldMessage:
        async def look() -> HeldMessage | None:
            held = await gateway.stores.quarantine.get(int(message_id))
            return held if held is not None and held.state is state else None

        return await real_time.poll(look)

    return wait
