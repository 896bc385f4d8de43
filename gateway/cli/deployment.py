"""What a deployment's files say, or all their faults in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gateway.cli.failure import CommandError, misused
from gateway.cli.options import Directories
from gateway.cli.screen import warn
from gateway.domain.sender import Sender
from gateway.policy.bundle import Bundle
from gateway.policy.places import ProvinceTable
from gateway.settings.bundle import load_bundle
from gateway.settings.fault import Fault, Gathering
from gateway.settings.gateway import GatewaySettings, load_gateway
from gateway.settings.locate import config_directory, policies_directory
from gateway.settings.provinces import load_provinces
from gateway.settings.senders import load_senders


@dataclass(frozen=True, slots=True)
class Deployment:
    """All that a gateway reads at its start."""

    settings: GatewaySettings
    senders: dict[str, Sender]
    bundle: Bundle
    provinces: ProvinceTable


def located(directories: Directories) -> tuple[Path, Path]:
    """Return the directories of configuration and policies that are meant."""
    _question("--config", directories.config, "gateway.yaml and senders.yaml")
    _question("--policies", directories.policies, "bundle.yaml")
    return config_directory(directories.config), policies_directory(directories.policies)


def load_deployment(config: Path, policies: Path) -> Deployment:
    """Read everything. Raises CommandError with the faults of all files."""
    gathering = Gathering()
    settings = gathering.take(lambda: load_gateway(config / "gateway.yaml"), None)
    senders = gathering.take(lambda: load_senders(config / "senders.yaml"), {})
    provinces = gathering.take(lambda: load_provinces(config / "provinces.csv"), ProvinceTable())
    bundle = gathering.take(lambda: load_bundle(policies), None)
    if settings is None or bundle is None or gathering.faults:
        raise faulty(gathering.faults)
    return Deployment(settings, senders, bundle, provinces)


def load_settings(config: Path | None) -> GatewaySettings:
    """Read gateway.yaml alone. Raises CommandError with its faults."""
    _question("--config", config, "gateway.yaml and senders.yaml")
    path = config_directory(config) / "gateway.yaml"
    gathering = Gathering()
    settings = gathering.take(lambda: load_gateway(path), None)
    if settings is None:
        raise faulty(gathering.faults)
    return settings


def _question(option: str, directory: Path | None, holds: str) -> None:
    """Say what was probably meant, beside the faults that follow from a wrong directory."""
    if directory is not None and not directory.is_dir():
        warn(f"{option} {directory} is no directory: name the one that holds {holds}")


def faulty(faults: Iterable[Fault]) -> CommandError:
    """Return the error for files that cannot be used."""
    lines = "\n".join(map(str, sorted(faults)))
    return misused(
        f"the configuration cannot be used\n{lines}", "`smsward check` looks at all of it"
    )
