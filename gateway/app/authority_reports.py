"""The reports to the authority, joined to the data path (R60)."""

from gateway.proxy.report_writer import ReportWriter
from gateway.proxy.tick import Tick
from gateway.stores.open import Stores


def reporting_to_the_authority(tick: Tick, stores: Stores) -> ReportWriter:
    """Have what the data path refuses for prohibited content kept for the authority."""
    reporting = ReportWriter(stores.authority_reports)
    tick.report = reporting.stopped
    return reporting


async def last_message_id(stores: Stores) -> int:
    """Return the highest message id on record: of what is held, or only reported.

    Raises StoreUnavailable.
    """
    held = await stores.quarantine.find(limit=1)
    reported = await stores.authority_reports.find(limit=1)
    ids = [one.message_id for one in held] + [one.message_id for one in reported]
    return max(ids, default=0)
