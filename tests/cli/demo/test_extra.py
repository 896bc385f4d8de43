"""The demo where its simulators' libraries are not installed."""

import importlib.util
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from subprocess import CompletedProcess

import pytest

Cli = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize("missing", ["smpplib", "aiosmpplib"])
def test_the_demo_says_in_one_line_how_to_install_what_it_needs(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    really = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == missing else really(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)

    done = cli("demo")

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "pip install 'smsward[demo]'" in done.stderr
