"""Permission to see whole numbers and texts; each look is journaled before it happens (R73)."""

import asyncio
from pathlib import Path

from gateway.cli.deployment import faulty, load_settings
from gateway.cli.failure import CommandError
from gateway.cli.person import acting
from gateway.cli.record_options import UnmaskOptions
from gateway.cli.record_scopes import reason_of
from gateway.cli.storage import opened_store
from gateway.domain.privacy import NewAccess
from gateway.runtime.clock import utcnow
from gateway.runtime.sealing import Sealer, SealError
from gateway.settings.fault import SettingsError
from gateway.settings.gateway import GatewaySettings, load_sealer


def is_unmasked(
    settings: GatewaySettings, unmasking: UnmaskOptions, action: str, about: str
) -> bool:
    """Tell whether whole numbers are to be shown; if so, it is in the journal by now.

    Raises CommandError for a wish without a reason, and as `journal_access` does.
    """
    reason = reason_of(unmasking)
    if reason is not None:
        journal_access(settings, action, reason, about)
    return reason is not None


def is_text_unmasked(
    settings: GatewaySettings, unmasking: UnmaskOptions, action: str, about: str
) -> bool:
    """Tell whether whole numbers are to be shown beside and in a text that is about to be shown.

    The look is in the journal by now: with the reason, or with none where numbers are masked.
    Raises as `is_unmasked` does.
    """
    reason = reason_of(unmasking)
    journal_access(settings, action, reason or "", about)
    return reason is not None


def journal_access(settings: GatewaySettings, action: str, reason: str, about: str) -> None:
    """Note that the user of this account is about to see whole numbers, or a text.

    Raises CommandError when it cannot be noted: then nothing may be shown.
    """
    asyncio.run(_note(settings, NewAccess(acting(None), action, reason, about, utcnow())))


async def _note(settings: GatewaySettings, access: NewAccess) -> None:
    async with opened_store(settings) as stores:
        await stores.journals.note_access(access)


def sealer_of(settings: GatewaySettings) -> Sealer | None:
    """Return what opens records. Raises CommandError with the faults of the keys."""
    try:
        return load_sealer(settings)
    except SettingsError as error:
        raise faulty(error.faults) from error


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
