"""The part of the API that subscribers cause: orders, and what their own codes open."""

import secrets
from collections.abc import Callable

from fastapi import APIRouter

from gateway.app.own_holds import own_holds_in
from gateway.console.api.orders import orders
from gateway.console.api.own_holds import own_holds
from gateway.console.api.preferences import preferences
from gateway.console.api.subscribers import Subscribers, sessions
from gateway.domain.hub import Hub
from gateway.domain.number_code import CODE_DIGITS
from gateway.policy.asking_hours import AskingHours
from gateway.runtime.clock import monotonic, utcnow
from gateway.stores.open import Stores
from gateway.systems.number_codes.desk import Chance, NumberCodeDesk
from gateway.systems.number_codes.guesses import Guesses
from gateway.systems.subscriptions.catalogue import Catalogue
from gateway.systems.subscriptions.courtesy import Courtesy
from gateway.systems.subscriptions.order_requests import OrderDesk

_REF_OCTETS = 12
_TOKEN_OCTETS = 32


def routers_of_subscribers(
    stores: Stores,
    hub: Hub,
    catalogue: Callable[[], Catalogue],
    hours: Callable[[], AskingHours],
) -> list[APIRouter]:
    """Return the routes; `catalogue` returns what SPs offer now, `hours` when they may ask.

    A gateway that has taken over other hours lets a request wait for those too.
    """
    courtesy = Courtesy(stores.preferences, hours)
    order_desk = OrderDesk(stores.subscriptions, stores.consent, courtesy, catalogue)
    # One code for all: a number that asks twice finds one conversation.
    port = min(hub.codes, default=None)
    desk = NumberCodeDesk(stores.number_codes, port, _CHANCE) if port is not None else None
    known = Subscribers(desk, utcnow, Guesses(monotonic))
    return [
        orders(order_desk, stores.subscriptions, utcnow, _new_ref),
        sessions(known),
        preferences(stores.preferences, known),
        own_holds(own_holds_in(stores), known),
    ]


def _new_code() -> str:
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"


def _new_token() -> str:
    return secrets.token_urlsafe(_TOKEN_OCTETS)


def _new_ref() -> str:
    return secrets.token_hex(_REF_OCTETS)


_CHANCE = Chance(_new_code, _new_token, _new_ref)
