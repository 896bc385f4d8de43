"""The relation (关系) between a subscriber and an SP: orders, consent, requests and refusals."""

from dataclasses import dataclass, field
from datetime import datetime

# In place of how a refusal was given, once that is forgotten: it holds all the same (R71).
FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class EndedRelation:
    """One of which nothing is live: no order runs or waits, no consent is given or asked for.

    It began with the first of what is on record, and ended with the last; an agreement that
    was given for a time ends with that time. One to every SP has EVERY_SENDER for a `system_id`.
    """

    msisdn: int = field(repr=False)
    system_id: str
    began_at: datetime
    ended_at: datetime

    @property
    def key(self) -> tuple[int, str]:
        """Return what names it."""
        return self.msisdn, self.system_id
