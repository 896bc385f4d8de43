"""What subscribers said to SPs: consent (同意) and refusal (退订)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from typing import NamedTuple

EVERY_SENDER = ""  # the scope of an answer that is given to all SPs at once
# The days of agreements are days in China (UTC+8). A time states its own zone.
_DAYS_OF = timezone(timedelta(hours=8))
_DAY = timedelta(days=1)
_LAST_DAY = date(9999, 12, 30)
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)
# No consent to the gateway's messages is older than this.
FIRST = datetime(1990, 1, 1, tzinfo=UTC)
CLAIMED = "api: "  # prefix of the channel of an SP's claim over the API; the client follows

# Of how many numbers the answers on record can be asked at once.
NUMBERS_AT_ONCE = 1000


class Answer(StrEnum):
    """The last answer of a subscriber, or what an SP asserts it was.

    ASSERTED is an agreement without evidence: only the SP says so (R26).
    """

    AGREED = "agreed"
    REFUSED = "refused"
    ASSERTED = "asserted"


@dataclass(frozen=True, slots=True)
class ConsentAnswer:
    """One answer. `scope` is the SP's system_id, a part of the SP (`scope_of`), or EVERY_SENDER.

    `evidence` names the proof in a few words: message ids, the digest of a document. An agreement
    with an `until` is not valid from that moment on. A refusal has no end.
    """

    msisdn: int
    scope: str
    answer: Answer
    since: datetime
    channel: str
    evidence: str = ""
    until: datetime | None = None

    def standing(self, now: datetime) -> Answer | None:
        """Return the answer that holds at a moment; None once it has ended."""
        return self.answer if self.until is None or now < self.until else None

    def holds_over(self, other: "ConsentAnswer") -> bool:
        """Tell whether this answer replaces `other`, which has the same number and scope.

        The later answer wins. At the same moment the refusal wins: a subscriber who is asked twice
        may be annoyed, but to ignore a refusal is wrong. An answer of the subscriber always
        replaces an asserted one and is never replaced by it, at any date (R37).
        """
        is_asserted, was_asserted = (one.answer is Answer.ASSERTED for one in (self, other))
        if is_asserted is not was_asserted:
            return was_asserted
        if self.since == other.since:
            return self.answer is Answer.REFUSED
        return self.since > other.since


class ScopeParts(NamedTuple):
    """Whom an answer is given to: an SP, and of its messages those of one port or category."""

    system_id: str
    port: str = ""
    category: str = ""

    @property
    def is_part(self) -> bool:
        """Tell whether it is less than the SP."""
        return bool(self.port or self.category)


def scope_of(system_id: str, port: str = "", category: str = "") -> str:
    """Return the scope of an SP, or of one of its ports or categories: no system_id has a blank."""
    part = f"#{category}" if category else port
    return f"{system_id} {part}" if part else system_id


def bounds_of_parts(system_id: str) -> tuple[str, str]:
    """Return two strings between which, in the order of octets, the parts of an SP are alone."""
    return f"{system_id} ", f"{system_id}!"


def parts_of(scope: str) -> ScopeParts:
    """Return what `scope_of` made a scope of."""
    system_id, _, part = scope.partition(" ")
    is_category = part.startswith("#")
    return ScopeParts(system_id, "" if is_category else part, part[1:] if is_category else "")


def stands_against(said: ConsentAnswer, msisdn: int, own: ConsentAnswer | None) -> bool:
    """Tell whether `said` is a refusal that holds for `msisdn`, given its own answer `own`.

    A refusal by the number that `msisdn` is read as without its plus holds too, unless `msisdn`
    agreed later.
    """
    agreed_at = own.since if own is not None and own.answer is Answer.AGREED else FIRST
    is_refusal = said.answer is Answer.REFUSED
    return is_refusal and (said.msisdn == msisdn or said.since >= agreed_at)


def end_of(last_day: date) -> datetime:
    """Return when an agreement ends that is valid through `last_day`, by the clock in China."""
    return bounded(datetime.combine(min(last_day, _LAST_DAY) + _DAY, time(), _DAYS_OF))


def day_of(moment: datetime) -> date:
    """Return the day in China at `moment`."""
    return moment.astimezone(_DAYS_OF).date()


def bounded(moment: datetime) -> datetime:
    """Return an aware moment, limited to the range that is kept: from 1990 to the year 9999."""
    return min(max(moment, FIRST), _LATEST)


def end_said(text: str) -> datetime:
    """Return the end of an agreement, written as a last day or as a time with its offset.

    Raises ValueError.
    """
    if len(text) == len("2035-12-31"):
        return end_of(date.fromisoformat(text))
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("has no offset")
    return bounded(moment)
