"""Builders of rows and a log to read for the tests of gateway.records."""

from collections.abc import Callable

import orjson
import pytest

from gateway.domain.records import DecisionRow, DeliveryRow, OutcomeRow, Why
from gateway.runtime.logging import configure_logging

LogLines = list[dict[str, object]]


@pytest.fixture
def log_lines() -> LogLines:
    """Collect what is logged, as a machine would read it."""
    lines: LogLines = []
    configure_logging(json=True, strict=True, sink=lambda line: lines.append(orjson.loads(line)))
    return lines


@pytest.fixture(scope="session")
def decision() -> Callable[..., DecisionRow]:
    def build(  # noqa: PLR0913 - each is a column that some test changes
        *,
        epoch: float = 1_380_530_096.123,
        system_id: str = "sp1",
        sequence_number: int = 7,
        source: bytes = b"10690001",
        destination: bytes = b"8613800138000",
        action: str = "forward",
        text: tuple[int, bytes] | None = None,
    ) -> DecisionRow:
        return (
            "d",
            epoch,
            (12, system_id, 4),
            sequence_number,
            source,
            destination,
            Why(action, "", "", "", "0123456789ab"),
            0,
            text,
        )

    return build


@pytest.fixture(scope="session")
def outcome() -> Callable[..., OutcomeRow]:
    def build(
        *, epoch: float = 1_380_530_096.5, message_id: bytes = b"0042", status: int = 0
    ) -> OutcomeRow:
        return ("o", epoch, (12, "sp1", 4), 7, status, message_id, 1500, "answered")

    return build


@pytest.fixture(scope="session")
def delivery() -> Callable[..., DeliveryRow]:
    def build(
        *,
        epoch: float = 1_380_530_096.25,
        sequence_number: int = 9,
        source: bytes = b"8613800138000",
        destination: bytes = b"10690001",
        told: tuple[str, str, str, str, str] = (
            "receipt",
            "DELIVRD",
            "000",
            "1309300834",
            "1309300835",
        ),
        text: tuple[int, bytes] | None = None,
    ) -> DeliveryRow:
        about = (13, "sp1", 5)
        return ("m", epoch, about, sequence_number, source, destination, b"0042", told, text)

    return build
