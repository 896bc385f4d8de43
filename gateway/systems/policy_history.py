"""Versions of the policy on record, requests for changes, and drafts of changed files."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.records import NewAccess
from gateway.storage.database import SqlStore, added, oldest, values_of
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns
from gateway.storage.journals import note_access
from gateway.storage.tables import UtcTime, metadata, word


@dataclass(frozen=True, slots=True)
class NewPolicyVersion:
    """A bundle that came into force. `archive` is its packed files, empty if not kept."""

    digest: str
    name: str
    at: datetime
    by: str
    note: str
    archive: bytes


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version on record; numbers increase and are never reused."""

    number: int
    digest: str
    name: str
    at: datetime
    by: str
    note: str
    archive_octets: int


class ReloadRequestState(StrEnum):
    """State of a request for a reload."""

    OPEN = "open"
    TAKEN = "taken"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class PolicyRequest:
    """A person's request to load the policies; `force` bypasses the shrink guard.

    `said` is the digest in force once it is taken, or why it is not. `number` is 0 until the
    store has given one.
    """

    by: str
    note: str
    force: bool
    at: datetime
    number: int = 0
    state: ReloadRequestState = ReloadRequestState.OPEN
    said: str = ""


@dataclass(frozen=True, slots=True)
class PolicyDraft:
    """A file of the policy as one user has edited it; it is in force nowhere.

    `base` is the SHA-256 of the file that the edit began with, "" for a file that is new.
    `revision` counts from 1 with each time the user saves it.
    """

    by: str
    name: str
    base: str
    revision: int
    text: str
    at: datetime


VERSIONS_KEPT = 200
DRAFTS_KEPT = 50  # of one user
DRAFT_LIFE = timedelta(days=90)
REQUESTS_KEPT = 1_000
_SHOWN_DIGITS = 12


# One column for each field of NewPolicyVersion, and of PolicyRequest.
policy_versions = sa.Table(
    "policy_versions",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    *columns(sa.Text, "by", "note"),
    sa.Column("archive", sa.LargeBinary, nullable=False),
    **NEVER_REUSED,
)

policy_requests = sa.Table(
    "policy_requests",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    *columns(sa.Text, "by", "note"),
    sa.Column("force", sa.Boolean, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("state", word(ReloadRequestState, 8), nullable=False),
    sa.Column("said", sa.Text, nullable=False),
    # What the gateway asks every few moments.
    sa.Index(None, "state", "number"),
    **NEVER_REUSED,
)

policy_drafts = sa.Table(
    "policy_drafts",
    metadata,
    sa.Column("by", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("base", sa.String(64), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
)

_OCTETS_PER_ROW = 4096

_version = policy_versions.c
_request = policy_requests.c
_draft = policy_drafts.c
_NEWEST_DIGEST = sa.select(_version.digest).order_by(_version.number.desc()).limit(1)
# Without the archives, which may be large.
_VERSIONS = sa.select(
    *(column for column in _version if column is not _version.archive),
    sa.func.length(_version.archive).label("archive_octets"),
)


class PolicyStore(SqlStore):
    """Keeps which policy was in force when, and passes on what operators ask of the gateway.

    Every call raises StoreUnavailable when the store does not answer.
    """

    async def record(self, version: NewPolicyVersion, effect: str = "") -> int | None:
        """Keep `version` and return its number; None when the newest has its digest already.

        Only the newest VERSIONS_KEPT are kept. Safe to repeat. The audit has it in the same commit,
        with its `effect`.
        """

        async def run(connection: AsyncConnection) -> int | None:
            # The writer has the write lock from the start: nobody records in between.
            if (await connection.execute(_NEWEST_DIGEST)).scalar() == version.digest:
                return None
            number = await added(connection, policy_versions, values_of(version))
            told = (f"version {number}", version.digest[:_SHOWN_DIGITS], effect)
            about = ", ".join(filter(None, told))
            entry = NewAccess(version.by, "policy activate", version.note, about, version.at)
            await note_access(connection, entry)
            too_old = _version.number <= number - VERSIONS_KEPT
            await connection.execute(sa.delete(policy_versions).where(too_old))
            return number

        rows = 1 + len(version.archive) // _OCTETS_PER_ROW
        return await self._database.writer.write(run, rows=rows)

    async def versions(self, limit: int = 50) -> list[PolicyVersion]:
        """Return at most `limit` versions, the newest first."""
        query = _VERSIONS.order_by(_version.number.desc()).limit(limit)
        return await self._database.records(PolicyVersion, query)

    async def version(self, number: int) -> PolicyVersion | None:
        """Return one version, None when it is not, or no longer, on record."""
        return await self._database.record(
            PolicyVersion, _VERSIONS.where(_version.number == number)
        )

    async def archive_of(self, number: int) -> bytes:
        """Return the packed files of a version; empty when none are kept."""
        query = sa.select(_version.archive).where(_version.number == number)
        return next((bytes(row["archive"]) for row in await self._database.rows(query)), b"")

    async def ask(self, request: PolicyRequest) -> int:
        """Keep an open request and return its number; the newest REQUESTS_KEPT are kept."""
        values = values_of(request)
        del values["number"]

        async def run(connection: AsyncConnection) -> int:
            number = await added(connection, policy_requests, values)
            too_old = _request.number <= number - REQUESTS_KEPT
            await connection.execute(sa.delete(policy_requests).where(too_old))
            return number

        return await self._database.writer.write(run)

    async def open_request(self) -> PolicyRequest | None:
        """Return the oldest open request."""
        query = oldest(policy_requests, 1, _request.state == ReloadRequestState.OPEN)
        return await self._database.record(PolicyRequest, query)

    async def answer(self, number: int, state: ReloadRequestState, said: str) -> bool:
        """Close an open request; return False when there is no such one."""
        statement = (
            sa.update(policy_requests)
            .where(_request.number == number, _request.state == ReloadRequestState.OPEN)
            .values(state=state, said=said)
        )
        return await self._database.change(statement) == 1

    async def request(self, number: int) -> PolicyRequest | None:
        """Return one request as it stands."""
        query = sa.select(policy_requests).where(_request.number == number)
        return await self._database.record(PolicyRequest, query)

    async def drafts(self) -> list[PolicyDraft]:
        """Return the drafts of all users, by name of the file."""
        query = sa.select(policy_drafts).order_by(_draft.name, _draft.by)
        return await self._database.records(PolicyDraft, query)

    async def save_draft(self, draft: PolicyDraft) -> bool:
        """Keep a draft in the place of the revision before it.

        Returns False, and keeps what there is, if the user saved another revision meanwhile, or
        has DRAFTS_KEPT drafts of other files. Drafts that are older than DRAFT_LIFE go.
        """
        own = _draft.by == draft.by
        same = sa.and_(own, _draft.name == draft.name)

        async def run(connection: AsyncConnection) -> bool:
            await connection.execute(
                sa.delete(policy_drafts).where(_draft.at < draft.at - DRAFT_LIFE)
            )
            before = await connection.scalar(sa.select(_draft.revision).where(same))
            count = await connection.scalar(sa.select(sa.func.count()).where(own))
            has_room = before is not None or (count or 0) < DRAFTS_KEPT
            if (before or 0) != draft.revision - 1 or not has_room:
                return False
            await connection.execute(sa.delete(policy_drafts).where(same))
            await connection.execute(sa.insert(policy_drafts), values_of(draft))
            return True

        return await self._database.writer.write(run, rows=1 + len(draft.text) // _OCTETS_PER_ROW)

    async def drop_drafts(self, by: str, drafts: Mapping[str, int]) -> None:
        """Drop drafts of a user: names and revisions; a later revision stays."""

        async def run(connection: AsyncConnection) -> None:
            for name, revision in drafts.items():
                gone = (_draft.by == by, _draft.name == name, _draft.revision == revision)
                await connection.execute(sa.delete(policy_drafts).where(*gone))

        await self._database.writer.write(run)
