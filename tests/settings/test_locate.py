from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.settings import directories
from gateway.settings.directories import config_directory, is_sample, policies_directory

Write = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty directory, with an empty place for the system's configuration."""
    monkeypatch.setattr(directories, "_SYSTEM", tmp_path / "etc")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def test_what_the_command_line_names_is_taken_even_if_it_is_not_there() -> None:
    assert config_directory(Path("no")) == Path("no")
    assert policies_directory(Path("no")) == Path("no")


def test_the_system_comes_before_the_working_directory(write: Write, tmp_path: Path) -> None:
    write("here/config/gateway.yaml", "")
    write("here/policies/bundle.yaml", "")
    assert config_directory() == Path("config")
    assert policies_directory() == Path("policies")

    write("etc/gateway.yaml", "")
    write("etc/policies/bundle.yaml", "")
    assert config_directory() == tmp_path / "etc"
    assert policies_directory() == tmp_path / "etc/policies"


def test_a_directory_without_its_file_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "here/config").mkdir()
    (tmp_path / "etc").mkdir()

    assert (config_directory() / "gateway.yaml").is_file()
    assert config_directory() != Path("config")


def test_what_is_shipped_is_found_from_anywhere() -> None:
    assert (config_directory() / "senders.yaml").is_file()
    assert (policies_directory() / "bundle.yaml").is_file()


def test_only_what_is_shipped_is_a_sample(write: Write) -> None:
    assert is_sample(config_directory())
    assert is_sample(policies_directory())

    write("here/config/gateway.yaml", "")
    write("here/policies/bundle.yaml", "")
    assert not is_sample(config_directory())
    assert not is_sample(policies_directory())


def test_what_may_not_be_looked_at_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> bool:
        raise PermissionError

    monkeypatch.setattr(Path, "is_file", refuse)

    assert config_directory() == tmp_path / "etc"


def test_a_wheel_carries_its_own(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("site/gateway/_defaults/config/gateway.yaml", "")
    monkeypatch.setattr("gateway.settings.gateway.files", lambda _: tmp_path / "site/gateway")

    assert config_directory() == tmp_path / "site/gateway/_defaults/config"
    assert policies_directory() == tmp_path / "site/policies"
