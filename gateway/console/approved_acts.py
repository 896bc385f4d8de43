"""The acts that two persons decide on: what asks for them, and what carries them out."""

from collections.abc import Mapping
from datetime import datetime

from gateway.domain.permissions import UserRole
from gateway.systems.approvals.model import ApprovalAct
from gateway.systems.approvals.pages import APPROVALS
from gateway.systems.approvals.service import ActFailedError, ApprovalDesk
from gateway.systems.quarantine.campaigns import CampaignDesk, JobNotMade
from gateway.systems.quarantine.model import NewCampaignReview, PersonDecision
from gateway.systems.users.model import UserAct, UserError
from gateway.systems.users.service import UserDesk
from gateway.systems.users.user_pages import AskAdmin


def admin_approvals(approvals: ApprovalDesk, users: UserDesk) -> AskAdmin | None:
    """Return what asks a second person to make an admin; None where one person may."""

    async def make_admin(given: Mapping[str, str], by: str, at: datetime) -> str:
        try:
            user = await users.give_role(given["name"], UserRole.ADMIN, UserAct(by, at))
        except UserError as error:
            raise ActFailedError(str(error)) from error
        return f"{user.name} is an admin"

    async def ask(name: str, act: UserAct) -> str:
        await approvals.ask(ApprovalAct.MAKE_ADMIN, {"name": name}, name, "", act.by, act.at)
        return APPROVALS.path

    approvals.register(ApprovalAct.MAKE_ADMIN, make_admin)
    return ask if approvals.rule.make_admin else None


class ReleaseApprovals:
    """Asks a second person to release a large campaign."""

    def __init__(self, approvals: ApprovalDesk, campaigns: CampaignDesk) -> None:
        self._approvals = approvals
        self._campaigns = campaigns
        approvals.register(ApprovalAct.RELEASE_CAMPAIGN, self._release)

    def are_needed(self, decision: PersonDecision, count: int) -> bool:
        """Tell whether a decision on so many messages releases more than one person may."""
        most = self._approvals.rule.release_campaign_above
        return most is not None and decision is PersonDecision.RELEASED and count > most

    async def ask(self, new: NewCampaignReview, at: datetime) -> str:
        """Ask for an approval; return the address of the page on which it waits."""
        given = {
            "campaign": new.campaign,
            "system_id": new.system_id,
            "rule": new.rule,
            "count": str(new.expected_count),
            "reason": new.reason,
            "note": new.note,
        }
        of = f" of {new.system_id}" if new.system_id else ""
        of += f", rule {new.rule}" if new.rule else ""
        about = f"{new.campaign}, {new.expected_count} messages{of}"
        act, why = ApprovalAct.RELEASE_CAMPAIGN, new.note or new.reason
        await self._approvals.ask(act, given, about, why, new.by, at)
        return APPROVALS.path

    async def _release(self, given: Mapping[str, str], by: str, at: datetime) -> str:
        new = NewCampaignReview(
            given["campaign"],
            PersonDecision.RELEASED,
            by,
            int(given["count"]),
            system_id=given["system_id"],
            reason=given["reason"],
            note=given["note"],
            rule=given.get("rule", ""),  # a request of before had none
        )
        outcome = await self._campaigns.decide(new, at)
        if isinstance(outcome, JobNotMade):
            raise ActFailedError(outcome.why)
        return f"job {outcome.number} releases {outcome.expected_count} messages"
