"""Requests for consent (征求同意): what an SP asked a subscriber, and the result (R23)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ConsentRequestState(StrEnum):
    """State of a request. NO_REPLY is a refusal like any other."""

    PENDING = "pending"
    AGREED = "agreed"
    REFUSED = "refused"
    NO_REPLY = "no_reply"


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """One request. A yes counts before `until`. `likeness` identifies similar texts (64 bits).

    The answer goes to `port`, which sent the request; if that is unknown, to any port of the SP.
    The consent is valid until `agreed_until`, if the request names an end.
    """

    msisdn: int
    system_id: str
    likeness: int
    text_sha256: str
    asked_at: datetime
    until: datetime
    state: ConsentRequestState = ConsentRequestState.PENDING
    message_id: str = ""
    answer_id: str = ""
    port: str = ""
    agreed_until: datetime | None = None

    @property
    def key(self) -> tuple[int, str, int]:
        """Return the key of the request: an SP may ask a subscriber the same only once."""
        return (self.msisdn, self.system_id, self.likeness)

    def is_open(self, now: datetime) -> bool:
        """Tell whether a yes or a no can still answer this."""
        return self.state is ConsentRequestState.PENDING and now < self.until
