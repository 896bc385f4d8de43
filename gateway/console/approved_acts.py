"""The acts that two persons decide on: what asks for them, and what carries them out."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from gateway.console.policies.pages import SwitchApprovals
from gateway.console.policies.versions import ApprovedSwitch, named_in_short
from gateway.console.policies.workshop import (
    PolicyWorkshop,
    SecondPersonError,
    WorkshopError,
)
from gateway.domain.permissions import UserRole
from gateway.domain.records import NewAccess
from gateway.settings.console import TwoPersonSettings
from gateway.storage.journals import SqlJournals
from gateway.systems.approvals.model import ApprovalAct, kept_words
from gateway.systems.approvals.pages import APPROVALS, about_of
from gateway.systems.approvals.service import ActFailedError, ApprovalDesk, TwoPersonRule
from gateway.systems.policy_history import ReloadRequestState
from gateway.systems.quarantine.campaigns import CampaignDesk, JobNotMade
from gateway.systems.quarantine.model import NewCampaignReview, PersonDecision
from gateway.systems.quarantine.review_tools import UnmaskingLimit
from gateway.systems.users.model import UserAct, UserError
from gateway.systems.users.service import UserDesk
from gateway.systems.users.user_pages import AskAdmin
from gateway.web.pages import marked

BULK_WITHIN = timedelta(hours=1)
_MOST_CHANGES = 200

_IS_ADMIN = marked("{name} is an admin")
_RELEASES = marked("job {job} releases {count} messages")
SWITCHED = {
    ReloadRequestState.TAKEN: marked("the gateway has taken it over: request {number}"),
    ReloadRequestState.OPEN: marked("no gateway has answered yet: request {number}"),
    ReloadRequestState.REFUSED: marked("the gateway has refused it: request {number}"),
}
_MAY_SEE = marked("{count} more whole numbers may be shown within an hour")


def two_person_rule(said: TwoPersonSettings) -> TwoPersonRule:
    """Return which acts need two persons."""
    return TwoPersonRule(
        said.make_admin,
        timedelta(hours=said.expires_hours),
        said.release_campaign_above,
        said.switch_rule_off,
        said.unmask_in_bulk_above,
    )


def admin_approvals(approvals: ApprovalDesk, users: UserDesk) -> AskAdmin | None:
    """Return what asks a second person to make an admin; None where one person may."""

    async def make_admin(given: Mapping[str, str], by: str, at: datetime) -> str:
        try:
            user = await users.give_role(given["name"], UserRole.ADMIN, UserAct(by, at))
        except UserError as error:
            raise ActFailedError(kept_words(error.text, **error.given)) from error
        return kept_words(_IS_ADMIN, name=user.name)

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
        """Tell whether one person may not decide so on a campaign of so many messages, or a part.

        Of chosen messages their number is compared.
        """
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
            "dealt": " ".join(map(str, new.as_held)),
            "dealt_to": new.by,
        }
        act, why = ApprovalAct.RELEASE_CAMPAIGN, new.note or new.reason
        await self._approvals.ask(act, given, about_of(act, given), why, new.by, at)
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
            rule=given.get("rule", ""),  # a request of before had none, and nothing dealt
            as_held=tuple(map(int, given.get("dealt", "").split())),
            dealt_to=given.get("dealt_to", ""),
        )
        outcome = await self._campaigns.decide(new, at)
        if isinstance(outcome, JobNotMade):
            raise ActFailedError(outcome.why)
        return kept_words(_RELEASES, job=outcome.number, count=outcome.expected_count)


class RuleSwitchApprovals(SwitchApprovals):
    """Asks a second person to bring a policy into force that enforces some rules no more."""

    def __init__(
        self,
        approvals: ApprovalDesk,
        workshop: PolicyWorkshop,
        utcnow: Callable[[], datetime],
    ) -> None:
        self._approvals = approvals
        self._workshop = workshop
        self._utcnow = utcnow
        approvals.register(ApprovalAct.SWITCH_RULE_OFF, self._switch)

    async def ask_activation(
        self, by: str, revisions: Mapping[str, int], reason: str, error: SecondPersonError
    ) -> str:
        """Ask to put the drafts of a user in force; return where it waits."""
        given = {
            "by": by,
            "drafts": json.dumps(dict(revisions), sort_keys=True),
            "files": named_in_short(sorted(revisions)),
            "changes": _changes(error.rows),
        }
        return await self._ask(by, given, reason, error)

    async def ask_rollback(
        self, by: str, number: int, reason: str, error: SecondPersonError, *, force: bool
    ) -> str:
        """Ask to put a version back; return where it waits."""
        given = {"version": str(number), "force": "yes" if force else ""}
        return await self._ask(by, given, reason, error)

    async def _ask(
        self, by: str, given: Mapping[str, str], reason: str, error: SecondPersonError
    ) -> str:
        act = ApprovalAct.SWITCH_RULE_OFF
        given = {
            **given,
            "bundle": error.digest,
            "switched": json.dumps(error.rules),
            "rules": named_in_short(error.rules),
            "reason": reason,
        }
        await self._approvals.ask(act, given, about_of(act, given), reason, by, self._utcnow())
        return APPROVALS.path

    async def _switch(self, given: Mapping[str, str], by: str, _at: datetime) -> str:
        rules, reason = frozenset(json.loads(given["switched"])), given["reason"]
        approved, workshop = ApprovedSwitch(given["bundle"], rules, by), self._workshop
        try:
            if "version" in given:
                number, force = int(given["version"]), bool(given["force"])
                done = await workshop.roll_back(by, number, reason, force=force, approved=approved)
            else:
                # What is lost by it was confirmed by who asked, and is this very bundle's.
                drafts, of = json.loads(given["drafts"]), given["by"]
                done = await workshop.activate(of, drafts, reason, force=True, approved=approved)
        except WorkshopError as error:
            raise ActFailedError(str(error)) from error
        if done.state is ReloadRequestState.REFUSED:
            raise ActFailedError(kept_words(SWITCHED[done.state], number=done.number))
        return kept_words(SWITCHED[done.state], number=done.number)


def _changes(rows: Sequence[tuple[str, str, str]]) -> str:
    """Return rows of a difference as JSON: who approves reads them, the first of a great many."""
    said = [" ".join(row) for row in rows[:_MOST_CHANGES]]
    more = [f"… (+{len(rows) - _MOST_CHANGES})"] if len(rows) > _MOST_CHANGES else []
    return json.dumps([*said, *more], ensure_ascii=False)


class UnmaskQuota(UnmaskingLimit):
    """Shows a person no more whole numbers within an hour than the settings let one person see.

    Each approval adds as many for an hour. The audit counts, so that a restart forgets nothing.
    """

    def __init__(self, approvals: ApprovalDesk, journals: SqlJournals) -> None:
        self._approvals = approvals
        self._journals = journals
        approvals.register(ApprovalAct.UNMASK_IN_BULK, self._grant)

    async def note(self, look: NewAccess, numbers: int = 1) -> bool:
        """Keep the entry of a look in the audit; False, and nothing may be shown, for too many."""
        most = self._approvals.rule.unmask_in_bulk_above
        if most is None:
            await self._journals.note_access(look)
            return True
        since = look.at - BULK_WITHIN
        more = await self._approvals.count_done(ApprovalAct.UNMASK_IN_BULK, look.by, since)
        return await self._journals.note_unmasking(look, numbers, most * (1 + more), since)

    async def ask(self, look: NewAccess) -> str:
        """Ask for an approval; return the address of the page on which it waits."""
        act, most = ApprovalAct.UNMASK_IN_BULK, self._approvals.rule.unmask_in_bulk_above
        given = {"count": str(most)}
        about = about_of(act, given)
        await self._approvals.ask(act, given, about, look.reason, look.by, look.at)
        return APPROVALS.path

    async def _grant(self, given: Mapping[str, str], _by: str, _at: datetime) -> str:
        return kept_words(_MAY_SEE, count=given["count"])
