"""SPs prove that subscribers agreed (R26), and look up what stands with their own."""

from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field, model_validator

from gateway.console.api.access import SpClient, charge
from gateway.console.api.numbers import MAX_ITEMS, Day, Moment, Number, Numbers, RequestBody, Words
from gateway.domain.consent import CLAIMED, EVERY_SENDER, Answer, ConsentAnswer
from gateway.domain.consent_proof import ConsentProof
from gateway.domain.msisdn import masked
from gateway.ports.consent import ConsentStore
from gateway.systems.consent.claims import Claim, Claims

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$", examples=["9c1e" * 16])]
MessageId = Annotated[Words, Field(max_length=40, examples=["8176407200000001"])]

_MAX_MESSAGES = 8


class AgreementEvidence(RequestBody):
    """What proves an agreement: all of it, the text or its digest, messages or a document."""

    who: Annotated[Words | None, Field(description="Who agreed, or took it down.")] = None
    when: Moment | None = None
    channel: Annotated[
        Words | None, Field(max_length=32, description="Which way.", examples=["web"])
    ] = None
    text: Annotated[
        str | None, Field(min_length=1, max_length=2000, description="What the subscriber saw.")
    ] = None
    text_sha256: Annotated[Digest | None, Field(description="Of that text in UTF-8.")] = None
    scope: Annotated[
        Words | None, Field(description="What was agreed to.", examples=["促销信息"])
    ] = None
    valid_until: Annotated[
        Day | None,
        Field(description="Its last day, by the clock in China.", examples=["2035-12-31"]),
    ] = None
    message_ids: tuple[MessageId, ...] = Field(default=(), max_length=_MAX_MESSAGES)
    document_sha256: Digest | None = None

    @model_validator(mode="after")
    def _is_one_text(self) -> "AgreementEvidence":
        if self.text is not None and self.text_sha256 not in (None, _digest(self.text)):
            raise ValueError("text_sha256 is not the digest of text")
        return self


class AgreementItem(RequestBody):
    """One subscriber who agreed, and what proves it."""

    number: Number
    evidence: AgreementEvidence | None = None


class Agreements(RequestBody):
    """Subscribers who agreed to this SP's messages."""

    items: Annotated[list[AgreementItem], Field(min_length=1, max_length=MAX_ITEMS)]


class ConsentResult(RequestBody):
    """What stands for a number now, whether by this request, and why."""

    number: Annotated[str, Field(examples=["138****8000"])]
    answer: Answer | Literal["none"]
    recorded: bool
    because: Annotated[list[str], Field(examples=[["scope is missing"]])]


class ConsentResults(RequestBody):
    """What came of each item, in their order."""

    items: list[ConsentResult]


class NumberList(RequestBody):
    """The numbers to look up."""

    numbers: Numbers


class ConsentState(RequestBody):
    """What stands between this SP and a number; none where it never said anything to it."""

    number: Annotated[str, Field(examples=["138****8000"])]
    answer: Answer | Literal["none"]


class KnownItems(RequestBody):
    """What stands for each number, in their order."""

    items: list[ConsentState]


def consents(consent: ConsentStore, utcnow: Callable[[], datetime]) -> APIRouter:
    """Return the routes of agreements."""
    router = APIRouter(tags=["consents"])
    claims = Claims(consent)

    @router.post("/v1/consents", summary="Prove agreements (同意)")
    async def record(agreements: Agreements, client: SpClient, request: Request) -> ConsentResults:
        """Record agreements: with whole evidence as agreed, otherwise as asserted (R26).

        A refusal is never overridden (R37). Its number is told as refused where it answered
        this SP; of a stranger's no more is said than that nothing was recorded (R73). May be
        repeated.
        """
        charge(request, len(agreements.items))
        wanted = [Claim(one.number, _proof(one.evidence)) for one in agreements.items]
        outcomes = await claims.take(client.system_id, wanted, f"{CLAIMED}{client.name}", utcnow())
        return ConsentResults(
            items=[
                ConsentResult(
                    number=masked(claim.msisdn),
                    answer=outcome.answer or "none",
                    recorded=outcome.is_recorded,
                    because=list(outcome.because),
                )
                for claim, outcome in zip(wanted, outcomes, strict=True)
            ]
        )

    @router.post("/v1/consents/query", summary="Look agreements up")
    async def query(wanted: NumberList, client: SpClient, request: Request) -> KnownItems:
        """Return what stands for numbers that have an answer of their own to this SP.

        Of all others none is said, also where they refused every SP, and of those that the SP
        only asserted nothing more: it may ask after its own subscribers, not find out about
        strangers (R73).
        """
        charge(request, len(wanted.numbers))
        rows = await consent.answers_of(set(wanted.numbers))
        on_record = {(row.msisdn, row.scope): row for row in rows}
        return KnownItems(
            items=[
                ConsentState(
                    number=masked(number),
                    answer=_standing(
                        on_record.get((number, client.system_id)),
                        on_record.get((number, EVERY_SENDER)),
                        utcnow(),
                    ),
                )
                for number in wanted.numbers
            ]
        )

    return router


def _standing(
    own: ConsentAnswer | None, general: ConsentAnswer | None, now: datetime
) -> Answer | Literal["none"]:
    if own is None:
        return "none"
    standing: Answer | Literal["none"] = own.standing(now) or "none"
    if own.answer is Answer.ASSERTED:
        return standing
    if general is not None and general.answer is Answer.REFUSED:
        return Answer.REFUSED
    return standing


def _proof(evidence: AgreementEvidence | None) -> ConsentProof:
    if evidence is None:
        return ConsentProof()
    text = evidence.text
    return ConsentProof(
        who=evidence.who or "",
        when=evidence.when,
        channel=evidence.channel or "",
        text_sha256=evidence.text_sha256 or (_digest(text) if text is not None else ""),
        scope=evidence.scope or "",
        valid_until=evidence.valid_until,
        message_ids=evidence.message_ids,
        document_sha256=evidence.document_sha256 or "",
    )


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
