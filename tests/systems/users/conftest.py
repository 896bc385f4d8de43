"""Password hashes that cost little, and what users are made of."""

import pytest
from argon2 import PasswordHasher

from gateway.systems.users import credentials

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash as argon2id does, in a millisecond: how dear it is has a test of its own."""
    monkeypatch.setattr(credentials, "_HASHER", CHEAP)
