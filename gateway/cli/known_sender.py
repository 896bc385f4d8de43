"""Whether there is an SP of a name at all, before a command says that there is nothing of it."""

from pathlib import Path

from gateway.cli.failure import known, misused
from gateway.cli.screen import visible
from gateway.settings.api import load_system_ids
from gateway.settings.fault import SettingsError
from gateway.settings.locate import config_directory


def require_sender(system_id: str | None, config: Path | None) -> None:
    """Raise CommandError if `system_id` is not in senders.yaml; None means every SP.

    For lists that came out empty: what is on record of an SP that is gone from the file is shown
    all the same. Where the file cannot be read nothing is said.
    """
    if system_id is None:
        return
    try:
        senders = load_system_ids(config_directory(config) / "senders.yaml")
    except SettingsError:
        return
    if system_id not in senders:
        raise misused(
            f"there is no sender {visible(system_id)} in senders.yaml, and nothing on record of it",
            f"there are: {known(senders)}",
        )
