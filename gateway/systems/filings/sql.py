"""What SPs have filed (报备): licences, signatures, templates, port scopes and approvals."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeDecorator

from gateway.domain.filings import (
    KEYS,
    Approval,
    Filing,
    Licence,
    PortScope,
    Signature,
    Template,
    TemplateKind,
)
from gateway.storage.change_feed import ChangeKind, note_changes
from gateway.storage.database import SqlStore, values_of
from gateway.storage.dialect import columns, upsert
from gateway.storage.tables import metadata, word

Rows: TypeAlias = list[dict[str, object]]

_KEY = "key_"  # a parameter may not bear the name of the column it is compared with


class Digits(TypeDecorator[tuple[str, ...]]):
    """Several numbers as one text with blanks between them."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: sa.Dialect) -> str | None:
        """Return what is stored."""
        del dialect
        return None if value is None else " ".join(value)

    def process_result_value(
        self, value: str | None, dialect: sa.Dialect
    ) -> tuple[str, ...] | None:
        """Return what was stored."""
        del dialect
        return None if value is None else tuple(value.split())


licences = sa.Table(
    "licences",
    metadata,
    sa.Column("system_id", sa.String(16), primary_key=True),
    sa.Column("number", sa.Text, nullable=False),
    sa.Column("valid_until", sa.Date, nullable=False),
)

signatures = sa.Table(
    "signatures",
    metadata,
    sa.Column("system_id", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("sources", Digits, nullable=False),
    sa.Column("valid_until", sa.Date, nullable=True),
)

templates = sa.Table(
    "templates",
    metadata,
    sa.Column("system_id", sa.String(16), primary_key=True),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("kind", word(TemplateKind, 32), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("max_variable", sa.Integer, nullable=False),
    sa.Column("valid_until", sa.Date, nullable=True),
)

port_scopes = sa.Table(
    "port_scopes",
    metadata,
    sa.Column("system_id", sa.String(16), primary_key=True),
    sa.Column("port", sa.String(20), primary_key=True),
    sa.Column("province", sa.Text, nullable=False),
)

approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("system_id", sa.String(16), primary_key=True),
    sa.Column("port", sa.String(20), primary_key=True),
    sa.Column("reference", sa.String(64), primary_key=True),
    *columns(sa.Date, "valid_from", "valid_until"),
)

TABLES: Mapping[type[Filing], sa.Table] = {
    Licence: licences,
    Signature: signatures,
    Template: templates,
    PortScope: port_scopes,
    Approval: approvals,
}


class FilingStore(SqlStore):
    """Keeps licences, signatures, templates, port scopes and approvals of every SP.

    Filings come and go in whole calls: all of one or nothing, with one change of the kind
    FILINGS for each SP concerned. Every call raises StoreUnavailable when the store does not
    answer, and is safe to repeat.
    """

    async def put(self, filings: Sequence[Filing]) -> None:
        """Keep `filings`, each in place of the one with the same key (domain.filings.key_of)."""
        await self._change(filings, lambda kind, rows: (upsert(TABLES[kind]), rows))

    async def remove(self, filings: Sequence[Filing]) -> int:
        """Forget the filings with these keys; return how many there were."""
        return await self._change(filings, _removal)

    async def of(self, system_id: str) -> tuple[Filing, ...]:
        """Return all that one SP has filed, by key."""
        return await self._read(system_id)

    async def all_filings(self) -> tuple[Filing, ...]:
        """Return all that anybody has filed, by key."""
        return await self._read(None)

    async def _change(
        self,
        filings: Sequence[Filing],
        change_of: Callable[[type[Filing], Rows], tuple[sa.Executable, Rows]],
    ) -> int:
        """Execute a statement for each kind of `filings`; return how many rows it found."""
        if not filings:
            return 0
        rows: defaultdict[type[Filing], Rows] = defaultdict(list)
        for filing in filings:
            rows[type(filing)].append(values_of(filing))
        senders = {filing.system_id: None for filing in filings}

        async def run(connection: AsyncConnection) -> int:
            found = 0
            for kind, values in rows.items():
                found += (await connection.execute(*change_of(kind, values))).rowcount
            await note_changes(connection, ChangeKind.FILINGS, senders, self._utcnow())
            return found

        return await self._database.writer.write(run, rows=len(filings) + len(senders))

    async def _read(self, system_id: str | None) -> tuple[Filing, ...]:
        async def run(connection: AsyncConnection) -> tuple[Filing, ...]:
            found: list[Filing] = []
            for kind, table in TABLES.items():
                query = sa.select(table).order_by(*table.primary_key)
                if system_id is not None:
                    query = query.where(table.c.system_id == system_id)
                rows = (await connection.execute(query)).mappings()
                found += [kind(**row) for row in rows]
            return tuple(found)

        # One connection for all of them, so that they are of one moment.
        return await self._database.read(run)


def _removal(kind: type[Filing], rows: Rows) -> tuple[sa.Executable, Rows]:
    table = TABLES[kind]
    same = [table.c[name] == sa.bindparam(f"{_KEY}{name}") for name in KEYS[kind]]
    keys: Rows = [{f"{_KEY}{name}": row[name] for name in KEYS[kind]} for row in rows]
    return sa.delete(table).where(*same), keys
