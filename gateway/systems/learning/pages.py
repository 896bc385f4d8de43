"""Pages: the classifier's models that are installed, what both say of traffic, and the acts."""

import asyncio

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from gateway.domain.permissions import Permission
from gateway.domain.records import NewAccess
from gateway.filter.classifier.model_file import ModelFileError
from gateway.filter.classifier.score import ModelAgreement
from gateway.storage.journals import SqlJournals
from gateway.systems.learning.model_comparison import ModelComparison, read_comparison
from gateway.systems.learning.model_directory import (
    ModelAct,
    ModelActError,
    ModelChange,
    ModelDirectory,
    ModelState,
    ModelStateError,
)
from gateway.terminal.arguments import said
from gateway.terminal.screen import visible
from gateway.web.pages import PageLink, allowed, form_of, marked
from gateway.web.systems import PageContext, SystemPages

MODELS = PageLink("/models", marked("Models"), Permission.READ_POLICIES, order=110)

_SHOWN_EVENTS = 50
_MAX_NOTE_CHARS = 200
ACTS = {
    ModelAct.INSTALL: marked("installed into shadow"),
    ModelAct.PROMOTE: marked("put in force"),
    ModelAct.ROLLBACK: marked("rolled back"),
    ModelAct.WITHDRAW: marked("withdrawn from shadow"),
}
AGREEMENTS = {
    ModelAgreement.NEITHER: marked("none stops it"),
    ModelAgreement.ONLY_ACTIVE: marked("only the one in force"),
    ModelAgreement.ONLY_SHADOW: marked("only the one in shadow"),
    ModelAgreement.BOTH: marked("both stop it"),
}
_COUNTED = {"texts": marked("new texts"), "messages": marked("messages with them")}
_NEEDS_NOTE = marked("Say why: the note stands in the history of models.")
_FAILED = (ModelActError, ModelStateError, ModelFileError, OSError)


class ModelPages:
    """Answers the requests of people who look after the classifier.

    `models` is None where no configuration says where they are.
    """

    def __init__(self, context: PageContext) -> None:
        self.models, self.journals = context.find(ModelDirectory), SqlJournals(context.database)
        self.templates, self.utcnow = context.templates, context.utcnow

    async def shown(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """Return how the models stand."""
        state, compared, starter = ModelState(), None, ""
        if self.models is not None:
            try:
                state, compared, starter = await asyncio.to_thread(_read, self.models)
            except _FAILED as error:
                problem = problem or visible(str(error))
        is_current = compared is not None and (compared.active, compared.shadow) == (
            state.active or starter,
            state.shadow,
        )
        values = {
            "is_known": self.models is not None,
            "state": state,
            "starter": starter,
            "former": list(reversed(state.actives[:-1])),
            "events": [
                (one.number, one.at, ACTS[one.act], one.digest, visible(one.by), visible(one.note))
                for one in list(reversed(state.events))[:_SHOWN_EVENTS]
            ],
            "compared": compared,
            "rows": [] if compared is None else _rows(compared),
            "agreements": [AGREEMENTS[one] for one in ModelAgreement],
            "is_current": is_current,
            "may_change": request.state.user.may(Permission.CHANGE_POLICIES),
            "problem": problem,
        }
        return self.templates.page(request, "learning/models.html", values, status)

    async def changed(self, request: Request, name: str) -> Response:
        """Do an act, and show how the models stand then; 409 where it is not possible."""
        acts = {
            "promote": ModelDirectory.promote,
            "rollback": ModelDirectory.roll_back,
            "withdraw": ModelDirectory.withdraw,
        }
        if name not in acts or self.models is None:
            raise HTTPException(404)
        note = said((await form_of(request)).get("note", ""))[:_MAX_NOTE_CHARS]
        if not note:
            return await self.shown(request, self.templates.said(request, _NEEDS_NOTE), 422)
        by, now = f"user: {request.state.user.name}", self.utcnow()
        await self.journals.note_access(NewAccess(by, f"model {name}", note, "models", now))
        try:
            await asyncio.to_thread(acts[name], self.models, ModelChange(now, by, note))
        except _FAILED as error:
            return await self.shown(request, visible(str(error)), 409)
        return RedirectResponse(MODELS.path, status_code=303)


def _read(models: ModelDirectory) -> tuple[ModelState, ModelComparison | None, str]:
    octets = models.comparison()
    return models.state(), read_comparison(octets) if octets else None, models.starter()


def _rows(compared: ModelComparison) -> list[tuple[str, str, tuple[int, ...]]]:
    return [(visible(name), _COUNTED[what], counts) for name, what, counts in compared.rows()]


def model_pages(context: PageContext) -> APIRouter:
    """Return the pages of models."""
    router, pages = APIRouter(include_in_schema=False), ModelPages(context)

    @router.get(MODELS.path, dependencies=[allowed(MODELS.permission)])
    async def shown(request: Request) -> Response:
        return await pages.shown(request)

    @router.post(MODELS.path + "/{act}", dependencies=[allowed(Permission.CHANGE_POLICIES)])
    async def changed(request: Request, act: str) -> Response:
        return await pages.changed(request, act)

    return router


PAGES = SystemPages((model_pages,), (MODELS,))
