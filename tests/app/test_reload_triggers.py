"""Why files are read again: one was saved, or a whole directory put in the place of another."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from watchfiles import awatch
from watchfiles.main import FileChange

from gateway.app import run
from gateway.app.run import FileStamps, ReloadTrigger, stamps_of, watch
from gateway.runtime.tasks import spawn

Watched = Callable[..., Awaitable[ReloadTrigger]]

WITHIN_S = 60.0


@pytest.fixture
async def watched(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    """Watch directories; returns once a change in the last of them was seen."""
    monkeypatch.setattr(run, "_LOOK_MS", 50)
    tasks: list[asyncio.Task[None]] = []

    async def begin(*directories: Path, stamps: FileStamps | None = None) -> ReloadTrigger:
        cause = ReloadTrigger()
        tasks.append(spawn(watch(lambda: directories, cause, stamps or {}), name="watch"))
        return cause

    yield begin
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def save(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


async def told(cause: ReloadTrigger, path: Path) -> None:
    """Save a file until that is a cause: when a watch has begun cannot be asked."""
    async with asyncio.timeout(WITHIN_S):
        for text in map(str, range(1_000)):
            save(path, text)
            with suppress(TimeoutError):
                assert await asyncio.wait_for(cause.next(), 0.2) == "file change"
                return


async def silent(cause: ReloadTrigger) -> None:
    """Wait until nothing more comes of what was done before."""
    with suppress(TimeoutError):
        while True:
            await asyncio.wait_for(cause.next(), 1)


async def test_a_file_that_is_saved_is_a_cause(watched: Watched, tmp_path: Path) -> None:
    cause = await watched(tmp_path)

    await told(cause, tmp_path / "words.txt")


async def test_what_was_saved_before_the_watch_began_is_a_cause(
    tmp_path: Path, watched: Watched
) -> None:
    save(tmp_path / "words.txt", "发票")
    stamps = stamps_of((tmp_path,))
    save(tmp_path / "cdr-20251125-09.jsonl", "{}")
    unchanged = await watched(tmp_path, stamps=stamps)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(unchanged.next(), 1)

    save(tmp_path / "words.txt", "中奖")
    changed = await watched(tmp_path, stamps=stamps)

    assert await asyncio.wait_for(changed.next(), WITHIN_S) == "file change"


async def test_a_directory_in_the_place_of_another_is_one_and_is_watched(
    watched: Watched, tmp_path: Path
) -> None:
    policies, new = tmp_path / "policies", tmp_path / "new"
    for directory in (policies, new):
        directory.mkdir()
    cause = await watched(policies)
    await told(cause, policies / "words.txt")
    await silent(cause)

    policies.rename(tmp_path / "old")
    new.rename(policies)
    async with asyncio.timeout(WITHIN_S):
        assert await cause.next() == "file change"
    await silent(cause)

    await told(cause, policies / "words.txt")


async def test_a_directory_that_is_not_there_yet_is_watched_once_it_is(
    watched: Watched, tmp_path: Path
) -> None:
    cause = await watched(tmp_path / "policies")
    (tmp_path / "policies").mkdir()

    await told(cause, tmp_path / "policies/words.txt")


async def test_a_directory_whose_name_is_not_utf_8_keeps_no_change_from_being_a_cause(
    watched: Watched, tmp_path: Path
) -> None:
    cause = await watched(tmp_path)
    await told(cause, tmp_path / "words.txt")
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")  # noqa: PTH102
    await silent(cause)

    await told(cause, tmp_path / "words.txt")


async def test_a_directory_that_goes_before_its_watch_begins_is_watched_once_it_is_there_again(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = tmp_path / "policies"
    policies.mkdir()

    def lost(*places: Path, **options: Any) -> AsyncGenerator[set[FileChange], None]:
        monkeypatch.setattr(run, "awatch", awatch)
        policies.rename(tmp_path / "old")
        return awatch(*places, **options)

    monkeypatch.setattr(run, "awatch", lost)
    cause = await watched(policies)
    async with asyncio.timeout(WITHIN_S):
        assert await cause.next() == "file change"
    policies.mkdir()

    await told(cause, policies / "words.txt")


async def test_what_the_gateway_writes_itself_is_no_cause(watched: Watched, tmp_path: Path) -> None:
    cause = await watched(tmp_path)
    await told(cause, tmp_path / "words.txt")
    await silent(cause)

    save(tmp_path / "cdr-20251125-09.jsonl", "{}")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(cause.next(), 1)


async def test_a_directory_that_is_named_later_is_watched_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_LOOK_MS", 50)
    places, cause = [tmp_path / "config"], ReloadTrigger()
    for name in ("config", "tls"):
        (tmp_path / name).mkdir()
    watching = spawn(watch(lambda: places, cause, {}), name="watch")

    places.append(tmp_path / "tls")
    await told(cause, tmp_path / "tls/cert.pem")
    watching.cancel()

    with suppress(asyncio.CancelledError):
        await watching
