"""Bring a database to the tables this version knows (alembic, run from inside)."""

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.ports.errors import StoreUnavailable
from gateway.stores.faults import translated


async def upgrade(engine: AsyncEngine) -> None:
    """Run the migrations that are missing, all of them or none; safe to repeat.

    Processes that do this at once wait for each other. Raises StoreUnavailable when the
    database cannot be written, or was made by a version newer than this.
    """
    with translated():
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "gateway.stores:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreUnavailable(f"the tables are not those of this version: {error}") from error
