"""What holds for every test: no machine's speed, and no terminal, decides whether one passes."""

import logging
import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("unhurried")

# Tests start hundreds of processes, each of which would compile its libraries anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Whoever runs the tests may hand on the width of a terminal, by which tables would be folded.
os.environ.pop("COLUMNS", None)


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Undo what a test changes about logging: the process has one, and the next test shares it."""
    root = logging.getLogger()  # noqa: TID251 - put back as it was
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
