"""What is done beside the traffic: no message waits for it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import NoReturn

from gateway.app.following import Rounds
from gateway.app.notifying import Notifying
from gateway.app.postman import Postman
from gateway.app.reporting import reporting_to_the_authority
from gateway.app.standing import Standing
from gateway.app.suspensions import Suspensions
from gateway.app.warning import EarlyWarnings
from gateway.domain.sender import Sender
from gateway.proxy.cancelling import Cancelling
from gateway.proxy.route import Routes
from gateway.proxy.tick import Tick
from gateway.runtime.tasks import spawn
from gateway.settings.gateway import GatewaySettings
from gateway.stores.open import Stores


class Beside:
    """Reports, warnings, suspensions, notices, and the cancelling of what is scheduled."""

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
        self.cancelling = Cancelling(
            tick, stores.scheduled, stores.changes, routes, settings.smscs[0].name
        )
        self.suspensions = Suspensions(tick, stores, routes, settings.hub, rounds)
        self._warnings = EarlyWarnings(tick.pipeline.plane, rules.knowledge, stores.warnings)
        self._notifying = Notifying(
            stores.notices, stores.changes, Postman(settings.webhook_networks)
        )

    def begin(
        self, senders: Mapping[str, Sender], broken: Callable[[BaseException], None]
    ) -> list[asyncio.Task[NoReturn]]:
        """Begin all of it; `broken` hears when something has ended that must not end."""
        self.follow(senders)
        return [
            spawn(self._notifying.watch(), name="notices"),  # SPs can do without for a while
            spawn(self.reporting.keep(), name="authority-reports", on_failure=broken),
            spawn(self._warnings.watch(), name="early-warning", on_failure=broken),
            spawn(self.suspensions.follow(), name="follow-suspensions", on_failure=broken),
        ]

    def follow(self, senders: Mapping[str, Sender]) -> None:
        """Tell notices to whoever is a sender now."""
        self._notifying.follow(senders)

    def show(self, standing: Standing) -> None:
        """Let scrapes tell how it fares."""
        standing.notices = self._notifying.health
        standing.warnings = self._warnings.health
        standing.reports = self.reporting.health
        standing.scheduled = lambda: self.cancelling.outcomes

    def stop(self) -> None:
        """Begin no new delivery to SPs."""
        self._notifying.stop()

    async def hand_over(self) -> None:
        """Let the store have what the last second noticed, once the loops have ended."""
        await self._warnings.hand_over()
        await self.suspensions.hand_over()
        await self.reporting.finish()
        await self.cancelling.hand_over()
