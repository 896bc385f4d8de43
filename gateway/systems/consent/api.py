"""SPs prove that subscribers agreed (R26); refusals by all ways other than messages (R36)."""

from collections.abc import Collection, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import Field, model_validator

from gateway.domain.api_client import ApiClient, ApiRole, RefusalChannel
from gateway.domain.categories import advert_category
from gateway.domain.consent import CLAIMED, EVERY_SENDER, Answer, ConsentAnswer, parts_of, scope_of
from gateway.domain.msisdn import masked, readings_of
from gateway.domain.permissions import CLIENT_PERMISSIONS, Permission
from gateway.domain.records import NewAccess
from gateway.runtime.masking import masked_text
from gateway.systems.consent.service import Claim, Claims, ConsentProof
from gateway.systems.consent.sql import ConsentStore
from gateway.web.access import (
    AnyClient,
    NoteLook,
    SpClient,
    by,
    charge,
    may,
    note_whole_numbers,
)
from gateway.web.fields import (
    MAX_ITEMS,
    Day,
    Moment,
    Number,
    Numbers,
    Reason,
    RequestBody,
    Words,
    each_once,
    example,
)
from gateway.web.problems import Problem, ProblemError, not_as_described
from gateway.web.systems import ApiContext, SystemApi

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$", examples=["9c1e" * 16])]
MessageId = Annotated[Words, Field(max_length=40, examples=["8176407200000001"])]

_MAX_MESSAGES = 8


class AgreementEvidence(RequestBody):
    """What proves an agreement: all of it, the text or its digest, messages or a document."""

    model_config = example(
        {
            "who": "account 4711",
            "when": "2025-11-24T09:30:00+08:00",
            "channel": "web",
            "text": "同意接收示例商城的促销信息，每月不超过四条",
            "scope": "促销信息",
            "valid_until": "2035-12-31",
            "message_ids": ["8176407200000001000"],
        }
    )

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
    refused: Annotated[
        list[str],
        Field(
            description="Ports, and categories after a #, that it refused.", examples=[["#loan"]]
        ),
    ]


class KnownItems(RequestBody):
    """What stands for each number, in their order."""

    items: list[ConsentState]


def consents(context: ApiContext) -> APIRouter:
    """Return the routes of agreements."""
    router = APIRouter(tags=["consents"])
    consent, utcnow = ConsentStore(context.database), context.utcnow
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
        parts = [(row, parts_of(row.scope)) for row in rows if row.answer is Answer.REFUSED]
        return KnownItems(
            items=[
                ConsentState(
                    number=masked(number),
                    answer=_standing(
                        on_record.get((number, client.system_id)),
                        on_record.get((number, EVERY_SENDER)),
                        utcnow(),
                    ),
                    refused=[
                        whom.port or f"#{whom.category}"
                        for row, whom in parts
                        if row.msisdn == number
                        and (whom.system_id, whom.is_part) == (client.system_id, True)
                    ],
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
    given = evidence.model_dump(exclude={"text"}, exclude_none=True)
    shown = {} if evidence.text is None else {"text_sha256": _digest(evidence.text)}
    return ConsentProof(**shown | given)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


_SP_CHANNEL = "sp"
_MAX_NAMED = 10

Recorder = Annotated[ApiClient, Depends(by(ApiRole.SP, ApiRole.CLERK))]
Reader = Annotated[ApiClient, Depends(may(Permission.READ_SUBSCRIBERS))]


class RefusalRequest(RequestBody):
    """Who refused, whom, and which way they said so.

    An SP records refusals of its own messages: it leaves out `system_id` and `channel`. A
    clerk says whom, and which way unless there is but one.
    """

    model_config = example(
        {
            "numbers": ["13800138000"],
            "all_senders": True,
            "channel": "hall",
            "operator": "op17",
            "reference": "form 117",
        }
    )

    numbers: Numbers
    system_id: Annotated[
        str | None, Field(max_length=15, description="The SP that was refused.", examples=["shop"])
    ] = None
    all_senders: Annotated[bool, Field(description="Every SP was refused at once.")] = False
    port: Annotated[
        str, Field(max_length=20, description="Of this port of the SP alone.", examples=["1069"])
    ] = ""
    category: Annotated[
        str, Field(max_length=32, description="Of this category of adverts.", examples=["loan"])
    ] = ""
    channel: RefusalChannel | None = None
    operator: Annotated[Words | None, Field(description="Who took it down.", examples=["op17"])] = (
        None
    )
    reference: Annotated[
        Words | None, Field(description="The number of a form or a call.", examples=["form 117"])
    ] = None


class RecordResult(RequestBody):
    """The refusals are on record; gateways obey them within a second."""

    recorded: Annotated[int, Field(description="Of how many numbers.", examples=[1])]
    change: Annotated[int, Field(description="The number of the change.", examples=[17])]


class RefusalQuery(RequestBody):
    """Whose refusals to look up. Whole numbers are for who may unmask, with a reason."""

    numbers: Numbers
    unmask: Annotated[bool, Field(description="Show whole numbers and evidence as it is.")] = False
    reason: Annotated[
        Reason | None, Field(description="Why, for the journal.", examples=["case 7"])
    ] = None


class RefusalRecord(RequestBody):
    """One refusal on record; `system_id` null is every SP at once."""

    number: Annotated[str, Field(examples=["138****8000"])]
    system_id: Annotated[str | None, Field(examples=["shop"])]
    port: Annotated[str, Field(description="Of this port alone, else empty.")]
    category: Annotated[str, Field(description="Of adverts of this category alone, else empty.")]
    since: datetime
    channel: Annotated[str, Field(examples=["hall"])]
    evidence: Annotated[str, Field(examples=["营业厅/op17; form 117"])]


class RefusalList(RequestBody):
    """The refusals of the numbers asked about."""

    refusals: list[RefusalRecord]


def optouts(context: ApiContext) -> APIRouter:
    """Return the routes of refusals of ports that SPs have."""
    router, consent = APIRouter(tags=["optouts"]), ConsentStore(context.database)
    note_look, ports, utcnow = context.note_look, context.ports, context.utcnow

    @router.post("/v1/optouts", summary="Record refusals (退订)")
    async def record(refusals: RefusalRequest, client: Recorder, request: Request) -> RecordResult:
        """Record that subscribers refused; it holds in every gateway within a second.

        May be repeated: the refusal is then as of the last time.
        """
        scope, channel = _scope(refusals, client, ports()), _channel(refusals, client)
        charge(request, len(refusals.numbers))
        numbers, now, evidence = each_once(refusals.numbers), utcnow(), _evidence(refusals, client)
        answers = [
            ConsentAnswer(number, scope, Answer.REFUSED, now, channel, evidence)
            for number in readings_of(numbers)
        ]
        staff = None
        if client.role is ApiRole.CLERK:
            about = f"{len(numbers)} refused {scope or 'every sender'}"
            staff = NewAccess(f"api: {client.name}", "consent record", evidence, about, now)
        change = await consent.record(answers, staff)
        return RecordResult(recorded=len(numbers), change=change)

    @router.post("/v1/optouts/query", summary="Look refusals up")
    async def query(wanted: RefusalQuery, client: Reader, request: Request) -> RefusalList:
        """Return the refusals of some numbers, masked.

        Who may unmask, and gives a reason, sees them whole; that is in the journal first (R73).
        """
        charge(request, len(wanted.numbers))
        is_whole = await _is_unmasked(wanted, client, note_look, utcnow())
        answers = await consent.answers_of(each_once(wanted.numbers))
        refused = [answer for answer in answers if answer.answer is Answer.REFUSED]
        return RefusalList(refusals=[_shown(answer, is_whole=is_whole) for answer in refused])

    @router.delete("/v1/optouts", summary="Refused, always", status_code=204)
    async def delete(_client: AnyClient) -> None:
        """Delete nothing: a refusal is the subscriber's, and only the subscriber takes it back."""
        raise ProblemError(
            Problem.ONLY_THE_SUBSCRIBER,
            "by the reply HF, or in person, where a clerk records the evidence",
        )

    return router


API = SystemApi((optouts, consents))


def _scope(
    refusals: RefusalRequest, client: ApiClient, ports: Mapping[str, Collection[str]]
) -> str:
    """Return what was refused; what is unknown is an error: refusing it has no effect."""
    system_id = _refused_sender(refusals, client, ports)
    if not (refusals.port or refusals.category):
        return system_id
    if system_id == EVERY_SENDER or (refusals.port and refusals.category):
        raise not_as_described("/port", "give one port or one category, of one SP")
    if refusals.port and refusals.port not in ports.get(system_id, ()):
        raise not_as_described("/port", "the SP has no such port")
    category = advert_category(refusals.category)
    if refusals.category and not category:
        raise not_as_described("/category", "there is no such category of adverts")
    return scope_of(system_id, refusals.port, category)


def _refused_sender(refusals: RefusalRequest, client: ApiClient, senders: Collection[str]) -> str:
    if client.role is ApiRole.SP:
        if refusals.all_senders or refusals.system_id not in (None, client.system_id):
            raise ProblemError(Problem.FORBIDDEN, "an SP records refusals of itself alone")
        return client.system_id
    if (refusals.system_id is None) is not refusals.all_senders:
        raise not_as_described("/system_id", "give either system_id or all_senders")
    if refusals.system_id is None:
        return EVERY_SENDER
    if refusals.system_id not in senders:
        raise not_as_described("/system_id", "there is no such sender")
    return refusals.system_id


def _channel(refusals: RefusalRequest, client: ApiClient) -> str:
    if client.role is ApiRole.SP:
        if refusals.channel is not None:
            raise ProblemError(Problem.FORBIDDEN, "the channel of an SP is its own: leave it out")
        return _SP_CHANNEL
    if refusals.channel is None:
        if len(client.channels) > 1:
            raise not_as_described("/channel", f"name one of {', '.join(client.channels)}")
        return client.channels[0]
    if refusals.channel not in client.channels:
        raise ProblemError(Problem.FORBIDDEN, "this channel is not this client's")
    return refusals.channel


def _evidence(refusals: RefusalRequest, client: ApiClient) -> str:
    by_whom = "/".join(filter(None, (client.name, refusals.operator)))
    return "; ".join(filter(None, (by_whom, refusals.reference)))


async def _is_unmasked(
    wanted: RefusalQuery, client: ApiClient, note_look: NoteLook, now: datetime
) -> bool:
    """Tell whether whole numbers are to be shown; if so, it is in the journal by now."""
    if not wanted.unmask and wanted.reason is None:
        return False
    if Permission.UNMASK_NUMBER not in CLIENT_PERMISSIONS[client.role]:
        raise ProblemError(Problem.FORBIDDEN, f"only for roles with {Permission.UNMASK_NUMBER}")
    if not wanted.unmask or wanted.reason is None:
        raise ProblemError(Problem.FORBIDDEN, "whole numbers need both unmask and a reason")
    numbers = each_once(wanted.numbers)
    named = ", ".join(map(masked, numbers[:_MAX_NAMED]))
    about = f"refusals of {len(numbers)} numbers: {named}"
    look = NewAccess(f"api: {client.name}", "optouts query", wanted.reason, about, now)
    await note_whole_numbers(note_look, look, len(numbers))
    return True


def _shown(answer: ConsentAnswer, *, is_whole: bool) -> RefusalRecord:
    whom = parts_of(answer.scope)
    return RefusalRecord(
        number=str(answer.msisdn) if is_whole else masked(answer.msisdn),
        system_id=whom.system_id or None,
        port=whom.port,
        category=whom.category,
        since=answer.since,
        channel=answer.channel,
        evidence=answer.evidence if is_whole else masked_text(answer.evidence),
    )
