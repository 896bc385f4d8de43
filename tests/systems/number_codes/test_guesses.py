"""Wrong codes are counted per client, and so are codes that it has sent (R51)."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from gateway.systems.number_codes.service import (
    CODES_PER_MINUTE,
    MAX_WRONG,
    MAX_WRONG_PER_RIGHT,
    WINDOW_S,
    Guesses,
)


@dataclass
class Clock:
    now: float = 0.0
    guesses: Guesses = field(init=False)

    def __post_init__(self) -> None:
        self.guesses = Guesses(lambda: self.now)

    def attempts(self, client: str, wrong: int, right: int = 0) -> None:
        for _ in range(right):
            self.guesses.begin(client)
            self.guesses.proved(client)
        for _ in range(wrong):
            self.guesses.begin(client)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def locked(clock: Clock) -> Callable[[], list[str]]:
    return lambda: [name for name in ("app", "other") if clock.guesses.is_locked(name)]


def test_r51_a_client_that_guesses_waits_and_no_other_does(
    clock: Clock, locked: Callable[[], list[str]]
) -> None:
    clock.attempts("app", MAX_WRONG - 1)
    before = locked()
    clock.attempts("app", 1)
    clock.attempts("other", 1)

    assert (before, locked()) == ([], ["app"])
    clock.now = WINDOW_S - 0.001
    assert locked() == ["app"]
    clock.now = WINDOW_S
    assert locked() == []


def test_r51_a_client_of_many_subscribers_of_whom_some_mistype_goes_on(
    clock: Clock, locked: Callable[[], list[str]]
) -> None:
    clock.attempts("app", MAX_WRONG_PER_RIGHT * 50, right=50)

    assert locked() == []
    clock.attempts("app", 1)
    assert locked() == ["app"]


def test_r51_guessing_is_told_once_for_each_window(clock: Clock) -> None:
    with capture_logs() as lines:
        clock.attempts("app", MAX_WRONG + 5)
        clock.now = WINDOW_S
        clock.attempts("app", MAX_WRONG)

    assert [(line["event"], line["client"], line["wrong"]) for line in lines] == [
        ("api.codes_guessed", "app", MAX_WRONG)
    ] * 2


def test_r51_one_client_does_not_use_up_everybodys_codes(clock: Clock) -> None:
    taken = [clock.guesses.may_ask("app") for _ in range(CODES_PER_MINUTE + 1)]

    assert taken == [True] * CODES_PER_MINUTE + [False]
    assert clock.guesses.may_ask("other")
    clock.now += 60 / CODES_PER_MINUTE + 0.001
    assert clock.guesses.may_ask("app")
