"""Stores in memory for what needs several, and what no store does to its rows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy import Executable, update

from gateway.storage.change_feed import ChangeFeed
from gateway.storage.database import Database
from gateway.storage.tables import held_messages
from gateway.stores import Stores, open_store


@asynccontextmanager
async def memory_stores() -> AsyncIterator[Stores]:
    """Open empty stores, and close them in the end."""
    stores = await open_store("memory://", deadline_s=30)
    try:
        yield stores
    finally:
        await stores.close()


def database_of(stores: Stores) -> Database:
    """Return the database of open stores."""
    assert isinstance(stores.changes, ChangeFeed)
    return stores.changes._database


async def execute(stores: Stores, statement: Executable) -> None:
    """Run a statement that no store has."""
    await database_of(stores).writer.write(lambda connection: connection.execute(statement))


async def expire_at(stores: Stores, message_id: int, moment: datetime) -> None:
    """Let the time of a held message be over at `moment`."""
    ours = held_messages.c.message_id == message_id
    await execute(stores, update(held_messages).where(ours).values(expires_at=moment))
