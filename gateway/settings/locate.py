"""Where configuration and policies are when the command line does not say."""

from importlib.resources import files
from pathlib import Path

_SYSTEM = Path("/etc/smsward")


def config_directory(explicit: Path | None = None) -> Path:
    """Return `explicit`, else the first with a gateway.yaml.

    They are /etc/smsward, ./config and the example that is shipped.
    """
    return explicit or _first_with("gateway.yaml", _SYSTEM, Path("config"), _shipped("config"))


def policies_directory(explicit: Path | None = None) -> Path:
    """Return `explicit`, else the first with a bundle.yaml.

    They are /etc/smsward/policies, ./policies and the bundle that is shipped.
    """
    return explicit or _first_with(
        "bundle.yaml", _SYSTEM / "policies", Path("policies"), _shipped("policies")
    )


def is_sample(directory: Path) -> bool:
    """Tell whether `directory` is as shipped, without changes of the operator."""
    return directory in (_shipped("config"), _shipped("policies"))


def _first_with(name: str, *directories: Path) -> Path:
    """Return the first directory that has the file `name`, the last one if none has."""
    return next((found for found in directories if _has(found, name)), directories[-1])


def _has(directory: Path, name: str) -> bool:
    try:
        return (directory / name).is_file()
    except PermissionError:
        return True  # passed over, the sample would be taken in its place


def _shipped(name: str) -> Path:
    package = Path(str(files("gateway")))
    in_wheel = package / "_defaults" / name
    # Only a built wheel has _defaults; an editable install runs from the repository.
    return in_wheel if in_wheel.is_dir() else package.parent / name
