"""Reports to the authority (上报) of prohibited content that was stopped (DEC2012 (5); R60)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from gateway.domain.categories import lineage_of
from gateway.domain.verdict import Finding, Reason

# The root of all content that the law prohibits. Content that is only unwanted, or that is sold in
# a way that is not allowed, is not reported.
_PROHIBITED = "illegal"


class ReportState(StrEnum):
    """State of a report: pending, sent, or not needed because a person released the message."""

    PENDING = "pending"
    SENT = "sent"
    RELEASED = "released"


class ReportSeverity(StrEnum):
    """Severity of a report. Prohibited content is always major."""

    MAJOR = "major"


@dataclass(frozen=True, slots=True)
class NewAuthorityReport:
    """One message that was stopped for prohibited content, with the evidence.

    `message_id` is the gateway's id of the held message, or the id in the record of the decision.
    `msisdn` is the first of `recipients` subscribers; None if the message names none. `keyword` is
    the word that the list `rule` matched, `digest` the policy that judged, `text` the text that was
    read, and `text_sha256` its SHA-256 in UTF-8, in hex.
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
    severity: ReportSeverity = ReportSeverity.MAJOR


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityReport(NewAuthorityReport):
    """A report on record. `reference` is the authority's number for it.

    `sent_at` is when it was settled: when it was sent, or when its message was released.
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
