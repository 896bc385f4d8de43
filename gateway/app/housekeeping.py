"""What a gateway does beside traffic: closed hours are sealed, what is past keeping goes.

Both are done by processes of their own with low priority (`smsward records seal`, `records
purge`): packing an hour of ten million rows takes a minute of CPU, which the loop does not
have.
"""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import orjson
import structlog

from gateway.records.archive import RecordArchive, hour_of
from gateway.records.upkeep import due
from gateway.runtime.clock import utcnow

log = structlog.get_logger()

_EVERY_S = 300.0
_PURGE_EVERY = 288  # a day of turns
_SAID_CHARS = 300
_NICENESS = 10
_COMMAND = (sys.executable, "-m", "gateway", "records")


class Housekeeping:
    """Starts the commands when they have something to do, one at a time."""

    def __init__(self, config: Path, directory: Path, *, is_sealing: bool) -> None:
        self._config = config
        self._archive = RecordArchive(directory)
        self._is_sealing = is_sealing

    async def keep(self, every_s: float = _EVERY_S) -> NoReturn:
        """Look every five minutes, until cancelled; the first purge comes with the first look."""
        turn = 0
        while True:
            await asyncio.sleep(every_s)
            await self.seal()
            if turn % _PURGE_EVERY == 0:
                await self.purge()
            turn += 1

    async def seal(self) -> None:
        """Seal the hours that are closed, if there are any and keys to do it with."""
        if self._is_sealing and await asyncio.to_thread(self._is_due):
            told = await self._run("seal", "--json")
            if told is not None:
                log.info("records.sealed", files=told.get("files"), rows=told.get("rows"))

    async def purge(self) -> None:
        """Delete what is past keeping."""
        told = await self._run("purge", "--json", "--by", "daily")
        if told is not None:
            log.info("records.purged", purged=told.get("purged"), before=told.get("before"))
            _tell_journals(told.get("journals"))

    def _is_due(self) -> bool:
        with suppress(OSError):  # the command will say what is wrong
            return bool(due(self._archive, hour_of(utcnow())))
        return True

    async def _run(self, *arguments: str) -> Mapping[str, object] | None:
        """Return what the command printed; log a failure and return None."""
        command = (*_COMMAND, *arguments, "--config", str(self._config))
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
            )
        except OSError as error:  # no memory or no room for one more process
            log.error("records.housekeeping_failed", command=arguments[0], said=error.strerror)
            return None
        with suppress(OSError):  # it may be done already
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
        try:
            out, said = await process.communicate()
        except asyncio.CancelledError:
            _end(process)
            raise
        if process.returncode == 0:
            told = orjson.loads(out)
            return told if isinstance(told, dict) else {}
        # What commands say on the standard error holds no number and no text.
        words = said[-_SAID_CHARS:].decode("utf-8", "replace").strip()
        log.error("records.housekeeping_failed", command=arguments[0], said=words)
        return None


def _tell_journals(states: object) -> None:
    """Put the heads of the journals where who rewrites the store does not reach: into the log."""
    for state in states if isinstance(states, list) else ():
        if state["problem"]:
            log.error("journal.broken", **state)
        else:
            told = {name: state[name] for name in ("journal", "rows", "head")}
            log.info("journal.verified", **told)


def _end(process: Process) -> None:
    """Stop a command half way: it leaves nothing that the next one does not mend."""
    with suppress(ProcessLookupError):
        process.kill()
