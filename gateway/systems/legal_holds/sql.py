"""The store of legal holds (司法保全)."""

from datetime import datetime

import sqlalchemy as sa

from gateway.storage.database import SqlStore, added, values_of
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns
from gateway.storage.sealed_columns import SealedNumber
from gateway.storage.tables import UtcTime, metadata
from gateway.systems.legal_holds.model import LegalHold

# One column for each field of LegalHold.
legal_holds = sa.Table(
    "legal_holds",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    *columns(UtcTime, "since", "until"),
    sa.Column("system_id", sa.String(16), nullable=True),
    sa.Column("msisdn", SealedNumber, nullable=True),
    *columns(sa.Text, "reason", "reference", "by"),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("lifted_at", UtcTime, nullable=True),
    sa.Column("lifted_by", sa.Text, nullable=False),
    **NEVER_REUSED,
)

_hold = legal_holds.c


class LegalHolds(SqlStore):
    """Keeps legal holds. Every call raises StoreUnavailable when the store does not answer."""

    async def add(self, hold: LegalHold) -> int:
        """Keep a hold and return its number; it is durable when this returns."""
        values = values_of(hold)
        del values["number"]
        return await self._database.writer.write(
            lambda connection: added(connection, legal_holds, values)
        )

    async def lift(self, number: int, by: str, at: datetime) -> bool:
        """End a hold; return False when it does not exist or is lifted already."""
        statement = (
            sa.update(legal_holds)
            .where(_hold.number == number, _hold.lifted_at.is_(None))
            .values(lifted_at=at, lifted_by=by)
        )
        return await self._database.change(statement) == 1

    async def listed(self) -> list[LegalHold]:
        """Return all holds, lifted ones too, the newest first."""
        query = sa.select(legal_holds).order_by(_hold.number.desc())
        return await self._database.records(LegalHold, query)
