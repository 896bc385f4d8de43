"""All stores of a database."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from typing import Any

from gateway.runtime.sealing import Keys
from gateway.settings.gateway import GatewaySettings, keys_of
from gateway.storage.change_feed import ChangeFeed
from gateway.storage.database import Database
from gateway.storage.dialects.base import DatabaseLock
from gateway.storage.journals import SqlJournals
from gateway.storage.open import open_database, taken_alone
from gateway.storage.store_resealer import Told, reseal_database
from gateway.systems.api_answers import ApiAnswerStore
from gateway.systems.approvals.sql import ApprovalStore
from gateway.systems.authority_reports.sql import AuthorityReports
from gateway.systems.cases.sql import CaseStore
from gateway.systems.complaints.sql import ComplaintStore
from gateway.systems.consent.sql import ConsentLists, ConsentStore, OfferedWordStore
from gateway.systems.consent_audits.sql import ConsentAudits
from gateway.systems.early_warnings.detector_counts import DetectorStore
from gateway.systems.early_warnings.sanction_store import SanctionStore
from gateway.systems.early_warnings.sql import WarningStore
from gateway.systems.ended_relations import EndedRelations
from gateway.systems.filings.sql import FilingStore
from gateway.systems.known_peers import KnownPeerStore
from gateway.systems.learning.sql import SampleStore
from gateway.systems.legal_holds.sql import LegalHolds
from gateway.systems.linkage.sql import LinkageInboxStore, LinkageOutboxStore
from gateway.systems.number_codes.sql import NumberCodeStore
from gateway.systems.optout_notices.sql import NoticeStore
from gateway.systems.outbound_messages import OutboundMessageStore
from gateway.systems.policy_history import PolicyStore
from gateway.systems.preferences.sql import PreferenceStore
from gateway.systems.quarantine.agreement.counts import AgreementStore
from gateway.systems.quarantine.campaigns import CampaignStore
from gateway.systems.quarantine.decisions import ReviewStore
from gateway.systems.quarantine.exceptions import ExceptionStore
from gateway.systems.quarantine.leases.store import LeaseStore
from gateway.systems.quarantine.review_limits import OverdueStore
from gateway.systems.quarantine.second_reviews import SecondReviewStore
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.systems.scheduled_messages import ScheduledStore
from gateway.systems.sender_alerts import SenderAlertStore
from gateway.systems.subscriptions.sql import SubscriptionStore
from gateway.systems.suspended_senders import DrainedSmscStore, SuspendedSenderStore
from gateway.systems.suspensions.sql import SuspendedPortStore, SuspensionStore
from gateway.systems.undelivered_messages import UndeliveredStore
from gateway.systems.users.session_store import UserSessionStore
from gateway.systems.users.sql import UserStore

_WORKER_DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of one database; `close` commits what is waiting, and may be repeated.

    `used_octets` tells what the database takes of the octets it may; it raises StoreUnavailable.
    """

    database: Database
    quarantine: QuarantineStore
    api_answers: ApiAnswerStore
    approvals: ApprovalStore
    reviews: ReviewStore
    campaigns: CampaignStore
    leases: LeaseStore
    exceptions: ExceptionStore
    second_reviews: SecondReviewStore
    agreement: AgreementStore
    overdue: OverdueStore
    cases: CaseStore
    consent: ConsentStore
    consent_lists: ConsentLists
    consent_audits: ConsentAudits
    authority_reports: AuthorityReports
    changes: ChangeFeed
    policies: PolicyStore
    preferences: PreferenceStore
    subscriptions: SubscriptionStore
    suspensions: SuspensionStore
    suspended_senders: SuspendedSenderStore
    suspended_ports: SuspendedPortStore
    drained_smscs: DrainedSmscStore
    sender_alerts: SenderAlertStore
    filings: FilingStore
    outbound_messages: OutboundMessageStore
    number_codes: NumberCodeStore
    legal_holds: LegalHolds
    linkage_inbox: LinkageInboxStore
    linkage_outbox: LinkageOutboxStore
    journals: SqlJournals
    ended_relations: EndedRelations
    samples: SampleStore
    scheduled: ScheduledStore
    complaints: ComplaintStore
    warnings: WarningStore
    detectors: DetectorStore
    sanctions: SanctionStore
    notices: NoticeStore
    undelivered: UndeliveredStore
    users: UserStore
    user_sessions: UserSessionStore
    # What was deleted leaves the write-ahead log, too; False where somebody still reads it.
    empty_wal: Callable[[], Awaitable[bool]]
    known_peers: KnownPeerStore
    offered_words: OfferedWordStore
    close: Callable[[], Awaitable[None]]
    used_octets: Callable[[], Awaitable[int]]
    key_id: str  # of what it is sealed with, "" if it stands open


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


@asynccontextmanager
async def worker_stores(settings: GatewaySettings, command: str) -> AsyncIterator[Stores]:
    """Open the stores for `command`, a process beside the gateway; one works at a time.

    No message waits for it, and its commits are large: it waits longer for the store. Raises
    StoreUnavailable, also where another one works on this store.
    """
    url = settings.store.url
    stores = await open_store(
        url,
        keys=keys_of(settings),
        deadline_s=_WORKER_DEADLINE_S,
        max_octets=settings.store.max_octets,
    )
    alone: DatabaseLock | None = None
    try:
        alone = taken_alone(url, command)
        yield stores
    finally:
        if alone is not None:
            alone.release()
        await stores.close()


def stores_of(database: Database) -> Stores:
    """Return the stores of an open database; closing them closes it."""
    kinds = {one.name: one.type for one in fields(Stores) if isinstance(one.type, type)}
    del kinds["authority_reports"], kinds["database"], kinds["key_id"]
    made: dict[str, Any] = {name: kind(database) for name, kind in kinds.items()}
    return Stores(
        **made,
        database=database,
        authority_reports=AuthorityReports(database, made["quarantine"]),
        empty_wal=database.empty_wal,
        close=database.close,
        used_octets=database.used_octets,
        key_id=database.key_id,
    )
