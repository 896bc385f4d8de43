"""A log to read for the tests of gateway.runtime."""

import orjson
import pytest

from gateway.runtime.logging import configure_logging

LogLines = list[dict[str, object]]


@pytest.fixture
def log_lines() -> LogLines:
    """Collect what is logged, as a machine would read it."""
    lines: LogLines = []
    configure_logging(json=True, strict=True, sink=lambda line: lines.append(orjson.loads(line)))
    return lines
