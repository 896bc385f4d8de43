"""All pages of the quarantine, in an order in which no path takes the name of another for an id."""

from fastapi import APIRouter, Request, Response

from gateway.domain.permissions import Permission
from gateway.domain.quarantine import HeldMessage
from gateway.systems.quarantine.agreement.pages import add_agreement_page
from gateway.systems.quarantine.campaign_pages import HELD, JOBS, add_campaign_pages
from gateway.systems.quarantine.exception_pages import add_exception_pages
from gateway.systems.quarantine.held_pages import ACTS, ARRIVALS, HeldReview
from gateway.systems.quarantine.held_query import LIST_PATH
from gateway.systems.quarantine.leases.pages import LEASE
from gateway.web.pages import allowed, form_of
from gateway.web.systems import PageContext, SystemPages


def held_pages(context: PageContext) -> APIRouter:
    """Return the pages on which people review held messages."""
    router, review = APIRouter(include_in_schema=False), HeldReview(context)
    add_campaign_pages(router, review.campaigns)
    add_exception_pages(router, context)
    add_agreement_page(router, context)
    _add_list(router, review)
    _add_decisions(router, review)
    _add_choices(router, review)
    return router


PAGES = SystemPages((held_pages,), (HELD,), polled=(ARRIVALS, JOBS, LEASE))


def _add_list(router: APIRouter, review: HeldReview) -> None:
    """Add what is read, before paths that would take its names for ids."""
    may_read, may_unmask = allowed(Permission.READ_HELD), allowed(Permission.UNMASK_NUMBER)

    @router.get(LIST_PATH, dependencies=[may_read])
    async def show_list(request: Request) -> Response:
        return await review.shown(request)

    @router.get(ARRIVALS, dependencies=[may_read])
    async def show_arrivals(request: Request) -> Response:
        return await review.arrivals(request)

    @router.post(HELD.path + "/number", dependencies=[may_read])
    async def search_number(request: Request) -> Response:
        return await review.search_number(request)

    @router.get(HELD.path + "/{message_id}", dependencies=[may_read])
    async def show_message(request: Request, message_id: str) -> Response:
        return await review.shown(request, await review.message_of(request, message_id))

    @router.get(HELD.path + "/{message_id}/octets", dependencies=[may_read])
    async def show_octets(request: Request, message_id: str) -> Response:
        return await review.octets(request, message_id)

    @router.post(HELD.path + "/{message_id}/number", dependencies=[may_unmask])
    async def unmask(request: Request, message_id: str) -> Response:
        return await review.unmasked(request, message_id)


def _add_decisions(router: APIRouter, review: HeldReview) -> None:
    """Add what is decided."""
    may_decide = allowed(Permission.DECIDE_HELD)

    @router.post(HELD.path + "/{message_id}/escalate", dependencies=[may_decide])
    async def escalate(request: Request, message_id: str) -> Response:
        return await review.escalated(request, message_id)

    @router.post(HELD.path + "/decisions/{number}/undo", dependencies=[may_decide])
    async def undo(request: Request, number: str) -> Response:
        return await review.undone(request, number)

    def decision_page(name: str) -> None:
        @router.post(HELD.path + "/{message_id}/" + name, dependencies=[may_decide])
        async def decide(request: Request, message_id: str) -> Response:
            return await review.decided(request, message_id, name)

    for name in ACTS:
        decision_page(name)


def _add_choices(router: APIRouter, review: HeldReview) -> None:
    """Add what is decided on chosen messages, and who has which one."""
    may_decide = allowed(Permission.DECIDE_HELD)

    async def problem(request: Request, why: str, status: int, picked: frozenset[str]) -> Response:
        return await review.shown(request, problem=why, status=status, picked=picked)

    async def of_form(request: Request) -> HeldMessage:
        return await review.message_of(request, (await form_of(request)).get("message", ""))

    @router.post(HELD.path + "/chosen", dependencies=[may_decide])
    async def decide_on_chosen(request: Request) -> Response:
        return await review.campaigns.chosen(request, problem)

    @router.post(LEASE, dependencies=[may_decide])
    async def renew_lease(request: Request) -> Response:
        return await review.leases.renewed(request, await of_form(request))

    @router.post(LEASE + "/end", dependencies=[may_decide])
    async def give_lease_back(request: Request) -> Response:
        return await review.leases.given_back(request, await of_form(request))
