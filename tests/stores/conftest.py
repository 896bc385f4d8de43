"""Every store under one roof: a test that takes `stores` runs on each of them."""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import pytest

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.msisdn import msisdn_of
from gateway.domain.quarantine import HeldMessage
from gateway.ports.consent_lists import Kept
from gateway.runtime.sealing import Keys
from gateway.stores.open import Stores, open_store
from gateway.stores.sealed_columns import Seal

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


@pytest.fixture
def keys() -> Keys:
    """Two keys; the first is in use."""
    return Keys({"k1": bytes(range(64)), "k2": bytes(range(64, 128))}, "k1")


@pytest.fixture
def told_to_seals(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Gather all whole numbers that were ever to be sealed, those in addresses too."""
    told: set[int] = set()
    number, text = Seal.number, Seal.text

    def noted_number(seal: Seal, msisdn: int) -> Kept:
        told.add(msisdn)
        return number(seal, msisdn)

    def noted_text(seal: Seal, value: str, place: str = "") -> bytes:
        told.add(msisdn_of(value.encode("utf-8", "replace")) or 0)
        return text(seal, value, place)

    monkeypatch.setattr(Seal, "number", noted_number)
    monkeypatch.setattr(Seal, "text", noted_text)
    return told


@pytest.fixture
def numbers_in() -> Callable[[Path, Iterable[int]], set[int]]:
    return _numbers_in


def _numbers_in(database: Path, numbers: Iterable[int]) -> set[int]:
    """Return those that stand in the file, or in what SQLite has beside it, in any form."""
    octets = b"".join(path.read_bytes() for path in database.parent.glob(f"{database.name}*"))
    # SQLite keeps an integer in as few octets as it takes, of these numbers in six.
    return {
        number
        for number in numbers
        if number in range(86_10000_000000, 10**14)
        and (str(number)[2:].encode() in octets or number.to_bytes(6, "big") in octets)
    }


@pytest.fixture(params=["memory", "sqlite", "sealed"])
async def stores(
    request: pytest.FixtureRequest,
    sqlite_url: str,
    database: Path,
    keys: Keys,
    told_to_seals: set[int],
) -> AsyncIterator[Stores]:
    """Open a store; whatever a test does with a sealed one, no number stands open in it (R73)."""
    urls = {"memory": "memory://", "sqlite": sqlite_url, "sealed": sqlite_url}
    sealing = keys if request.param == "sealed" else None
    opened = await open_store(urls[request.param], keys=sealing, deadline_s=30)
    yield opened
    await opened.close()
    if request.param == "sealed":
        assert _numbers_in(database, told_to_seals) == set()
