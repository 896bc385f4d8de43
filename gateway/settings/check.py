"""The lint of a whole deployment: every fault of every file at once."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from gateway.settings.fault import Fault, SettingsError
from gateway.settings.gateway import load_gateway
from gateway.settings.selftest import load_proven
from gateway.settings.senders import load_senders


def check(config_directory: Path, policies_directory: Path) -> tuple[Fault, ...]:
    """Return all faults of `gateway.yaml`, `senders.yaml` and the bundle; none when all is well."""
    loads: tuple[Callable[[], object], ...] = (
        partial(load_gateway, config_directory / "gateway.yaml"),
        partial(load_senders, config_directory / "senders.yaml"),
        partial(load_proven, policies_directory),
    )
    return tuple(fault for load in loads for fault in _faults_of(load))


def _faults_of(load: Callable[[], object]) -> tuple[Fault, ...]:
    try:
        load()
    except SettingsError as error:
        return error.faults
    return ()
