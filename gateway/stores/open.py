"""Open the stores that a URL names."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from gateway.ports.audits import ConsentAudits
from gateway.ports.authority_reports import AuthorityReports
from gateway.ports.changes import ChangeFeed
from gateway.ports.consent import ConsentStore
from gateway.ports.consent_lists import ConsentLists
from gateway.ports.errands import ErrandStore
from gateway.ports.errors import StoreUnavailable
from gateway.ports.filings import FilingStore
from gateway.ports.known_peers import KnownPeerStore
from gateway.ports.notices import NoticeStore
from gateway.ports.number_codes import NumberCodeStore
from gateway.ports.policies import PolicyStore
from gateway.ports.preferences import PreferenceStore
from gateway.ports.privacy import FinalMessages, Journals, LegalHolds
from gateway.ports.quarantine import QuarantineStore
from gateway.ports.relations import EndedRelations
from gateway.ports.samples import SampleStore
from gateway.ports.scheduled_messages import ScheduledStore
from gateway.ports.subscriptions import SubscriptionStore
from gateway.ports.suspensions import SuspensionStore
from gateway.ports.warnings import WarningStore
from gateway.runtime.clock import monotonic, utcnow
from gateway.runtime.file_lock import FileLock
from gateway.runtime.sealing import Keys
from gateway.stores.database import Database
from gateway.stores.faults import translated
from gateway.stores.memory_audits import MemoryConsentAudits
from gateway.stores.memory_authority_reports import MemoryAuthorityReports
from gateway.stores.memory_changes import MemoryChanges
from gateway.stores.memory_consent import MemoryConsent
from gateway.stores.memory_errands import MemoryErrands
from gateway.stores.memory_filings import MemoryFilings
from gateway.stores.memory_known_peers import MemoryKnownPeers
from gateway.stores.memory_notices import MemoryNotices
from gateway.stores.memory_number_codes import MemoryNumberCodes
from gateway.stores.memory_policies import MemoryPolicies
from gateway.stores.memory_preferences import MemoryPreferences
from gateway.stores.memory_privacy import MemoryFinalMessages, MemoryJournals, MemoryLegalHolds
from gateway.stores.memory_quarantine import MemoryQuarantine
from gateway.stores.memory_relations import MemoryEndedRelations
from gateway.stores.memory_samples import MemorySamples
from gateway.stores.memory_scheduled_messages import MemoryScheduled
from gateway.stores.memory_subscriptions import MemorySubscriptions
from gateway.stores.memory_suspensions import MemorySuspensions
from gateway.stores.memory_warnings import MemoryWarnings
from gateway.stores.migrate import upgrade
from gateway.stores.sealed_columns import Seal
from gateway.stores.seals import settled_seal
from gateway.stores.sql_audits import SqlConsentAudits
from gateway.stores.sql_authority_reports import SqlAuthorityReports
from gateway.stores.sql_changes import SqlChanges
from gateway.stores.sql_consent import SqlConsent
from gateway.stores.sql_consent_lists import SqlConsentLists
from gateway.stores.sql_errands import SqlErrands
from gateway.stores.sql_filings import SqlFilings
from gateway.stores.sql_known_peers import SqlKnownPeers
from gateway.stores.sql_notices import SqlNotices
from gateway.stores.sql_number_codes import SqlNumberCodes
from gateway.stores.sql_policies import SqlPolicies
from gateway.stores.sql_preferences import SqlPreferences
from gateway.stores.sql_privacy import SqlFinalMessages, SqlJournals, SqlLegalHolds
from gateway.stores.sql_quarantine import SqlQuarantine
from gateway.stores.sql_relations import SqlEndedRelations
from gateway.stores.sql_samples import SqlSamples
from gateway.stores.sql_scheduled_messages import SqlScheduled
from gateway.stores.sql_subscriptions import SqlSubscriptions
from gateway.stores.sql_suspensions import SqlSuspensions
from gateway.stores.sql_warnings import SqlWarnings
from gateway.stores.sqlite import prepare_file, reading_engine, writing_engine

_START_PATIENCE_S = 30.0  # for others that make or migrate the same tables


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of one database; `close` commits what is waiting, and may be repeated.

    `used_octets` tells what the database takes of the octets it may; it raises StoreUnavailable.
    """

    quarantine: QuarantineStore
    consent: ConsentStore
    consent_lists: ConsentLists
    consent_audits: ConsentAudits
    authority_reports: AuthorityReports
    changes: ChangeFeed
    policies: PolicyStore
    preferences: PreferenceStore
    subscriptions: SubscriptionStore
    suspensions: SuspensionStore
    filings: FilingStore
    errands: ErrandStore
    number_codes: NumberCodeStore
    legal_holds: LegalHolds
    journals: Journals
    final_messages: FinalMessages
    ended_relations: EndedRelations
    samples: SampleStore
    scheduled: ScheduledStore
    warnings: WarningStore
    notices: NoticeStore
    # What was deleted leaves the write-ahead log, too; False where somebody still reads it.
    empty_wal: Callable[[], Awaitable[bool]]
    known_peers: KnownPeerStore
    close: Callable[[], Awaitable[None]]
    used_octets: Callable[[], Awaitable[int]]


async def open_store(
    url: str,
    *,
    keys: Keys | None = None,
    deadline_s: float = 2.0,
    max_octets: int | None = None,
) -> Stores:
    """Open the stores at `url`, making or migrating the tables where needed.

    ``sqlite:///var/smsward.db`` is a path relative to the working directory, four slashes
    make it absolute; ``memory://`` forgets everything. Processes that open it at once wait
    for each other; every later read and write ends within `deadline_s`. `max_octets` bounds
    the file. What is a subscriber's is sealed with the current one of `keys`. Raises
    ValueError for any other URL, StoreUnavailable when the database cannot be had, and
    SealMismatch, which is one, when it is sealed otherwise.
    """
    if url == "memory://":
        return memory_stores()
    path = _path_of(url)
    share, seal = await _prepared(path, keys)
    # A lock is given up before the caller gives up, so that the caller hears the reason.
    busy_s = deadline_s / 2
    writing = writing_engine(path, busy_s=busy_s, max_octets=max_octets)
    reading = reading_engine(path, busy_s=busy_s)
    database = Database(reading=reading, writing=writing, deadline_s=deadline_s, seal=seal)

    async def close() -> None:
        await database.close()
        share.release()

    return _sql_stores(database, close)


async def _prepared(path: Path, keys: Keys | None) -> tuple[FileLock, Seal | None]:
    """Make or migrate the tables; return the hold on the file, and what it is sealed with."""
    patience_s = _START_PATIENCE_S
    try:
        await asyncio.to_thread(prepare_file, path, busy_s=patience_s)
    except OSError as error:
        raise StoreUnavailable(f"no database file at {path}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise StoreUnavailable(f"no database at {path}: {error}") from error
    share = _share_of(path)
    engine = writing_engine(path, busy_s=patience_s)
    try:
        await upgrade(engine)
        with translated():
            async with engine.begin() as connection:
                return share, await connection.run_sync(settled_seal, keys)
    except BaseException:
        share.release()
        raise
    finally:
        await engine.dispose()


def _share_of(path: Path) -> FileLock:
    try:
        return FileLock.of(path)
    except BlockingIOError as error:
        raise StoreUnavailable(
            "its numbers are being resealed: try again when it is done"
        ) from error
    except OSError as error:
        raise StoreUnavailable(f"no lock beside {path}: {error.strerror}") from error


def file_of(url: str) -> Path | None:
    """Return the database file behind `url`, None when nothing outlives the process."""
    return None if url == "memory://" else _path_of(url)


def memory_stores() -> Stores:
    """Return the in-memory twins, empty."""
    changes = MemoryChanges()
    consent = MemoryConsent(changes, utcnow)
    quarantine, journals = MemoryQuarantine(changes), MemoryJournals()
    errands = MemoryErrands(changes, utcnow)
    subscriptions = MemorySubscriptions(changes, utcnow, errands)
    return Stores(
        quarantine=quarantine,
        consent=consent,
        consent_lists=consent,
        consent_audits=MemoryConsentAudits(journals),
        authority_reports=MemoryAuthorityReports(quarantine, journals),
        changes=changes,
        policies=MemoryPolicies(),
        preferences=MemoryPreferences(changes, utcnow, journals),
        subscriptions=subscriptions,
        suspensions=MemorySuspensions(changes, utcnow, journals),
        filings=MemoryFilings(changes, utcnow),
        errands=errands,
        number_codes=MemoryNumberCodes(errands),
        legal_holds=MemoryLegalHolds(),
        journals=journals,
        final_messages=MemoryFinalMessages(quarantine, journals),
        ended_relations=MemoryEndedRelations(subscriptions, consent, journals),
        samples=MemorySamples(journals),
        scheduled=MemoryScheduled(consent, utcnow),
        warnings=MemoryWarnings(journals),
        notices=MemoryNotices(consent, changes, utcnow),
        empty_wal=_no_wal,
        known_peers=MemoryKnownPeers(),
        close=_nothing_to_close,
        used_octets=_no_octets,
    )


def _sql_stores(database: Database, close: Callable[[], Awaitable[None]]) -> Stores:
    quarantine = SqlQuarantine(database)
    return Stores(
        quarantine=quarantine,
        consent=SqlConsent(database, utcnow),
        consent_lists=SqlConsentLists(database, utcnow, monotonic, asyncio.sleep),
        consent_audits=SqlConsentAudits(database),
        authority_reports=SqlAuthorityReports(database, quarantine),
        changes=SqlChanges(database),
        policies=SqlPolicies(database),
        preferences=SqlPreferences(database, utcnow),
        subscriptions=SqlSubscriptions(database, utcnow),
        suspensions=SqlSuspensions(database, utcnow),
        filings=SqlFilings(database, utcnow),
        errands=SqlErrands(database, utcnow),
        number_codes=SqlNumberCodes(database, utcnow),
        legal_holds=SqlLegalHolds(database),
        journals=SqlJournals(database),
        final_messages=SqlFinalMessages(database),
        ended_relations=SqlEndedRelations(database),
        samples=SqlSamples(database),
        scheduled=SqlScheduled(database, utcnow),
        warnings=SqlWarnings(database),
        notices=SqlNotices(database, utcnow),
        empty_wal=database.empty_wal,
        known_peers=SqlKnownPeers(database),
        close=close,
        used_octets=database.used_octets,
    )


def _path_of(url: str) -> Path:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("the store's URL cannot be read") from None
    if parsed.drivername != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise ValueError("the store's URL must read sqlite:///path or memory://")
    return Path(str(parsed.database))


async def _no_wal() -> bool:
    """Tell that nothing of what was deleted is left."""
    return True


async def _no_octets() -> int:
    """Return what the twins take of a disk."""
    return 0


async def _nothing_to_close() -> None:
    """Let the twins be used like stores that hold a file open."""
