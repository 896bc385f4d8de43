"""Messages of authorities in the public interest (R11)."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import MinLen

from gateway.domain.verdict import Reason
from gateway.policy.check import Exemption, RuleId


@dataclass(frozen=True, slots=True)
class PublicInterest(Exemption):
    """An approved authority's port writes: the rules in `exempts` are not asked then (R11)."""

    reason = Reason.PUBLIC_INTEREST
    order = 30
    help = {"exempts": "The rules that are not asked then."}

    exempts: Annotated[frozenset[RuleId], MinLen(1)]
