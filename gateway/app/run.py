"""`smsward run`: one gateway in the foreground, led by signals and file changes."""

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import structlog
from watchfiles import awatch

from gateway.app.gateway import Gateway
from gateway.app.live_config import tls_directories
from gateway.app.policies import tell_known_passwords
from gateway.domain.sender import Sender
from gateway.records.archive import words_of
from gateway.runtime.child_process import ChildProcess
from gateway.runtime.passed_sockets import (
    PASSED_ON,
    PassedSocket,
    Predecessor,
    Successor,
    become_mind,
    block_signals,
    command_line,
)
from gateway.runtime.tasks import report_loop_error, spawn
from gateway.runtime.traces import CONTROL_SHARE, start_tracing
from gateway.settings.bundles.bundle import load_proven
from gateway.settings.filings import load_provinces
from gateway.settings.gateway import groups_of, load_gateway, report_codes_of
from gateway.settings.senders import are_secrets_readable, load_senders, takes_peers
from gateway.settings.services import load_services
from gateway.settings.yaml import FaultCollector, SettingsError
from gateway.storage.dialect import FILE_SUFFIXES
from gateway.storage.errors import StoreUnavailable
from gateway.terminal.failure import ExitCode

log = structlog.get_logger()

FindCommand: TypeAlias = Callable[[], Sequence[str]]
FileStamps: TypeAlias = dict[Path, dict[Path, tuple[int, int, int]]]


# What the gateway writes itself, should the store or the records lie in a watched place.
_OUR_OWN = FILE_SUFFIXES | {".jsonl", ".gz", ".part", ".control"}

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


class SignalDesk:
    """What this process is told: by signals, or by who minds it, where it followed another."""

    def __init__(self, before: Predecessor | None) -> None:
        self.cause = ReloadTrigger()
        self.stop, self.stop_at_once = asyncio.Event(), asyncio.Event()
        # Who shall follow; None for a program that is still to be started.
        self.following: asyncio.Queue[Successor | None] = asyncio.Queue()
        self._before = before
        loop = asyncio.get_running_loop()
        if before is not None:
            loop.add_reader(before.link, before.hear, self._hear)
            return
        # Unhandled, they would end a process that is still loading what subscribers said.
        for number in (signal.SIGHUP, signal.SIGUSR2):
            loop.add_signal_handler(number, self._hear, number)

    def serve(self) -> None:
        """Stop in good order from now on, where a signal would have ended the process."""
        if self._before is None:
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self._hear, number)

    def _hear(self, number: signal.Signals, successor: Successor | None = None) -> None:
        if number == signal.SIGHUP:
            self.cause.arise(number.name)
            return
        log.info("signal.received", signal=number.name)
        if number != signal.SIGUSR2:
            (self.stop_at_once if self.stop.is_set() else self.stop).set()
        elif successor is not None or (self._before is None and self.following.empty()):
            self.following.put_nowait(successor)
        elif self._before is not None:
            log.error("handover.refused", said="the program cannot be started")


async def watch(
    directories: Callable[[], Iterable[Path]], cause: ReloadTrigger, stamps: FileStamps
) -> None:
    """Let every change below `directories` be a cause; also where another takes the place of one.

    They are asked for each second, for a reload may name others. `stamps` were taken before the
    files were read: a change since then is a cause too.

    A watch follows a directory that is renamed away, and sees nothing of the one that takes its
    name: so each second it is looked whether they are the same ones still. Where there can be no
    watch, as below a directory with a name that is not UTF-8, the files are read each second.
    """
    while True:
        watched = await asyncio.to_thread(_identities, directories())
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
        try:
            async with aclosing(changes):
                async for found in changes:  # the first time within a second after it began
                    is_another = await asyncio.to_thread(_identities, directories()) != watched
                    is_missed = await asyncio.to_thread(stamps_of, stamps) != stamps
                    stamps = await asyncio.to_thread(stamps_of, directories()) if is_another else {}
                    if found or is_another or is_missed:
                        cause.arise("file change")
                    if is_another:
                        break
        except (ExceptionGroup, OSError, RuntimeError):  # what cannot be watched ends no traffic
            before, stamps = stamps, await asyncio.to_thread(stamps_of, directories())
            if stamps != before:
                cause.arise("file change")
            await asyncio.sleep(_LOOK_MS / 1000)


def stamps_of(places: Iterable[Path]) -> FileStamps:
    """Return inode, size and mtime in ns of the files below each of `places` except our own."""
    found: FileStamps = {}
    for place in places:
        stamps = found[place] = {}
        for directory, _, names in os.walk(place):
            for path in (Path(directory, name) for name in names):
                with suppress(OSError):  # it is gone, or nobody may look
                    is_ = path.stat()
                    if path.suffix not in _OUR_OWN:
                        stamps[path] = is_.st_ino, is_.st_size, is_.st_mtime_ns
    return found


def _identities(places: Iterable[Path]) -> dict[Path, tuple[int, int]]:
    """Return the device and the number of each directory that there is."""
    found: dict[Path, tuple[int, int]] = {}
    for place in places:
        with suppress(OSError):
            is_ = place.stat()
            found[place] = is_.st_dev, is_.st_ino
    return found


def run(
    config: Path,
    policies: Path,
    unlisted: Callable[[], int] = int,
    *,
    has_console: bool = True,
) -> int:
    """Run a gateway until it is told to stop; return the process's exit code.

    `unlisted` tells how many log events were not on the closed list, for the metrics. Where the
    configuration has a console.yaml, the console runs as a child process, if it `has_console`: from
    then on where the file is made later, and no longer where it is removed.

    SIGTERM and SIGINT drain, a second one stops at once; SIGHUP and changes below the two
    directories reload; SIGUSR2 starts the program anew beside this one, which drains once the
    other is ready and passes it the listening sockets, unless it was told to stop meanwhile. 2
    when the settings are at fault, 1 when it could not start or go on.
    """
    start_tracing("smsward-gateway", CONTROL_SHARE)
    before = Predecessor.of()
    followed: list[Successor] = []
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        command = partial(console_command, config, policies) if has_console else tuple[str, ...]
        code = runner.run(_run(config, policies, unlisted, before, followed, command))
    if followed and before is None:
        become_mind(followed[0])
    return PASSED_ON if followed else code


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the fastest loop there is, None for asyncio's own."""
    with contextlib.suppress(ImportError):  # not everywhere; asyncio's own loop will do
        import uvloop  # noqa: PLC0415

        factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
        return factory
    return None


async def _run(
    config: Path,
    policies: Path,
    unlisted: Callable[[], int],
    before: Predecessor | None,
    followed: list[Successor],
    console: FindCommand,
) -> int:
    desk = SignalDesk(before)
    stamps = await asyncio.to_thread(stamps_of, (config, policies))
    gathering = FaultCollector()
    settings = gathering.take(lambda: load_gateway(config / "gateway.yaml"), None)
    groups, codes = groups_of(settings), report_codes_of(settings)
    load = partial(load_senders, takes_peers=takes_peers(settings))
    senders = gathering.take(lambda: load(config / "senders.yaml", groups, codes), None)
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
    stamps = await asyncio.to_thread(stamps_of, tls_directories(settings)) | stamps
    tell_known_passwords(senders.values())
    tell_readable_secrets(config / "senders.yaml", senders.values())
    asyncio.get_running_loop().set_exception_handler(report_loop_error)
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
        take_over = None if before is None else partial(_sockets_of, before)
        if not await gateway.start(take_over):
            await gateway.stop()
            return ExitCode.FINE
    except (OSError, StoreUnavailable, ssl.SSLError, SettingsError) as error:
        log.error("gateway.failed", said=words_of(error))
        await gateway.stop()
        return ExitCode.FAILED
    followed += await _serve(gateway, (config, policies), stamps, desk, console)
    return ExitCode.FINE


async def _sockets_of(before: Predecessor) -> list[PassedSocket]:
    before.say_ready()
    await _readable(before.channel)
    return before.sockets()


async def _readable(one: socket.socket) -> None:
    loop, found = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(one, found.set)
    try:
        await found.wait()
    finally:
        loop.remove_reader(one)


def tell_readable_secrets(path: Path, senders: Iterable[Sender]) -> None:
    """Log that every account of this machine can read passwords or keys of SPs."""
    with suppress(OSError):  # it was read a moment ago and may be gone or replaced now
        if are_secrets_readable(path, senders):
            log.warning("senders.readable", path=str(path), do="chmod 640")


def console_command(config: Path, policies: Path) -> Sequence[str]:
    """Return what starts the console of a configuration; nothing where that has none."""
    if not (config / "console.yaml").exists():
        return ()
    directories = ("--config", str(config), "--policies", str(policies))
    return (sys.executable, "-m", "gateway", "console", *directories)


class ConsoleChild:
    """Keeps the console running while the configuration has one; `find` returns its command."""

    def __init__(self, find: FindCommand) -> None:
        self._find = find
        self._child: ChildProcess | None = None
        self._ending: asyncio.Task[None] | None = None
        self._is_over = False

    async def follow(self) -> None:
        """Start the console where its file has come, end it where that has gone.

        Where the directory cannot be read, as the reload tells, the console stays as it is.
        """
        try:
            command = await asyncio.to_thread(self._find)
        except OSError:
            return
        if not command:
            await self._end()
        elif self._child is None and not self._is_over:
            self._child = ChildProcess("console", command)

    async def stop(self) -> None:
        """End the console for good; waits for nothing else."""
        self._is_over = True
        await self._end()

    async def _end(self) -> None:
        if self._child is not None:
            self._ending = spawn(self._child.stop(), name="console.end")
            self._child = None
        if self._ending is not None:
            await asyncio.wait({self._ending})


async def _serve(
    gateway: Gateway,
    directories: tuple[Path, Path],
    stamps: FileStamps,
    desk: SignalDesk,
    command: FindCommand,
) -> Sequence[Successor]:
    """Serve until told to stop; return who follows, if any does."""
    desk.serve()
    console = ConsoleChild(command)
    await console.follow()

    def watched() -> set[Path]:
        config = gateway.live_config
        return {*directories, *(config.watched() if config is not None else ())}

    spawn(watch(watched, desk.cause, stamps), name="watch", on_failure=gateway.broken)
    reloading = _reload_on(desk.cause, gateway, console)
    spawn(reloading, name="reload", on_failure=gateway.broken)
    found: list[Successor] = []
    await _first(desk.stop.wait(), _find_successor(desk, found))
    ending = spawn(console.stop(), name="console.stop")
    await _first(gateway.drain(hands_over=bool(found)), desk.stop_at_once.wait())
    await ending  # who follows has its own, at the same address
    await gateway.stop()
    for successor in found:
        block_signals()
        await asyncio.sleep(0.001)  # those that came before are heard
        if not desk.stop.is_set():
            successor.pass_on(gateway.handed_over)
            return found
        successor.dismiss()
        for one in gateway.handed_over:
            one.socket.close()
    return ()


async def _find_successor(desk: SignalDesk, found: list[Successor]) -> None:
    """Add who follows to `found`, once it is wanted and the program on disk says it is ready."""
    while True:
        try:
            one = await desk.following.get() or Successor.start(command_line())
        except OSError as error:  # its virtual environment has moved, say
            log.error("handover.refused", said=f"{command_line()[0]}: {words_of(error)}")
            continue
        try:
            await _readable(one.channel)
        except BaseException:
            one.dismiss()
            raise
        if await asyncio.to_thread(one.is_ready):
            found.append(one)
            return
        log.error("handover.refused", said="`smsward run --check` tells the faults")


async def _first(*coroutines: Coroutine[Any, Any, object]) -> None:
    tasks = [spawn(coro, name="drain") for coro in coroutines]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


async def _reload_on(cause: ReloadTrigger, gateway: Gateway, console: ConsoleChild) -> NoReturn:
    while True:
        await gateway.reload_changed(await cause.next())
        await console.follow()
