"""Cases of one campaign, and who handles them; tables of the documentation."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo

import pytest

from gateway.policy.hours import HolidayCalendar, parse
from gateway.settings import yaml
from gateway.systems.cases.model import CaseComplaint
from tests.cli.conftest import answered, cli, deployment, hold, in_store, options, write
from tests.docs.conftest import table

__all__ = ["answered", "cli", "deployment", "hold", "in_store", "options", "table", "write"]

ComplaintBuilder: TypeAlias = Callable[..., CaseComplaint]


@pytest.fixture(scope="session")
def calendar() -> HolidayCalendar:
    """Return the calendar of the shipped bundle."""
    root = Path(__file__).resolve().parents[3]
    return parse(yaml.read(root / "policies/calendars/cn.yaml").value)


@pytest.fixture(scope="session")
def friday() -> datetime:
    """Return an hour of the Friday before the national holiday of 2013."""
    return datetime(2013, 9, 27, 15, 30, tzinfo=ZoneInfo("Asia/Shanghai"))


@pytest.fixture(scope="session")
def complaint(friday: datetime) -> ComplaintBuilder:
    """Build a complaint; give its number, and what should be otherwise."""
    usual = CaseComplaint(
        complaint=1,
        campaign="5f1c0a9b7d3e2468",
        sender="1069000112",
        reporter=8613800138000,
        taken_at=friday,
        front_owner="unicom/北京",
        category="loan",
    )
    return lambda number=1, **changes: replace(usual, complaint=number, **changes)
