"""The relation (关系) between a subscriber and an SP: orders, consent, requests and refusals."""

from dataclasses import dataclass, field
from datetime import datetime

# Replaces the channel of a refusal once that is forgotten: the refusal still holds (R71).
FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class EndedRelation:
    """A relation with nothing live: no order runs or waits, no consent is given or asked for.

    It began with the first entry on record and ended with the last; an agreement for a limited time
    ends with that time. A relation to every SP has the `system_id` EVERY_SENDER.
    """

    msisdn: int = field(repr=False)
    system_id: str
    began_at: datetime
    ended_at: datetime

    @property
    def key(self) -> tuple[int, str]:
        """Return the key of the relation."""
        return self.msisdn, self.system_id
