"""What the claims of an OpenID Connect provider give a user here."""

from dataclasses import replace

import pytest

from gateway.domain.oidc_client import CLAIMED_ROLES, OidcClient
from gateway.domain.permissions import UserRole

PLAIN = OidcClient("https://id.example", "smsward", "a secret", "https://console.example/done")
ROLES = {"sms-lead": UserRole.SENIOR_REVIEWER, "sms": UserRole.REVIEWER}
CLAIMING = replace(PLAIN, role_claim="groups", roles=ROLES, default_role=UserRole.VIEWER)


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["all", "sms"]}, UserRole.REVIEWER),
        ({"groups": ["sms", "sms-lead"]}, UserRole.SENIOR_REVIEWER),  # the first of `roles`
        ({"groups": "sms"}, UserRole.REVIEWER),
        ({"groups": "sms-lead,sms"}, None),
        ({"groups": ["SMS"]}, None),
        ({"groups": []}, None),
        ({"groups": {"sms": True}}, None),
        ({"role": ["sms"]}, None),
    ],
)
def test_the_first_role_whose_value_is_claimed_is_given(
    claims: dict[str, object], role: UserRole | None
) -> None:
    assert CLAIMING.role_of(claims) is role


def test_where_no_claim_gives_roles_all_have_the_default() -> None:
    assert PLAIN.role_of({"groups": ["sms-lead"]}) is None
    assert replace(PLAIN, default_role=UserRole.VIEWER).role_of({}) is UserRole.VIEWER


def test_no_claim_makes_an_admin_or_gives_a_role_with_a_scope() -> None:
    assert set(UserRole) - CLAIMED_ROLES == {UserRole.ADMIN, UserRole.SENDER, UserRole.REGULATOR}


def test_a_client_is_printed_without_its_secret() -> None:
    assert "a secret" not in repr(PLAIN)
