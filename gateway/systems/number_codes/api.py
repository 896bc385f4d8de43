"""Subscribers prove their number by a code, and see to what they want to receive (R50, R51)."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from gateway.domain.api_client import ApiClient
from gateway.domain.msisdn import is_mobile
from gateway.systems.number_codes.service import WINDOW_S, Guesses, NumberCodeDesk
from gateway.systems.number_codes.sql import CODE_DIGITS, CODE_LIFE, SESSION_LIFE, IssueResult
from gateway.web.access import AppClient
from gateway.web.fields import Number, RequestBody
from gateway.web.problems import Problem, ProblemError
from gateway.web.systems import ApiContext, SystemApi


class Whose(RequestBody):
    """The number to be proved."""

    number: Number


class CodeSent(RequestBody):
    """The same for every number, whether anything is known of it or was sent to it."""

    valid_s: Annotated[int, Field(description="How long a code is good for.", examples=[600])]


class Proof(RequestBody):
    """A number, and the code that was sent to it."""

    number: Number
    code: Annotated[
        str, Field(pattern=f"^[0-9]{{{CODE_DIGITS}}}$", description="As the message has it.")
    ]


class SubscriberSession(RequestBody):
    """What opens all that is the subscriber's own, for half an hour."""

    token: Annotated[str, Field(description="For the header Subscriber-Session.")]
    valid_s: Annotated[int, Field(examples=[1800])]


class Subscribers:
    """Finds subscribers by their sessions. Without a `desk` (no hub code) there are no sessions."""

    def __init__(
        self, desk: NumberCodeDesk | None, utcnow: Callable[[], datetime], guesses: Guesses
    ) -> None:
        self._desk = desk
        self.utcnow = utcnow
        self.guesses = guesses

    @property
    def desk(self) -> NumberCodeDesk:
        """Return what sends codes. Raises ProblemError where there is nothing to send from."""
        if self._desk is None:
            raise ProblemError(Problem.CONFLICT, "gateway.yaml names no hub code to send from")
        return self._desk

    async def owner_of(self, token: str, client: ApiClient) -> int:
        """Return the subscriber of a session that `client` was given.

        Raises ProblemError if it is unknown, or another client's, or has ended.
        """
        msisdn = await self.desk.owner_of(token, client.name, self.utcnow())
        if msisdn is None:
            raise ProblemError(Problem.NOT_PROVED, "the session is over: ask for a code")
        return msisdn

    async def close(self, msisdn: int) -> None:
        """End every session of a number."""
        await self.desk.close(msisdn)


def sessions(context: ApiContext) -> APIRouter:
    """Return the routes by which a subscriber proves a number."""
    router, known = APIRouter(tags=["subscribers"]), context.join(Subscribers)

    @router.post("/v1/subscribers/codes", status_code=202, summary="Have a code sent (验证码)")
    async def ask(whose: Whose, client: AppClient) -> CodeSent:
        """Have a code sent by message, at most one a minute and five a day.

        The answer tells nothing of the number.
        """
        if not known.guesses.may_ask(client.name):
            raise ProblemError(Problem.TOO_MANY, headers={"Retry-After": "60"})
        if is_mobile(str(whose.number).encode()):
            issued = await known.desk.ask(whose.number, known.utcnow())
            if issued is IssueResult.BUSY:
                raise ProblemError(Problem.TOO_MANY, headers={"Retry-After": "60"})
        return CodeSent(valid_s=int(CODE_LIFE.total_seconds()))

    @router.post("/v1/subscribers/sessions", status_code=201, summary="Prove a number")
    async def prove(proof: Proof, client: AppClient) -> SubscriberSession:
        """Exchange the code for a session, which is valid for this client only.

        A code has five attempts. A client whose codes are wrong too often waits ten minutes.
        """
        if known.guesses.is_locked(client.name):
            why = "too many codes were wrong"
            raise ProblemError(Problem.TOO_MANY, why, headers={"Retry-After": f"{WINDOW_S:.0f}"})
        desk = known.desk
        known.guesses.begin(client.name)
        token = await desk.prove(proof.number, proof.code, client.name, known.utcnow())
        if token is None:
            raise ProblemError(Problem.NOT_PROVED, "the code is wrong, used, or over")
        known.guesses.proved(client.name)
        return SubscriberSession(token=token, valid_s=int(SESSION_LIFE.total_seconds()))

    return router


API = SystemApi((sessions,))
