"""What holds for every test: no machine's speed, and no terminal, decides whether one passes."""

import logging
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import TypeAlias

import pytest
import structlog
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.msisdn import msisdn_of
from gateway.domain.quarantine import HeldMessage
from gateway.runtime.sealing import Keys
from gateway.storage.database import Database
from gateway.storage.dialects import sqlite
from gateway.storage.dialects.sqlite import prepare_file
from gateway.storage.open import make_tables, open_database
from gateway.storage.sealed_columns import Kept, Seal
from gateway.stores import Stores, open_store, stores_of
from gateway.systems.users import credentials, sign_in
from tests.postgresql_server import IS_THERE, LACKS, open_postgresql, postgresql_server

Builder: TypeAlias = Callable[..., HeldMessage]
AnswerBuilder: TypeAlias = Callable[..., ConsentAnswer]

NOON = datetime(2025, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)

settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("unhurried")

# Tests start hundreds of processes, each of which would compile its libraries anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Whoever runs the tests may hand on the width of a terminal, by which tables would be folded.
os.environ.pop("COLUMNS", None)
# Every store has the time that a slow machine needs; tests of deadlines set their own.
for _opening in (open_store, open_database):
    _opening.__kwdefaults__ = {**(_opening.__kwdefaults__ or {}), "deadline_s": 30.0}


@wraps(prepare_file)
def _copied_file(path: Path, *, busy_s: float) -> None:
    """Make a new database file as a copy of an empty one: ten times as fast as its migrations."""
    is_new = not path.exists()
    prepare_file(path, busy_s=busy_s)
    if is_new:
        with closing(sqlite3.connect(path)) as made:
            sqlite.empty_database(make_tables).backup(made)


_whole_run = pytest.MonkeyPatch()
# tests/storage takes it back
_whole_run.setattr(sqlite, "prepare_file", _copied_file)
# Passwords of users are hashed as argon2id does, in a millisecond: what they cost in the program
# has a test of its own. The decoy costs what the hashes beside it cost.
_CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
_whole_run.setattr(credentials, "_HASHER", _CHEAP)
_decoy = credentials.DECOY_HASH.split("$")
_whole_run.setattr(sign_in, "DECOY_HASH", "$".join([*_decoy[:3], "m=8,t=1,p=1", *_decoy[4:]]))


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Undo what a test changes about logging: the process has one, and the next test shares it."""
    root = logging.getLogger()  # noqa: TID251 - put back as it was
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let contracts run on PostgreSQL all: the usual tests run some of them there."""
    parser.addoption("--postgresql", action="store_true", help="run every_store on PostgreSQL, too")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked `every_store` on each kind of database, and what else is marked."""
    of_mark = metafunc.definition.get_closest_marker
    if of_mark("every_store") is None or "database" not in metafunc.fixturenames:
        return
    skipped = pytest.mark.skipif(not IS_THERE, reason=LACKS)
    is_asked = of_mark("postgresql") or metafunc.config.getoption("--postgresql")
    more = [pytest.param("postgresql", marks=skipped)] if is_asked else []
    metafunc.parametrize("database", ("memory", "file", "sealed", *more), indirect=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Return the URL of a PostgreSQL server with all tables."""
    with postgresql_server() as url:
        yield url


@pytest.fixture(scope="session")
def noon() -> datetime:
    return NOON


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def answer() -> AnswerBuilder:
    """Build a refusal; give what should be otherwise."""
    usual = ConsentAnswer(8613800138000, "sp1", Answer.REFUSED, NOON, "mo")
    return lambda **changes: replace(usual, **changes)


@pytest.fixture
def database_file(tmp_path: Path) -> Path:
    return tmp_path / "var" / "smsward.db"


@pytest.fixture
def sqlite_url(database_file: Path) -> str:
    return f"sqlite:///{database_file}"


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
    whole = {number for number in numbers if number in range(86_10000_000000, 10**14)}
    written = b" ".join(re.findall(rb"\d{10,}", octets))
    # SQLite keeps an integer in as few octets as it takes, of these numbers in six.
    kept = {number.to_bytes(6, "big"): number for number in whole}
    found = {number for number in whole if str(number)[2:].encode() in written}
    if kept:
        places = range(len(octets) - 5)
        found |= {kept[octets[at : at + 6]] for at in places if octets[at : at + 6] in kept}
    return found


@pytest.fixture
async def database(
    request: pytest.FixtureRequest,
    sqlite_url: str,
    database_file: Path,
    keys: Keys,
    told_to_seals: set[int],
) -> AsyncIterator[Database]:
    """Open an empty database, in memory without the mark `every_store`.

    Whatever a test does with a sealed one, no number stands open in it (R73).
    """
    kind = getattr(request, "param", "memory")
    if kind == "postgresql":
        on_server = await open_postgresql(request.getfixturevalue("postgresql"), deadline_s=30)
        yield on_server
        await on_server.close()
        return
    url = "memory://" if kind == "memory" else sqlite_url
    opened = await open_database(url, keys=keys if kind == "sealed" else None, deadline_s=30)
    yield opened
    await opened.close()
    if kind == "sealed":
        assert _numbers_in(database_file, told_to_seals) == set()


@pytest.fixture
def stores(database: Database) -> Stores:
    """Return the stores of an empty database."""
    return stores_of(database)
