"""Messages of the carrier's own that other processes ask for, put together."""

from collections.abc import Callable
from datetime import datetime

from gateway.domain.errand import Errand, ErrandKind
from gateway.domain.hub import Hub
from gateway.policy.asking_hours import AskingHours, asking_hours
from gateway.proxy.mt_sender import MtSender
from gateway.proxy.route import Routes
from gateway.proxy.running_errands import ErrandSource, RunningErrands
from gateway.proxy.tick import Tick
from gateway.stores.open import Stores
from gateway.systems.subscriptions.catalogue import Catalogue
from gateway.systems.subscriptions.courtesy import Courtesy
from gateway.systems.subscriptions.order_requests import OrderDesk


def running_errands(
    tick: Tick, stores: Stores, routes: Routes, hub: Hub, catalogue: Callable[[], Catalogue]
) -> RunningErrands:
    """Return what sends them, and tells orders what became of their requests (R24)."""

    def hours() -> AskingHours:
        bundle = tick.pipeline.plane.rules.bundle
        return asking_hours(bundle.rules, bundle.surroundings)

    courtesy = Courtesy(stores.preferences, hours)
    orders = OrderDesk(stores.subscriptions, stores.consent, courtesy, catalogue)

    async def due(errand: Errand, now: datetime) -> datetime | None:
        # A code is wanted now, by whoever is to read it.
        return await orders.due(errand, now) if errand.kind is ErrandKind.ORDER else now

    async def tell(errand: Errand, now: datetime) -> None:
        if errand.kind is ErrandKind.ORDER:
            await orders.asked(errand, now)

    speaking = MtSender(tick, routes)
    return RunningErrands(
        tick, stores.errands, routes, speaking, hub.codes, ErrandSource(due, tell)
    )
