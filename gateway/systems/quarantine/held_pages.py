"""Pages: the held messages as a list, one of them in whole, and what a person decides on it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from fastapi import HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from gateway.domain.categories import category_of
from gateway.domain.msisdn import msisdn_of, spellings_of
from gateway.domain.permissions import Permission
from gateway.domain.quarantine import HeldMessage
from gateway.domain.records import NewAccess
from gateway.systems.quarantine.campaign_pages import (
    HELD,
    SPAM_CONFIRMED,
    CampaignReview,
    ReviewJoins,
    choice_of,
    choosing,
    name_of,
    second_reviewer,
)
from gateway.systems.quarantine.decisions import (
    DecidedMessage,
    NotUndone,
    ReviewDesk,
    ReviewStore,
    seen_digest,
)
from gateway.systems.quarantine.exceptions import may_be_excepted
from gateway.systems.quarantine.held_query import (
    ANY,
    HeldQuery,
    NumberSearches,
    held_query,
)
from gateway.systems.quarantine.leases.pages import ShownLeases
from gateway.systems.quarantine.message_view import (
    DECISION_STATES,
    KEYS,
    STATES,
    categories,
    listed_message,
    short_ids,
    shown_limit,
    shown_message,
)
from gateway.systems.quarantine.model import (
    TRANSITIONS,
    HeldMessageAct,
    NewReview,
    PersonDecision,
    ReviewState,
    is_message_id,
)
from gateway.systems.quarantine.second_reviews import SecondReviewStore
from gateway.systems.quarantine.service import NotDone, find_held
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.systems.quarantine.tables import subject_of
from gateway.terminal.arguments import said
from gateway.terminal.screen import visible
from gateway.web.pages import PageUser, form_of, language_of, marked
from gateway.web.systems import PageContext

PAGE_ROWS = 50
ARRIVALS = f"{HELD.path}/new"
MOST_ARRIVALS = 99

_NO_SUCH = marked("No message can fit this: check each field of the search.")
_NO_NUMBER = marked("This is no number of a subscriber.")
_NOT_SEARCHED = marked("The number has to be searched for again.")
_TEXT_CHANGED = marked("Its sender has replaced the text meanwhile. Read it again, then decide.")
_NO_REASON = marked("A number is shown for a reason only: say why.")
_NO_NOTE = marked("To escalate a message, say in a note what is doubtful.")
_TO, _FROM = "destination", "source"
_RELEASE, _SPAM, _DISCARD = "release", "spam", "discard"

_Shown: TypeAlias = dict[str, object]
ACTS = {
    _RELEASE: (HeldMessageAct.REQUEST_RELEASE, PersonDecision.RELEASED),
    _SPAM: (HeldMessageAct.DISCARD, PersonDecision.REJECTED),
    _DISCARD: (HeldMessageAct.DISCARD, PersonDecision.REJECTED),
}


class HeldReview:
    """Answers the requests of reviewers."""

    def __init__(self, context: PageContext) -> None:
        joins = context.join(ReviewJoins)
        self.tools, self.unmasking = joins.tools, joins.unmasking
        self.store = QuarantineStore(context.database)
        self.decisions = ReviewDesk(ReviewStore(context.database), context.mask)
        self.seconds = SecondReviewStore(context.database)
        self.leases, self.campaigns = ShownLeases(context), CampaignReview(context)
        self.templates, self.utcnow = context.templates, context.utcnow
        self.searches = NumberSearches()

    async def message_of(self, request: Request, message_id: str) -> HeldMessage:
        """Return a message as who asks sees it. Raises HTTPException for what is no id, or of none.

        One that is dealt to a second reviewer looks as if no other had decided on it.
        """
        number = _id_of(message_id)
        held = None if number is None else await self.store.get(number)
        if held is None:
            raise HTTPException(404)
        return await self.seconds.seen_by(_second_reviewer(request), held, self.utcnow())

    async def shown(
        self,
        request: Request,
        chosen: HeldMessage | None = None,
        problem: str = "",
        status: int = 200,
        whole: dict[str, str] | None = None,
        picked: frozenset[str] = frozenset(),
    ) -> Response:
        """Return the list, beside it the message that is chosen, with a `whole` number.

        `picked` are those chosen for one decision, by `choice_of` each.
        """
        query, user = held_query(request.query_params), request.state.user
        if not query.is_sound:
            problem, status = _NO_SUCH, 422
        elif query.to and self.searches.find(name_of(user), query.to) is None:
            problem, status = _NOT_SEARCHED, 422
        found = await self._rows(request, query)
        if not query.top and found:
            query = replace(query, top=str(found[0].message_id))
        leased = await self.leases.others(user, found)
        last = await self.decisions.last_ten(name_of(user), self.utcnow())
        decided = (one.decision.message_id for one in last)
        values = {
            "query": query,
            "keys": [(act, self.templates.said(request, word), key) for act, word, key in KEYS],
            "states": {state: self.templates.said(request, word) for state, word in STATES.items()},
            "found": [
                {
                    **listed_message(held, self.tools.mask),
                    **shown_limit(held, self.tools.limit_of, self.utcnow()),
                    "path": query.path(held.message_id),
                    "choice": choice_of(held),
                    "leased_by": leased.get(held.message_id, ""),
                }
                for held in found
            ],
            "older": replace(query, before=str(found[-1].message_id)).path()
            if len(found) == PAGE_ROWS
            else "",
            "newest": replace(query, before="", top="").path() if query.before else "",
            "arrivals": replace(query, before="").path("new") if query.is_sound else "",
            "chosen": chosen and await self._detail(request, chosen, query),
            "whole": whole or {},
            "whole_path": query.path("campaigns", query.campaign)
            if query.campaign and query.is_sound and user.may(Permission.DECIDE_CAMPAIGN)
            else "",
            "strip": self._strip(request, query, last),
            "short_ids": short_ids((*decided, *(one.message_id for one in found))),
            **await self.campaigns.own_jobs(request, request.query_params.get("own", "")),
            "choose": choosing(request, query, found, picked),
            "categories": categories(language_of(request)),
            "problem": self.templates.said(request, problem) if problem else "",
        }
        return self.templates.page(request, "quarantine/held.html", values, status)

    async def arrivals(self, request: Request) -> Response:
        """Return how many messages came since a list was opened, as a part of its page."""
        query = held_query(request.query_params)
        top = _id_of(query.top) or 0
        newer = replace(query, top="", before="")
        found = await self._rows(request, newer, from_id=top + 1, limit=MOST_ARRIVALS + 1)
        values = {"count": len(found), "most": MOST_ARRIVALS, "newest": newer.path()}
        return self.templates.page(request, "quarantine/arrivals.html", values)

    async def search_number(self, request: Request) -> Response:
        """Lead to a message by its id, or to all to a number, under a token."""
        wanted = (await form_of(request)).get("number", "").strip()
        if is_message_id(wanted):
            return RedirectResponse(HeldQuery(state=ANY).path(wanted), status_code=303)
        msisdn = msisdn_of(wanted.encode("ascii", "replace"))
        if msisdn is None:
            return await self.shown(request, problem=_NO_NUMBER, status=422)
        by = name_of(request.state.user)
        look = NewAccess(by, "quarantine number", "", "held messages to a number", self.utcnow())
        await self.tools.journal(look)
        query = HeldQuery(state=ANY, to=self.searches.keep(by, msisdn))
        return RedirectResponse(query.path(), status_code=303)

    async def _rows(
        self,
        request: Request,
        query: HeldQuery,
        *,
        from_id: int | None = None,
        limit: int = PAGE_ROWS,
    ) -> list[HeldMessage]:
        if not query.is_sound:
            return []
        wanted = query.wanted
        if query.to:
            msisdn = self.searches.find(name_of(request.state.user), query.to)
            wanted = replace(wanted, destinations=() if msisdn is None else spellings_of(msisdn))
        if from_id is not None:
            wanted = replace(wanted, from_id=max(from_id, wanted.from_id or 0))
        before, top = _id_of(query.before), _id_of(query.top)
        if before is None and top is not None:
            before = top + 1
        seen = await self.seconds.dealt_to(_second_reviewer(request), self.utcnow())
        listed = seen.listed(is_undecided=wanted.is_undecided, is_escalated=wanted.is_escalated)
        found = await find_held(self.store, replace(wanted, seen_in=listed), before, limit)
        return list(map(seen.message, found))

    def _strip(
        self, request: Request, query: HeldQuery, last: Sequence[DecidedMessage]
    ) -> list[_Shown]:
        """Return what this person decided last, newest first."""
        return [
            {
                "number": one.decision.number,
                "message": one.decision.message_id,
                "path": query.path(one.decision.message_id),
                "is_release": one.decision.decision is PersonDecision.RELEASED,
                "state": self.templates.said(request, DECISION_STATES[one.decision.state]),
                "not_before": one.decision.not_before,
                "decided_at": one.decision.decided_at,
                "undo": query.path("decisions", one.decision.number, "undo")
                if one.decision.state is ReviewState.WAITING
                else "",
            }
            for one in last
        ]

    async def _detail(self, request: Request, held: HeldMessage, query: HeldQuery) -> _Shown:
        """Return what is shown of a message. The look is in the journal by now."""
        user: PageUser = request.state.user
        await self._journal(user, "quarantine show", held)
        parts = await self.store.parts_of(held.assembly) if held.assembly else []
        lease = await self.leases.shown(user, held, moves_on=True)
        is_free = lease["waits"] is None and not lease["leased_by"]
        may_act = user.may(Permission.DECIDE_HELD) and is_free
        language = language_of(request)
        return {
            **await asyncio.to_thread(shown_message, held, parts, self.tools, language),
            **shown_limit(held, self.tools.limit_of, self.utcnow()),
            "seen": seen_digest(held),
            **lease,
            "escalations": await self.decisions.escalations_of(held.message_id),
            "parts": [(one.message_id, query.path(one.message_id)) for one in parts],
            "campaign_path": HeldQuery(state=ANY, campaign=held.campaign).path(),
            "whole_path": HeldQuery().path("campaigns", held.campaign)
            if held.campaign and user.may(Permission.DECIDE_CAMPAIGN)
            else "",
            "exception_path": query.path(held.message_id, "exception")
            if may_be_excepted(held) and user.may(Permission.WRITE_EXCEPTION)
            else "",
            "octets_path": query.path(held.message_id, "octets"),
            "unmask_path": query.path(held.message_id, "number")
            if user.may(Permission.UNMASK_NUMBER)
            else "",
            "escalate_path": query.path(held.message_id, "escalate")
            if may_act and held.state in TRANSITIONS[HeldMessageAct.DISCARD].allowed
            else "",
            "acts": {
                name: query.path(held.message_id, name)
                for name, (act, _) in ACTS.items()
                if may_act and held.state in TRANSITIONS[act].allowed
            },
        }

    async def _journal(self, user: PageUser, action: str, held: HeldMessage) -> None:
        about = f"message {held.message_id}"
        await self.tools.journal(NewAccess(name_of(user), action, "", about, self.utcnow()))

    async def octets(self, request: Request, message_id: str) -> Response:
        """Return the octets of a request as they came, numbers hidden. The look is journaled."""
        held = await self.message_of(request, message_id)
        query = held_query(request.query_params)
        await self._journal(request.state.user, "quarantine octets", held)
        dump = await asyncio.to_thread(self.tools.octets_of, held.pdu)
        values = {"number": held.message_id, "dump": dump, "back": query.path(held.message_id)}
        is_part = request.headers.get("hx-request") == "true"
        name = "octets_part" if is_part else "octets"
        return self.templates.page(request, f"quarantine/{name}.html", values)

    async def unmasked(self, request: Request, message_id: str) -> Response:
        """Show one whole number, once, for a reason that is in the journal by then."""
        held, given = await self.message_of(request, message_id), await form_of(request)
        which, reason = given.get("which", _TO), said(given.get("reason", ""))
        if which not in {_TO, _FROM}:
            raise HTTPException(404)
        if not reason:
            return await self.shown(request, held, _NO_REASON, 422)
        about = f"message {held.message_id}: {which}"
        by, now = name_of(request.state.user), self.utcnow()
        look = NewAccess(by, "quarantine unmask", reason, about, now)
        if not await self.unmasking.note(look):
            return RedirectResponse(await self.unmasking.ask(look), status_code=303)
        number = held.destination if which == _TO else held.source
        return await self.shown(request, held, whole={which: visible(number)})

    async def decided(self, request: Request, message_id: str, name: str) -> Response:
        """Decide on a message and lead to the next one; 409 if another was faster."""
        held, given = await self.message_of(request, message_id), await form_of(request)
        if given.get("digest") != held.digest:
            return await self.shown(request, held, _TEXT_CHANGED, 409)
        by, category = name_of(request.state.user), given.get("category", "")
        new = NewReview(
            held.message_id,
            ACTS[name][1],
            by,
            reason=SPAM_CONFIRMED if name == _SPAM else "",
            note=said(given.get("reason", "")),
            category=category if category_of(category) else "",
            seen=given.get("seen", "") or seen_digest(held),
            may_be_second=bool(_second_reviewer(request)),
        )
        listed = await self._rows(request, held_query(request.query_params))
        outcome = await self.decisions.decide(new, self.utcnow())
        if isinstance(outcome, NotDone):
            now = await self.message_of(request, message_id)
            return await self.shown(request, now, outcome.why, 409)
        return await self._next(request, held, listed)

    async def escalated(self, request: Request, message_id: str) -> Response:
        """Put a message before senior reviewers and lead to the next one."""
        held, given = await self.message_of(request, message_id), await form_of(request)
        note = said(given.get("note", ""))
        if not note:
            return await self.shown(request, held, _NO_NOTE, 422)
        listed = await self._rows(request, held_query(request.query_params))
        by, may_be_second = name_of(request.state.user), bool(_second_reviewer(request))
        outcome = await self.decisions.escalate(
            held.message_id, by, note, self.utcnow(), may_be_second=may_be_second
        )
        if isinstance(outcome, NotDone):
            return await self.shown(request, held, outcome.why, 409)
        return await self._next(request, held, listed)

    async def _next(
        self, request: Request, held: HeldMessage, listed: list[HeldMessage]
    ) -> Response:
        """Lead to the message after one of a list that no other reviewer has."""
        query = held_query(request.query_params)
        leased = await self.leases.others(request.state.user, listed)
        left = [
            one
            for one in listed
            if subject_of(one) != subject_of(held) and one.message_id not in leased
        ]
        following = next((one for one in left if one.message_id < held.message_id), None)
        if following is None and len(listed) == PAGE_ROWS:
            older = replace(query, before=str(listed[-1].message_id))
            if found := await self._rows(request, older):
                query, following = older, found[0]
        if following is None and left:  # after the last one comes the first
            following = left[0]
        where = () if following is None else (following.message_id,)
        return RedirectResponse(query.path(*where), status_code=303)

    async def undone(self, request: Request, number: str) -> Response:
        """Undo a decision that waits, and lead to its message; 409 if it took effect."""
        user: PageUser = request.state.user
        if not number.isascii() or not number.isdigit() or len(number) > _MAX_DIGITS:
            raise HTTPException(404)
        outcome = await self.decisions.undo(
            int(number),
            name_of(user),
            self.utcnow(),
            may_undo_others=user.may(Permission.DECIDE_CAMPAIGN),
        )
        if isinstance(outcome, NotUndone):
            if outcome.decision is None:
                raise HTTPException(404)
            held = await self.message_of(request, str(outcome.decision.message_id))
            return await self.shown(request, held, outcome.why, 409)
        query = held_query(request.query_params)
        return RedirectResponse(query.path(outcome.message_id), status_code=303)


_MAX_DIGITS = 15


def _second_reviewer(request: Request) -> str:
    return second_reviewer(request.state.user)


def _id_of(text: str) -> int | None:
    return int(text) if is_message_id(text) else None
