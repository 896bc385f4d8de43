"""Administrators add users, and users enrol with a link, once."""

import base64
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from gateway.domain.permissions import UserRole
from gateway.stores import Stores
from gateway.systems.users import service
from gateway.systems.users.credentials import STEP_S
from gateway.systems.users.model import LINK_LIFE, UserAct, UserError
from gateway.systems.users.service import EnrolmentForm, UserDesk

PASSWORD = "correct horse"


@pytest.fixture
def desk(stores: Stores) -> UserDesk:
    return UserDesk(stores.users)


@pytest.fixture
def act(noon: datetime) -> UserAct:
    return UserAct("root", noon)


def code_of(secret: str, at: datetime) -> str:
    """Return what an authenticator app shows."""
    totp = TOTP(base64.b32decode(secret), 6, SHA1(), STEP_S)  # noqa: S303
    return totp.generate(at.timestamp()).decode()


async def test_a_user_enrols_with_the_link_and_no_administrator_knows_the_password(
    desk: UserDesk, stores: Stores, act: UserAct
) -> None:
    issued = await desk.add("lin", UserRole.REVIEWER, act)
    opened = await desk.open_link(issued.token, act.at)
    form = EnrolmentForm(PASSWORD, opened.secret, code_of(opened.secret, act.at))

    codes = await desk.enrol(issued.token, form, act.at)

    user = await stores.users.get("lin")
    assert user is not None
    assert user.is_enrolled
    assert len(codes) == await stores.users.recovery_codes_left(user.number) == 10
    assert (issued.name, issued.until) == ("lin", act.at + LINK_LIFE)
    with pytest.raises(UserError, match="unknown, used or over"):
        await desk.enrol(issued.token, form, act.at)


async def test_a_link_that_was_only_opened_tells_nothing_of_what_is_set_later(
    desk: UserDesk, act: UserAct
) -> None:
    issued = await desk.add("lin", UserRole.REVIEWER, act)

    seen, own = [await desk.open_link(issued.token, act.at) for _ in range(2)]

    assert seen.secret != own.secret


@pytest.mark.parametrize(
    ("password", "secret", "off"),
    [("short", "", 0), (PASSWORD, "A" * 16, 0), (PASSWORD, "", 90), (PASSWORD, "no base32!", 0)],
)
async def test_a_weak_password_or_a_wrong_code_leaves_the_link_good(
    desk: UserDesk, act: UserAct, password: str, secret: str, off: int
) -> None:
    issued = await desk.add("lin", UserRole.REVIEWER, act)
    opened = await desk.open_link(issued.token, act.at)
    code = code_of(opened.secret, act.at + timedelta(seconds=off))

    with pytest.raises(UserError):
        await desk.enrol(
            issued.token, EnrolmentForm(password, secret or opened.secret, code), act.at
        )

    right = EnrolmentForm(PASSWORD, opened.secret, code_of(opened.secret, act.at))
    assert await desk.enrol(issued.token, right, act.at)


async def test_nothing_is_hashed_for_a_token_that_is_unknown(
    desk: UserDesk, act: UserAct, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "hash_password", lambda _password: 1 / 0)

    with pytest.raises(UserError, match="unknown, used or over"):
        await desk.enrol("0" * 43, EnrolmentForm(PASSWORD, "A" * 32, "000000"), act.at)
    with pytest.raises(UserError, match="unknown, used or over"):
        await desk.open_link("\ud800", act.at)


async def test_what_is_refused_says_why(desk: UserDesk, act: UserAct) -> None:
    issued = await desk.add("an", UserRole.ADMIN, act)

    for refused, why in (
        (desk.add("an", UserRole.ADMIN, act), "there is a user an already"),
        (desk.add("An", UserRole.ADMIN, act), "a name has 2 to 32"),
        (desk.add("sp", UserRole.SENDER, act), "needs a system_id"),
        (desk.disable("an", act), "the last admin who can sign in"),
        (desk.enable("an", act), "an is active already"),
        (desk.give_role("an", UserRole.ADMIN, act), "an has this role already"),
        (desk.disable("wu", act), "there is no user wu"),
        (desk.reset("wu", act), "there is no user wu"),
    ):
        with pytest.raises(UserError, match=why):
            await refused
    assert (await desk.open_link(issued.token, act.at)).name == "an"


async def test_a_reset_link_takes_the_place_of_the_first(desk: UserDesk, act: UserAct) -> None:
    first = await desk.add("lin", UserRole.REVIEWER, act)
    second = await desk.reset("lin", act)

    with pytest.raises(UserError):
        await desk.open_link(first.token, act.at)
    assert (await desk.open_link(second.token, act.at)).name == "lin"


def test_nothing_that_is_secret_shows_in_a_repr() -> None:
    form = EnrolmentForm("password-p", "secret-s", "code-c")

    assert repr(form) == "EnrolmentForm()"
