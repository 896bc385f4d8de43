"""Events and receipts as octets: JSON in a flattened JWS (RFC 7515) signed with Ed25519 (RFC 9864).

An event is verified and read from the octets that its source signed, and forwarded as them, so
that fields which this version does not know keep their signature.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, TypeVar

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from gateway.domain.linkage import (
    MAX_SKEW,
    EventRefusal,
    KeyState,
    Member,
    MemberKey,
    MemberRegistry,
    RefusalReason,
)
from gateway.systems.linkage.model import (
    DATA_OF,
    SCHEMA,
    SCHEMA_VERSION,
    EventType,
    LinkageEvent,
    whole_number_in,
)

MAX_EVENT_OCTETS = 64 * 1024
# Base64 makes four of three; the rest is the header, the signature and what is not signed.
MAX_ENVELOPE_OCTETS = MAX_EVENT_OCTETS * 4 // 3 + 4 * 1024

_ALGORITHM = "Ed25519"
_EVENT, _RECEIPT = "linkage-event+jws", "linkage-receipt+jws"
_EVIDENCE = "case-evidence+jws"
_SEQUENCE_DIGITS = 10
_MAX_DETAIL_CHARS = 100
_ID = "[A-Za-z0-9._-]{1,64}"
_VERSION = re.compile(f"{SCHEMA}([1-9][0-9]{{0,5}})")
_STATE_REASONS = {
    KeyState.NOT_YET_VALID: RefusalReason.KEY_NOT_YET_VALID,
    KeyState.EXPIRED: RefusalReason.KEY_EXPIRED,
    KeyState.REVOKED: RefusalReason.KEY_REVOKED,
}

Shaped = TypeVar("Shaped", bound=BaseModel)
_Id = Annotated[str, Field(pattern=f"^{_ID}$")]


class EventAttributes(BaseModel):
    """The attributes of an event as JSON (CloudEvents 1.0, with the extension `sequence`)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    specversion: Annotated[str, Field(pattern=r"^1\.0$")]
    id: _Id
    source: Annotated[str, Field(max_length=100)]
    type: Annotated[str, Field(max_length=100)]
    time: AwareDatetime
    subject: _Id
    recipient: Annotated[str, Field(max_length=32)]
    sequence: Annotated[str, Field(pattern=f"^[0-9]{{{_SEQUENCE_DIGITS}}}$")]
    data: dict[str, object]


class ReceiptAttributes(BaseModel):
    """What a receipt says: which event its receiver has on record, and since when."""

    model_config = ConfigDict(extra="allow", frozen=True)

    source: Annotated[str, Field(max_length=100)]
    id: _Id
    digest: Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]
    receiver: Annotated[str, Field(max_length=100)]
    received: AwareDatetime


@dataclass(frozen=True, slots=True)
class VerifiedEvent:
    """An event, who signed it, and its octets; `digest` tells it from others of the same id."""

    event: LinkageEvent
    member: Member
    digest: str
    envelope: bytes


class _RefusedError(Exception):
    def __init__(self, reason: RefusalReason, detail: str = "") -> None:
        super().__init__(reason)
        shown = detail[:_MAX_DETAIL_CHARS]
        self.refusal = EventRefusal(reason, shown if shown.isprintable() else "")


def event_schema() -> dict[str, object]:
    """Return the JSON Schema (2020-12) of an event, with the data of each type.

    It cannot say what is asked over fields, such as that feedback which confirms names measures.
    """
    shared = EventAttributes.model_json_schema()
    kinds: list[object] = []
    for kind, data in DATA_OF.items():
        at_type = {"properties": {"type": {"const": kind.value}}}
        inner = data.model_json_schema(ref_template=f"#/$defs/{kind.name}/$defs/{{model}}")
        shared.setdefault("$defs", {})[kind.name] = inner
        shown = {"properties": {"data": {"$ref": f"#/$defs/{kind.name}"}}}
        kinds.append({"if": at_type, "then": shown})
    properties = shared["properties"]
    properties["type"] = {"enum": [kind.value for kind in EventType]}
    properties["dataschema"] = {"const": f"{SCHEMA}{SCHEMA_VERSION}"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{SCHEMA}{SCHEMA_VERSION}",
        **shared,
        "title": "An event of the linkage",
        "required": [*shared["required"], "dataschema"],
        "allOf": kinds,
    }


class EventSigner:
    """Signs what one node sends."""

    def __init__(self, kid: str, key: Ed25519PrivateKey) -> None:
        self.kid = kid
        octets = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._key = OKPKey.import_key(
            {"kty": "OKP", "crv": _ALGORITHM, "d": _coded(octets), "x": _coded(public)}
        )

    def sign_event(self, event: LinkageEvent) -> bytes:
        """Return the envelope of `event`; the same octets each time.

        Raises ValueError for one that every receiver would refuse.
        """
        attributes = {
            "specversion": "1.0",
            "id": event.id,
            "source": event.source,
            "type": event.type,
            "time": event.time,
            "subject": event.subject,
            "recipient": event.recipient,
            "sequence": f"{event.sequence:0{_SEQUENCE_DIGITS}}",
            "datacontenttype": "application/json",
            "dataschema": f"{SCHEMA}{SCHEMA_VERSION}",
            "data": event.data,
        }
        payload = orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS)
        try:
            _event_of(payload)
        except _RefusedError as error:
            refusal = error.refusal
            raise ValueError(f"{refusal.reason} {refusal.detail}".rstrip()) from None
        return self._sign(payload, _EVENT)

    def sign_again(self, envelope: bytes) -> bytes:
        """Return an envelope of this node's own with a signature of the key in use.

        The payload stays as it is, and so does its digest.
        """
        return self._sign(_decoded(_parts_of(envelope)["payload"], "/payload"), _EVENT)

    def sign_receipt(self, verified: VerifiedEvent, receiver: str, received: datetime) -> bytes:
        """Return the receipt of an event; the same octets for the same time.

        `receiver` is the `source` of this node's own events.
        """
        receipt = {
            "source": verified.event.source,
            "id": verified.event.id,
            "digest": verified.digest,
            "receiver": receiver,
            "received": received.astimezone(UTC),
        }
        return self._sign(orjson.dumps(receipt, option=orjson.OPT_SORT_KEYS), _RECEIPT)

    def sign_evidence(self, payload: bytes) -> bytes:
        """Return JSON for an authority as a JWS in JSON, which is no event of the linkage."""
        return self._sign(payload, _EVIDENCE)

    def _sign(self, payload: bytes, kind: str) -> bytes:
        header = {"alg": _ALGORITHM, "kid": self.kid, "typ": kind}
        signed = jws.serialize_json({"protected": header}, payload, self._key, [_ALGORITHM])
        return orjson.dumps(signed, option=orjson.OPT_SORT_KEYS)


def digest_of(envelope: bytes) -> str:
    """Return the digest of the event in an envelope of ours."""
    payload = _decoded(_parts_of(envelope)["payload"], "/payload")
    return f"sha256:{sha256(payload).hexdigest()}"


def event_in(envelope: bytes) -> LinkageEvent | EventRefusal:
    """Return the event in an envelope that was verified when it came."""
    try:
        return _event_of(_decoded(_parts_of(envelope)["payload"], "/payload"))
    except _RefusedError as error:
        return error.refusal


def open_event(
    envelope: bytes, registry: MemberRegistry, now: datetime
) -> VerifiedEvent | EventRefusal:
    """Return the event in `envelope` if a member signed it, or why it is refused."""
    try:
        member, key, payload = _verified(envelope, _EVENT, registry)
        event = _event_of(payload)
        _check_signer(member, key, (event.source, event.time), now)
    except _RefusedError as error:
        return error.refusal
    return VerifiedEvent(event, member, f"sha256:{sha256(payload).hexdigest()}", envelope)


def open_receipt(
    envelope: bytes, registry: MemberRegistry, now: datetime
) -> ReceiptAttributes | EventRefusal:
    """Return a receipt if its receiver signed it, or why it is refused."""
    try:
        member, key, payload = _verified(envelope, _RECEIPT, registry)
        receipt = _shaped(ReceiptAttributes, _object_of(payload))
        _check_signer(member, key, (receipt.receiver, receipt.received), now)
    except _RefusedError as error:
        return error.refusal
    return receipt


def _verified(
    envelope: bytes, kind: str, registry: MemberRegistry
) -> tuple[Member, MemberKey, bytes]:
    if len(envelope) > MAX_ENVELOPE_OCTETS:
        raise _RefusedError(RefusalReason.TOO_LARGE)
    parts = _parts_of(envelope)
    header = _object_of(_decoded(parts["protected"], "/protected"))
    payload = _decoded(parts["payload"], "/payload")
    if header.get("alg") != _ALGORITHM or header.get("typ") != kind:
        raise _RefusedError(RefusalReason.MALFORMED, f"/protected: alg {_ALGORITHM}, typ {kind}")
    kid = header.get("kid")
    found = registry.find_key(kid) if isinstance(kid, str) else None
    if found is None:
        raise _RefusedError(RefusalReason.UNKNOWN_KEY)
    member, key = found
    jwk = OKPKey.import_key({"kty": "OKP", "crv": _ALGORITHM, "x": _coded(key.public)})
    try:
        jws.deserialize_json(parts, jwk, [_ALGORITHM])
    except (JoseError, ValueError):
        raise _RefusedError(RefusalReason.WRONG_SIGNATURE) from None
    return member, key, payload


def _parts_of(envelope: bytes) -> jws.FlattenedJSONSerialization:
    """Return what is signed; what stands beside it is not read."""
    match _object_of(envelope):
        case {"payload": str(payload), "protected": str(protected), "signature": str(signature)}:
            return {"payload": payload, "protected": protected, "signature": signature}
        case _:
            raise _RefusedError(RefusalReason.MALFORMED, "/payload, /protected, /signature")


def _event_of(payload: bytes) -> LinkageEvent:
    if len(payload) > MAX_EVENT_OCTETS:
        raise _RefusedError(RefusalReason.TOO_LARGE)
    document = _object_of(payload)
    # First of all: a newer schema may have changed whatever is looked at below.
    version = _VERSION.fullmatch(str(document.get("dataschema")))
    if version is None:
        raise _RefusedError(RefusalReason.MALFORMED, "/dataschema")
    if int(version[1]) > SCHEMA_VERSION:
        raise _RefusedError(RefusalReason.NEWER_SCHEMA, f"up to {SCHEMA_VERSION} is known")
    said = _shaped(EventAttributes, document)
    place = whole_number_in(document, "")
    if place is not None:
        raise _RefusedError(RefusalReason.WHOLE_NUMBER, place)
    if said.type not in set(EventType):
        raise _RefusedError(RefusalReason.UNKNOWN_TYPE)
    kind = EventType(said.type)
    _shaped(DATA_OF[kind], said.data, RefusalReason.INVALID_DATA, "/data")
    if not int(said.sequence):
        raise _RefusedError(RefusalReason.MALFORMED, "/sequence")
    return LinkageEvent(
        said.id,
        said.source,
        kind,
        _utc(said.time),
        said.subject,
        said.recipient,
        int(said.sequence),
        said.data,
    )


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:  # in the first or the last hours of the calendar
        raise _RefusedError(RefusalReason.MALFORMED, "/time") from None


def _check_signer(
    member: Member, key: MemberKey, said: tuple[str, datetime], now: datetime
) -> None:
    """Refuse what another member says it has made, or what was made at a wrong time."""
    source, at = said
    if source != member.source:
        raise _RefusedError(RefusalReason.WRONG_SOURCE)
    reason = _STATE_REASONS.get(key.state_of_event(at, now))
    if reason is not None:
        raise _RefusedError(reason)
    if at >= now + MAX_SKEW:
        raise _RefusedError(RefusalReason.CLOCK_SKEW)


def _shaped(
    model: type[Shaped],
    document: Mapping[str, object],
    reason: RefusalReason = RefusalReason.MALFORMED,
    where: str = "",
) -> Shaped:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        steps = error.errors(include_url=False, include_input=False, include_context=False)
        pointer = "".join(f"/{step}" for step in steps[0]["loc"])
        raise _RefusedError(reason, where + pointer) from None


def _object_of(octets: bytes) -> dict[str, object]:
    """Return a JSON object. A key that stands in it twice is refused: readers would differ."""
    try:
        orjson.loads(octets)  # deep nests, NaN and lone surrogates end here
        document = json.loads(octets, object_pairs_hook=_pairs)
    except (ValueError, RecursionError):
        raise _RefusedError(RefusalReason.MALFORMED, "no JSON, or a key stands twice") from None
    if not isinstance(document, dict):
        raise _RefusedError(RefusalReason.MALFORMED, "no JSON object")
    return document


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a key stands twice")
    return document


def _decoded(text: str, where: str) -> bytes:
    try:
        octets = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        octets = b""
    if _coded(octets) != text:  # also what a lenient reader would read another way
        raise _RefusedError(RefusalReason.MALFORMED, where)
    return octets


def _coded(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()
