"""What names, roles and passwords may be."""

import pytest

from gateway.domain.permissions import UserRole
from gateway.systems.users.model import (
    MAX_PASSWORD_CHARS,
    RoleGrant,
    UserError,
    checked_name,
    checked_password,
    granted,
)


@pytest.mark.parametrize("name", ["li", "lin", "wang.wei-2", "a" * 32, "ops_1"])
def test_a_name_is_a_login(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "l", "Lin", "1lin", "13800138000", "a" * 33, "li n", "林", "lin\n", "../lin", "l%"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="a name has 2 to 32"):
        checked_name(name)


@pytest.mark.parametrize("role", [one for one in UserRole if one not in {"sender", "regulator"}])
def test_most_roles_have_no_limit(role: UserRole) -> None:
    assert granted(role, "", "") == RoleGrant(role)
    with pytest.raises(UserError, match=f"the role {role} has no system_id"):
        granted(role, "shop", "")
    with pytest.raises(UserError, match=f"the role {role} has no province"):
        granted(role, "", "福建")


def test_a_sender_is_of_one_sp_and_a_regulator_of_one_province() -> None:
    assert str(granted(UserRole.SENDER, "shop", "")) == "sender of shop"
    assert str(granted(UserRole.REGULATOR, "", "福建")) == "regulator of 福建"
    with pytest.raises(UserError, match="needs a system_id"):
        granted(UserRole.SENDER, "", "")
    with pytest.raises(UserError, match="needs a province"):
        granted(UserRole.REGULATOR, "", "")
    with pytest.raises(UserError, match="has no province"):
        granted(UserRole.SENDER, "shop", "福建")


@pytest.mark.parametrize(
    ("system_id", "province"), [("s" * 16, ""), ("", "省" * 17), ("", "福\u202e建")]
)
def test_a_limit_is_short_and_printable(system_id: str, province: str) -> None:
    role = UserRole.SENDER if system_id else UserRole.REGULATOR

    with pytest.raises(UserError):
        granted(role, system_id, province)


@pytest.mark.parametrize(
    "password", ["correct horse", "二〇一三年垃圾短信专项行动", "x7" * 3 + "!qwert"]
)
def test_a_password_is_long_enough(password: str) -> None:
    assert checked_password(password, "lin")


@pytest.mark.parametrize(
    "password", ["", "short", "a" * 12, "abcabcabcabc", "linlinlinlin", "lin" * 5 + "1"]
)
def test_a_weak_password_is_refused(password: str) -> None:
    with pytest.raises(UserError):
        checked_password(password, "lin")


def test_a_password_is_the_same_from_every_keyboard() -> None:
    composed, decomposed = "caf\u00e9 au lait 1", "cafe\u0301 au lait 1"

    assert checked_password(composed, "lin") == checked_password(decomposed, "lin")


@pytest.mark.parametrize("password", ["x1y2z3" * 100, "\ufdfa" * MAX_PASSWORD_CHARS, "x" * 10**7])
def test_a_password_without_end_is_refused_and_costs_little(password: str) -> None:
    with pytest.raises(UserError, match="12 to 256 characters"):
        checked_password(password, "lin")
