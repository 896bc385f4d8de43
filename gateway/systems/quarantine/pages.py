"""Pages: the held messages as a list, one of them in whole, and what a person decides on it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from gateway.domain.msisdn import masked
from gateway.domain.permissions import Permission
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.records import NewAccess
from gateway.systems.quarantine.decisions import ReviewDesk, seen_digest
from gateway.systems.quarantine.model import (
    TRANSITIONS,
    HeldMessageAct,
    NewReview,
    PersonDecision,
    is_campaign_id,
    is_message_id,
)
from gateway.systems.quarantine.service import (
    HeldFilter,
    NotDone,
    ReviewTools,
    find_held,
)
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.systems.quarantine.tables import subject_of
from gateway.terminal.arguments import said
from gateway.terminal.screen import masked_source, told_category, visible
from gateway.web.pages import PageLink, PageUser, Templates, allowed, form_of, marked

HELD = PageLink("/quarantine", marked("Held messages"), Permission.READ_HELD)
PAGE_ROWS = 50

STATES = {
    HoldState.HELD: marked("Held"),
    HoldState.DEFERRED: marked("Deferred"),
    HoldState.RELEASE_REQUESTED: marked("Release requested"),
    HoldState.RELEASING: marked("Releasing"),
    HoldState.IN_DOUBT: marked("In doubt"),
    HoldState.RELEASED: marked("Released"),
    HoldState.REFUSED: marked("Refused"),
    HoldState.DISCARDED: marked("Discarded"),
    HoldState.EXPIRED: marked("Expired"),
    HoldState.CANCELLED: marked("Cancelled"),
}
_ANY = "any"
_NO_SUCH = marked("No message can fit this: check the SP, the category and the id of the campaign.")
_TEXT_CHANGED = marked("Its sender has replaced the text meanwhile. Read it again, then decide.")
_MAX_FILTER_CHARS = 64
_RELEASE, _DISCARD = "release", "discard"
_ACTS = {
    _RELEASE: (HeldMessageAct.REQUEST_RELEASE, PersonDecision.RELEASED),
    _DISCARD: (HeldMessageAct.DISCARD, PersonDecision.REJECTED),
}


@dataclass(frozen=True, slots=True)
class HeldQuery:
    """What a list shows, as its address says it. `before` is the id that its page begins after."""

    state: str = HoldState.HELD.value
    system_id: str = ""
    category: str = ""
    campaign: str = ""
    before: str = ""

    @property
    def is_sound(self) -> bool:
        """Tell whether any message can fit."""
        words = (self.system_id, self.category)
        return (
            self.state in (_ANY, *HoldState)
            and all(word.isprintable() and len(word) <= _MAX_FILTER_CHARS for word in words)
            and (not self.campaign or is_campaign_id(self.campaign))
            and (not self.before or is_message_id(self.before))
        )

    @property
    def wanted(self) -> HeldFilter:
        """Return what the store is asked for."""
        return HeldFilter(
            None if self.state == _ANY else HoldState(self.state),
            self.system_id or None,
            self.campaign or None,
            self.category or None,
            is_undecided=self.state == HoldState.HELD,
        )

    def path(self, *parts: object, **more: str) -> str:
        """Return the address of the list, or of what lies below it, with this query."""
        usual, own = asdict(HeldQuery()), asdict(self)
        fields = {name: value for name, value in own.items() if value != usual[name]} | more
        where = "/".join((HELD.path, *map(str, parts)))
        return f"{where}?{urlencode(fields)}" if fields else where


@dataclass(frozen=True, slots=True)
class HeldReview:
    """Answers the requests of reviewers."""

    store: QuarantineStore
    decisions: ReviewDesk
    tools: ReviewTools
    templates: Templates
    utcnow: Callable[[], datetime]

    async def message_of(self, message_id: str) -> HeldMessage:
        """Return a message. Raises HTTPException for what is no id, or of none."""
        number = _id_of(message_id)
        held = None if number is None else await self.store.get(number)
        if held is None:
            raise HTTPException(404)
        return held

    async def shown(
        self,
        request: Request,
        chosen: HeldMessage | None = None,
        problem: str = "",
        status: int = 200,
    ) -> Response:
        """Return the list, beside it the message that is chosen."""
        query = _query_of(request)
        if not query.is_sound:
            problem, status = _NO_SUCH, 422
        found = await self._rows(query)
        is_full = len(found) == PAGE_ROWS
        last = _id_of(request.query_params.get("last", ""))
        values = {
            "query": query,
            "states": {state: self.templates.said(request, word) for state, word in STATES.items()},
            "found": [_listed(held, query, self.tools.mask) for held in found],
            "older": replace(query, before=str(found[-1].message_id)).path() if is_full else "",
            "newest": replace(query, before="").path() if query.before else "",
            "chosen": chosen and await self._detail(request.state.user, chosen, query),
            "last": None if last is None else await self.store.get(last),
            "problem": self.templates.said(request, problem) if problem else "",
        }
        return self.templates.page(request, "quarantine/held.html", values, status)

    async def _rows(self, query: HeldQuery) -> list[HeldMessage]:
        if not query.is_sound:
            return []
        return await find_held(self.store, query.wanted, _id_of(query.before), PAGE_ROWS)

    async def _detail(
        self, user: PageUser, held: HeldMessage, query: HeldQuery
    ) -> dict[str, object]:
        """Return what is shown of a message. The look is in the journal by now."""
        about, mask = f"message {held.message_id}", self.tools.mask
        look = NewAccess(_who(user), "quarantine show", "", about, self.utcnow())
        await self.tools.journal(look)
        parts = await self.store.parts_of(held.assembly) if held.assembly else []
        return {
            **_listed(held, query, mask),
            "texts": await asyncio.to_thread(_shown_texts, self.tools, held, parts),
            "parts": [(one.message_id, query.path(one.message_id)) for one in parts],
            "note": visible(mask(held.note)),
            "decision": visible(mask(held.decision)),
            "digest": held.digest,
            "score": held.score,
            "severity": visible(held.severity),
            "owner": visible(held.owner),
            "due_at": held.due_at,
            "expires_at": held.expires_at,
            "receipt": held.receipt if held.receipt_asked else "",
            "smsc_message_id": visible(held.smsc_message_id),
            "campaign_path": HeldQuery(state=_ANY, campaign=held.campaign).path(),
            "acts": {
                name: query.path(held.message_id, name)
                for name, (act, _) in _ACTS.items()
                if user.may(Permission.DECIDE_HELD) and held.state in TRANSITIONS[act].allowed
            },
        }

    async def decided(self, request: Request, message_id: str, name: str) -> Response:
        """Decide on a message and lead to the next one; 409 if another was faster."""
        held, given = await self.message_of(message_id), await form_of(request)
        if given.get("digest") != held.digest:
            return await self.shown(request, held, _TEXT_CHANGED, 409)
        query, by = _query_of(request), _who(request.state.user)
        listed = await self._rows(query)
        note = said(given.get("reason", ""))
        new = NewReview(held.message_id, _ACTS[name][1], by, note=note, seen=seen_digest(held))
        outcome = await self.decisions.decide(new, self.utcnow())
        if isinstance(outcome, NotDone):
            now = await self.message_of(message_id)
            return await self.shown(request, now, outcome.why, 409)
        gone = outcome.subject
        left = [one for one in listed if subject_of(one) != gone]
        following = next((one for one in left if one.message_id < held.message_id), None)
        if following is None and len(listed) == PAGE_ROWS:
            older = replace(query, before=str(listed[-1].message_id))
            if found := await self._rows(older):
                query, following = older, found[0]
        if following is None and left:  # after the last one comes the first
            following = left[0]
        where = () if following is None else (following.message_id,)
        return RedirectResponse(query.path(*where, last=message_id), status_code=303)


def held_pages(review: HeldReview) -> APIRouter:
    """Return the pages on which people review held messages."""
    router = APIRouter(include_in_schema=False)
    may_read, may_decide = allowed(Permission.READ_HELD), allowed(Permission.DECIDE_HELD)

    @router.get(HELD.path, dependencies=[may_read])
    async def show_list(request: Request) -> Response:
        return await review.shown(request)

    @router.get(HELD.path + "/{message_id}", dependencies=[may_read])
    async def show_message(request: Request, message_id: str) -> Response:
        return await review.shown(request, await review.message_of(message_id))

    @router.post(HELD.path + "/{message_id}/release", dependencies=[may_decide])
    async def release(request: Request, message_id: str) -> Response:
        return await review.decided(request, message_id, _RELEASE)

    @router.post(HELD.path + "/{message_id}/discard", dependencies=[may_decide])
    async def discard(request: Request, message_id: str) -> Response:
        return await review.decided(request, message_id, _DISCARD)

    return router


def _who(user: PageUser) -> str:
    """Return a user as journals and decisions name one: an account of the machine is another."""
    return f"user: {user.name}"


def _query_of(request: Request) -> HeldQuery:
    given = request.query_params
    usual = asdict(HeldQuery())
    return HeldQuery(**{name: given.get(name, value).strip() for name, value in usual.items()})


def _id_of(text: str) -> int | None:
    return int(text) if is_message_id(text) else None


def _listed(held: HeldMessage, query: HeldQuery, mask: Callable[[str], str]) -> dict[str, object]:
    return {
        "number": held.message_id,
        "path": query.path(held.message_id),
        "state": held.state,
        "system_id": visible(held.system_id),
        "source": visible(masked_source(held.source)),
        "destination": visible(masked(held.destination)),
        "reason": held.reason,
        "rule": visible(held.rule),
        "category": visible(told_category(held.category)),
        "evidence": visible(mask(held.evidence)),
        "campaign": held.campaign,
        "held_at": held.held_at,
    }


def _shown_texts(tools: ReviewTools, held: HeldMessage, parts: Sequence[HeldMessage]) -> list[str]:
    """Return all readings with their numbers masked, and what cannot be seen written out."""
    masked_ones = map(tools.mask, tools.texts_of(held, parts))
    return ["\n".join(map(visible, text.split("\n"))) for text in masked_ones]
