"""SPs bring orders of their subscribers, who are then asked for their yes (R24)."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from gateway.domain.msisdn import is_mobile, masked
from gateway.domain.subscription import Cycle, Subscription, SubscriptionState
from gateway.systems.subscriptions.order_requests import OrderDesk, OrderRefusal, OrderRequest
from gateway.systems.subscriptions.sql import SubscriptionStore
from gateway.web.access import SpClient
from gateway.web.fields import Number, RequestBody, Words
from gateway.web.problems import Problem, ProblemError, not_as_described
from gateway.web.systems import ApiContext, SystemApi

_MAX_ORDERS = 100
_RETRY_AFTER = {"Retry-After": "3600"}

_WHY = {
    OrderRefusal.RUNNING: "the subscriber has this service",
    OrderRefusal.WAITING: "the subscriber has not answered the last request of this SP yet",
    OrderRefusal.REFUSED: "the subscriber refused this SP, and can order by message (R37)",
    OrderRefusal.DECLINED: "this subscriber is not asked, and can order by message",
    OrderRefusal.TOO_SOON: (
        "the subscriber gave no yes to the last request: the next may come after a day, then"
        " after 7, then after 30"
    ),
}

ServiceId = Annotated[Words, Field(max_length=32, examples=["weather"])]


class Order(RequestBody):
    """What a subscriber ordered somewhere else than by message."""

    number: Number
    service: Annotated[ServiceId, Field(description="Its id in services.yaml.")]
    channel: Annotated[Words, Field(max_length=16, description="Where.", examples=["web"])]
    shown: Annotated[
        str | None,
        Field(max_length=2000, description="What the subscriber saw; its digest is kept."),
    ] = None


class OrderState(RequestBody):
    """How an order stands. Nothing may be delivered or charged before `is_running`."""

    number: Annotated[str, Field(examples=["138****8000"])]
    service: Annotated[str, Field(examples=["weather"])]
    state: SubscriptionState
    is_running: bool
    may_be_charged: bool
    since: datetime
    asked_until: Annotated[
        datetime | None,
        Field(description="Until when a yes counts; null until the request has gone."),
    ]
    price_fen: Annotated[int, Field(examples=[500])]
    cycle: Cycle


class OrderTaken(OrderState):
    """An order that waits for its request to go, and then for the yes."""

    asks_at: Annotated[
        datetime,
        Field(description="When the subscriber is asked: not at night, nor in quiet hours."),
    ]


class WantedOrders(RequestBody):
    """Whose orders of this SP to look up."""

    number: Number
    service: ServiceId | None = None


class OrderList(RequestBody):
    """The orders that there are, the latest change first."""

    orders: list[OrderState]


def orders(context: ApiContext) -> APIRouter:
    """Return the routes of orders."""
    router, store = APIRouter(tags=["orders"]), SubscriptionStore(context.database)
    desk, utcnow = context.join(OrderDesk), context.utcnow

    @router.post("/v1/orders", status_code=202, summary="Bring an order (定制)")
    async def order(wanted: Order, client: SpClient) -> OrderTaken:
        """Have the subscriber asked by message, with the price; the order waits for the 是.

        `asks_at` says when, which is now by day. Without a 是 the order is withdrawn 24 hours
        after the request went, and the next one has to wait the longer the more there were.
        Repeating changes nothing: what waits is told as a conflict.
        """
        if not is_mobile(str(wanted.number).encode()):
            raise not_as_described("/number", "is no mobile number: nobody could answer")
        wish = OrderRequest(
            wanted.number,
            client.system_id,
            wanted.service,
            wanted.channel,
            desk.new_ref(),
            wanted.shown or "",
        )
        outcome = await desk.order(wish, utcnow())
        if isinstance(outcome, OrderRefusal):
            raise _refused(outcome)
        return OrderTaken(**_shown(outcome.order).model_dump(), asks_at=outcome.asks_at)

    @router.post("/v1/orders/query", summary="Look orders up")
    async def query(wanted: WantedOrders, client: SpClient) -> OrderList:
        """Return what a number has ordered of this SP."""
        found = await store.find(
            msisdn=wanted.number, system_id=client.system_id, limit=_MAX_ORDERS
        )
        named = [one for one in found if wanted.service in (None, one.service_id)]
        return OrderList(orders=[_shown(one) for one in named])

    return router


API = SystemApi((orders,))


def _refused(refusal: OrderRefusal) -> ProblemError:
    if refusal is OrderRefusal.UNKNOWN_SERVICE:
        return not_as_described("/service", "there is no such service of this SP")
    if refusal is OrderRefusal.BUSY:
        why = "too many requests of this SP wait for an answer"
        return ProblemError(Problem.TOO_MANY, why, headers=_RETRY_AFTER)
    return ProblemError(Problem.CONFLICT, f"{refusal}: {_WHY[refusal]}")


def _shown(one: Subscription) -> OrderState:
    return OrderState(
        number=masked(one.msisdn),
        service=one.service_id,
        state=one.state,
        is_running=one.is_running,
        may_be_charged=one.state is SubscriptionState.ACTIVE,
        since=one.since,
        asked_until=one.asked_until if one.is_asked else None,
        price_fen=one.terms.price_fen,
        cycle=one.terms.cycle,
    )
