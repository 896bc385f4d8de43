"""What puts an act before a second person, and carries it out once that person has approved."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.permissions import Permission
from gateway.runtime.masking import masked_text
from gateway.systems.approvals.model import (
    ApprovalAct,
    ApprovalRefusal,
    ApprovalRequest,
    ApprovalState,
    NewApproval,
)
from gateway.systems.approvals.sql import ApprovalStore

# Who may approve an act: whose role could do it alone where the rule is not in force.
PERMISSIONS: Mapping[ApprovalAct, Permission] = {
    ApprovalAct.MAKE_ADMIN: Permission.MANAGE_USERS,
    ApprovalAct.RELEASE_CAMPAIGN: Permission.DECIDE_CAMPAIGN,
    ApprovalAct.SWITCH_RULE_OFF: Permission.CHANGE_POLICIES,
    ApprovalAct.UNMASK_IN_BULK: Permission.UNMASK_IN_BULK,
}

# Parameters that are free text of who asks.
WRITTEN = frozenset({"note", "reason"})

CarryOut = Callable[[Mapping[str, str], str, datetime], Awaitable[str]]
"""Does an act with its parameters, as the persons named; returns what came of it in words.

Raises ActFailedError where it cannot be done.
"""


class ActFailedError(Exception):
    """An approved act cannot be done any more; the text says why."""


@dataclass(frozen=True, slots=True)
class TwoPersonRule:
    """Which acts need two persons, as console.yaml says it, and how long a request waits.

    To release a campaign does, if more messages of it are held than `release_campaign_above`; to
    see a whole number does, if it is one more than `unmask_in_bulk_above` within an hour.
    """

    make_admin: bool = False
    expires_after: timedelta = timedelta(hours=24)
    release_campaign_above: int | None = None
    switch_rule_off: bool = False
    unmask_in_bulk_above: int | None = None


class ApprovalDesk:
    """Asks for approvals, and carries out what is approved. Every call raises StoreUnavailable."""

    def __init__(self, store: ApprovalStore, rule: TwoPersonRule) -> None:
        self._store = store
        self._acts: dict[ApprovalAct, CarryOut] = {}
        self.rule = rule

    def register(self, act: ApprovalAct, carry_out: CarryOut) -> None:
        """Say how an act is carried out."""
        self._acts[act] = carry_out

    async def ask(
        self,
        act: ApprovalAct,
        parameters: Mapping[str, str],
        about: str,
        reason: str,
        by: str,
        at: datetime,
    ) -> ApprovalRequest:
        """Put an act before a second person; the same again by the same person is one request.

        Numbers in what a person wrote are masked: in `reason`, and in parameters of WRITTEN.
        """
        kept = {
            name: masked_text(value) if name in WRITTEN else value
            for name, value in parameters.items()
        }
        until = at + self.rule.expires_after
        return await self._store.ask(
            NewApproval(act, kept, about, masked_text(reason), by, at, until)
        )

    async def approve(
        self, number: int, digest: str, by: str, at: datetime
    ) -> ApprovalRequest | ApprovalRefusal:
        """Approve a request that was shown with this digest, and carry its act out.

        A process that dies in between leaves it approved and not carried out: ask again then.
        """
        found = await self._store.decide(number, digest, by, at, ApprovalState.APPROVED)
        if isinstance(found, ApprovalRefusal):
            return found
        persons = f"{found.by} (approved by {by})"
        try:
            outcome = await self._acts[found.act](found.given, persons, at)
        except ActFailedError as error:
            await self._store.end(number, ApprovalState.FAILED, str(error))
        else:
            await self._store.end(number, ApprovalState.DONE, outcome)
        return await self._store.get(number) or found

    async def decline(
        self, number: int, digest: str, by: str, at: datetime
    ) -> ApprovalRequest | ApprovalRefusal:
        """Decline a request: nothing is done."""
        return await self._store.decide(number, digest, by, at, ApprovalState.DECLINED)

    async def count_done(self, act: ApprovalAct, by: str, since: datetime) -> int:
        """Return how often an act that somebody asked for was approved and done after `since`."""
        return await self._store.count_done(act, by, since)

    async def get(self, number: int) -> ApprovalRequest | None:
        """Return a request."""
        return await self._store.get(number)

    async def listed(self) -> list[ApprovalRequest]:
        """Return the newest requests, the newest first."""
        return await self._store.listed()
