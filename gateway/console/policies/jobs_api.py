"""Replays, and counts of what rules found, over HTTP: jobs of the console."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from fastapi import Path as InPath
from pydantic import Field

from gateway.console.policies.jobs import CommandJob, CommandJobs, JobRunningError, JobState
from gateway.console.policies.replay_pages import (
    HITS_JOB,
    REPLAY_JOB,
    PolicyTools,
    ReplayQuery,
)
from gateway.console.policies.workshop import (
    WorkshopError,
    enforced,
)
from gateway.domain.api_client import ApiClient
from gateway.domain.permissions import Permission
from gateway.web.access import acting_as, may
from gateway.web.fields import Moment, RequestBody, Words
from gateway.web.problems import Problem, ProblemError

_LAST_NUMBER = 2**63 - 1
_MAX_FILES = 50

RecordReader = Annotated[ApiClient, Depends(may(Permission.READ_RECORDS))]
Number = Annotated[int, InPath(ge=1, le=_LAST_NUMBER)]
Files = Annotated[
    dict[Annotated[str, Field(max_length=160)], Annotated[str, Field(max_length=1024 * 1024)]],
    Field(
        max_length=_MAX_FILES,
        description="Texts of files by their names in the bundle, in place of those on disk.",
        examples=[{"keywords/own.txt": "加微信领红包\n"}],
    ),
]


class ReplayBody(RequestBody):
    """Which records are judged again, and by what."""

    files: Files = Field(default_factory=dict)
    since: Moment | None = None
    until: Moment | None = None
    system_id: Annotated[Words | None, Field(max_length=15, examples=["shop"])] = None
    rule: Annotated[str | None, Field(max_length=64, pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$")] = None
    enforce: Annotated[bool, Field(description="Let `rule` stop messages.")] = False
    against_active: Annotated[
        bool, Field(description="Compare with the policy in force, not with what was recorded.")
    ] = False


class HitsBody(RequestBody):
    """Over which time findings are counted."""

    since: Literal["1d", "7d", "30d"] = "1d"


class JobItem(RequestBody):
    """A job: how far it is, and once it has finished what came of it."""

    number: Annotated[int, Field(examples=[3])]
    kind: Annotated[str, Field(examples=["replay"])]
    by: Annotated[str, Field(examples=["api: ci"])]
    about: dict[str, str]
    state: JobState
    percent: int
    started_at: datetime
    ended_at: datetime | None
    answer: Annotated[dict[str, Any], Field(description="What the command prints as JSON.")]
    problem: str


def job_routes(router: APIRouter, parts: PolicyTools) -> None:
    """Add the routes of jobs."""
    _work(router, parts)
    _follow_jobs(router, parts.jobs)


def _work(router: APIRouter, parts: PolicyTools) -> None:
    @router.post("/v1/policies/replays", summary="Replay records", status_code=202)
    async def replay(body: ReplayBody, client: RecordReader, response: Response) -> JobItem:
        """Judge records again by the policy with these files in it, as `smsward policy replay`.

        One job runs at a time: another one meanwhile is a 409. GET /v1/jobs/{number} has its end.
        """
        config = _config(parts)
        query = ReplayQuery(
            *(_written(body.since), _written(body.until), body.system_id or "", body.rule or ""),
            "1" if body.enforce else "",
        )
        if not query.is_sound:
            raise ProblemError(Problem.NOT_AS_DESCRIBED, "no record can fit this")
        place, done = await _copy(parts, body)
        arguments = ["policy", "replay", str(place), "--config", str(config)]
        arguments += ["--json", "--progress", *query.arguments()]
        active = await parts.workshop.active()
        if body.against_active and active is not None and active.archive_octets:
            arguments += ["--old", str(active.number)]
        named = {"files": ", ".join(sorted(body.files))} if body.files else {}
        job = _started(parts, REPLAY_JOB, client, arguments, query.about | named, done)
        response.headers["Location"] = f"/v1/jobs/{job.number}"
        return job

    @router.post("/v1/rules/hits", summary="Count what rules found", status_code=202)
    async def hits(body: HitsBody, client: RecordReader, response: Response) -> JobItem:
        """Count in the records what each rule found and stopped, as `smsward policy hits`."""
        arguments = ["policy", "hits", "--since", body.since]
        arguments += ["--config", str(_config(parts)), "--json"]
        job = _started(parts, HITS_JOB, client, arguments, {"since": body.since})
        response.headers["Location"] = f"/v1/jobs/{job.number}"
        return job


def _follow_jobs(router: APIRouter, jobs: CommandJobs) -> None:
    @router.get("/v1/jobs/{number}", summary="Ask how far a job is")
    async def show(number: Number, _client: RecordReader) -> JobItem:
        """Return how far a replay or count is, and its answer once it has finished."""
        found = jobs.get(number)
        if found is None:
            raise ProblemError(Problem.NOT_FOUND)
        return _job(found)

    @router.post("/v1/jobs/{number}/stop", summary="Stop a job")
    async def stop(number: Number, client: RecordReader) -> JobItem:
        """End a job that this client has started. The same again is fine."""
        found = jobs.get(number)
        if found is None or found.by != acting_as(client):
            raise ProblemError(Problem.NOT_FOUND)
        await jobs.stop(number)
        return _job(found)


async def _copy(parts: PolicyTools, body: ReplayBody) -> tuple[Path, Callable[[], object]]:
    """Return a copy of the policy with the files in it, and what removes it."""
    place = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="smsward-"))
    done = partial(shutil.rmtree, place, ignore_errors=True)
    try:
        for name in body.files:
            if await parts.workshop.file(name) is None:
                raise WorkshopError(f"{name} can be no file of a policy")  # noqa: TRY301
        await asyncio.to_thread(parts.workshop.copy_to, place, body.files)
        if body.enforce and body.rule:
            await asyncio.to_thread(enforced, place, body.rule)
    except (WorkshopError, OSError) as error:
        done()
        raise ProblemError(Problem.NOT_AS_DESCRIBED, str(error)) from error
    return place, done


def _started(
    parts: PolicyTools,
    kind: str,
    client: ApiClient,
    arguments: Sequence[str],
    about: Mapping[str, str],
    done: Callable[[], object] = bool,
) -> JobItem:
    try:
        return _job(parts.jobs.start(kind, acting_as(client), arguments, about, done))
    except JobRunningError as error:
        raise ProblemError(Problem.CONFLICT, str(error)) from error


def _config(parts: PolicyTools) -> Path:
    if parts.config is None:
        raise ProblemError(Problem.NOT_NOW, "no records are known here")
    return parts.config


def _written(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat()


def _job(job: CommandJob) -> JobItem:
    return JobItem(
        number=job.number,
        kind=job.kind,
        by=job.by,
        about=dict(job.about),
        state=job.state,
        percent=job.percent,
        started_at=job.started_at,
        ended_at=job.ended_at,
        answer=dict(job.answer),
        problem=job.problem,
    )
