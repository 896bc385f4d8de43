"""What a subscriber wants to receive, changed by the subscriber's own session (R50, R51)."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from gateway.domain.api_client import ApiClient
from gateway.domain.preferences import (
    ChangeOrigin,
    Channel,
    JournalEntry,
    Preference,
    PreferenceAction,
    PreferenceError,
    PreferenceKind,
    PreferenceList,
    preference,
    with_preference,
    without_preference,
)
from gateway.systems.preferences.sql import PreferenceStore
from gateway.web.access import AppClient, SessionToken, SubscriberSessions
from gateway.web.fields import RequestBody
from gateway.web.problems import Problem, ProblemError, not_as_described
from gateway.web.systems import ApiContext, SystemApi

_VALUE = Field(
    max_length=64,
    description="A number, a word, a category, a class, or hours.",
    examples=["real_estate"],
)


class PreferenceRule(RequestBody):
    """One rule: what it looks at, and what becomes of a message that it fits."""

    kind: PreferenceKind
    value: Annotated[str, _VALUE]
    action: PreferenceAction


class RuleSelector(RequestBody):
    """Which rule to take back."""

    kind: PreferenceKind
    value: Annotated[str, _VALUE]


class PreferenceRules(RequestBody):
    """All rules of the subscriber, in the order in which they decide."""

    preferences: list[PreferenceRule]


class PreferenceChange(RequestBody):
    """One change of them, never altered."""

    at: datetime
    channel: Channel
    by: Annotated[str, Field(description="The client; empty for the subscriber's own message.")]
    before: list[PreferenceRule]
    after: list[PreferenceRule]
    is_erasure: bool


class PreferenceExport(RequestBody):
    """All that is kept of a subscriber's wishes."""

    number: Annotated[str, Field(examples=["8613800138000"])]
    preferences: list[PreferenceRule]
    journal: list[PreferenceChange]


class DeletionResult(RequestBody):
    """Everything was deleted except for the record of the deletion."""

    deleted: Annotated[bool, Field(description="False when there was nothing.")]


def preferences(context: ApiContext) -> APIRouter:
    """Return the routes of a subscriber's own preferences."""
    router, known = APIRouter(tags=["subscribers"]), context.subscribers
    store = PreferenceStore(context.database)

    @router.get("/v1/subscribers/me/preferences", summary="See preferences (接收设置)")
    async def see(session: SessionToken, client: AppClient) -> PreferenceRules:
        """Return what stands."""
        return _kept(await store.of(await known.owner_of(session, client)))

    @router.post("/v1/subscribers/me/preferences", summary="Set a preference")
    async def add(
        wish: PreferenceRule, session: SessionToken, client: AppClient
    ) -> PreferenceRules:
        """Keep one rule; gateways obey it within a second. May be repeated."""
        msisdn = await known.owner_of(session, client)
        wanted = _meant(wish.kind, wish.value, wish.action)
        try:
            changed = await store.change(
                msisdn, lambda before: with_preference(before, wanted), _origin(known, client)
            )
        except PreferenceError as error:
            raise ProblemError(Problem.CONFLICT, str(error)) from None
        return _kept(changed.after)

    @router.delete("/v1/subscribers/me/preferences", summary="Take a preference back")
    async def remove(
        about: RuleSelector, session: SessionToken, client: AppClient
    ) -> PreferenceRules:
        """Take one rule back, named in the body: a number must not stand in an address."""
        msisdn = await known.owner_of(session, client)
        named = _meant(about.kind, about.value, PreferenceAction.BLOCK)
        changed = await store.change(
            msisdn,
            lambda before: without_preference(before, named.kind, named.value),
            _origin(known, client),
        )
        return _kept(changed.after)

    @router.get("/v1/subscribers/me/export", summary="Get all that is kept")
    async def export(session: SessionToken, client: AppClient) -> PreferenceExport:
        """Return the preferences and the journal of their changes, with whole numbers."""
        msisdn = await known.owner_of(session, client)
        return PreferenceExport(
            number=str(msisdn),
            preferences=_listed(await store.of(msisdn)),
            journal=[_told(entry) for entry in await store.journal_of(msisdn)],
        )

    @router.delete("/v1/subscribers/me", summary="Delete all that is kept")
    async def delete(session: SessionToken, client: AppClient) -> DeletionResult:
        """Delete preferences and journal, and end every session of the number."""
        msisdn = await known.owner_of(session, client)
        was_there = await store.erase(msisdn, _origin(known, client))
        await known.close(msisdn)
        return DeletionResult(deleted=was_there)

    return router


API = SystemApi((preferences,))


def _meant(kind: PreferenceKind, value: str, action: PreferenceAction) -> Preference:
    try:
        return preference(kind, value, action)
    except PreferenceError as error:
        raise not_as_described("/value", str(error)) from None


def _origin(known: SubscriberSessions, client: ApiClient) -> ChangeOrigin:
    return ChangeOrigin(Channel.API, known.utcnow(), client.name)


def _kept(kept: PreferenceList) -> PreferenceRules:
    return PreferenceRules(preferences=_listed(kept))


def _listed(kept: PreferenceList) -> list[PreferenceRule]:
    return [PreferenceRule(kind=one.kind, value=one.value, action=one.action) for one in kept]


def _told(entry: JournalEntry) -> PreferenceChange:
    return PreferenceChange(
        at=entry.origin.at,
        channel=entry.origin.channel,
        by=entry.origin.by,
        before=_listed(entry.before),
        after=_listed(entry.after),
        is_erasure=entry.is_erasure,
    )
