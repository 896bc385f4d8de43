"""Every store under one roof: a test that takes `stores` runs on each of them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import pytest

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.quarantine import HeldMessage
from gateway.stores.open import Stores, open_store

Builder: TypeAlias = Callable[..., HeldMessage]
AnswerBuilder: TypeAlias = Callable[..., ConsentAnswer]

NOON = datetime(2025, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
def held() -> Builder:
    """Build a held message; give what should be otherwise."""
    usual = HeldMessage(
        message_id=1,
        system_id="sp1",
        source="10690001",
        destination="13800138000",
        pdu=bytes(range(256)),
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
def answer() -> AnswerBuilder:
    """Build a refusal; give what should be otherwise."""
    usual = ConsentAnswer(8613800138000, "sp1", Answer.REFUSED, NOON, "mo")
    return lambda **changes: replace(usual, **changes)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "var" / "smsward.db"


@pytest.fixture
def sqlite_url(database: Path) -> str:
    return f"sqlite:///{database}"


@pytest.fixture(params=["memory", "sqlite"])
async def stores(request: pytest.FixtureRequest, sqlite_url: str) -> AsyncIterator[Stores]:
    urls = {"memory": "memory://", "sqlite": sqlite_url}
    opened = await open_store(urls[request.param])
    yield opened
    await opened.close()
