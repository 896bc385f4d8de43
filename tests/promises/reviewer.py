"""A reviewer as a process of its own, which may be killed: decides on all that is held.

python -m tests.promises.reviewer STORE_URL SEED COUNT decides on COUNT messages one by one, undoes
some of that, and then decides on the rest as a campaign. It prints a line for each decision.
"""

import asyncio
import random
import sys
from datetime import timedelta

from gateway.domain.quarantine import HoldState
from gateway.runtime.clock import utcnow
from gateway.stores import Stores, open_store
from gateway.systems.quarantine.campaigns import CampaignDesk
from gateway.systems.quarantine.decisions import ReviewDesk
from gateway.systems.quarantine.model import (
    NewCampaignReview,
    NewReview,
    PersonDecision,
    ReviewDecision,
)
from tests.promises.deployment import seeded
from tests.real_time import LONG_S, eventually

_WHO = "user: lin"
_UNDO_FOR = timedelta(milliseconds=300)
_UNDONE = 0.1


async def review(stores: Stores, draw: random.Random, count: int) -> None:
    """Decide until nothing is held any more on which no decision waits."""
    desk = ReviewDesk(stores.reviews, str)
    for _ in range(count):
        held = await stores.leases.take_next(_WHO, utcnow())
        if held is None:
            return
        is_wanted = held.message_id % 3
        decision = PersonDecision.RELEASED if is_wanted else PersonDecision.REJECTED
        made = await desk.decide(NewReview(held.message_id, decision, _WHO), utcnow(), _UNDO_FOR)
        _say(made)
        if isinstance(made, ReviewDecision) and draw.random() < _UNDONE:
            await desk.undo(made.number, _WHO, utcnow())
    await _decide_on_campaigns(stores)


async def _decide_on_campaigns(stores: Stores) -> None:
    desk = CampaignDesk(stores.campaigns, str)

    async def are_decided() -> bool:
        rest = await stores.quarantine.find(state=HoldState.HELD, is_undecided=True, limit=1)
        if not rest:
            return True
        counts = await stores.campaigns.held_of_each(rest[0].campaign)
        new = NewCampaignReview(
            rest[0].campaign, PersonDecision.RELEASED, _WHO, sum(counts.values())
        )
        _say(await desk.decide(new, utcnow(), _UNDO_FOR))
        return False

    await eventually(are_decided, LONG_S, every_s=0.1)


def _say(outcome: object) -> None:
    sys.stdout.write(f"{outcome}\n")
    sys.stdout.flush()


async def _main(url: str, seed: str, count: str) -> None:
    stores = await open_store(url, deadline_s=30)
    try:
        await review(stores, seeded(seed), int(count))
    finally:
        await stores.close()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
