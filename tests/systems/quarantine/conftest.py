"""A held message, and the desk it lies on."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.quarantine import HeldMessage
from gateway.stores.open import Stores, memory_stores
from gateway.systems.quarantine.desk import QuarantineDesk
from gateway.systems.quarantine.ids import MessageIds

NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)

Builder: TypeAlias = Callable[..., HeldMessage]


# Values that no test changes: made once, so that hypothesis tests may use them too.
@pytest.fixture(scope="session")
def noon() -> datetime:
    return NOON


@pytest.fixture(scope="session")
def held() -> Builder:
    """Build a held message; give what should be otherwise."""
    usual = HeldMessage(
        message_id=8_1764072000000_01_000,
        system_id="sp1",
        source="10690001",
        destination="13800138000",
        pdu=bytes.fromhex("00000010000000040000000000000001"),
        reason="CONTENT",
        rule="K-FRAUD",
        category="fraud",
        evidence="代开发票",
        digest="0123456789ab",
        receipt_asked=True,
        held_at=NOON,
        expires_at=NOON + timedelta(days=1),
    )
    return lambda **changes: replace(usual, **changes)


@pytest.fixture
def stores() -> Stores:
    return memory_stores()


@pytest.fixture
def desk(stores: Stores) -> QuarantineDesk:
    return QuarantineDesk(stores.quarantine, MessageIds(worker=1))
