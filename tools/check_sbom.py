"""Checks that a CycloneDX bill of materials names every distribution that a lock file pins."""

import json
import re
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def pins_of(lock: str) -> set[tuple[str, str]]:
    """Return the name and version of each pin that is meant for this machine."""
    pins = set()
    for line in re.findall(r"^[^ #\n].*?(?= \\$)", lock, re.MULTILINE):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            (version,) = requirement.specifier
            pins.add((canonicalize_name(requirement.name), version.version))
    return pins


def components_of(bom: dict[str, list[dict[str, str]]]) -> set[tuple[str, str]]:
    """Return the name and version of each component that a bill of materials lists."""
    return {(canonicalize_name(one["name"]), one.get("version", "")) for one in bom["components"]}


def main() -> int:
    """Compare the two files that are named; return the exit code."""
    bom, lock = (Path(name).read_text(encoding="utf-8") for name in sys.argv[1:])
    pins, components = pins_of(lock), components_of(json.loads(bom))
    missing = sorted(pins - components)
    for name, version in missing:
        sys.stderr.write(f"{name} {version} is pinned and in no bill of materials\n")
    if missing or not pins:
        return 1
    sys.stdout.write(f"{len(components)} components, all {len(pins)} pins among them\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
