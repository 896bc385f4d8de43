"""Labelled texts and a model for the tests of `smsward filter`."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.systems.learning.cli.labelled import labelled_in, trained

Cli = Callable[..., CompletedProcess[str]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a directory of texts to train on, to measure on, and in disguise."""
    return labelled_in(tmp_path / "data")


@pytest.fixture
def model(cli: Cli, data: Path) -> Path:
    """Return a trained model."""
    return trained(cli, data)
