"""What an SP hears of its subscribers' answers, as a feed to pull (R36, R37)."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

from gateway.domain.consent import Answer, parts_of
from gateway.systems.optout_notices.model import NOTICES_PER_BATCH, NoticeBatch
from gateway.systems.optout_notices.sql import NoticeStore
from gateway.web.access import SpClient
from gateway.web.fields import RequestBody
from gateway.web.problems import Problem, ProblemError
from gateway.web.systems import ApiContext, SystemApi

_LAST_BATCH = 2**63 - 1


class NoticeShown(RequestBody):
    """One answer, as it stands now."""

    number: Annotated[str, Field(description="Whole.", examples=["8613800138000"])]
    answer: Answer
    since: datetime
    channel: Annotated[str, Field(examples=["hall"])]
    all_senders: Annotated[bool, Field(description="It was given to every SP at once.")]
    port: Annotated[str, Field(description="Of this port alone, else empty.")]
    category: Annotated[str, Field(description="Of adverts of this category alone, else empty.")]


class Feed(RequestBody):
    """A batch, which comes again until it is acknowledged; null when all is heard."""

    batch: Annotated[int | None, Field(examples=[7])]
    notices: list[NoticeShown]
    is_last: Annotated[bool, Field(description="Nothing waits behind it.")]


class Acknowledgement(RequestBody):
    """The batch is heard."""

    batch: Annotated[int, Field(examples=[7])]


def notices(context: ApiContext) -> APIRouter:
    """Return the routes of the feed."""
    router, store = APIRouter(tags=["notices"]), NoticeStore(context.database)

    @router.get("/v1/notices", summary="Hear of refusals")
    async def next_batch(
        client: SpClient,
        limit: Annotated[int, Query(ge=1, le=NOTICES_PER_BATCH)] = NOTICES_PER_BATCH,
    ) -> Feed:
        """Return the batch that this SP has not acknowledged yet."""
        batch = await store.next_batch(client.system_id, limit)
        return Feed(batch=None, notices=[], is_last=True) if batch is None else _feed(batch)

    @router.post("/v1/notices/{batch}/ack", summary="Acknowledge a batch")
    async def acknowledge(
        batch: Annotated[int, Path(ge=1, le=_LAST_BATCH)], client: SpClient
    ) -> Acknowledgement:
        """Go on to the next batch. May be repeated."""
        if not await store.acknowledge(client.system_id, batch):
            raise ProblemError(Problem.NOT_FOUND, "this batch was never given")
        return Acknowledgement(batch=batch)

    return router


API = SystemApi((notices,))


def _feed(batch: NoticeBatch) -> Feed:
    return Feed(
        batch=batch.batch_id,
        notices=[
            NoticeShown(
                number=str(notice.msisdn),
                answer=notice.answer,
                since=notice.since,
                channel=notice.channel,
                all_senders=notice.is_for_every_sender,
                port=parts_of(notice.scope).port,
                category=parts_of(notice.scope).category,
            )
            for notice in batch.notices
        ],
        is_last=batch.is_last,
    )
