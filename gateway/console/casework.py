"""Pages of complaints, cases, warnings, sanctions and models, and what they stand on."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from fastapi import APIRouter

from gateway.console.case_graph import CaseGraph, graph_of
from gateway.domain.permissions import UserScope
from gateway.policy.hours import HolidayCalendar
from gateway.runtime.sealing import KeyFileError, trusted_key
from gateway.settings.gateway import LearningSettings
from gateway.storage.journals import SqlJournals
from gateway.systems.cases.pages import CASES, CasePages, case_pages
from gateway.systems.cases.service import CaseDesk
from gateway.systems.cases.sql import CaseStore
from gateway.systems.complaints.pages import COMPLAINTS, ComplaintPages, complaint_pages
from gateway.systems.complaints.sql import ComplaintStore
from gateway.systems.early_warnings.pages import WARNINGS, WarningPages, warning_pages
from gateway.systems.early_warnings.sanction_store import SanctionStore
from gateway.systems.early_warnings.sql import WarningStore
from gateway.systems.filings.filing_table import ports_in
from gateway.systems.filings.sql import FilingStore
from gateway.systems.learning.model_directory import ModelDirectory
from gateway.systems.learning.pages import MODELS, ModelPages, model_pages
from gateway.web.pages import PageUser, Templates

CASEWORK_LINKS = (COMPLAINTS, CASES, WARNINGS, MODELS)
CASEWORK_PACKAGES = {
    "cases": "gateway.systems.cases",
    "complaints": "gateway.systems.complaints",
    "learning": "gateway.systems.learning",
    "warnings": "gateway.systems.early_warnings",
}
GRAPH_COMPLAINTS = 500


def models_in(learning: LearningSettings | None) -> ModelDirectory | None:
    """Return where the models of a deployment are; None where their keys cannot be read."""
    if learning is None:
        return None
    try:
        keys = [trusted_key(path) for path in learning.trusted_keys]
    except (KeyFileError, OSError):
        return None
    return ModelDirectory(learning.models, keys, starter=learning.starter_file)


class CaseworkStores(Protocol):
    """The stores that these pages work with."""

    @property
    def complaints(self) -> ComplaintStore:
        """Return complaints."""

    @property
    def cases(self) -> CaseStore:
        """Return cases."""

    @property
    def warnings(self) -> WarningStore:
        """Return early warnings."""

    @property
    def sanctions(self) -> SanctionStore:
        """Return sanctions."""

    @property
    def filings(self) -> FilingStore:
        """Return filings."""

    @property
    def journals(self) -> SqlJournals:
        """Return the journals."""


def casework_pages(
    stores: CaseworkStores,
    calendar: Callable[[], HolidayCalendar],
    models: ModelDirectory | None,
    templates: Templates,
    utcnow: Callable[[], datetime],
    mask: Callable[[str], str],
) -> tuple[APIRouter, ...]:
    """Return the pages of complaints, cases, warnings, sanctions and models.

    `calendar` has the working days by which clocks run, `mask` hides numbers in texts.
    """
    desk, journals = CaseDesk(stores.cases, calendar), stores.journals

    async def ports_of(user: PageUser) -> frozenset[str] | None:
        province = user.limits.get(UserScope.PROVINCE)
        return None if province is None else ports_in(await stores.filings.all_filings(), province)

    async def draw(number: int) -> CaseGraph:
        found = dict(await stores.cases.complaints_of(number, GRAPH_COMPLAINTS))
        texts = await stores.complaints.texts_of(found)
        told = [(sender, texts.get(key, "")) for key, sender in found.items()]
        return await asyncio.to_thread(graph_of, told)

    return (
        complaint_pages(
            ComplaintPages(stores.complaints, journals, templates, utcnow, mask, ports_of)
        ),
        case_pages(CasePages(stores.cases, desk, journals, templates, utcnow, draw)),
        warning_pages(WarningPages(stores.warnings, stores.sanctions, templates, utcnow, ports_of)),
        model_pages(ModelPages(models, journals, templates, utcnow)),
    )
