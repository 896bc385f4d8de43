"""Who speaks twice is answered in order; who waits holds nobody else up."""

import asyncio

import pytest

from gateway.runtime.tasks import KeyedLock


async def test_locks_of_one_key_come_one_after_the_other_in_order() -> None:
    turns, told = KeyedLock(), list[str]()

    async def speak(name: str, key: int) -> None:
        async with turns.of(key):
            told.append(f"{name} begins")
            await asyncio.sleep(0)
            told.append(f"{name} ends")

    await asyncio.gather(speak("first", 1), speak("second", 1))

    assert told == ["first begins", "first ends", "second begins", "second ends"]


async def test_different_keys_do_not_wait_for_each_other() -> None:
    turns = KeyedLock()

    async with turns.of(1):
        async with asyncio.timeout(60):
            async with turns.of(2):
                pass


async def test_nothing_is_kept_of_keys_at_rest() -> None:
    turns = KeyedLock()

    async with turns.of(1):
        assert turns._waiting
    with pytest.raises(KeyError):
        async with turns.of(2):
            raise KeyError

    assert turns._waiting == {}


async def test_who_gives_up_waiting_keeps_no_place() -> None:
    turns = KeyedLock()

    async def wait() -> None:
        async with asyncio.timeout(0.01), turns.of(1):
            pass

    async with turns.of(1):
        with pytest.raises(TimeoutError):
            await wait()

    assert turns._waiting == {}
