"""A deadline passes for who does not answer, and not for who could not be heard."""

import asyncio
from collections.abc import Set as AbstractSet

import pytest

from gateway.runtime.tasks import wait_listening

Futures = AbstractSet[asyncio.Future[None]]


async def test_an_answer_in_time_ends_the_wait() -> None:
    answer = asyncio.get_running_loop().create_future()
    answer.set_result(None)

    assert await wait_listening({answer}, 1.0) == 0.0


async def test_silence_ends_it_after_the_deadline() -> None:
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    assert await wait_listening({answer}, 0.01) == 0.01
    assert not answer.done()


async def test_a_standstill_of_ours_counts_as_one_step_and_the_answer_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    steps: list[float | None] = []

    async def stand_still(awaited: Futures, timeout: float | None) -> tuple[Futures, Futures]:  # noqa: ASYNC109 - asyncio's own signature
        # The first step takes an hour, in which the answer comes but is not heard.
        steps.append(timeout)
        return (set(), awaited) if len(steps) < 3 else (awaited, set())

    monkeypatch.setattr(asyncio, "wait", stand_still)

    listened_s = await wait_listening({answer}, 1.0)

    assert steps == [0.1, 0.1, 0.1]
    assert listened_s == pytest.approx(0.2)
