"""A restart hands the listening sockets over: no SP is turned away, and no message is lost."""

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from gateway.runtime.clock import monotonic
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from tests.promises.deployment import (
    PASSWORD,
    Account,
    Deployment,
    GatewayProcess,
    source_of,
    tell,
)

Deploy = Callable[..., Awaitable[Deployment]]

pytestmark = pytest.mark.slow

RESTARTS, EACH = 3, 200


class Sender:
    """An SP that binds again whenever it was unbound, and submits until it is told to stop."""

    def __init__(self, port: int) -> None:
        self.accepted: list[str] = []
        self.binds = 0
        self.gaps_s: list[float] = []  # from the last answer before an unbind to the next one
        self.is_over = False
        self._port = port
        self._answered_at = 0.0

    async def run(self) -> None:
        """Submit. Raises ConnectionRefusedError: a connection must never be turned away."""
        while not self.is_over:
            esme = await RawEsme.connect("127.0.0.1", self._port)
            try:
                if await esme.bind("sp1", PASSWORD) == 0:
                    self.binds += 1
                    await self._submit(esme)
            except ConnectionRefusedError:
                raise
            except ConnectionError:
                continue  # unbound: to bind again is what an SP does
            finally:
                esme.abort()

    async def _submit(self, esme: RawEsme) -> None:
        while not self.is_over:
            text = f"您的订单{self.binds}-{len(self.accepted)}已发货"
            if (await esme.submit(source_of("sp1"), "13800138000", text)).is_ok:
                self.accepted.append(text)
                if self.binds > len(self.gaps_s) + 1:
                    self.gaps_s.append(monotonic() - self._answered_at)
                self._answered_at = monotonic()


async def test_restarts_by_hand_over_turn_no_sp_away_and_lose_or_double_no_message(
    smsc: SimulatedSmsc, deploy: Deploy
) -> None:
    deployment = await deploy(Account("sp1"))
    await deployment.start()
    process, sender = deployment.running, Sender(deployment.port)
    submitting = asyncio.create_task(sender.run())  # noqa: TID251 - it ends with the test
    for restart in range(1, RESTARTS + 1):
        enough = len(sender.accepted) + EACH
        await smsc.until(lambda enough=enough: len(smsc.journal) >= enough)  # type: ignore[misc]
        process.signal(signal.SIGUSR2)
        await process.logged("gateway.started", restart + 1)
    enough = len(smsc.journal) + EACH
    await smsc.until(lambda: len(smsc.journal) >= enough)
    sender.is_over = True
    await submitting

    upstream = Counter(one.octets.decode("utf-16-be") for one in smsc.journal)
    tell(
        f"{RESTARTS} hand-overs: {sender.binds} binds, {len(sender.accepted)} accepted; without"
        f" service for {', '.join(f'{gap_s * 1000:.0f}' for gap_s in sender.gaps_s)} ms"
    )
    assert sender.binds == RESTARTS + 1
    assert Counter(sender.accepted) <= upstream
    assert set(upstream.values()) == {1}
    # Who follows has read the store before the one that serves stops.
    steps = ("consent.loaded", "gateway.draining", "gateway.stopped", "listener.opened")
    took = [line["event"] for line in process.log if line["event"] in steps]
    assert took == ["consent.loaded", "listener.opened", *steps * RESTARTS]
    assert deployment.faults() == []


async def test_a_program_that_finds_faults_in_its_files_is_not_started(
    smsc: SimulatedSmsc, deploy: Deploy
) -> None:
    deployment = await deploy(Account("sp1"))
    await deployment.start()
    senders = deployment.directory / "config" / "senders.yaml"
    senders.write_text("version: 1\nsenders: [{}]\n", encoding="utf-8")

    deployment.running.signal(signal.SIGUSR2)
    await deployment.running.logged("handover.refused")

    async with await RawEsme.connect("127.0.0.1", deployment.port) as esme:
        assert await esme.bind("sp1", PASSWORD) == 0
        assert (await esme.submit(source_of("sp1"), "13800138000", "您好")).is_ok
    assert len(smsc.journal) == 1


async def test_a_signal_that_comes_while_the_program_is_loaded_does_not_end_it(
    deploy: Deploy,
) -> None:
    deployment = await deploy(Account("sp1"))
    process = deployment.process = await GatewayProcess.start(deployment.directory)

    await process.logged("directories.chosen")
    process.signal(signal.SIGUSR2)
    await process.logged("gateway.started")
    process.signal(signal.SIGUSR2)
    await process.logged("directories.chosen", 2)
    process.signal(signal.SIGHUP)
    process.signal(signal.SIGUSR2)
    await process.logged("gateway.started", 2)

    assert process.exit_code is None
    assert deployment.faults() == []
