"""All stores of a database."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.runtime.sealing import Keys
from gateway.storage.change_feed import ChangeFeed
from gateway.storage.database import Database
from gateway.storage.journals import SqlJournals
from gateway.storage.open import open_database
from gateway.storage.store_resealer import Told, reseal_database
from gateway.systems.authority_reports.sql import SqlAuthorityReports
from gateway.systems.authority_reports.store import AuthorityReports
from gateway.systems.consent.sql import ConsentLists, ConsentStore
from gateway.systems.consent_audits.model import ConsentAudits
from gateway.systems.consent_audits.sql import SqlConsentAudits
from gateway.systems.early_warnings.sql import WarningStore
from gateway.systems.ended_relations import EndedRelations
from gateway.systems.filings.sql import FilingStore
from gateway.systems.known_peers import KnownPeerStore
from gateway.systems.learning.sql import SampleStore
from gateway.systems.legal_holds.sql import LegalHolds
from gateway.systems.number_codes.sql import NumberCodeStore
from gateway.systems.optout_notices.sql import NoticeStore
from gateway.systems.outbound_messages import OutboundMessageStore
from gateway.systems.policy_history import PolicyStore
from gateway.systems.preferences.sql import PreferenceStore
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.systems.scheduled_messages import ScheduledStore
from gateway.systems.subscriptions.sql import SubscriptionStore
from gateway.systems.suspensions.sql import SuspensionStore


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
    quarantine = QuarantineStore(database)
    return Stores(
        quarantine=quarantine,
        consent=ConsentStore(database),
        consent_lists=ConsentLists(database),
        consent_audits=SqlConsentAudits(database),
        authority_reports=SqlAuthorityReports(database, quarantine),
        changes=ChangeFeed(database),
        policies=PolicyStore(database),
        preferences=PreferenceStore(database),
        subscriptions=SubscriptionStore(database),
        suspensions=SuspensionStore(database),
        filings=FilingStore(database),
        outbound_messages=OutboundMessageStore(database),
        number_codes=NumberCodeStore(database),
        legal_holds=LegalHolds(database),
        journals=SqlJournals(database),
        ended_relations=EndedRelations(database),
        samples=SampleStore(database),
        scheduled=ScheduledStore(database),
        warnings=WarningStore(database),
        notices=NoticeStore(database),
        empty_wal=database.empty_wal,
        known_peers=KnownPeerStore(database),
        close=database.close,
        used_octets=database.used_octets,
    )
