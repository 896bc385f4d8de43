"""What callers hear of a driver's faults."""

import sqlite3

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gateway.storage.dialect import translated
from gateway.storage.errors import StoreUnavailable

STATEMENT = "SELECT 13800138000"


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (PoolTimeoutError(), "no answer in time"),
        (OperationalError(STATEMENT, None, sqlite3.OperationalError("disk")), "OperationalError"),
        (DBAPIError(STATEMENT, None, ConnectionResetError("by peer")), "ConnectionResetError"),
    ],
)
def test_a_stores_fault_is_told_by_its_kind_alone(fault: Exception, told: str) -> None:
    with pytest.raises(StoreUnavailable) as caught, translated():
        raise fault

    assert str(caught.value) == told
    assert caught.value.__cause__ is fault


def test_a_callers_fault_is_passed_on() -> None:
    with pytest.raises(IntegrityError), translated():
        raise IntegrityError(STATEMENT, None, sqlite3.IntegrityError("UNIQUE"))


@pytest.mark.parametrize(
    "fault", [OSError(28, "No space left"), ConnectionResetError(), TimeoutError()]
)
def test_a_fault_of_the_work_beside_the_store_is_passed_on(fault: OSError) -> None:
    with pytest.raises(OSError) as caught, translated():  # noqa: PT011 - which one is asked below
        raise fault

    assert caught.value is fault
