"""Users: who may sign in, in which role, and what is asked of names and passwords."""

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.domain.permissions import (
    SCOPES,
    USER_PERMISSIONS,
    Permission,
    UserRole,
    UserScope,
)

LINK_LIFE = timedelta(hours=24)
MAX_NAME_CHARS = 32
MAX_SYSTEM_ID_CHARS = 15
MAX_PROVINCE_CHARS = 16
MIN_PASSWORD_CHARS = 12
# A longer one would only cost CPU.
MAX_PASSWORD_CHARS = 256
RECOVERY_CODES = 10
# A device from which a user has signed in is known so long after its last sign-in.
DEVICE_LIFE = timedelta(days=90)
MOST_DEVICES = 10
MAX_ADDRESS_CHARS = 64

_NAME = re.compile(rf"[a-z][a-z0-9._-]{{1,{MAX_NAME_CHARS - 1}}}")


class UserState(StrEnum):
    """Whether a user may sign in."""

    ACTIVE = "active"
    DISABLED = "disabled"


class UserError(ValueError):
    """What was asked for is not allowed; the text says why, for the person who asked.

    `text` has the fields of `given` in braces: pages say it in other languages.
    """

    def __init__(self, text: str, **given: object) -> None:
        super().__init__(text.format(**given))
        self.text = text
        self.given = given


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """A role with what limits it: a sender has a `system_id`, a regulator a `province`."""

    role: UserRole
    system_id: str = ""
    province: str = ""

    @property
    def limit(self) -> str:
        """Return the system_id or province that it is limited to, "" for neither."""
        return self.system_id or self.province

    def __str__(self) -> str:
        """Return it in one line, for a journal."""
        return f"{self.role} of {self.limit}" if self.limit else self.role.value


@dataclass(frozen=True, slots=True)
class User:
    """A user on record. `is_enrolled` says whether password and second factor are set.

    `link_until` is the end of the one-time link that sets them, None without a link.
    """

    number: int
    name: str
    grant: RoleGrant
    state: UserState
    is_enrolled: bool
    link_until: datetime | None
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str


@dataclass(frozen=True, slots=True)
class UserAct:
    """Who changes users, and when."""

    by: str
    at: datetime


def own_act(name: str, at: datetime) -> UserAct:
    """Return the act of a user who has signed in: an account of the machine is named otherwise."""
    return UserAct(f"user: {name}", at)


@dataclass(frozen=True, slots=True)
class SignInLink:
    """A one-time link with which a user sets password and second factor.

    Only the SHA-256 of its token is kept.
    """

    token_sha256: str = field(repr=False)
    until: datetime


@dataclass(frozen=True, slots=True)
class NewCredentials:
    """What a user has set: digests of password and recovery codes, and the TOTP secret.

    `step` is the TOTP step of the code that proved the secret: that code is used up.
    """

    password_hash: str = field(repr=False)
    totp_secret: str = field(repr=False)
    step: int
    recovery_digests: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long a session lasts without a request and at all, and how many a user may have."""

    idle: timedelta = timedelta(minutes=30)
    absolute: timedelta = timedelta(hours=12)
    per_user: int = 10


# The longest that console.yaml can say: the gateway, which does not read it, clears what is older.
WIDEST_LIMITS = SessionLimits(timedelta(hours=24), timedelta(hours=168))


@dataclass(frozen=True, slots=True)
class StoredCredentials:
    """What a user who may sign in has to prove, as the store has it."""

    number: int
    name: str
    password_hash: str = field(repr=False)
    totp_secret: str = field(repr=False)
    totp_step: int
    recovery_digests: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignInProof:
    """What was proved: `password_hash` as verified, and a TOTP step or else a recovery code.

    `rehashed` takes the place of the hash if that was made with parameters of before.
    """

    number: int
    password_hash: str = field(repr=False)
    step: int | None
    recovery_digest: str = field(repr=False, default="")
    rehashed: str = field(repr=False, default="")


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session to be opened: digests of its token and of the device's, new ones both.

    Those `before` are what the browser brought: that session ends, also if it is another user's.
    """

    token_sha256: str = field(repr=False)
    device_sha256: str = field(repr=False)
    session_before: str = field(repr=False)
    device_before: str = field(repr=False)
    address: str
    at: datetime


@dataclass(frozen=True, slots=True)
class UserSession:
    """A session that is open: its user with the role of now, since when, and from where."""

    user_number: int
    name: str
    grant: RoleGrant
    created_at: datetime
    seen_at: datetime
    address: str

    @property
    def is_limited(self) -> bool:
        """Tell whether the user sees only what is of one SP or one province."""
        return bool(self.grant.limit)

    @property
    def limits(self) -> dict[UserScope, str]:
        """Return the SP or the province that the user is limited to."""
        own = {
            UserScope.SYSTEM_ID: self.grant.system_id,
            UserScope.PROVINCE: self.grant.province,
        }
        return {scope: limit for scope, limit in own.items() if limit}

    def may(self, permission: Permission) -> bool:
        """Tell whether the user's role may do this."""
        return permission in USER_PERMISSIONS[self.grant.role]


def checked_name(name: str) -> str:
    """Return a name that a user may have. Raises UserError."""
    if _NAME.fullmatch(name) is None:
        raise UserError(
            f"a name has 2 to {MAX_NAME_CHARS} of a-z, 0-9, dot, hyphen and underscore,"
            " and begins with a letter"
        )
    return name


def granted(role: UserRole, system_id: str, province: str) -> RoleGrant:
    """Return a role with its limit. Raises UserError for a limit that is missing or too much."""
    given = {UserScope.SYSTEM_ID: system_id, UserScope.PROVINCE: province}
    scope = SCOPES.get(role)
    for one, value in given.items():
        if one is scope and not value:
            raise UserError("the role {role} needs a {limit}", role=role.value, limit=one.value)
        if one is not scope and value:
            raise UserError("the role {role} has no {limit}", role=role.value, limit=one.value)
    if len(system_id) > MAX_SYSTEM_ID_CHARS:
        raise UserError(f"a system_id has at most {MAX_SYSTEM_ID_CHARS} characters")
    if len(province) > MAX_PROVINCE_CHARS or not province.isprintable():
        raise UserError(f"a province has at most {MAX_PROVINCE_CHARS} characters")
    return RoleGrant(role, system_id, province)


def checked_password(password: str, name: str) -> str:
    """Return a password in the form in which it is hashed. Raises UserError if it is too weak.

    What matters is length (NIST SP 800-63B, 5.1.1.2); no mixture of characters is asked for.
    """
    normal = normal_password(password)
    if not MIN_PASSWORD_CHARS <= len(normal) <= MAX_PASSWORD_CHARS:
        raise UserError(f"a password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters")
    rest = normal.lower().replace(name, "")
    if len(rest) < MIN_PASSWORD_CHARS // 2 or len(set(rest)) < MIN_PASSWORD_CHARS // 2:
        raise UserError("the password is the name, or a few characters repeated")
    return normal


def normal_password(password: str) -> str:
    """Return a password as every keyboard gives it: two forms of one character are the same."""
    # Normalised text may be 18 times as long.
    return unicodedata.normalize("NFKC", password[: MAX_PASSWORD_CHARS + 1])
