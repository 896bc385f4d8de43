"""What an OpenID Connect provider knows the console as, and what its claims mean here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.domain.permissions import SCOPES, UserRole

# The roles that a claim may give: those with a limit of their own, and that of admins, are given
# by people.
CLAIMED_ROLES = frozenset(UserRole) - SCOPES.keys() - {UserRole.ADMIN}


@dataclass(frozen=True, slots=True)
class OidcClient:
    """A client of one provider (OpenID Connect Core 1.0).

    The claim `name_claim` is the name of a user here. With a `role_claim` the first of its values
    that is in `roles` is the role, at each sign-in; without a match there is no role. An unknown
    user is made where `makes_users`, with the role claimed or the `default_role`.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    label: str = "SSO"
    name_claim: str = "preferred_username"
    role_claim: str = ""
    roles: Mapping[str, UserRole] = field(default_factory=dict)
    makes_users: bool = False
    default_role: UserRole | None = None

    def role_of(self, claims: Mapping[str, object]) -> UserRole | None:
        """Return the role that claims give, None for none."""
        if not self.role_claim:
            return self.default_role
        found = claims.get(self.role_claim)
        values = found if isinstance(found, list) else [found]
        return next((role for value, role in self.roles.items() if value in values), None)
