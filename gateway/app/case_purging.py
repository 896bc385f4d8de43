"""Reports and audits that are past keeping go as records do, but for what holds keep (R70-R72)."""

from gateway.app.purging import Purged, PurgeErrand
from gateway.domain.audit import ConsentAudit
from gateway.domain.authority_report import AuthorityReport
from gateway.domain.msisdn import msisdn_of
from gateway.domain.privacy import LegalHold, NewPurge
from gateway.ports.audits import ConsentAudits
from gateway.ports.authority_reports import AuthorityReports


class ReportPurger:
    """Reports that the authority has; one that is pending stays, whatever its age (R60)."""

    def __init__(self, reports: AuthorityReports) -> None:
        self._reports = reports

    async def purge(self, errand: PurgeErrand) -> Purged:
        """Delete reports page by page, each with its line in the log; see Purger."""
        gone = held = last = 0
        while page := await self._reports.sent_before(errand.before, after=last):
            last = page[-1].number
            free = [one for one in page if not any(_keeps(hold, one) for hold in errand.holds)]
            held += len(page) - len(free)
            if errand.is_rehearsal or not free:
                gone += len(free)
                continue
            times = [one.stopped_at for one in free]
            log = NewPurge("reports", min(times), max(times), len(free), errand.at, errand.by)
            gone += await self._reports.forget([one.number for one in free], log)
        return Purged("reports", gone, held)


class AuditPurger:
    """Audits of asserted consents, with their samples."""

    def __init__(self, audits: ConsentAudits) -> None:
        self._audits = audits

    async def purge(self, errand: PurgeErrand) -> Purged:
        """Delete audits page by page, each with its line in the log; see Purger."""
        gone = held = last = 0
        while page := await self._audits.drawn_before(errand.before, after=last):
            last = page[-1].number
            free = [one for one in page if not any(_keeps_audit(h, one) for h in errand.holds)]
            held += len(page) - len(free)
            if errand.is_rehearsal or not free:
                gone += len(free)
                continue
            times = [one.drawn_at for one in free]
            log = NewPurge("audits", min(times), max(times), len(free), errand.at, errand.by)
            gone += await self._audits.forget([one.number for one in free], log)
        return Purged("audits", gone, held)


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
