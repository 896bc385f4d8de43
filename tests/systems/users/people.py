"""A user with a telephone, and clocks that stand still."""

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from gateway.domain.permissions import UserRole
from gateway.stores import Stores
from gateway.systems.users.credentials import STEP_S
from gateway.systems.users.model import UserAct
from gateway.systems.users.service import EnrolmentForm, UserDesk
from gateway.systems.users.sign_in import SignInAttempt, SignInClocks

NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
PASSWORD = "correct horse"
HOME, CAFE = "192.0.2.7", "198.51.100.9"


@dataclass
class StillClock:
    """Both clocks of a process, which move only when they are told to, and how it waited."""

    at: datetime = NOON
    waits: list[float] = field(default_factory=list)

    @property
    def clocks(self) -> SignInClocks:
        return SignInClocks(
            lambda: float((self.at - NOON).total_seconds()), lambda: self.at, self._wait
        )

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    async def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)


@dataclass
class Person:
    """Who has enrolled: the secret in the telephone, and the recovery codes on paper."""

    name: str
    secret: str
    recovery: list[str]

    def code(self, at: datetime) -> str:
        """Return what the authenticator app shows."""
        return code_of(self.secret, at)

    def attempt(self, code: str, *, password: str = PASSWORD, **changes: str) -> SignInAttempt:
        given = {"address": HOME, **changes}
        return SignInAttempt(self.name, password, code, **given)


def code_of(secret: str, at: datetime) -> str:
    totp = TOTP(base64.b32decode(secret), 6, SHA1(), STEP_S)  # noqa: S303
    return totp.generate(at.timestamp()).decode()


async def enrolled(
    stores: Stores,
    name: str,
    at: datetime = NOON,
    *,
    role: UserRole = UserRole.REVIEWER,
    system_id: str = "",
    province: str = "",
) -> Person:
    """Add a user who enrols two steps before `at`, so that the codes of `at` are unused."""
    limits = {"system_id": system_id, "province": province}
    desk, before = UserDesk(stores.users), at - timedelta(seconds=2 * STEP_S)
    issued = await desk.add(name, role, UserAct("root", before), **limits)
    opened = await desk.open_link(issued.token, before)
    form = EnrolmentForm(PASSWORD, opened.secret, code_of(opened.secret, before))
    codes = await desk.enrol(issued.token, form, before)
    return Person(name, opened.secret, list(codes))
