"""All paths of the quarantine; here what a subscriber's own preferences hold (R50)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from gateway.systems.quarantine.agreement.api import agreement
from gateway.systems.quarantine.decisions_api import (
    campaign_routes,
    decision_routes,
    exception_routes,
)
from gateway.systems.quarantine.own_holds import MAX_OWN, OwnHold, OwnHolds
from gateway.systems.quarantine.review_api import held_review
from gateway.web.access import AppClient, SessionToken
from gateway.web.fields import RequestBody
from gateway.web.systems import ApiContext, SystemApi

# As text: JSON numbers of nineteen digits lose their last ones in browsers.
_Id = Annotated[str, Field(pattern="^[0-9]{1,19}$", examples=["8176407200000001000"])]


class HeldItem(RequestBody):
    """One message that waits for its addressee."""

    id: _Id
    source: Annotated[str, Field(examples=["10690001"])]
    text: str
    held_at: datetime
    expires_at: datetime


class HeldOnes(RequestBody):
    """Messages, the newest first."""

    holds: list[HeldItem]


class HoldSelector(RequestBody):
    """Which of them are meant."""

    ids: Annotated[list[_Id], Field(min_length=1, max_length=MAX_OWN)]


def own_holds(context: ApiContext) -> APIRouter:
    """Return the routes of messages that a subscriber's own preferences hold."""
    router, known = APIRouter(tags=["subscribers"]), context.subscribers
    holds = context.join(OwnHolds)

    @router.get("/v1/subscribers/me/holds", summary="See held messages (暂存)")
    async def see(session: SessionToken, client: AppClient) -> HeldOnes:
        """Return what the subscriber's own preferences hold, and nothing that a policy holds."""
        msisdn = await known.owner_of(session, client)
        return _shown(await holds.list_own(msisdn, known.utcnow()))

    @router.post("/v1/subscribers/me/holds/release", summary="Let messages through (放行)")
    async def release(named: HoldSelector, session: SessionToken, client: AppClient) -> HeldOnes:
        """Let messages go, which are judged again; return those that were the subscriber's."""
        msisdn = await known.owner_of(session, client)
        ids = [int(one) for one in named.ids]
        return _shown(await holds.release_own(msisdn, ids, known.utcnow()))

    @router.post("/v1/subscribers/me/holds/discard", summary="Drop messages (删除)")
    async def discard(named: HoldSelector, session: SessionToken, client: AppClient) -> HeldOnes:
        """Drop messages for good; return those that were the subscriber's."""
        msisdn = await known.owner_of(session, client)
        ids = [int(one) for one in named.ids]
        return _shown(await holds.discard_own(msisdn, ids, known.utcnow()))

    return router


API = SystemApi(
    (agreement, held_review, decision_routes, campaign_routes, exception_routes, own_holds)
)


def _shown(own: Sequence[OwnHold]) -> HeldOnes:
    return HeldOnes(
        holds=[
            HeldItem(
                id=str(one.message_id),
                source=one.source,
                text=one.text,
                held_at=one.held_at,
                expires_at=one.expires_at,
            )
            for one in own
        ]
    )
