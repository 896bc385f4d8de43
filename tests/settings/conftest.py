"""Builders of configuration files for the tests of the settings."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.settings.yaml import SettingsError

Write = Callable[[str, str], Path]
WriteBundle = Callable[[Mapping[str, str]], Path]
FaultsOf = Callable[[Callable[[], object]], list[str]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes one file, folders included, and returns its path."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
        return path

    return write


@pytest.fixture
def bundle(write: Write, tmp_path: Path) -> WriteBundle:
    """Return a function that writes a bundle of some files beside a sound bundle.yaml."""

    def bundle(files: Mapping[str, str]) -> Path:
        for name, text in {"bundle.yaml": "version: 1\nname: test\n", **files}.items():
            write(f"policies/{name}", text)
        return tmp_path / "policies"

    return bundle


@pytest.fixture
def faults_of(tmp_path: Path) -> FaultsOf:
    """Return a function that runs a load which must fail, and returns its faults as text."""

    def faults_of(load: Callable[[], object]) -> list[str]:
        with pytest.raises(SettingsError) as raised:
            load()
        return [str(fault).removeprefix(f"{tmp_path}/") for fault in raised.value.faults]

    return faults_of
