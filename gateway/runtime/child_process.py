"""Programs beside the gateway: kept running, ended with it, and at a lower priority."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import NoReturn

import structlog

from gateway.runtime.clock import monotonic
from gateway.runtime.tasks import spawn

log = structlog.get_logger()

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
PRIORITY = 15  # of what gives way; 0 is the gateway's, 19 the lowest
_STOP_S = 5.0
# The id of the process that keeps this one running.
_PARENT = "SMSWARD_PARENT"
_PR_SET_PDEATHSIG = 1


class ChildProcess:
    """Keeps `command` running until `stop`. `name` is what the log calls it.

    After it ended it is started again: a second later, then after twice as long each time, at
    most a minute; after it ran for a minute, a second later again.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._name = name
        self._command = command
        self._sleep = sleep
        self._process: asyncio.subprocess.Process | None = None
        self._task = spawn(self._keep(), name=name)

    async def stop(self) -> None:
        """End it: by SIGTERM, and by SIGKILL where it takes five seconds. Safe to repeat."""
        self._task.cancel()
        await asyncio.wait([self._task])
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        log.info("child.stopped", child=self._name, code=process.returncode)

    async def _keep(self) -> NoReturn:
        pause_s = FIRST_PAUSE_S
        while True:
            began = monotonic()
            said = await self._run()
            if monotonic() - began >= LONGEST_PAUSE_S:
                pause_s = FIRST_PAUSE_S
            log.warning("child.ended", child=self._name, said=said, again_in_s=pause_s)
            await self._sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _run(self) -> str:
        """Run it to its end; return how that was."""
        environ = {**os.environ, _PARENT: str(os.getpid())}
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.DEVNULL, env=environ
            )
        except OSError as error:
            return f"{self._command[0]}: {error.strerror}"
        log.info("child.started", child=self._name, pid=self._process.pid)
        return f"exit code {await self._process.wait()}"


def give_way() -> None:
    """Let this process and the threads that it starts run at a lower priority than the gateway.

    For processes beside it: where cores are few, a message goes before what they do (nice(2)).
    """
    os.setpriority(os.PRIO_PROCESS, 0, max(PRIORITY, os.getpriority(os.PRIO_PROCESS, 0)))


def end_with_parent(environ: MutableMapping[str, str] = os.environ) -> None:
    """Let SIGTERM come when the process ends that keeps this one running, if there is one.

    To be called early, once (Linux: prctl(2)); elsewhere it outlives a parent that is killed.
    """
    parent = environ.pop(_PARENT, "")
    if not parent:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        sys.exit()
