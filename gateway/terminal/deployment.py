"""What a deployment's files say, or all their faults in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from gateway.domain.sender import PortOwners, Sender
from gateway.policy.bundle import Bundle
from gateway.policy.hours import HolidayCalendar
from gateway.policy.places import ProvinceTable
from gateway.settings.bundles.bundle import load_bundle, load_head
from gateway.settings.bundles.layers import BundleSource, find_layers
from gateway.settings.console import load_console, load_port_owners, load_system_ids
from gateway.settings.directories import config_directory, is_sample, policies_directory
from gateway.settings.filings import load_provinces
from gateway.settings.gateway import (
    GatewaySettings,
    control_of,
    groups_of,
    load_gateway,
    report_codes_of,
)
from gateway.settings.senders import load_senders, takes_peers
from gateway.settings.yaml import Fault, FaultCollector, SettingsError
from gateway.terminal.failure import CommandError, known, misused
from gateway.terminal.options import Directories, acting
from gateway.terminal.screen import visible, warn

_NO_CONFIG = "there is no gateway.yaml in /etc/smsward and none in ./config"
_NO_POLICIES = "there is no bundle.yaml in /etc/smsward/policies and none in ./policies"


@dataclass(frozen=True, slots=True)
class Deployment:
    """All that a gateway reads at its start."""

    settings: GatewaySettings
    senders: dict[str, Sender]
    bundle: Bundle
    provinces: ProvinceTable

    def require_sender(self, system_id: str) -> None:
        """Raise CommandError for an SP that is not in senders.yaml."""
        if system_id not in self.senders:
            raise misused(
                f"there is no sender {system_id} in senders.yaml",
                f"there are: {known(self.senders)}",
            )


class DeploymentPaths(NamedTuple):
    """The directories that a process reads."""

    config: Path
    policies: Path
    are_shipped: bool  # the policies, for want of any others


def located(directories: Directories) -> tuple[Path, Path]:
    """Return the directories of configuration and policies that are meant."""
    _question("--config", directories.config, "gateway.yaml and senders.yaml")
    _question("--policies", directories.policies, "bundle.yaml")
    return config_of(directories.config), policies_of(directories.policies)


def located_own(directories: Directories, command: str) -> DeploymentPaths:
    """Return the directories for a long-running process. Raises CommandError without config.

    The sample does not replace a missing configuration: after a typing error an operator would
    believe that the own one is in force, and the passwords of the sample are public. The log tells
    that the policies are the shipped ones.
    """
    _question("--config", directories.config, "gateway.yaml and senders.yaml")
    _question("--policies", directories.policies, "bundle.yaml")
    config = config_directory(directories.config)
    if directories.config is None and is_sample(config):
        raise misused(
            f"no configuration: {_NO_CONFIG}",
            f"--config DIR names yours. To make one: cp -r {config} ./config, give its SPs"
            f" passwords of their own, and call smsward {command} --config config",
        )
    policies = policies_directory(directories.policies)
    return DeploymentPaths(config, policies, directories.policies is None and is_sample(policies))


def config_of(directory: Path | None) -> Path:
    """Return the directory of the configuration that is meant; warn where it is the sample."""
    found = config_directory(directory)
    if directory is None and is_sample(found):
        warn(f"SAMPLE CONFIGURATION: {_NO_CONFIG}, so {found} is read; --config DIR names yours")
    return found


def policies_of(directory: Path | None, option: str = "--policies DIR") -> Path:
    """Return the directory of the policies that are meant; warn where they are those shipped."""
    found = policies_directory(directory)
    if directory is None and is_sample(found):
        warn(f"SHIPPED POLICIES: {_NO_POLICIES}, so {found} is read; {option} names yours")
    return found


def own_policies_of(directory: Path | None) -> Path:
    """Return the directory of policies to write into. Raises CommandError for those shipped."""
    found = policies_directory(directory)
    if directory is None and is_sample(found):
        raise misused(
            f"no policies of your own: {_NO_POLICIES}",
            f"--policies DIR names yours; {found} is shipped, and left as it is",
        )
    return found


def load_deployment(config: Path, policies: Path) -> Deployment:
    """Read everything. Raises CommandError with the faults of all files."""
    gathering = FaultCollector()
    settings = gathering.take(lambda: load_gateway(config / "gateway.yaml"), None)
    groups, codes = groups_of(settings), report_codes_of(settings)
    load = partial(load_senders, takes_peers=takes_peers(settings))
    senders = gathering.take(lambda: load(config / "senders.yaml", groups, codes), {})
    provinces = gathering.take(lambda: load_provinces(config / "provinces.csv"), ProvinceTable())
    bundle = gathering.take(lambda: load_bundle(policies), None)
    if settings is None or bundle is None or gathering.faults:
        raise faulty(gathering.faults)
    return Deployment(settings, senders, bundle, provinces)


def console_of(config: Path | None) -> str | None:
    """Return where the console of a deployment answers; None without one, or with faults."""
    try:
        found = load_console(config_of(config) / "console.yaml", None)
    except SettingsError:
        return None
    return f"{'http' if found.tls is None else 'https'}://{found.address}"


def warn_of_one_person(config: Path | None, setting: str) -> None:
    """Say that one person does now what console.yaml lets two do on the pages, if so.

    `setting` is a name in `two_persons`.
    """
    try:
        found = load_console(config_of(config) / "console.yaml", None)
    except SettingsError:
        return
    limit = getattr(found.two_persons, setting)
    if limit:
        said = "" if limit is True else f", above {limit}"
        warn(
            f"done by one person: on the pages a second one approves this (two_persons.{setting}"
            f"{said}). It is noted under {acting(None)}"
        )


def located_control(config: Path | None) -> Path:
    """Return where the gateway of a deployment answers. Raises CommandError."""
    _question("--config", config, "gateway.yaml and senders.yaml")
    try:
        return control_of(config_of(config) / "gateway.yaml")
    except SettingsError as error:
        raise faulty(error.faults) from error


def load_settings(config: Path | None) -> GatewaySettings:
    """Read gateway.yaml alone. Raises CommandError with its faults."""
    _question("--config", config, "gateway.yaml and senders.yaml")
    path = config_of(config) / "gateway.yaml"
    gathering = FaultCollector()
    settings = gathering.take(lambda: load_gateway(path), None)
    if settings is None:
        raise faulty(gathering.faults)
    return settings


def _question(option: str, directory: Path | None, holds: str) -> None:
    """Say what was probably meant, beside the faults that follow from a wrong directory."""
    if directory is not None and not directory.is_dir():
        warn(f"{option} {directory} is no directory: name the one that holds {holds}")


def faulty(
    faults: Iterable[Fault],
    what: str = "the configuration",
    advice: str = "`smsward check` looks at all of it",
) -> CommandError:
    """Return the error for files that cannot be used."""
    lines = "\n".join(map(str, sorted(faults)))
    return misused(f"{what} cannot be used\n{lines}", advice)


def bundle_in(directory: Path, profile: str | None = None) -> Bundle:
    """Return the policies in a directory. Raises CommandError with their faults."""
    try:
        return load_bundle(directory, profile)
    except SettingsError as error:
        raise faulty_policies(error.faults) from error


def calendar_in(directory: Path) -> HolidayCalendar:
    """Return the calendar of the policies in a directory. Raises CommandError with its faults."""
    try:
        layers = find_layers(BundleSource(directory), FaultCollector())
        return load_head(layers).surroundings.calendar
    except SettingsError as error:
        raise faulty_policies(error.faults) from error


def faulty_policies(faults: Iterable[Fault]) -> CommandError:
    """Return the error for a bundle that cannot be used."""
    return faulty(faults, "the policies", "`smsward policy check DIR` looks at all of them")


def senders_of(config: Path) -> dict[str, Sender] | None:
    """Return the SPs, None where they cannot be read: passwords may be in another's env."""
    try:
        return load_senders(config / "senders.yaml")
    except SettingsError as error:
        warn(f"the senders cannot be looked up: {error.faults[0]}")
        return None


def port_owners_of(config: Path | None) -> PortOwners:
    """Return who owns which port, also if senders.yaml has faults. Raises CommandError."""
    try:
        return load_port_owners(config_directory(config) / "senders.yaml")
    except SettingsError as error:
        raise faulty(error.faults) from error


def require_sender(system_id: str | None, config: Path | None) -> None:
    """Raise CommandError if `system_id` is not in senders.yaml; None means every SP.

    For lists that are empty: records of an SP that was removed from the file are still shown. If
    the file cannot be read nothing is said.
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
