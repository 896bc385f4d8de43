"""The gateway escalates warnings that an SP leaves unanswered."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from gateway.domain.warning import EarlyWarning, WarningCode, WarningCount, WarningKind
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.early_warnings.service import WarningEscalations

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
DUE = NOON + timedelta(hours=24)
REFUSED = WarningKind(WarningCode.W5, "R21", "shop", "10690001")


@pytest.fixture
async def store(stores: Stores) -> Stores:
    """Return stores with one warning: an advert to somebody who refused."""
    await stores.warnings.add([WarningCount(REFUSED, None, 1, 0, NOON, NOON, ("4:101",))])
    return stores


async def test_r95_an_unanswered_warning_is_told_in_the_log_once_by_one_of_two_processes(
    store: Stores,
) -> None:
    one, other = (WarningEscalations(store.warnings) for _ in range(2))

    with capture_logs() as logged:
        await one.look(DUE - timedelta(seconds=1))
        await one.look(DUE)
        await other.look(DUE)
        await one.look(DUE + timedelta(days=1))

    assert logged == [
        {
            "event": "warning.escalated",
            "log_level": "warning",
            "number": 1,
            "code": "W5",
            "rule": "R21",
            "system_id": "shop",
            "port": "10690001",
            "due": "2026-11-26T12:00:00+00:00",
        }
    ]
    assert (one.counts(), other.counts()) == ({"W5": 1}, {})


async def test_what_the_store_does_not_take_is_escalated_in_the_next_minute(
    store: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(_at: datetime) -> list[EarlyWarning]:
        raise StoreUnavailable("full")

    escalations = WarningEscalations(store.warnings)
    with monkeypatch.context() as patch, capture_logs() as logged:
        patch.setattr(store.warnings, "escalate_due", failing)
        await escalations.look(DUE)
    await escalations.look(DUE)

    assert [one["event"] for one in logged] == ["warning.escalation_failed"]
    assert escalations.counts() == {"W5": 1}
