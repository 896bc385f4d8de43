"""The API as one application."""

from collections.abc import Iterable

from fastapi import APIRouter, FastAPI

from gateway import __version__
from gateway.console.api.access import ClientAccess
from gateway.console.api.guard import Guard
from gateway.console.api.health import HEALTH
from gateway.console.api.lines import AnswerLog
from gateway.console.api.problems import answer_problems

OPENAPI = "/openapi.json"

_ABOUT = """\
What subscribers said to SPs, for carriers' clerks and for SPs: refusals (退订), agreements (同意)
and notices of both. Every request needs a bearer token of api.yaml. What goes wrong is told as
application/problem+json (RFC 9457), with titles in English and Chinese. Every POST may be
repeated.
"""


def build_api(access: ClientAccess, routers: Iterable[APIRouter]) -> FastAPI:
    """Return the application of `routers`, with a guard before and a log line behind it."""
    app = FastAPI(
        title="smsward",
        version=__version__,
        description=_ABOUT,
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in routers:
        app.include_router(router)
    answer_problems(app)
    app.add_middleware(Guard, access=access, public={HEALTH})
    app.add_middleware(AnswerLog)  # the outermost
    return app
