"""Everyone on stage, and what can be counted of them."""

import asyncio
from collections.abc import Sequence

from gateway.app.gateway import Gateway
from gateway.cli.demo.cast import Performer
from gateway.cli.demo.ledger import Audit, Ledger
from gateway.cli.demo.view import DemoView, Moment, percentile_ms
from gateway.domain.quarantine import HoldState
from simulators.smsc import SimulatedSmsc


class Scene:
    """The gateway, the SMSC and the SPs of one demo, with the books that are kept of them."""

    def __init__(
        self,
        gateway: Gateway,
        smsc: SimulatedSmsc,
        ledger: Ledger,
        performers: Sequence[Performer],
    ) -> None:
        self.gateway = gateway
        self.performers = performers
        self._smsc = smsc
        self._ledger = ledger
        self._loop = asyncio.get_running_loop()
        self._began_at = self._looked_at = self._loop.time()
        self._submitted = 0
        self._held = 0

    async def watch(self, view: DemoView, stopped: asyncio.Event) -> None:
        """Show how things stand once a second, and keep the ledger small."""
        while not stopped.is_set():
            try:
                async with asyncio.timeout(1.0):
                    await stopped.wait()
            except TimeoutError:
                await self._look()
                view.show(self.moment())

    async def audit(self) -> Audit:
        """Close the counts after the last SP has stopped sending."""
        await self._look()
        return await self._ledger.audit()

    def moment(self) -> Moment:
        """Return how things stand now."""
        now = self._loop.time()
        tally = self.gateway.plane.tally
        told = {performer.system_id: performer.told for performer in self.performers}
        submitted = sum(one.submitted for one in told.values())
        since_s = max(now - self._looked_at, 0.001)
        per_s = (submitted - self._submitted) / since_s
        self._looked_at, self._submitted = now, submitted
        return Moment(
            elapsed_s=now - self._began_at,
            per_s=per_s,
            told=told,
            verdicts={("forward", ""): tally.forwarded, **tally.verdicts},
            p50_ms=percentile_ms(tally.latency_us, 0.5),
            p99_ms=percentile_ms(tally.latency_us, 0.99),
            held=self._held,
            sessions=self.gateway.session_counts(),
        )

    async def _look(self) -> None:
        self._ledger.deliver(self._smsc.journal)
        self._smsc.journal.clear()
        await self._ledger.strike_out()
        counts = await self.gateway.stores.quarantine.count_by_state()
        self._held = counts[HoldState.HELD]
