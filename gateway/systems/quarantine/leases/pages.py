"""The lease of the message that a page shows: taken with the page, renewed, and given back."""

from datetime import datetime

from fastapi import Request, Response

from gateway.domain.permissions import Permission
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.systems.quarantine.campaign_pages import HELD, name_of
from gateway.systems.quarantine.campaigns import CampaignStore
from gateway.systems.quarantine.decisions import ReviewDesk, ReviewStore
from gateway.systems.quarantine.leases.store import LeaseStore
from gateway.systems.quarantine.model import ReviewDecision, ReviewJob, ReviewLease
from gateway.systems.quarantine.second_reviews import SecondReviewStore
from gateway.web.pages import FormError, PageUser, form_of
from gateway.web.systems import PageContext

LEASE = f"{HELD.path}/lease"


class ShownLeases:
    """Takes leases for those who look at messages, and tells what stands against a decision."""

    def __init__(self, context: PageContext) -> None:
        database = context.database
        self.store, self.seconds = LeaseStore(database), SecondReviewStore(database)
        self.decisions = ReviewDesk(ReviewStore(database), context.mask)
        self.campaigns = CampaignStore(database)
        self.templates, self.utcnow = context.templates, context.utcnow

    async def others(self, user: PageUser, found: list[HeldMessage]) -> dict[int, str]:
        """Return who else has which of the messages, by message_id."""
        # Of what was decided on, a second reviewer may have the lease.
        open_ones = [one for one in found if one.state is HoldState.HELD]
        leases = await self.store.of(open_ones, self.utcnow()) if open_ones else {}
        return {one: lease.by for one, lease in leases.items() if lease.by != name_of(user)}

    async def shown(
        self, user: PageUser, held: HeldMessage, *, moves_on: bool = False
    ) -> dict[str, object]:
        """Return what waits on a message and who has it: the user, if no other does.

        Who `moves_on` to it has no other lease from then on.
        """
        waits, lease = await self._waiting_on(user, held), None
        if user.may(Permission.DECIDE_HELD) and held.state is HoldState.HELD and waits is None:
            lease = await self._taken(user, held, moves_on=moves_on)
        leased_by = "" if lease is None or lease.by == name_of(user) else lease.by
        return {"waits": waits, "lease": lease, "leased_by": leased_by, "lease_path": LEASE}

    async def renewed(self, request: Request, held: HeldMessage) -> Response:
        """Renew the lease of a message that a page shows; return who has it, as a part."""
        shown = {"number": held.message_id, **await self.shown(request.state.user, held)}
        return self.templates.page(request, "quarantine/lease.html", {"chosen": shown})

    async def given_back(self, request: Request, held: HeldMessage) -> Response:
        """End the lease of a message that a page no longer shows."""
        try:
            until = datetime.fromisoformat((await form_of(request)).get("until", ""))
        except ValueError as error:
            raise FormError from error
        await self.store.give_back(held, name_of(request.state.user), until)
        return Response(status_code=204)

    async def _taken(self, user: PageUser, held: HeldMessage, *, moves_on: bool) -> ReviewLease:
        return await self.store.take(held, name_of(user), self.utcnow(), moves_on=moves_on)

    async def _waiting_on(
        self, user: PageUser, held: HeldMessage
    ) -> ReviewDecision | ReviewJob | None:
        return (
            await self.decisions.waiting_on(held)
            or await self.seconds.waiting_on(held, name_of(user), self.utcnow())
            or await self.campaigns.job_on(held)
        )
