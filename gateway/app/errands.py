"""Messages of the carrier's own that other processes ask for, put together."""

from collections.abc import Callable
from datetime import datetime

from gateway.domain.errand import Errand, ErrandKind
from gateway.domain.hub import Hub
from gateway.proxy.route import Routes
from gateway.proxy.running_errands import RunningErrands
from gateway.proxy.speaking import Speaking
from gateway.proxy.tick import Tick
from gateway.stores.open import Stores
from gateway.systems.subscriptions.catalogue import Catalogue
from gateway.systems.subscriptions.ordering import OrderDesk


def running_errands(
    tick: Tick, stores: Stores, routes: Routes, hub: Hub, catalogue: Callable[[], Catalogue]
) -> RunningErrands:
    """Return what sends them, and tells orders what became of their requests (R24)."""
    orders = OrderDesk(stores.subscriptions, stores.consent, catalogue)

    async def tell(errand: Errand, now: datetime) -> None:
        if errand.kind is ErrandKind.ORDER:
            await orders.asked(errand, now)

    speaking = Speaking(tick, routes)
    return RunningErrands(tick, stores.errands, routes, speaking, hub.codes, tell)
