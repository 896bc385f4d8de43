"""What each role may do, as one table."""

import pytest

from gateway.domain.api_client import ApiClient, ApiRole
from gateway.domain.permissions import (
    CLIENT_PERMISSIONS,
    SCOPES,
    USER_PERMISSIONS,
    Permission,
    UserRole,
    UserScope,
    scope_of_client,
)

# One column for each role, in this order; x where it may.
ROLES = ("viewer", "reviewer", "senior_reviewer", "operator", "sender", "regulator", "auditor")
# The other roles of clients are those of people, and may the same.
CLIENTS = ("sp", "clerk", "app", "investigator", "officer")
TABLE = """\
operations.read             x x x x x x x x | x . . . .
operations.act              . . . x . . . x | . . . . .
records.read                . x x x x . x x | x . . . .
numbers.unmask              . x x . . . . x | . . . x .
numbers.unmask_bulk         . . x . . . . x | . . . . .
quarantine.read             . x x x . . x x | . . . . .
quarantine.decide           . x x . . . . x | . . . . .
quarantine.decide_campaign  . . x . . . . x | . . . . .
agreement.read              . . x . . . x x | . . . . .
exceptions.write            . . x . . . . x | . . . . .
policies.read               x x x x . x x x | . . . . .
policies.change             . . . x . . . x | . . . . .
filings.read                x x x x x x x x | x . . . .
filings.change              . . . x . . . x | . . . . .
subscribers.read            . . x . . . . x | . x . x .
subscribers.act             . . . . . . . . | . . x . .
refusals.record             . . . . x . . x | x x . . .
consents.prove              . . . . x . . . | x . . . .
complaints.take             . . x . . . . x | . x x . .
complaints.read             . x x x . x . x | . x x x .
cases.read                  . . x x . x . x | . . . x x
cases.act                   . . x . . . . x | . . . . x
warnings.read               x x x x x x x x | x x . x x
warnings.answer             . . . x x . . x | x . . . x
warnings.close              . . . x . . . x | . . . . x
sanctions.decide            . . . . . . . x | . . . . x
users.read                  . . . . . . x x | . . . . .
users.manage                . . . . . . . x | . . . . .
audit.read                  . . . . . . x x | . . . . .
approvals.read              . x x x . . . x | . . . . .
"""


def allowed(permission: str) -> tuple[set[str], set[str]]:
    """Return the roles of people, and of clients, that the table gives a permission."""
    (line,) = [one for one in TABLE.splitlines() if one.split()[0] == permission]
    people, clients = line.removeprefix(permission).split("|")
    named = zip((*ROLES, "admin"), people.split(), strict=True)
    others = zip(CLIENTS, clients.split(), strict=True)
    return {role for role, x in named if x == "x"}, {role for role, x in others if x == "x"}


@pytest.mark.parametrize("permission", Permission)
def test_each_role_may_what_the_table_says(permission: Permission) -> None:
    people = {role.value for role, may in USER_PERMISSIONS.items() if permission in may}
    clients = {one for one in CLIENTS if permission in CLIENT_PERMISSIONS[ApiRole(one)]}

    assert (people, clients) == allowed(permission)


def test_every_role_is_in_the_table() -> None:
    assert list(USER_PERMISSIONS) == list(UserRole) == [UserRole(r) for r in (*ROLES, "admin")]
    people = [role for role in (*ROLES, "admin") if role != "sender"]
    assert set(CLIENT_PERMISSIONS) == set(ApiRole) == {ApiRole(one) for one in (*CLIENTS, *people)}
    assert SCOPES == {
        UserRole.SENDER: UserScope.SYSTEM_ID,
        UserRole.REGULATOR: UserScope.PROVINCE,
    }


def test_who_only_reads_changes_nothing() -> None:
    for role in (UserRole.VIEWER, UserRole.REGULATOR, UserRole.AUDITOR):
        assert all(one.value.endswith(".read") for one in USER_PERMISSIONS[role])


@pytest.mark.parametrize("role", UserRole)
def test_a_role_may_the_same_by_a_token_and_as_a_person(role: UserRole) -> None:
    client = ApiRole.SP if role is UserRole.SENDER else ApiRole(role)

    assert CLIENT_PERMISSIONS[client] == USER_PERMISSIONS[role]
    assert scope_of_client(ApiClient("one", client, b"")) == SCOPES.get(role)
