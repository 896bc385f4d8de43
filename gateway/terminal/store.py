"""The database of a deployment, and the looks at whole numbers that it journals (R73)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from gateway.domain.records import NewAccess
from gateway.runtime.clock import utcnow
from gateway.runtime.logging import LogLevel, configure_logging
from gateway.runtime.sealing import Keys, Sealer, SealError
from gateway.settings.gateway import GatewaySettings, keys_of, load_sealer
from gateway.settings.yaml import SettingsError
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.storage.journals import SqlJournals
from gateway.storage.open import SealMismatch, TablesMismatch, is_made, open_database, place_of
from gateway.terminal.arguments import reason_of
from gateway.terminal.deployment import faulty, load_settings
from gateway.terminal.failure import CommandError
from gateway.terminal.options import UnmaskOptions, acting

# A person waits, not a sender: a gateway that is writing may go first.
_PATIENCE_S = 30.0

T = TypeVar("T")
R = TypeVar("R")


@asynccontextmanager
async def opened_store(
    settings: GatewaySettings, store_on: Callable[[Database], T]
) -> AsyncIterator[T]:
    """Give the store that `store_on` makes on the database of a deployment.

    A new database is never made here: from the wrong directory it would swallow answers that
    no gateway reads. Raises CommandError, also for what happens within.
    """
    place = place_of(settings.store.url)
    if not is_made(settings.store.url):
        raise CommandError(
            f"there is no store at {place}",
            advice="name the gateway's --config, and call this from the directory it runs in;"
            " it makes the store at its first start",
        )
    # structlog would print to the standard output otherwise.
    configure_logging(level=LogLevel.ERROR)
    try:
        database = await open_database(
            settings.store.url,
            keys=keys_of(settings),
            deadline_s=_PATIENCE_S,
            max_octets=settings.store.max_octets,
        )
        try:
            yield store_on(database)
        finally:
            await database.close()
    except SettingsError as error:
        raise faulty(error.faults) from error
    except (SealMismatch, TablesMismatch) as error:
        raise CommandError(f"the store at {place} cannot be used: {error}") from error
    except StoreUnavailable as error:
        raise CommandError(
            f"the store at {place} cannot be used: {error}",
            advice="does another command write to it for long, is the disk full, or does the file"
            " belong to another user?",
        ) from error


def on_store(
    config: Path | None, store_on: Callable[[Database], T], work: Callable[[T], Awaitable[R]]
) -> R:
    """Return what `work` returns for the store that `store_on` makes, as `opened_store` gives it.

    Raises CommandError, also for settings with faults.
    """
    settings = load_settings(config)

    async def run() -> R:
        async with opened_store(settings, store_on) as store:
            return await work(store)

    return asyncio.run(run())


async def is_unmasked(
    settings: GatewaySettings,
    unmasking: UnmaskOptions,
    action: str,
    about: str,
    *,
    always: bool = False,
) -> bool:
    """Tell whether whole numbers are to be shown; if so, it is in the journal by now.

    A look at a text and an export are journaled `always`: also without a reason, when numbers are
    masked. Raises CommandError for a wish without a reason, and as `journal_access` does.
    """
    reason = reason_of(unmasking)
    if always or reason is not None:
        await journal_access(settings, action, reason or "", about)
    return reason is not None


async def journal_access(settings: GatewaySettings, action: str, reason: str, about: str) -> None:
    """Note that the user of this account is about to see whole numbers, or a text.

    Raises CommandError when it cannot be noted: then nothing may be shown.
    """
    async with opened_store(settings, SqlJournals) as journals:
        await journals.note_access(NewAccess(acting(None), action, reason, about, utcnow()))


def keys_at_hand(settings: GatewaySettings) -> Keys | None:
    """Return the keys of a deployment, None without any. Raises CommandError with their faults."""
    try:
        return keys_of(settings)
    except SettingsError as error:
        raise faulty(error.faults) from error


def sealer_of(settings: GatewaySettings) -> Sealer | None:
    """Return what opens records. Raises CommandError with the faults of the keys."""
    keys = keys_at_hand(settings)
    return None if keys is None else Sealer(keys.by_id, keys.current)


def sealer_at_hand(config: Path | None) -> Sealer | None:
    """Return what opens records, None where configuration or keys cannot be had.

    Enough for who sees masked numbers anyway.
    """
    try:
        return load_sealer(load_settings(config))
    except (CommandError, SettingsError):
        return None


def cannot_open(error: SealError) -> CommandError:
    """Return the error for a record with a key that is not installed."""
    return CommandError(
        f"a record cannot be opened: {error}",
        advice="keep every key that records were sealed with in the file that privacy.keys names",
    )
