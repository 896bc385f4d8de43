"""Reports to the authority (上报) of prohibited content that was stopped (DEC2012 (5); R60)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from gateway.domain.categories import lineage_of
from gateway.domain.verdict import Finding, Reason

# The root of all that the law prohibits. What is only unwanted, or sold in a way that is not
# allowed, is no matter for the police.
_PROHIBITED = "illegal"


class ReportState(StrEnum):
    """Whether the authority has it, or need not: a person has seen its message and let it go."""

    PENDING = "pending"
    SENT = "sent"
    RELEASED = "released"


class Severity(StrEnum):
    """How grave it is; prohibited content always is."""

    MAJOR = "major"


@dataclass(frozen=True, slots=True)
class NewAuthorityReport:
    """One message that was stopped for prohibited content, with the evidence.

    `message_id` is the gateway's own: that of the held message, or the one in the record of
    the decision. `msisdn` is its subscriber, the first of `recipients`; None where it names
    none. `keyword` is the word of the list `rule` that was found, `digest` the policy that
    judged, `text` what was read and `text_sha256` of it in UTF-8, in hex.
    """

    message_id: int
    system_id: str
    source: str
    msisdn: int | None = field(repr=False)
    recipients: int
    action: str
    rule: str
    category: str
    keyword: str
    digest: str
    text: str = field(repr=False)
    text_sha256: str
    stopped_at: datetime
    severity: Severity = Severity.MAJOR


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityReport(NewAuthorityReport):
    """A report on record. `reference` is the number under which the authority has it.

    `sent_at` is when it was settled, also by the release of its message.
    """

    number: int
    state: ReportState = ReportState.PENDING
    sent_at: datetime | None = None
    sent_by: str = ""
    reference: str = ""


@lru_cache(maxsize=1024)
def is_prohibited(category: str) -> bool:
    """Tell whether content of `category`, by id, name or alias, is prohibited by law."""
    return _PROHIBITED in lineage_of(category)


def prohibited_in(findings: Iterable[Finding]) -> Finding | None:
    """Return the first finding of prohibited content that stops a message, None without one."""
    for finding in findings:
        is_against = finding.reason is Reason.CONTENT and not finding.shadow
        if is_against and is_prohibited(finding.category):
            return finding
    return None
