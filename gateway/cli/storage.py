"""The store of a deployment, which a running gateway may have open at the same time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.cli.deployment import faulty
from gateway.cli.failure import CommandError
from gateway.ports.errors import StoreUnavailable
from gateway.runtime.logging import LogLevel, configure_logging
from gateway.settings.fault import SettingsError
from gateway.settings.gateway import GatewaySettings, keys_of
from gateway.stores.open import Stores, open_store
from gateway.stores.seals import SealMismatch

# A person waits, not a sender: a gateway that is writing may go first.
_PATIENCE_S = 30.0


def store_file(settings: GatewaySettings) -> Path:
    """Return the database file; a relative one counts from the working directory."""
    return Path(settings.store_url.removeprefix("sqlite:///"))


@asynccontextmanager
async def opened_store(settings: GatewaySettings) -> AsyncIterator[Stores]:
    """Give the stores of a deployment that has run before.

    A new store is never made here: from the wrong directory it would swallow answers that
    no gateway reads. Raises CommandError, also for what happens within.
    """
    path = store_file(settings)
    if not path.is_file():
        raise CommandError(
            f"there is no store at {path.absolute()}",
            advice="name the gateway's --config, and call this from the directory it runs in;"
            " it makes the store at its first start",
        )
    # structlog would print to the standard output otherwise.
    configure_logging(level=LogLevel.ERROR)
    try:
        keys = keys_of(settings)
        stores = await open_store(
            settings.store_url,
            keys=keys,
            deadline_s=_PATIENCE_S,
            max_octets=settings.store_max_octets,
        )
        try:
            yield stores
        finally:
            await stores.close()
    except SettingsError as error:
        raise faulty(error.faults) from error
    except SealMismatch as error:
        raise CommandError(f"the store at {path.absolute()} cannot be used: {error}") from error
    except StoreUnavailable as error:
        raise CommandError(
            f"the store at {path.absolute()} cannot be used: {error}",
            advice="does another command write to it for long, is the disk full, or does the file"
            " belong to another user?",
        ) from error
