"""Complaints that others bring (R81): our own JSON, and MARS v1, the schema of 7726 operators.

What comes from outside is checked here, each complaint for itself: a bad one keeps no other back.
Every field has a bound, and no fault repeats what was sent.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Literal, NamedTuple
from unicodedata import normalize

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import ErrorDetails

from gateway.domain.categories import category_of
from gateway.domain.msisdn import SHORTEST_NUMBER, is_mobile, msisdn_of
from gateway.domain.sender import PORT_PATTERN
from gateway.systems.complaints.model import (
    MAX_ATTACHMENTS,
    MAX_TEXT_CHARS,
    ComplaintSource,
    NewComplaint,
    faults_of,
)
from gateway.web.fields import Moment, Number, RequestBody
from gateway.web.problems import RequestFault, fault_of

# With the name of a client and a colon before it, it stays within the 128 of the store.
MAX_ID_CHARS = 90

_MAX_SENDER_CHARS = 350  # of MARS; also with signs between the digits ours is far shorter
_MAX_WORD_CHARS = 32
_MAX_FAULTS = 5
_SENDER = re.compile(PORT_PATTERN)
_SIGNS = re.compile(r"[\s()\-‐-―]+")
_DIALLED = re.compile(r"\+?[0-9]+")
_OUR_TAG, _MARS_TAG = "complaint", "mars"


def sender_of(written: str) -> str | None:
    """Return the address that a subscriber saw as the records have it, or None for another text.

    Signs between digits, full-width forms and the 86 of a mainland mobile number are dropped.
    """
    plain = normalize("NFKC", written).strip() if len(written) <= _MAX_SENDER_CHARS else ""
    dialled = _SIGNS.sub("", plain)
    if not _DIALLED.fullmatch(dialled):
        return plain if _SENDER.fullmatch(plain) else None
    number = msisdn_of(dialled.encode()) if is_mobile(dialled.encode()) else None
    digits = str(number).removeprefix("86") if number is not None else dialled.removeprefix("+")
    return digits if _SENDER.fullmatch(digits) else None


def category_id(word: str) -> str | None:
    """Return the id of the category that `word` names, None for a word outside the tree."""
    category = category_of(word) if len(word) <= _MAX_WORD_CHARS else None
    return None if category is None else category.id


def _sender(written: str) -> str:
    sender = sender_of(written)
    if sender is None:
        raise ValueError("is neither digits nor a name of at most 11 letters and digits")
    return sender


def _category(word: str) -> str:
    identity = category_id(word)
    if identity is None:
        raise ValueError("there is no such category")
    return identity


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text


SenderAddress = Annotated[
    str, Field(min_length=1, max_length=_MAX_SENDER_CHARS), AfterValidator(_sender)
]
MessageText = Annotated[str, Field(max_length=MAX_TEXT_CHARS), AfterValidator(_text)]


@dataclass(frozen=True, slots=True)
class ItemOrigin:
    """Who brings complaints: what their items do not say themselves.

    `sources` are those that may be claimed, the only one by default; `source` is said for all.
    Ids of items count within `issuer`, by default within `by`. `reporter` is proved, and no item
    may name another one.
    """

    sources: Sequence[ComplaintSource]
    by: str
    now: datetime
    source: ComplaintSource | None = None
    reporter: int | None = field(default=None, repr=False)
    issuer: str = ""

    def source_of(self, said: ComplaintSource | None) -> ComplaintSource:
        """Return the source of an item. Raises ItemRejectedError."""
        source = said or self.source or (self.sources[0] if len(self.sources) == 1 else None)
        if source is None:
            raise rejected("source", f"name one of {', '.join(self.sources)}")
        if source not in self.sources:
            raise rejected("source", "this client does not bring complaints of this source")
        return source

    def reporter_of(self, said: int | None) -> int | None:
        """Return the reporter of an item. Raises ItemRejectedError."""
        if self.reporter is not None and said not in (None, self.reporter):
            raise rejected("reporter", "is not the subscriber of the session")
        return said if self.reporter is None else self.reporter

    def identity_of(self, source: ComplaintSource, identity: str) -> str:
        """Return an id that no other client gives; 12321 gives its own to all who pass them on."""
        issuer = self.issuer or self.by
        return identity if source is ComplaintSource.AUTHORITY else f"{issuer}:{identity}"


class ItemRejectedError(ValueError):
    """One complaint is not taken; `faults` say why, by the place in it."""

    def __init__(self, faults: Iterable[RequestFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{one.pointer} {one.problem}".strip() for one in self.faults))


def rejected(name: str, problem: str) -> ItemRejectedError:
    """Return the error for one field."""
    return ItemRejectedError([RequestFault(f"/{name}", problem)])


class ComplaintForm(RequestBody):
    """A complaint (举报): which message, from whom, to whom."""

    source_id: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_ID_CHARS,
            pattern=r"^[!-~]*$",
            description="The id that who brings it gives: with `source` it names the complaint.",
            examples=["1f0c-77"],
        ),
    ]
    sender: Annotated[
        SenderAddress,
        Field(description="The address that the subscriber saw.", examples=["106900010001"]),
    ]
    text: Annotated[
        MessageText,
        Field(description="The message as it was received.", examples=["低息贷款，加微信"]),
    ]
    reported_at: Annotated[Moment, Field(description="When it was reported.")]
    source: Annotated[
        ComplaintSource | None,
        Field(description="Who took it first; a client with one source leaves it out."),
    ] = None
    received_at: Annotated[Moment | None, Field(description="When the message came.")] = None
    reporter: Annotated[Number | None, Field(description="The subscriber's number.")] = None
    category: Annotated[
        Annotated[str, Field(max_length=_MAX_WORD_CHARS), AfterValidator(_category)] | None,
        Field(description="Id, name or alias of a category.", examples=["loan"]),
    ] = None
    attachments: Annotated[
        tuple[Annotated[str, Field(pattern="^[0-9a-f]{64}$")], ...],
        Field(max_length=MAX_ATTACHMENTS, description="SHA-256 of what belongs to it."),
    ] = ()

    def complaint(self, origin: ItemOrigin) -> NewComplaint:
        """Return what is taken down. Raises ItemRejectedError."""
        source = origin.source_of(self.source)
        return sound(
            NewComplaint(
                source=source,
                source_id=origin.identity_of(source, self.source_id),
                reported_at=self.reported_at,
                sender=self.sender,
                text=self.text,
                reporter=origin.reporter_of(self.reporter),
                received_at=self.received_at,
                category=self.category or "",
                attachments=self.attachments,
                by=origin.by,
            ),
            origin.now,
        )


_UTC_SECOND = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_AGENT = re.compile(r"[^\W_]{1,64}/[^\W_]{1,64}/[A-Za-z0-9._-]{1,64}")
_UUID4 = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89aAbB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$"
_MAX_HEAD_CHARS = 1000
_HEAD_END = re.compile(r"\r?\n\r?\n")
_PLAIN_ENCODINGS = ("", "7bit", "8bit", "binary")


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) and len(value) <= _MAX_WORD_CHARS else value


def _utc_second(value: object) -> datetime:
    if isinstance(value, str) and _UTC_SECOND.fullmatch(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass  # no such day or hour
    raise ValueError("is no time in UTC to the second: 2024-03-12T15:45:22Z")


def _agent(agent: str) -> str:
    if not _AGENT.fullmatch(agent):
        raise ValueError("is not organisation/application/version")
    return agent


def _plain(content: str) -> str:
    """Return the text of a content; a MIME head is dropped where plain text follows it."""
    if content[:13].lower() != "content-type:":
        return content
    head = _HEAD_END.search(content, 0, _MAX_HEAD_CHARS)
    if head is None:
        return content
    lines = re.sub(r"\r?\n[ \t]+", " ", content[: head.start()]).splitlines()
    fields = {name.strip().lower(): said.strip().lower() for name, _, said in map(_cut, lines)}
    is_plain = fields["content-type"].partition(";")[0].strip() == "text/plain"
    if not is_plain or fields.get("content-transfer-encoding", "") not in _PLAIN_ENCODINGS:
        raise ValueError("holds more than plain text: only the text of an SMS is taken")
    return _text(content[head.end() :])


def _cut(line: str) -> tuple[str, str, str]:
    return line.partition(":")


class _MarsModel(BaseModel):
    """A mapping of MARS: names that are not known here are passed over, as its schema does."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class MarsMessage(_MarsModel):
    """The message that a MARS report is about."""

    p: Annotated[
        Literal["sms"],
        BeforeValidator(_lower),
        Field(description="The protocol; messages of others do not pass here."),
    ]
    t: Annotated[
        datetime,
        BeforeValidator(_utc_second),
        WithJsonSchema({"type": "string", "format": "date-time"}),
        Field(description="When it came, in UTC.", examples=["2024-03-12T15:45:22Z"]),
    ]
    c: Annotated[
        MessageText,
        AfterValidator(_plain),
        Field(description="Its text, also behind a MIME head of plain text."),
    ]


class MarsReport(_MarsModel):
    """A report of the Mobile Abuse Reporting Schema, version 1 (MARS)."""

    v: Annotated[Literal["1"], Field(description="Its version.")]
    u: Annotated[
        str,
        Field(max_length=194, examples=["ExampleOrg/Messages/2.3"]),
        AfterValidator(_agent),
    ]
    s: Annotated[SenderAddress, Field(description="Who sent it.", examples=["106900010001"])]
    m: MarsMessage
    i: Annotated[str | None, Field(pattern=_UUID4, description="The conversation.")] = None
    r: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=350,
            description="Who got it; anything else than a number is not kept.",
            examples=["+8613800138000"],
        ),
    ] = None
    d: Annotated[
        Literal["spam"],
        BeforeValidator(_lower),
        Field(description="A report that a message is legit is no complaint."),
    ] = "spam"

    def complaint(self, origin: ItemOrigin) -> NewComplaint:
        """Return what is taken down. Raises ItemRejectedError.

        MARS gives reports no id: the digest of what names the message is one. So the same report
        twice is one complaint.
        """
        source = origin.source_of(None)
        reporter = str(origin.reporter or self.r or "")
        whole = (self.i or "", self.s, reporter, self.m.t.isoformat(), self.m.c)
        # Lengths, so that no other fields run together to the same.
        named = "".join(f"{len(one)}:{one}" for one in whole)
        digest = sha256(named.encode()).hexdigest()
        return sound(
            NewComplaint(
                source=source,
                source_id=origin.identity_of(source, f"mars-{digest}"),
                reported_at=origin.now,
                sender=self.s,
                text=self.m.c,
                reporter=origin.reporter_of(_msisdn(self.r or "")),
                received_at=self.m.t.astimezone(UTC),
                by=origin.by,
            ),
            origin.now,
        )


def _msisdn(address: str) -> int | None:
    number = msisdn_of(address.encode("utf-8", "replace"))
    return None if number is None or number < SHORTEST_NUMBER else number


def sound(new: NewComplaint, now: datetime) -> NewComplaint:
    """Return a complaint that may be taken down. Raises ItemRejectedError."""
    faults = faults_of(new, now)
    if faults:
        raise ItemRejectedError(RequestFault(f"/{name}", problem) for name, problem in faults)
    return new


class RejectedItem(NamedTuple):
    """What stands in the place of an item that cannot be read."""

    faults: tuple[RequestFault, ...]


def kind_of(item: object) -> str:
    """Return in which of the two forms a JSON value is to be read."""
    return _MARS_TAG if isinstance(item, dict) and "v" in item else _OUR_TAG


def checked(item: object, check: ValidatorFunctionWrapHandler) -> object:
    """Return what `check` makes of an item, or the faults that it finds."""
    try:
        return check(item)
    except ValidationError as error:
        return RejectedItem(tuple(map(_fault, error.errors()[:_MAX_FAULTS])))


def _fault(detail: ErrorDetails) -> RequestFault:
    found = fault_of(detail)
    # The first step says which form was read; it does not stand in the request.
    _, _, place = found.pointer.removeprefix("/").partition("/")
    return RequestFault(f"/{place}" if place else "", found.problem)


ComplaintItem = Annotated[
    Annotated[ComplaintForm, Tag(_OUR_TAG)] | Annotated[MarsReport, Tag(_MARS_TAG)],
    Discriminator(kind_of),
    WrapValidator(checked),
]
_ITEM: TypeAdapter[object] = TypeAdapter(ComplaintItem)


def complaint_of(item: object, origin: ItemOrigin) -> NewComplaint:
    """Return the complaint that a JSON value, or an item of a batch, means.

    Raises ItemRejectedError for every other value; it may be anything at all.
    """
    if not isinstance(item, ComplaintForm | MarsReport | RejectedItem):
        item = _ITEM.validate_python(item)
    if isinstance(item, ComplaintForm | MarsReport):
        return item.complaint(origin)
    raise ItemRejectedError(item.faults if isinstance(item, RejectedItem) else ())
