"""The lint of a whole deployment: every fault of every file at once."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from gateway.settings.api import load_api, load_system_ids
from gateway.settings.fault import Fault, SettingsError
from gateway.settings.gateway import load_gateway
from gateway.settings.provinces import load_provinces
from gateway.settings.selftest import load_proven
from gateway.settings.senders import load_senders
from gateway.settings.services import load_services


def check(config_directory: Path, policies_directory: Path) -> tuple[Fault, ...]:
    """Return all faults of the configuration and of the bundle; none when all is well."""
    loads: tuple[Callable[[], object], ...] = (
        partial(load_gateway, config_directory / "gateway.yaml"),
        partial(load_senders, config_directory / "senders.yaml"),
        partial(_load_services, config_directory),
        partial(load_provinces, config_directory / "provinces.csv"),
        partial(_load_api, config_directory),
        partial(load_proven, policies_directory),
    )
    return tuple(fault for load in loads for fault in _faults_of(load))


def _load_services(config_directory: Path) -> None:
    try:
        senders = load_senders(config_directory / "senders.yaml")
    except SettingsError:
        senders = None  # those faults are told already
    load_services(config_directory / "services.yaml", senders)


def _load_api(config_directory: Path) -> None:
    path = config_directory / "api.yaml"
    if not path.exists():
        return  # there need not be an API
    try:
        senders = load_system_ids(config_directory / "senders.yaml")
    except SettingsError:
        senders = None  # those faults are told already
    load_api(path, senders)


def _faults_of(load: Callable[[], object]) -> tuple[Fault, ...]:
    try:
        load()
    except SettingsError as error:
        return error.faults
    return ()
