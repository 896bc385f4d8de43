"""Work done beside the traffic: no message waits for it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import NoReturn

from gateway.app.authority_reports import reporting_to_the_authority
from gateway.app.change_poller import Rounds
from gateway.app.health import GatewayHealth
from gateway.app.suspensions import Suspensions
from gateway.app.warning import EarlyWarnings
from gateway.app.webhook_client import Postman
from gateway.app.webhook_notifier import WebhookNotifier
from gateway.domain.sender import Sender
from gateway.proxy.route import Routes
from gateway.proxy.scheduled_canceller import ScheduledCanceller
from gateway.proxy.tick import Tick
from gateway.runtime.tasks import spawn
from gateway.settings.gateway import GatewaySettings
from gateway.stores.open import Stores


class BackgroundTasks:
    """Runs reports, warnings, suspensions, notices, and the cancelling of scheduled messages."""

    def __init__(
        self,
        tick: Tick,
        stores: Stores,
        routes: Routes,
        settings: GatewaySettings,
        rounds: Rounds,
    ) -> None:
        rules = tick.pipeline.plane.rules
        self.reporting = reporting_to_the_authority(tick, stores)
        self.cancelling = ScheduledCanceller(
            tick, stores.scheduled, stores.changes, routes, settings.smscs[0].name
        )
        self.suspensions = Suspensions(tick, stores, routes, settings.hub, rounds)
        self._warnings = EarlyWarnings(tick.pipeline.plane, rules.knowledge, stores.warnings)
        self._notifying = WebhookNotifier(
            stores.notices, stores.changes, Postman(settings.webhook_networks)
        )

    def begin(
        self, senders: Mapping[str, Sender], broken: Callable[[BaseException], None]
    ) -> list[asyncio.Task[NoReturn]]:
        """Start all tasks; `broken` is called if a task fails that must not end."""
        self.follow(senders)
        return [
            spawn(self._notifying.watch(), name="notices"),  # traffic can go on without notices
            spawn(self.reporting.keep(), name="authority-reports", on_failure=broken),
            spawn(self._warnings.watch(), name="early-warning", on_failure=broken),
            spawn(self.suspensions.follow(), name="follow-suspensions", on_failure=broken),
        ]

    def follow(self, senders: Mapping[str, Sender]) -> None:
        """Deliver notices to the present `senders`."""
        self._notifying.follow(senders)

    def show(self, standing: GatewayHealth) -> None:
        """Add its health to what a scrape of the metrics shows."""
        standing.notices = self._notifying.health
        standing.warnings = self._warnings.health
        standing.reports = self.reporting.health
        standing.scheduled = lambda: self.cancelling.outcomes

    def stop(self) -> None:
        """Stop delivering notices to SPs."""
        self._notifying.stop()

    async def hand_over(self) -> None:
        """Store what was gathered last; call it after the loops have ended."""
        await self._warnings.hand_over()
        await self.suspensions.hand_over()
        await self.reporting.finish()
        await self.cancelling.hand_over()
