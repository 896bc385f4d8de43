"""Reports and audits that are past keeping go as records do, but for what holds keep (R70-R72)."""

from gateway.app.purging import PagePurger, Purger
from gateway.domain.audit import ConsentAudit
from gateway.domain.authority_report import AuthorityReport
from gateway.domain.msisdn import msisdn_of
from gateway.domain.privacy import LegalHold
from gateway.ports.audits import ConsentAudits
from gateway.ports.authority_reports import AuthorityReports


def report_purger(reports: AuthorityReports) -> Purger:
    """Return what purges reports that the authority has; who is pending stays, always (R60)."""
    return PagePurger(
        "reports",
        lambda before, after: reports.sent_before(before, after=after),
        reports.forget,
        lambda report: report.number,
        lambda report: report.stopped_at,
        _keeps,
    )


def audit_purger(audits: ConsentAudits) -> Purger:
    """Return what purges audits of asserted consents, with their samples."""
    return PagePurger(
        "audits",
        lambda before, after: audits.drawn_before(before, after=after),
        audits.forget,
        lambda audit: audit.number,
        lambda audit: audit.drawn_at,
        _keeps_audit,
    )


def _keeps(hold: LegalHold, report: AuthorityReport) -> bool:
    return (
        hold.since <= report.stopped_at < hold.until
        and hold.system_id in (None, report.system_id)
        and (hold.msisdn is None or _may_concern(report, hold.msisdn))
    )


def _may_concern(report: AuthorityReport, msisdn: int) -> bool:
    # Of many subscribers a report names the first alone: whom else it was for is not known.
    is_certain = report.recipients == 1 and report.msisdn is not None
    source = msisdn_of(report.source.encode("latin-1", "replace"))
    return not is_certain or msisdn in (report.msisdn, source)


def _keeps_audit(hold: LegalHold, audit: ConsentAudit) -> bool:
    # Whoever is in the sample: it stays whole, or its share would mean nothing.
    return hold.since <= audit.drawn_at < hold.until and hold.system_id in (None, audit.system_id)
