"""Commands of this program that pages run as processes beside them, one at a time.

A replay of a month takes minutes of one core: as a process it keeps no page waiting, can be ended,
and has the words, the masks and the bounds of the command that people know.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import count
from typing import Any

import orjson
import structlog

from gateway.runtime.tasks import spawn

log = structlog.get_logger()

LIMIT_S = 15 * 60.0
KEPT = 20
MAX_ANSWER_OCTETS = 8 * 1024 * 1024

_MAX_LINE_OCTETS = 64 * 1024
_MAX_PROBLEM_CHARS = 1_000
_STOP_S = 5.0


class JobState(StrEnum):
    """How far a job is."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(slots=True, eq=False)
class CommandJob:
    """One command that runs or has run. `about` says what was asked for.

    `done` and `total` are octets of records, 0 where it is not known yet. `answer` is what the
    command printed, `problem` why it did not.
    """

    number: int
    kind: str
    by: str
    about: Mapping[str, str]
    started_at: datetime
    state: JobState = JobState.RUNNING
    ended_at: datetime | None = None
    done: int = 0
    total: int = 0
    answer: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def percent(self) -> int:
        """Return how much is done, of 100."""
        return min(100, 100 * self.done // self.total) if self.total else 0


class JobRunningError(Exception):
    """Another job runs; `job` is that."""

    def __init__(self, job: CommandJob) -> None:
        super().__init__(f"job {job.number} runs")
        self.job = job


class CommandJobs:
    """Runs one command at a time, for LIMIT_S at most, and keeps the answers of the last KEPT."""

    def __init__(
        self,
        utcnow: Callable[[], datetime],
        command: Sequence[str] = (sys.executable, "-m", "gateway"),
        limit_s: float = LIMIT_S,
    ) -> None:
        self._utcnow = utcnow
        self._command = command
        self._limit_s = limit_s
        self._numbers = count(1)
        self._jobs: dict[int, CommandJob] = {}
        self._running: tuple[CommandJob, asyncio.Task[None]] | None = None

    def get(self, number: int) -> CommandJob | None:
        """Return a job that is still known."""
        return self._jobs.get(number)

    def newest(self, kind: str) -> CommandJob | None:
        """Return the job of a kind that was started last."""
        found = [job for job in self._jobs.values() if job.kind == kind]
        return found[-1] if found else None

    def start(
        self,
        kind: str,
        by: str,
        arguments: Sequence[str],
        about: Mapping[str, str],
        ended: Callable[[], object] = bool,
    ) -> CommandJob:
        """Start a command with these arguments; `ended` is called at its end.

        Raises JobRunningError while another one runs.
        """
        if self._running is not None and not self._running[1].done():
            ended()
            raise JobRunningError(self._running[0])
        job = CommandJob(next(self._numbers), kind, by, about, self._utcnow())
        self._jobs[job.number] = job
        while len(self._jobs) > KEPT:
            del self._jobs[min(self._jobs)]
        task = spawn(self._run(job, arguments, ended), name="console.job")
        self._running = job, task
        return job

    async def stop(self, number: int | None = None) -> None:
        """End the job that runs, if it is that one. Safe to repeat."""
        if self._running is None:
            return
        job, task = self._running
        if number in (None, job.number) and not task.done():
            task.cancel()
            await asyncio.wait([task])

    async def _run(
        self, job: CommandJob, arguments: Sequence[str], ended: Callable[[], object]
    ) -> None:
        log.info("job.started", number=job.number, kind=job.kind, by=job.by)
        try:
            async with asyncio.timeout(self._limit_s):
                await self._answered(job, arguments)
        except asyncio.CancelledError:
            job.state = JobState.STOPPED
            raise
        except TimeoutError:
            job.state, job.problem = JobState.FAILED, f"it took longer than {self._limit_s:.0f} s"
        except (OSError, ValueError) as error:
            job.state, job.problem = JobState.FAILED, str(error)[:_MAX_PROBLEM_CHARS]
        finally:
            job.ended_at = self._utcnow()
            ended()
            log.info("job.ended", number=job.number, kind=job.kind, state=job.state)

    async def _answered(self, job: CommandJob, arguments: Sequence[str]) -> None:
        """Run the command; keep its answer. Raises ValueError for one that is too long."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_MAX_LINE_OCTETS,
        )
        assert process.stdout is not None  # noqa: S101 - they are pipes
        assert process.stderr is not None  # noqa: S101
        try:
            octets, said = await asyncio.gather(_read(process.stdout), _told(process.stderr, job))
            if await process.wait() != 0:
                raise ValueError(said or f"exit code {process.returncode}")
            job.answer, job.state = orjson.loads(octets), JobState.FINISHED
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), _STOP_S)
                except TimeoutError:
                    process.kill()
                    await process.wait()


async def _read(stream: asyncio.StreamReader) -> bytes:
    found = bytearray()
    while chunk := await stream.read(_MAX_LINE_OCTETS):
        found += chunk
        if len(found) > MAX_ANSWER_OCTETS:
            raise ValueError(f"the answer exceeds {MAX_ANSWER_OCTETS} octets: ask for less")
    return bytes(found)


async def _told(stream: asyncio.StreamReader, job: CommandJob) -> str:
    """Note how far it says it is; return the end of what else it says."""
    said = ""
    while line := await stream.readline():
        try:
            job.done, job.total = (int(one) for one in line.split(b"/"))
        except ValueError:
            said = (said + line.decode(errors="replace"))[-_MAX_PROBLEM_CHARS:]
    return said.strip()
