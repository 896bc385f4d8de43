"""What console.yaml settles of users: sessions, acts of two persons; and who comes first."""

from datetime import timedelta

from gateway.domain.permissions import UserRole
from gateway.settings.console import SessionSettings, TwoPersonSettings
from gateway.systems.approvals.service import TwoPersonRule
from gateway.systems.users.model import SessionLimits, UserAct
from gateway.systems.users.service import IssuedLink, UserDesk
from gateway.systems.users.sql import UserStore

FIRST_ADMIN = "admin"


def session_limits(said: SessionSettings) -> SessionLimits:
    """Return how long sessions of users last, and how many each has."""
    idle, absolute = timedelta(minutes=said.idle_minutes), timedelta(hours=said.absolute_hours)
    return SessionLimits(idle, absolute, said.per_user)


def two_person_rule(said: TwoPersonSettings) -> TwoPersonRule:
    """Return which acts need two persons."""
    expires_after = timedelta(hours=said.expires_hours)
    return TwoPersonRule(
        said.make_admin,
        expires_after,
        said.release_campaign_above,
        said.switch_rule_off,
        said.unmask_in_bulk_above,
    )


async def first_link(users: UserStore, act: UserAct) -> IssuedLink:
    """Return a one-time link of the first admin, a new user or the one there is."""
    desk = UserDesk(users)
    if await users.get(FIRST_ADMIN) is None:
        return await desk.add(FIRST_ADMIN, UserRole.ADMIN, act)
    return await desk.reset(FIRST_ADMIN, act)
