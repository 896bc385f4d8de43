"""What proves that a subscriber agreed (R26)."""

from dataclasses import dataclass
from datetime import date, datetime

from gateway.domain.consent import FIRST, end_of


@dataclass(frozen=True, slots=True)
class ConsentProof:
    """The proof of an SP: who agreed, when and how, to what text, for what and how long.

    `who` is the SP's name for the person who agreed, or who recorded the agreement; `text_sha256`
    is the digest of the text that was shown; `valid_until` is the last day. The proof rests on
    `message_ids` or on a document. Unknown values are None or empty.
    """

    who: str = ""
    when: datetime | None = None
    channel: str = ""
    text_sha256: str = ""
    scope: str = ""
    valid_until: date | None = None
    message_ids: tuple[str, ...] = ()
    document_sha256: str = ""

    @property
    def until(self) -> datetime | None:
        """Return the moment at which the agreement ends; None if no end is stated."""
        return None if self.valid_until is None else end_of(self.valid_until)

    def gaps(self, now: datetime) -> tuple[str, ...]:
        """Return why it proves nothing; empty if the proof is complete."""
        named = {
            "who": self.who,
            "when": self.when,
            "channel": self.channel,
            "text": self.text_sha256,
            "scope": self.scope,
            "valid_until": self.valid_until,
            "message_ids or document_sha256": self.message_ids or self.document_sha256,
        }
        missing = [f"{name} is missing" for name, value in named.items() if not value]
        if self.when is not None and self.when > now:
            missing.append("when lies in the future")
        if self.when is not None and self.when < FIRST:
            missing.append("when lies before 1990")
        if self.until is not None and self.until <= now:
            missing.append("valid_until is past")
        return tuple(missing)

    def in_words(self) -> str:
        """Return all known values as one line, for the record."""
        named = {
            "who": self.who,
            "when": self.when.isoformat() if self.when is not None else "",
            "channel": self.channel,
            "text": self.text_sha256 and f"sha256:{self.text_sha256}",
            "scope": self.scope,
            "until": self.valid_until.isoformat() if self.valid_until is not None else "",
            "messages": " ".join(self.message_ids),
            "document": self.document_sha256 and f"sha256:{self.document_sha256}",
        }
        return "; ".join(f"{name} {value}" for name, value in named.items() if value)
