"""Page: the totals of one province, which an authority sees first."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import Request, Response

from gateway.domain.permissions import UserScope
from gateway.domain.warning import WarningState
from gateway.storage.database import Database
from gateway.systems.complaints.model import ComplaintState
from gateway.systems.complaints.pages import COMPLAINTS, STATES, ComplaintListQuery
from gateway.systems.complaints.sql import ComplaintStore
from gateway.systems.early_warnings.pages import WARNINGS, WarningListQuery
from gateway.systems.early_warnings.sql import WarningStore
from gateway.systems.filings.filing_table import ports_in, senders_in, within_province
from gateway.systems.filings.sql import FilingStore
from gateway.web.pages import PageUser, PortsOf, Templates

COUNTED_DAYS = 30


def province_ports(database: Database) -> PortsOf:
    """Return what finds the ports filed for the province that a user is limited to."""
    filings = FilingStore(database)

    async def ports_of(user: PageUser) -> frozenset[str] | None:
        province = user.limits.get(UserScope.PROVINCE)
        return None if province is None else ports_in(await filings.all_filings(), province)

    return ports_of


@dataclass(frozen=True, slots=True)
class ProvincePage:
    """Shows who is limited to a province what there is of its ports, counted."""

    database: Database
    templates: Templates
    utcnow: Callable[[], datetime]

    async def shown(self, request: Request) -> Response:
        """Return complaints of 30 days by state and category, open warnings, SPs and ports."""
        user: PageUser = request.state.user
        province, now = user.limits[UserScope.PROVINCE], self.utcnow()
        filed = within_province(await FilingStore(self.database).all_filings(), province)
        ports, since = ports_in(filed, province), now - timedelta(days=COUNTED_DAYS)
        complaints = await ComplaintStore(self.database).counts_of(ports, since)
        warnings = await WarningStore(self.database).unanswered(ports, now)
        by_state, by_category = Counter[ComplaintState](), Counter[str]()
        for (state, category), count in complaints.items():
            by_state[state] += count
            by_category[category] += count
        values = {
            "province": province,
            "days": COUNTED_DAYS,
            "since": since,
            "now": now,
            "complaints": by_state.total(),
            "complaints_path": COMPLAINTS.path,
            "states": [
                (word, by_state[state], ComplaintListQuery(state=state).path())
                for state, word in STATES.items()
            ],
            "categories": by_category.most_common(),
            "warnings": sum(warnings.by_state.values()),
            "escalated": warnings.by_state.get(WarningState.ESCALATED, 0),
            "overdue": warnings.overdue,
            "overdue_path": WarningListQuery(only="overdue").path(),
            "warnings_path": WARNINGS.path,
            "senders": len(senders_in(filed)),
            "ports": len(ports),
        }
        return self.templates.page(request, "console/province.html", values)
