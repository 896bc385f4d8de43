"""Pages: the files of the policy, drafts of them, what they would change, and the history."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from gateway.console.policies.versions import MAX_NUMBER, files_of
from gateway.console.policies.workshop import (
    DraftCheck,
    LocatedFault,
    PolicyText,
    PolicyWorkshop,
    SecondPersonError,
    WorkshopError,
)
from gateway.domain.permissions import Permission
from gateway.systems.policy_history import (
    PolicyDraft,
    PolicyRequest,
    PolicyStore,
    ReloadRequestState,
)
from gateway.terminal.arguments import said
from gateway.terminal.failure import CommandError
from gateway.terminal.screen import visible
from gateway.web.pages import (
    MAX_FORM_OCTETS,
    PageLink,
    PageUser,
    Templates,
    allowed,
    form_of,
    marked,
)

POLICIES = PageLink("/policies", marked("Policies"), Permission.READ_POLICIES, order=120)
SHOWN_VERSIONS = 30

_CHANGE = Permission.CHANGE_POLICIES
# What is left of a form for the text, which it sends escaped.
_MOST_ESCAPED = MAX_FORM_OCTETS - 4 * 1024
_NEEDS_REASON = marked("Say why: the reason stands in the history.")
_NO_NAME = marked(
    "A new file is one of local.d/, as local.d/rules/mine.yaml or local.d/keywords/mine.txt."
)
_AROUND = 2
_LEAST_ROWS, _MOST_ROWS = 12, 30


@dataclass(frozen=True, slots=True)
class ShownFault:
    """A fault of a draft with the lines around it; `lines` are numbers and texts."""

    name: str
    path: str
    line: int
    column: int
    problem: str
    lines: tuple[tuple[int, str], ...]


class SwitchApprovals(Protocol):
    """Asks a second person for what switches rules off; each returns the page where it waits."""

    async def ask_activation(
        self, by: str, revisions: Mapping[str, int], reason: str, error: SecondPersonError
    ) -> str:
        """Ask to put the drafts of a user in force."""

    async def ask_rollback(
        self, by: str, number: int, reason: str, error: SecondPersonError, *, force: bool
    ) -> str:
        """Ask to put a version back."""


def who(user: PageUser) -> str:
    """Return a user as journals and the history name one: an account of the machine is another."""
    return f"user: {user.name}"


def path_of(name: str, what: str = "files") -> str:
    """Return where a file is shown, or edited."""
    return f"{POLICIES.path}/{what}/{quote(name)}"


@dataclass(frozen=True, slots=True)
class PolicyPages:
    """Answers the requests of people who look at the policy and change it."""

    workshop: PolicyWorkshop
    store: PolicyStore
    templates: Templates
    approvals: SwitchApprovals | None = None

    # Look

    async def overview(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """Return the files, the drafts and the history."""
        by, drafts = who(request.state.user), await self.store.drafts()
        versions = await self.store.versions(SHOWN_VERSIONS)
        edited = {one.name for one in drafts if one.by == by}
        names = await self.workshop.names()
        values = {
            "directory": str(self.workshop.directory),
            "is_shipped": self.workshop.is_shipped,
            "active": versions[0] if versions else None,
            "versions": versions,
            "folders": _folders([*names, *sorted(edited - {*names})]),
            "edited": edited,
            "others": [one for one in drafts if one.by != by],
            "path_of": path_of,
            "may_change": request.state.user.may(_CHANGE),
            "may_replay": request.state.user.may(Permission.READ_RECORDS),
            "problem": self.templates.said(request, problem) if problem else "",
        }
        return self.templates.page(request, "policies/overview.html", values, status)

    async def text(self, request: Request, name: str) -> Response:
        """Return a file with the numbers of its lines."""
        found = await self._found(name)
        drafts = await self.store.drafts()
        values = {
            "name": found.name,
            "lines": [visible(line) for line in found.text.splitlines()],
            "edit": path_of(name, "edit"),
            "may_change": request.state.user.may(_CHANGE) and not self.workshop.is_shipped,
            "is_too_long": _is_too_long(found.text),
            "drafts": [one for one in drafts if one.name == name],
        }
        return self.templates.page(request, "policies/file.html", values)

    async def _found(self, name: str, *, is_new_too: bool = False) -> PolicyText:
        """Return a file. Raises HTTPException for one that is not there, or no text."""
        try:
            found = await self.workshop.file(name)
        except WorkshopError as error:
            raise HTTPException(404) from error
        if found is None or not (found.digest or is_new_too):
            raise HTTPException(404)
        return found

    # Edit

    async def editor(
        self,
        request: Request,
        name: str,
        sent: Mapping[str, str] | None = None,
        problem: str = "",
        status: int = 200,
    ) -> Response:
        """Return a file to edit: with what was `sent`, else the user's draft, else as on disk."""
        found, by = await self._found(name, is_new_too=True), who(request.state.user)
        if _is_too_long(found.text):
            raise HTTPException(404)
        own = {one.name: one for one in await self.workshop.drafts_of(by)}
        draft = own.get(name)
        check = await self.workshop.checked([*own.values()]) if draft and not sent else None
        text = _edited(sent, draft, found)
        values = {
            "name": name,
            "text": text,
            "rows": min(max(text.count("\n") + 4, _LEAST_ROWS), _MOST_ROWS),
            # Saved again after a conflict, it is an edit of the file as it is now.
            "base": found.digest if sent or draft is None else draft.base,
            "revision": draft.revision if draft else 0,
            "is_stale": draft is not None and draft.base != found.digest,
            "draft": draft,
            "view": path_of(name),
            "path": path_of(name, "edit"),
            "drop": path_of(name, "drop"),
            "check": check,
            "faults": _shown_faults(check, own) if check else [],
            "others": await self.workshop.drafts_of_others(by, name),
            "problem": problem,
        }
        return self.templates.page(request, "policies/edit.html", values, status)

    async def saved(self, request: Request, name: str) -> Response:
        """Keep a draft, and show what is wrong with it; 409 if somebody else was faster."""
        given, by = await form_of(request), who(request.state.user)
        text = given.get("text", "").replace("\r\n", "\n")
        revision = given.get("revision", "")
        number = int(revision) if revision.isascii() and revision.isdigit() else 0
        try:
            await self.workshop.save(by, name, text, given.get("base", ""), number)
        except WorkshopError as error:
            status = 409 if error.is_conflict else 422
            return await self.editor(request, name, {"text": text}, str(error), status)
        return RedirectResponse(path_of(name, "edit"), status_code=303)

    async def dropped(self, request: Request, name: str) -> Response:
        """Drop the user's draft of a file."""
        await self.workshop.drop(who(request.state.user), name)
        return RedirectResponse(POLICIES.path, status_code=303)

    # Activate

    async def draft(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """Return what the drafts of the user would change, and what is wrong with them."""
        own = await self.workshop.drafts_of(who(request.state.user))
        check = await self.workshop.checked(own)
        values = {
            "drafts": own,
            "check": check,
            "faults": _shown_faults(check, {one.name: one for one in own}),
            "texts": {
                name: [(_kind(line), visible(line)) for line in lines]
                for name, lines in check.texts.items()
            },
            "active": await self.workshop.active(),
            "path_of": path_of,
            "may_replay": request.state.user.may(Permission.READ_RECORDS),
            "is_shipped": self.workshop.is_shipped,
            "problem": problem,
        }
        return self.templates.page(request, "policies/draft.html", values, status)

    async def activated(self, request: Request) -> Response:
        """Put the user's drafts in force, and lead to what the gateway says of it."""
        given = await form_of(request)
        reason = said(given.get("reason", ""))
        if not reason:
            return await self.draft(request, self.templates.said(request, _NEEDS_REASON), 422)
        revisions = {
            name.removeprefix("revision:"): int(value)
            for name, value in given.items()
            if name.startswith("revision:") and value.isascii() and value.isdigit()
        }
        by = who(request.state.user)
        try:
            answered = await self.workshop.activate(by, revisions, reason, force="force" in given)
        except SecondPersonError as error:
            if self.approvals is None:
                return await self.draft(request, str(error), 409)
            where = await self.approvals.ask_activation(by, revisions, reason, error)
            return RedirectResponse(where, status_code=303)
        except WorkshopError as error:
            return await self.draft(request, str(error), 409 if error.is_conflict else 422)
        return _to_request(answered)

    async def request(self, request: Request, number: int) -> Response:
        """Return what became of an activation."""
        asked = await self.store.request(number)
        if asked is None:
            raise HTTPException(404)
        is_taken = asked.state is ReloadRequestState.TAKEN
        versions = await self.store.versions(SHOWN_VERSIONS) if is_taken else []
        values = {
            "asked": asked,
            "note": visible(asked.note),
            "is_open": asked.state is ReloadRequestState.OPEN,
            "is_taken": is_taken,
            "version": next(
                (one for one in versions if is_taken and one.digest == asked.said), None
            ),
            "lines": [visible(line) for line in asked.said.splitlines()],
        }
        return self.templates.page(request, "policies/request.html", values)

    # History

    async def version(
        self, request: Request, number: int, problem: str = "", status: int = 200
    ) -> Response:
        """Return a version: its files, and what it says otherwise than the one in force."""
        found = await self.store.version(number)
        if found is None:
            raise HTTPException(404)
        active = await self.workshop.active()
        rows, names = [], []
        if found.archive_octets:
            try:
                names = sorted(await files_of(self.store, number))
                rows = [*await self.workshop.difference_to(number)]
            except (CommandError, WorkshopError) as error:
                problem = problem or str(error)
        values = {
            "version": found,
            "note": visible(found.note),
            "names": names,
            "rows": rows,
            "is_active": active is not None and active.number == number,
            "may_change": request.state.user.may(_CHANGE) and not self.workshop.is_shipped,
            "problem": problem,
        }
        return self.templates.page(request, "policies/version.html", values, status)

    async def version_text(self, request: Request, number: int, name: str) -> Response:
        """Return a file as it was in a version."""
        try:
            octets = (await files_of(self.store, number)).get(name)
        except CommandError as error:
            raise HTTPException(404) from error
        if octets is None:
            raise HTTPException(404)
        values = {
            "name": f"{name} ({number})",
            "lines": [visible(line) for line in octets.decode(errors="replace").splitlines()],
            "edit": "",
            "may_change": False,
            "is_too_long": False,
            "drafts": [],
        }
        return self.templates.page(request, "policies/file.html", values)

    async def rolled_back(self, request: Request, number: int) -> Response:
        """Put a version back, and lead to what the gateway says of it."""
        given = await form_of(request)
        reason = said(given.get("reason", ""))
        if not reason:
            problem = self.templates.said(request, _NEEDS_REASON)
            return await self.version(request, number, problem, 422)
        by, force = who(request.state.user), "force" in given
        try:
            answered = await self.workshop.roll_back(by, number, reason, force=force)
        except SecondPersonError as error:
            if self.approvals is None:
                return await self.version(request, number, str(error), 409)
            where = await self.approvals.ask_rollback(by, number, reason, error, force=force)
            return RedirectResponse(where, status_code=303)
        except WorkshopError as error:
            return await self.version(request, number, str(error), 409)
        return _to_request(answered)


def policy_pages(pages: PolicyPages) -> APIRouter:
    """Return the pages of the policy: those on which people look at it, and change it."""
    router = APIRouter(include_in_schema=False)
    _add_reading(router, pages)
    _add_drafts(router, pages)
    _add_acts(router, pages)
    return router


_MAY_READ, _MAY_CHANGE = [allowed(POLICIES.permission)], [allowed(_CHANGE)]


def _add_reading(router: APIRouter, pages: PolicyPages) -> None:
    base = POLICIES.path

    @router.get(base, dependencies=_MAY_READ)
    async def overview(request: Request) -> Response:
        return await pages.overview(request)

    @router.get(base + "/files/{name:path}", dependencies=_MAY_READ)
    async def text(request: Request, name: str) -> Response:
        return await pages.text(request, name)

    @router.get(base + "/requests/{number}", dependencies=_MAY_READ)
    async def request_state(request: Request, number: str) -> Response:
        return await pages.request(request, number_of(number))

    @router.get(base + "/versions/{number}", dependencies=_MAY_READ)
    async def version(request: Request, number: str) -> Response:
        return await pages.version(request, number_of(number))

    @router.get(base + "/versions/{number}/files/{name:path}", dependencies=_MAY_READ)
    async def version_text(request: Request, number: str, name: str) -> Response:
        return await pages.version_text(request, number_of(number), name)


def _add_drafts(router: APIRouter, pages: PolicyPages) -> None:
    base = POLICIES.path

    @router.get(base + "/new", dependencies=_MAY_CHANGE)
    async def new(request: Request) -> Response:
        name = request.query_params.get("name", "").strip()
        found = await pages.workshop.file(name)
        if found is None:
            return await pages.overview(request, _NO_NAME, 422)
        return RedirectResponse(path_of(name, "edit"), status_code=303)

    @router.get(base + "/edit/{name:path}", dependencies=_MAY_CHANGE)
    async def editor(request: Request, name: str) -> Response:
        return await pages.editor(request, name)

    @router.post(base + "/edit/{name:path}", dependencies=_MAY_CHANGE)
    async def saved(request: Request, name: str) -> Response:
        return await pages.saved(request, name)

    @router.post(base + "/drop/{name:path}", dependencies=_MAY_CHANGE)
    async def dropped(request: Request, name: str) -> Response:
        return await pages.dropped(request, name)


def _add_acts(router: APIRouter, pages: PolicyPages) -> None:
    base = POLICIES.path

    @router.get(base + "/draft", dependencies=_MAY_CHANGE)
    async def draft(request: Request) -> Response:
        return await pages.draft(request)

    @router.post(base + "/activate", dependencies=_MAY_CHANGE)
    async def activated(request: Request) -> Response:
        return await pages.activated(request)

    @router.post(base + "/versions/{number}/rollback", dependencies=_MAY_CHANGE)
    async def rolled_back(request: Request, number: str) -> Response:
        return await pages.rolled_back(request, number_of(number))


def number_of(text: str) -> int:
    """Return the number in a path. Raises HTTPException for what can be none."""
    if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) <= MAX_NUMBER):
        raise HTTPException(404)
    return int(text)


def _to_request(answered: PolicyRequest) -> Response:
    return RedirectResponse(f"{POLICIES.path}/requests/{answered.number}", status_code=303)


def _is_too_long(text: str) -> bool:
    return len(quote(text)) > _MOST_ESCAPED


def _edited(sent: Mapping[str, str] | None, draft: PolicyDraft | None, found: PolicyText) -> str:
    if sent is not None:
        return sent["text"]
    return found.text if draft is None else draft.text


def _folders(names: list[str]) -> dict[str, list[str]]:
    """Return the files by folder, those of the top first."""
    found: dict[str, list[str]] = {"": []}
    for name in names:
        found.setdefault(name.rpartition("/")[0], []).append(name)
    return found


def _kind(line: str) -> str:
    return {"+": "added", "-": "removed", "@": "place"}.get(line[:1], "")


def _shown_faults(check: DraftCheck, drafts: Mapping[str, PolicyDraft]) -> list[ShownFault]:
    return [_shown_fault(one, drafts) for one in check.faults]


def _shown_fault(fault: LocatedFault, drafts: Mapping[str, PolicyDraft]) -> ShownFault:
    draft = drafts.get(fault.name)
    lines = draft.text.splitlines() if draft else []
    first = max(1, fault.line - _AROUND)
    shown = [
        (number, visible(line))
        for number, line in enumerate(lines[first - 1 : fault.line + _AROUND], first)
    ]
    path = (
        f"{path_of(fault.name, 'edit')}#text" if draft else f"{path_of(fault.name)}#L{fault.line}"
    )
    return ShownFault(
        fault.name, path, fault.line, fault.column, visible(fault.problem), tuple(shown)
    )
