"""`smsward run`: one gateway in the foreground, led by signals and file changes."""

import asyncio
import contextlib
import signal
import ssl
import sys
from collections.abc import Callable, Coroutine, Iterable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, NoReturn

import structlog
from watchfiles import awatch

from gateway.app.gateway import Gateway
from gateway.app.policies import tell_known_passwords
from gateway.domain.sender import Sender
from gateway.records.archive import words_of
from gateway.runtime.tasks import report_loop_error, spawn
from gateway.settings.bundles.bundle import load_proven
from gateway.settings.filings import load_provinces
from gateway.settings.gateway import load_gateway
from gateway.settings.senders import are_secrets_readable, load_senders, load_services
from gateway.settings.yaml import FaultCollector, SettingsError
from gateway.storage.errors import StoreUnavailable
from gateway.terminal.failure import ExitCode

log = structlog.get_logger()


# What the gateway writes itself, should the store or the records lie in a watched place.
_OUR_OWN = frozenset({".jsonl", ".gz", ".part", ".db", ".db-wal", ".db-shm", ".db-journal"})

_LOOK_MS = 1_000


class ReloadTrigger:
    """Why to reload next: the last that arose since it was awaited."""

    def __init__(self) -> None:
        self._by = ""
        self._arisen = asyncio.Event()

    def arise(self, by: str) -> None:
        """Note a cause."""
        self._by = by
        self._arisen.set()

    async def next(self) -> str:
        """Return what arose last, once something has."""
        await self._arisen.wait()
        self._arisen.clear()
        return self._by


async def watch(directories: Iterable[Path], cause: ReloadTrigger) -> None:
    """Let every change below `directories` be a cause; also where another takes the place of one.

    A watch follows a directory that is renamed away, and sees nothing of the one that takes its
    name: so each second it is looked whether they are the same ones still.
    """
    places = frozenset(directories)
    while True:
        watched = await asyncio.to_thread(_identities, places)
        if not watched:
            await asyncio.sleep(_LOOK_MS / 1000)
            continue
        changes = awatch(
            *watched,
            watch_filter=lambda _change, path: Path(path).suffix not in _OUR_OWN,
            debounce=400,
            step=50,
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
        )
        async with aclosing(changes):
            async for found in changes:
                is_another = await asyncio.to_thread(_identities, places) != watched
                if found or is_another:
                    cause.arise("file change")
                if is_another:
                    break


def _identities(places: Iterable[Path]) -> dict[Path, tuple[int, int]]:
    """Return the device and the number of each directory that there is."""
    found: dict[Path, tuple[int, int]] = {}
    for place in places:
        with suppress(OSError):
            is_ = place.stat()
            found[place] = is_.st_dev, is_.st_ino
    return found


def run(config: Path, policies: Path, unlisted: Callable[[], int] = int) -> int:
    """Run a gateway until it is told to stop; return the process's exit code.

    `unlisted` tells how many log events were not on the closed list, for the metrics.

    SIGTERM and SIGINT drain, a second one stops at once; SIGHUP and changes below the two
    directories reload. 2 when the settings are at fault, 1 when it could not start or go on.
    """
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_run(config, policies, unlisted))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the fastest loop there is, None for asyncio's own."""
    with contextlib.suppress(ImportError):  # not everywhere; asyncio's own loop will do
        import uvloop  # noqa: PLC0415

        factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
        return factory
    return None


async def _run(config: Path, policies: Path, unlisted: Callable[[], int]) -> int:
    gathering = FaultCollector()
    settings = gathering.take(lambda: load_gateway(config / "gateway.yaml"), None)
    senders = gathering.take(lambda: load_senders(config / "senders.yaml"), None)
    services = gathering.take(lambda: load_services(config / "services.yaml", senders), ())
    provinces = gathering.take(lambda: load_provinces(config / "provinces.csv"), None)
    bundle = gathering.take(lambda: load_proven(policies), None)
    try:
        gathering.close()
    except SettingsError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)  # noqa: T201 - for a person, before there is a log
        return ExitCode.MISUSED
    assert settings is not None and senders is not None  # noqa: S101, PT018
    assert bundle is not None and provinces is not None  # noqa: S101, PT018
    tell_known_passwords(senders.values())
    tell_readable_secrets(config / "senders.yaml", senders.values())
    loop, cause = asyncio.get_running_loop(), ReloadTrigger()
    loop.set_exception_handler(report_loop_error)
    # Unhandled, it would end a process that is still loading what subscribers said.
    loop.add_signal_handler(signal.SIGHUP, cause.arise, "SIGHUP")
    try:
        gateway = Gateway(
            settings, senders, bundle, services=services, config=config, policies=policies
        )
        gateway.unlisted = unlisted
        gateway.policies.know(provinces)
    except (OSError, ssl.SSLError) as error:
        log.error("gateway.failed", said=words_of(error))
        return ExitCode.FAILED
    try:
        await gateway.start()
    except (OSError, StoreUnavailable, ssl.SSLError, SettingsError) as error:
        log.error("gateway.failed", said=words_of(error))
        await gateway.stop()
        return ExitCode.FAILED
    await _serve(gateway, (config, policies), cause)
    return ExitCode.FINE


def tell_readable_secrets(path: Path, senders: Iterable[Sender]) -> None:
    """Log that every account of this machine can read passwords or keys of SPs."""
    with suppress(OSError):  # it was read a moment ago and may be gone or replaced now
        if are_secrets_readable(path, senders):
            log.warning("senders.readable", path=str(path), do="chmod 640")


async def _serve(gateway: Gateway, directories: tuple[Path, Path], cause: ReloadTrigger) -> None:
    loop = asyncio.get_running_loop()
    asked, insisted = asyncio.Event(), asyncio.Event()

    def on_stop(name: str) -> None:
        log.info("signal.received", signal=name)
        (insisted if asked.is_set() else asked).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_stop, number.name)
    spawn(watch(directories, cause), name="watch", on_failure=gateway.broken)
    spawn(_reload_on(cause, gateway), name="reload", on_failure=gateway.broken)
    await asked.wait()
    await _first(gateway.drain(), insisted.wait())
    await gateway.stop()


async def _first(*coroutines: Coroutine[Any, Any, object]) -> None:
    tasks = [spawn(coro, name="drain") for coro in coroutines]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


async def _reload_on(cause: ReloadTrigger, gateway: Gateway) -> NoReturn:
    while True:
        await gateway.reload_changed(await cause.next())
