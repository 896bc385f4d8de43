"""Purge reports, audits, the preference journal, suspensions, warnings; legal holds keep them."""

from dataclasses import dataclass, replace
from datetime import timedelta

from gateway.app.purge import PagePurger, PurgeErrand, Purger, PurgeResult
from gateway.domain.audit import ConsentAudit
from gateway.domain.authority_report import AuthorityReport
from gateway.domain.msisdn import msisdn_of
from gateway.domain.privacy import LegalHold
from gateway.domain.suspension import Suspension
from gateway.domain.warning import EarlyWarning
from gateway.ports.audits import ConsentAudits
from gateway.ports.authority_reports import AuthorityReports
from gateway.ports.preferences import OldEntry, PreferenceStore
from gateway.ports.suspensions import SuspensionStore
from gateway.ports.warnings import WarningStore

# The longest restore_span that a rule may have is 180 days.
_SUSPENSIONS_REMEMBERED = timedelta(days=200)
# The ledger of violations is kept longer than its messages: a sanction looks back (R96).
_WARNINGS_REMEMBERED = timedelta(days=3 * 366)


def report_purger(reports: AuthorityReports) -> Purger:
    """Return the purger of reports that the authority has; PENDING ones always stay (R60)."""
    return PagePurger(
        "reports",
        lambda before, after: reports.sent_before(before, after=after),
        reports.forget,
        lambda report: report.number,
        lambda report: report.stopped_at,
        _keeps,
    )


def audit_purger(audits: ConsentAudits) -> Purger:
    """Return the purger of audits of asserted consents, with their samples."""
    return PagePurger(
        "audits",
        lambda before, after: audits.drawn_before(before, after=after),
        audits.forget,
        lambda audit: audit.number,
        lambda audit: audit.drawn_at,
        _keeps_audit,
    )


def preference_purger(preferences: PreferenceStore) -> Purger:
    """Return the purger of the journal of preferences; the preferences themselves stay."""
    return PagePurger(
        "preferences",
        lambda before, after: preferences.journaled_before(before, after=after),
        preferences.forget_entries,
        lambda entry: entry.number,
        lambda entry: entry.at,
        _keeps_entry,
    )


def suspension_purger(suspensions: SuspensionStore) -> Purger:
    """Return the purger of suspensions; their months count from their end.

    None is purged while a rule may ask how often its number was restored (`restore_span`).
    """
    return _RememberingPurger(
        PagePurger(
            "suspensions",
            lambda before, after: suspensions.over_before(before, after=after),
            suspensions.forget,
            lambda suspension: suspension.number,
            lambda suspension: suspension.since,
            _keeps_suspension,
        ),
        _SUSPENSIONS_REMEMBERED,
    )


def warning_purger(warnings: WarningStore) -> Purger:
    """Return the purger of early warnings, including the ledger of violations.

    A warning is purged at the earliest three years after it last grew.
    """
    return _RememberingPurger(
        PagePurger(
            "warnings",
            lambda before, after: warnings.noticed_before(before, after=after),
            warnings.forget,
            lambda warning: warning.number,
            lambda warning: warning.gathered.last_at,
            _keeps_warning,
        ),
        _WARNINGS_REMEMBERED,
    )


@dataclass(frozen=True, slots=True)
class _RememberingPurger:
    """Purges with `purger`, but nothing younger than `at_least`."""

    purger: Purger
    at_least: timedelta

    async def purge(self, errand: PurgeErrand) -> PurgeResult:
        """See Purger."""
        before = min(errand.before, errand.at - self.at_least)
        return await self.purger.purge(replace(errand, before=before))


def _keeps(hold: LegalHold, report: AuthorityReport) -> bool:
    return (
        hold.since <= report.stopped_at < hold.until
        and hold.system_id in (None, report.system_id)
        and (hold.msisdn is None or _may_concern(report, hold.msisdn))
    )


def _may_concern(report: AuthorityReport, msisdn: int) -> bool:
    # With several recipients a report names only the first; the others are not known.
    is_certain = report.recipients == 1 and report.msisdn is not None
    source = msisdn_of(report.source.encode("latin-1", "replace"))
    return not is_certain or msisdn in (report.msisdn, source)


def _keeps_entry(hold: LegalHold, entry: OldEntry) -> bool:
    # SPs are not told of preferences: a hold on an SP keeps none of them.
    return (
        hold.since <= entry.at < hold.until
        and hold.system_id is None
        and hold.msisdn in (None, entry.msisdn)
    )


def _keeps_audit(hold: LegalHold, audit: ConsentAudit) -> bool:
    # A hold on any subscriber keeps the whole sample, or its share would mean nothing.
    return hold.since <= audit.drawn_at < hold.until and hold.system_id in (None, audit.system_id)


def _keeps_suspension(hold: LegalHold, suspension: Suspension) -> bool:
    return (
        hold.since <= (suspension.lifted_at or suspension.until)
        and suspension.since < hold.until
        and hold.system_id in (None, suspension.system_id)
        and hold.msisdn in (None, suspension.msisdn)
    )


def _keeps_warning(hold: LegalHold, warning: EarlyWarning) -> bool:
    # A hold on any subscriber keeps it: a warning counts messages without their recipients.
    gathered = warning.gathered
    return (
        hold.since <= gathered.last_at
        and gathered.first_at < hold.until
        and hold.system_id in (None, gathered.kind.system_id)
    )
