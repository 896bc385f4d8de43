"""The policy over HTTP: versions, check, activation, rollback, and replays and hits as jobs."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from fastapi import Path as InPath
from pydantic import Field

from gateway.console.policies.jobs_api import Files, job_routes
from gateway.console.policies.replay_pages import (
    PolicyTools,
)
from gateway.console.policies.versions import files_of
from gateway.console.policies.workshop import (
    DraftCheck,
    PolicyWorkshop,
    WorkshopError,
)
from gateway.domain.api_client import ApiClient
from gateway.domain.permissions import Permission, UserScope
from gateway.policy.bundle import Rule
from gateway.systems.policy_history import (
    VERSIONS_KEPT,
    PolicyDraft,
    PolicyRequest,
    PolicyStore,
    PolicyVersion,
    ReloadRequestState,
)
from gateway.terminal.failure import CommandError
from gateway.web.access import acting_as, may
from gateway.web.fields import Reason, RequestBody
from gateway.web.problems import Problem, ProblemError, RequestFault
from gateway.web.resources import (
    Cursor,
    CursorPage,
    IfMatch,
    Limit,
    cursor_of,
    etag_of,
    number_in,
    require_match,
)

_VERSIONS = "policy-versions"
_LAST_NUMBER = 2**63 - 1
_MAX_FILES = 50
_MAX_FAULTS = 20

Reader = Annotated[ApiClient, Depends(may(Permission.READ_POLICIES, UserScope.PROVINCE))]
FileReader = Annotated[ApiClient, Depends(may(Permission.READ_POLICIES))]
Changer = Annotated[ApiClient, Depends(may(Permission.CHANGE_POLICIES))]
RecordReader = Annotated[ApiClient, Depends(may(Permission.READ_RECORDS))]
Number = Annotated[int, InPath(ge=1, le=_LAST_NUMBER)]
Note = Annotated[Reason, Field(description="Why, for the history.", examples=["工单 2026-118"])]


class VersionItem(RequestBody):
    """A version of the policy that came into force."""

    number: Annotated[int, Field(examples=[7])]
    digest: Annotated[str, Field(examples=["3f1d9a07b2e4"])]
    name: Annotated[str, Field(examples=["cn"])]
    at: datetime
    by: str
    note: str
    has_files: Annotated[bool, Field(description="Its files were kept: it can be put back.")]


class VersionList(CursorPage):
    """Versions, the newest first."""

    versions: list[VersionItem]


class VersionFiles(RequestBody):
    """The files of a version, by name."""

    files: dict[str, str]


class ChangeRow(RequestBody):
    """One thing that is said otherwise: + added, - removed, ~ changed."""

    sign: Literal["+", "-", "~"]
    what: Annotated[str, Field(examples=["R26-consent mode"])]
    change: Annotated[str, Field(examples=["shadow → enforce"])]


class VersionDifference(RequestBody):
    """What a version says otherwise than the one in force."""

    changes: list[ChangeRow]


class RuleItem(RequestBody):
    """A rule of the policy in force."""

    id: Annotated[str, Field(examples=["R26-consent"])]
    title_zh: str
    title_en: str
    article: str
    check: str
    mode: str
    action: str
    reason: str


class RuleList(RequestBody):
    """The rules of the policy in force."""

    digest: str
    rules: list[RuleItem]


class CheckBody(RequestBody):
    """Files to be checked together with all others on disk."""

    files: Files


class PolicyFault(RequestBody):
    """A fault, and where it stands."""

    file: Annotated[str, Field(examples=["rules/own.yaml"])]
    line: int
    column: int
    problem: Annotated[str, Field(examples=["there is no such check"])]


class CheckResult(RequestBody):
    """What the files come to. With faults nothing of it can be activated."""

    faults: list[PolicyFault]
    warnings: list[str]
    digest: Annotated[str, Field(description="Of the bundle, empty with faults.")]
    changes: Annotated[list[ChangeRow], Field(description="Against the policy in force.")]
    loss: Annotated[str, Field(description="That much of it is gone, empty if not.")]


class ActivationBody(CheckBody):
    """Files that shall be in force."""

    note: Note
    force: Annotated[bool, Field(description="Also where much of the policy is gone.")] = False


class RollbackBody(RequestBody):
    """The version that shall be in force again."""

    version: Annotated[int, Field(ge=1, le=_LAST_NUMBER, examples=[6])]
    note: Note
    force: Annotated[bool, Field(description="Also where files on disk were never in force.")] = (
        False
    )


class ReloadRequestItem(RequestBody):
    """What became of a change: `open` until a gateway has answered."""

    number: Annotated[int, Field(examples=[12])]
    state: ReloadRequestState
    said: Annotated[str, Field(description="The digest in force, or why it is refused.")]


def policies(parts: PolicyTools, utcnow: Callable[[], datetime]) -> APIRouter:
    """Return the routes of the policy, on what its pages stand on."""
    router = APIRouter(tags=["policies"])
    _read(router, parts)
    _look_into_versions(router, parts)
    _change(router, parts, utcnow)
    job_routes(router, parts)
    return router


def _read(router: APIRouter, parts: PolicyTools) -> None:
    store = parts.store

    @router.get("/v1/policies/active", summary="Ask which policy is in force")
    async def active(_client: Reader, response: Response) -> VersionItem:
        """Return the version in force; its ETag is what activation and rollback must match."""
        newest = await parts.workshop.active()
        if newest is None:
            raise ProblemError(Problem.NOT_FOUND, "no policy has been in force yet")
        response.headers["ETag"] = _etag(newest)
        return _version(newest)

    @router.get("/v1/policies/versions", summary="List versions of the policy")
    async def versions(_client: Reader, cursor: Cursor = None, limit: Limit = 50) -> VersionList:
        """Return versions that came into force, the newest first."""
        before = number_in(_VERSIONS, cursor) or _LAST_NUMBER
        found = [one for one in await store.versions(VERSIONS_KEPT) if one.number < before]
        page = found[:limit]
        behind = cursor_of(_VERSIONS, page[-1].number) if len(found) > limit else None
        return VersionList(versions=list(map(_version, page)), next=behind)

    @router.get("/v1/policies/versions/{number}", summary="Look at a version")
    async def version(number: Number, _client: Reader) -> VersionItem:
        """Return who brought a version into force, when and why."""
        return _version(await _known(store, number))


def _look_into_versions(router: APIRouter, parts: PolicyTools) -> None:
    store = parts.store

    @router.get("/v1/policies/rules", summary="List rules")
    async def rules(_client: Reader) -> RuleList:
        """Return the rules of the policy in force, with the articles that they are for."""
        bundle = await parts.workshop.bundle()
        if bundle is None:
            raise ProblemError(Problem.NOT_NOW, "the policy on disk has faults")
        return RuleList(digest=bundle.digest, rules=list(map(_rule, bundle.rules)))

    @router.get("/v1/policies/requests/{number}", summary="Ask what became of a change")
    async def request(number: Number, _client: FileReader) -> ReloadRequestItem:
        """Return whether the gateway has taken a change over, or why it was refused."""
        found = await store.request(number)
        if found is None:
            raise ProblemError(Problem.NOT_FOUND)
        return _request(found)

    @router.get("/v1/policies/versions/{number}/files", summary="Read the files of a version")
    async def files(number: Number, _client: FileReader) -> VersionFiles:
        """Return the texts of all files of a version that were kept."""
        await _known(store, number)
        found = await _refusing(files_of(store, number))
        return VersionFiles(
            files={name: octets.decode("utf-8", "replace") for name, octets in found.items()}
        )

    @router.get("/v1/policies/versions/{number}/difference", summary="Compare a version")
    async def difference(number: Number, _client: FileReader) -> VersionDifference:
        """Return what a version says otherwise than the policy in force."""
        await _known(store, number)
        rows = await _refusing(parts.workshop.difference_to(number))
        return VersionDifference(changes=_rows(rows))


def _change(router: APIRouter, parts: PolicyTools, utcnow: Callable[[], datetime]) -> None:
    workshop, act = parts.workshop, asyncio.Lock()

    @router.post("/v1/policies/check", summary="Check files of the policy")
    async def check(body: CheckBody, client: Changer) -> CheckResult:
        """Say what files would come to: each fault with its place, and what would change."""
        drafts = await _drafts(parts, client, body.files, utcnow())
        return _checked(await workshop.checked(drafts))

    @router.post("/v1/policies/activate", summary="Bring files into force")
    async def activate(
        body: ActivationBody, client: Changer, if_match: IfMatch = None
    ) -> ReloadRequestItem:
        """Write files into the policy and have the gateway take them over; all of them or none.

        Files with faults are a 422 with their places. A `state` of `refused` says that the gateway
        would not, and `open` that none has answered yet.
        """
        async with act:
            await _matched(workshop, if_match)
            drafts = await _drafts(parts, client, body.files, utcnow())
            _refuse_faults(await workshop.checked(drafts))
            by = acting_as(client)
            for old in await workshop.drafts_of(by):
                await workshop.drop(by, old.name)
            for one in drafts:
                await _refusing(workshop.save(by, one.name, one.text, one.base, 0))
            kept = {one.name: one.revision for one in await workshop.drafts_of(by)}
            done = workshop.activate(by, kept, body.note, force=body.force)
            return _request(await _refusing(done))

    @router.post("/v1/policies/rollback", summary="Put a version back into force")
    async def rollback(
        body: RollbackBody, client: Changer, if_match: IfMatch = None
    ) -> ReloadRequestItem:
        """Write the files of a version back and have the gateway take them over."""
        await _known(parts.store, body.version)
        async with act:
            await _matched(workshop, if_match)
            done = workshop.roll_back(acting_as(client), body.version, body.note, force=body.force)
            return _request(await _refusing(done))


async def _known(store: PolicyStore, number: int) -> PolicyVersion:
    found = await store.version(number)
    if found is None:
        raise ProblemError(Problem.NOT_FOUND)
    return found


async def _matched(workshop: PolicyWorkshop, if_match: str | None) -> None:
    """Raise ProblemError unless the client has read which policy is in force."""
    newest = await workshop.active()
    require_match(if_match, etag_of(None) if newest is None else _etag(newest))


async def _drafts(
    parts: PolicyTools, client: ApiClient, files: Mapping[str, str], now: datetime
) -> list[PolicyDraft]:
    """Return files as drafts of this client. Raises ProblemError for a name that is of none."""
    drafts = []
    for name, text in files.items():
        found = await _refusing(parts.workshop.file(name))
        if found is None:
            raise ProblemError(
                Problem.NOT_AS_DESCRIBED,
                faults=[RequestFault("/files", "names what can be no file of a policy")],
            )
        drafts.append(PolicyDraft(acting_as(client), name, found.digest, 1, text, now))
    return drafts


async def _refusing(work: Any) -> Any:
    """Return what `work` comes to. Raises ProblemError for what a person would be told."""
    try:
        return await work
    except (WorkshopError, CommandError) as error:
        raise ProblemError(Problem.CONFLICT, str(error)) from error


def _refuse_faults(check: DraftCheck) -> None:
    if check.faults:
        faults = [
            RequestFault(f"/files/{one.name}", f"{one.line}:{one.column} {one.problem}")
            for one in check.faults[:_MAX_FAULTS]
        ]
        raise ProblemError(Problem.NOT_AS_DESCRIBED, faults=faults)


def _etag(version: PolicyVersion) -> str:
    return etag_of(version.number, version.digest)


def _version(one: PolicyVersion) -> VersionItem:
    return VersionItem(
        number=one.number,
        digest=one.digest,
        name=one.name,
        at=one.at,
        by=one.by,
        note=one.note,
        has_files=one.archive_octets > 0,
    )


def _rule(rule: Rule) -> RuleItem:
    return RuleItem(
        id=rule.id,
        title_zh=rule.title.zh,
        title_en=rule.title.en,
        article=rule.article,
        check=rule.check.name,
        mode=rule.mode,
        action=rule.action,
        reason=rule.reason,
    )


def _request(one: PolicyRequest) -> ReloadRequestItem:
    return ReloadRequestItem(number=one.number, state=one.state, said=one.said)


def _rows(rows: Sequence[tuple[str, str, str]]) -> list[ChangeRow]:
    return [
        ChangeRow.model_validate(dict(zip(("sign", "what", "change"), one, strict=True)))
        for one in rows
    ]


def _checked(check: DraftCheck) -> CheckResult:
    return CheckResult(
        faults=[
            PolicyFault(file=one.name, line=one.line, column=one.column, problem=one.problem)
            for one in check.faults
        ],
        warnings=list(check.warnings),
        digest=check.digest,
        changes=_rows(check.rows),
        loss=check.loss,
    )
