"""All stores of a database."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.runtime.clock import monotonic, utcnow
from gateway.runtime.sealing import Keys
from gateway.storage.change_feed import ChangeFeed, SqlChanges
from gateway.storage.database import Database
from gateway.storage.journals import SqlJournals
from gateway.storage.open import open_database
from gateway.storage.store_resealer import Told, reseal_database
from gateway.systems.authority_reports.sql import SqlAuthorityReports
from gateway.systems.authority_reports.store import AuthorityReports
from gateway.systems.consent.sql import SqlConsent, SqlConsentLists
from gateway.systems.consent.store import ConsentLists, ConsentStore
from gateway.systems.consent_audits.model import ConsentAudits
from gateway.systems.consent_audits.sql import SqlConsentAudits
from gateway.systems.early_warnings.sql import SqlWarnings
from gateway.systems.early_warnings.store import WarningStore
from gateway.systems.ended_relations.model import EndedRelations
from gateway.systems.ended_relations.sql import SqlEndedRelations
from gateway.systems.filings.sql import SqlFilings
from gateway.systems.filings.store import FilingStore
from gateway.systems.known_peers.sql import SqlKnownPeers
from gateway.systems.known_peers.store import KnownPeerStore
from gateway.systems.learning.model import SampleStore
from gateway.systems.learning.sql import SqlSamples
from gateway.systems.legal_holds.model import LegalHolds
from gateway.systems.legal_holds.sql import SqlLegalHolds
from gateway.systems.number_codes.model import NumberCodeStore
from gateway.systems.number_codes.sql import SqlNumberCodes
from gateway.systems.optout_notices.model import NoticeStore
from gateway.systems.optout_notices.sql import SqlNotices
from gateway.systems.outbound_messages.sql import SqlOutboundMessages
from gateway.systems.outbound_messages.store import OutboundMessageStore
from gateway.systems.policy_history.model import PolicyStore
from gateway.systems.policy_history.sql import SqlPolicies
from gateway.systems.preferences.sql import SqlPreferences
from gateway.systems.preferences.store import PreferenceStore
from gateway.systems.quarantine.sql import SqlFinalMessages, SqlQuarantine
from gateway.systems.quarantine.store import FinalMessages, QuarantineStore
from gateway.systems.scheduled_messages.model import ScheduledStore
from gateway.systems.scheduled_messages.sql import SqlScheduled
from gateway.systems.subscriptions.model import SubscriptionStore
from gateway.systems.subscriptions.sql import SqlSubscriptions
from gateway.systems.suspensions.sql import SqlSuspensions
from gateway.systems.suspensions.store import SuspensionStore


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
    outbound_messages: OutboundMessageStore
    number_codes: NumberCodeStore
    legal_holds: LegalHolds
    journals: SqlJournals
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


def reseal_store(url: str, keys: Keys, told: Told) -> int:
    """Seal all stores at `url` with the current key, as `reseal_database` does.

    Called from here, because this module imports all tables that hold sealed columns.
    """
    return reseal_database(url, keys, told)


async def open_store(
    url: str,
    *,
    keys: Keys | None = None,
    deadline_s: float = 2.0,
    max_octets: int | None = None,
) -> Stores:
    """Open the stores at `url`, as `open_database` does."""
    database = await open_database(url, keys=keys, deadline_s=deadline_s, max_octets=max_octets)
    return stores_of(database)


def stores_of(database: Database) -> Stores:
    """Return the stores of an open database; closing them closes it."""
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
        outbound_messages=SqlOutboundMessages(database, utcnow),
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
        close=database.close,
        used_octets=database.used_octets,
    )
