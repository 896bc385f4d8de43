"""The work of `smsward keys reseal`: the numbers in the store, sealed with another key."""

from gateway.cli.deployment import faulty
from gateway.cli.failure import CommandError, ExitCode, misused
from gateway.cli.plurals import counted
from gateway.cli.progress import progress_bar
from gateway.cli.screen import print_json, say
from gateway.cli.storage import store_file
from gateway.ports.errors import StoreUnavailable
from gateway.settings.fault import SettingsError
from gateway.settings.gateway import GatewaySettings, keys_of
from gateway.stores.open import file_of
from gateway.stores.store_resealer import reseal_store


def reseal(settings: GatewaySettings, *, as_json: bool) -> int:
    """Seal the whole store with the key that is in use now; return the exit code."""
    try:
        keys = keys_of(settings)
    except SettingsError as error:
        raise faulty(error.faults) from error
    if keys is None:
        raise misused(
            "there are no keys to seal with",
            "make one with `smsward keys new`, and name its file in gateway.yaml: privacy.keys",
        )
    path = store_file(settings)
    if file_of(settings.store_url) is None or not path.is_file():
        raise CommandError(
            f"there is no store at {path.absolute()}",
            advice="name the gateway's --config, and call this from the directory it runs in;"
            " a new store is sealed from its first start",
        )
    with progress_bar() as progress:
        task = progress.add_task("sealing", total=None)
        try:
            rows = reseal_store(
                settings.store_url,
                keys,
                lambda done, total: progress.update(task, completed=done, total=total),
            )
        except StoreUnavailable as error:
            raise CommandError(
                f"the store at {path.absolute()} is not resealed: {error}",
                advice="what was done is kept: call this again, and it goes on from there",
            ) from error
    if as_json:
        print_json({"key": keys.current, "rows": rows})
    else:
        say(f"sealed anew: {counted(rows, 'row')}; the store is sealed with the key {keys.current}")
    return ExitCode.FINE
