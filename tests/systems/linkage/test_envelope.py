"""What a member signs is read as it was; everything else is refused with a name."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from time import process_time

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OKPKey

from gateway.domain.linkage import (
    KEY_GRACE,
    MAX_SKEW,
    EventRefusal,
    MemberKey,
    MemberRegistry,
    RefusalReason,
)
from gateway.systems.linkage.envelope import (
    MAX_ENVELOPE_OCTETS,
    MAX_EVENT_OCTETS,
    VerifiedEvent,
    open_event,
    open_receipt,
)
from gateway.systems.linkage.model import (
    DATA_OF,
    EventType,
    number_hash,
    whole_number_in,
    without_numbers,
)
from tests.systems.linkage.conftest import DATA, NOW, Node, dispatched

Nodes = dict[str, Node]
SECOND = timedelta(seconds=1)
MOBILE = "13800138000"
HEADER = {"alg": "Ed25519", "kid": "a-1", "typ": "linkage-event+jws"}


def coded(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def payload_of(envelope: bytes) -> dict[str, object]:
    text = json.loads(envelope)["payload"]
    document: dict[str, object] = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return document


def signed(node: Node, payload: bytes, **header: object) -> bytes:
    """Sign anything, as a program that is not ours may do."""
    private = node.private.private_bytes_raw()
    public = node.private.public_key().public_bytes_raw()
    key = OKPKey.import_key(
        {"kty": "OKP", "crv": "Ed25519", "d": coded(private), "x": coded(public)}
    )
    protected = HEADER | header
    return orjson.dumps(jws.serialize_json({"protected": protected}, payload, key, ["Ed25519"]))


def changed(node: Node, **attributes: object) -> bytes:
    """Sign an event of ours with other attributes."""
    payload = payload_of(node.signer.sign_event(dispatched())) | attributes
    return signed(node, orjson.dumps(payload))


def reason_of(envelope: bytes, registry: MemberRegistry, **about: object) -> RefusalReason:
    opened = open_event(envelope, registry, **{"now": NOW} | about)  # type: ignore[arg-type]
    assert isinstance(opened, EventRefusal)
    return opened.reason


def with_key(registry: MemberRegistry, name: str, **changes: object) -> MemberRegistry:
    def change(key: MemberKey) -> MemberKey:
        return replace(key, **changes)  # type: ignore[arg-type]

    members = (
        replace(one, keys=tuple(map(change, one.keys))) if one.name == name else one
        for one in registry.members
    )
    return MemberRegistry(registry.own, tuple(members))


def test_an_event_is_read_as_it_was_signed(nodes: Nodes, registry: MemberRegistry) -> None:
    envelope = nodes["a"].signer.sign_event(dispatched())

    opened = open_event(envelope, registry, NOW)

    assert isinstance(opened, VerifiedEvent)
    assert opened.event == dispatched()
    assert opened.member.name == "a"
    assert opened.envelope == envelope
    assert envelope == nodes["a"].signer.sign_event(dispatched())


def test_an_event_is_a_cloudevent_in_a_flattened_jws(nodes: Nodes) -> None:
    envelope = json.loads(nodes["a"].signer.sign_event(dispatched()))

    assert envelope.keys() == {"payload", "protected", "signature"}
    said = payload_of(orjson.dumps(envelope))
    assert said["specversion"] == "1.0"
    assert said["source"] == "urn:smsward:member:a"
    assert said["type"] == "smsward.case.dispatched"
    assert said["sequence"] == "0000000001"
    assert said["dataschema"] == "urn:smsward:schema:linkage-event:1"


def test_unknown_fields_survive(nodes: Nodes, registry: MemberRegistry) -> None:
    envelope = changed(nodes["a"], traceparent="00-1", data=DATA | {"later": {"field": [1]}})

    opened = open_event(envelope, registry, NOW)

    assert isinstance(opened, VerifiedEvent)
    assert opened.event.data["later"] == {"field": [1]}
    assert opened.envelope == envelope


def test_the_digest_is_of_the_event_and_not_of_its_spelling_outside(
    nodes: Nodes, registry: MemberRegistry
) -> None:
    envelope = nodes["a"].signer.sign_event(dispatched())
    spaced = json.dumps(json.loads(envelope) | {"note": "unsigned"}, indent=2).encode()

    opened = [open_event(one, registry, NOW) for one in (envelope, spaced)]

    assert all(isinstance(one, VerifiedEvent) for one in opened)
    assert len({one.digest for one in opened if isinstance(one, VerifiedEvent)}) == 1


def test_a_wrong_signature_is_refused(nodes: Nodes, registry: MemberRegistry) -> None:
    outer = json.loads(nodes["a"].signer.sign_event(dispatched()))
    outer["payload"] = coded(orjson.dumps(payload_of(orjson.dumps(outer)) | {"id": "e-2"}))

    assert reason_of(orjson.dumps(outer), registry) is RefusalReason.WRONG_SIGNATURE


def test_a_signature_of_another_under_this_key_id_is_refused(
    nodes: Nodes, registry: MemberRegistry
) -> None:
    payload = orjson.dumps(payload_of(nodes["a"].signer.sign_event(dispatched())))

    assert reason_of(signed(nodes["b"], payload), registry) is RefusalReason.WRONG_SIGNATURE


def test_nothing_is_taken_from_a_stranger(registry: MemberRegistry) -> None:
    envelope = Node("stranger").signer.sign_event(dispatched())

    assert reason_of(envelope, registry) is RefusalReason.UNKNOWN_KEY


def test_a_member_cannot_speak_for_another(nodes: Nodes, registry: MemberRegistry) -> None:
    envelope = nodes["b"].signer.sign_event(dispatched(source="urn:smsward:member:a"))

    assert reason_of(envelope, registry) is RefusalReason.WRONG_SOURCE


def test_an_expired_key_is_refused(nodes: Nodes, registry: MemberRegistry) -> None:
    envelope = nodes["a"].signer.sign_event(dispatched())
    expired = with_key(registry, "a", not_after=NOW)

    assert reason_of(envelope, expired) is RefusalReason.KEY_EXPIRED


def test_an_event_that_waited_for_a_week_outlives_its_key(
    nodes: Nodes, registry: MemberRegistry
) -> None:
    envelope = nodes["a"].signer.sign_event(dispatched())
    expired = with_key(registry, "a", not_after=NOW + SECOND)
    late = NOW + timedelta(days=7)

    assert isinstance(open_event(envelope, expired, late), VerifiedEvent)
    assert reason_of(envelope, expired, now=NOW + SECOND + KEY_GRACE) is RefusalReason.KEY_EXPIRED


def test_a_key_is_refused_before_its_time(nodes: Nodes, registry: MemberRegistry) -> None:
    envelope = nodes["a"].signer.sign_event(dispatched())
    early = with_key(registry, "a", not_before=NOW + SECOND)

    assert reason_of(envelope, early) is RefusalReason.KEY_NOT_YET_VALID


def test_a_revoked_key_is_refused_for_older_events_too(
    nodes: Nodes, registry: MemberRegistry
) -> None:
    envelope = nodes["a"].signer.sign_event(dispatched(time=NOW - timedelta(days=30)))
    revoked = with_key(registry, "a", revoked=NOW)

    assert reason_of(envelope, revoked) is RefusalReason.KEY_REVOKED


def test_a_rotated_key_signs_beside_the_old_one(nodes: Nodes) -> None:
    new = Node("a")
    new.signer.kid = "a-2"
    added = replace(new.key, kid="a-2")
    members = (replace(nodes["a"].member, keys=(nodes["a"].key, added)), nodes["b"].member)
    rotated = MemberRegistry("b", members)

    for signer in (nodes["a"].signer, new.signer):
        assert isinstance(open_event(signer.sign_event(dispatched()), rotated, NOW), VerifiedEvent)


def test_a_clock_that_is_15_minutes_fast_is_refused(nodes: Nodes, registry: MemberRegistry) -> None:
    fast = nodes["a"].signer.sign_event(dispatched(time=NOW + MAX_SKEW))
    bearable = nodes["a"].signer.sign_event(dispatched(time=NOW + MAX_SKEW - SECOND))

    assert reason_of(fast, registry) is RefusalReason.CLOCK_SKEW
    assert isinstance(open_event(bearable, registry, NOW), VerifiedEvent)


def test_an_unknown_event_type_is_refused_by_name(nodes: Nodes, registry: MemberRegistry) -> None:
    envelope = changed(nodes["a"], type="smsward.case.sung")

    assert reason_of(envelope, registry) is RefusalReason.UNKNOWN_TYPE


def test_a_newer_schema_is_refused_by_name_also_with_an_unknown_type(
    nodes: Nodes, registry: MemberRegistry
) -> None:
    newer = "urn:smsward:schema:linkage-event:2"
    envelope = changed(nodes["a"], dataschema=newer, type="smsward.case.sung")

    assert reason_of(envelope, registry) is RefusalReason.NEWER_SCHEMA


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("specversion", "0.3"),
        ("specversion", None),
        ("id", ""),
        ("id", "e" * 65),
        ("id", "a b"),
        ("time", "2026-11-30T12:00:00"),
        ("time", "0001-01-01T00:00:00+14:00"),
        ("sequence", "1"),
        ("sequence", "0000000000"),
        ("sequence", 1),
        ("subject", ["case"]),
        ("dataschema", "https://example.com/1"),
        ("dataschema", "urn:smsward:schema:linkage-event:0"),
        ("data", "text"),
    ],
)
def test_an_event_with_a_wrong_attribute_is_malformed(
    nodes: Nodes, registry: MemberRegistry, attribute: str, value: object
) -> None:
    opened = open_event(changed(nodes["a"], **{attribute: value}), registry, NOW)

    assert opened == EventRefusal(RefusalReason.MALFORMED, f"/{attribute}")


@pytest.mark.parametrize(
    ("kind", "data", "detail"),
    [
        (EventType.DISPATCHED, DATA | {"complaints": 0}, "/data/complaints"),
        (EventType.DISPATCHED, DATA | {"port": None}, "/data"),
        (EventType.DISPATCHED, DATA | {"hops": 3}, "/data/hops"),
        (EventType.REFUSED, {"reason": "tired"}, "/data/reason"),
        (EventType.FEEDBACK, {"finding": "confirmed"}, "/data"),
        (EventType.MEASURES, {"measures": []}, "/data/measures"),
        (EventType.QUERY, {}, "/data/question"),
    ],
)
def test_data_that_the_schema_does_not_allow_is_refused_with_its_place(
    nodes: Nodes, registry: MemberRegistry, kind: EventType, data: object, detail: str
) -> None:
    opened = open_event(changed(nodes["a"], type=kind, data=data), registry, NOW)

    assert opened == EventRefusal(RefusalReason.INVALID_DATA, detail)


def test_feedback_that_confirms_says_what_was_done(nodes: Nodes, registry: MemberRegistry) -> None:
    feedback = {
        "finding": "confirmed",
        "measures": ["port_suspended"],
        "measure_time": "2026-11-30T12:00:00+08:00",
        "evidence_ref": "ev-1",
    }

    envelope = changed(nodes["a"], type=EventType.FEEDBACK, data=feedback)

    assert isinstance(open_event(envelope, registry, NOW), VerifiedEvent)


def test_every_type_has_its_data() -> None:
    assert DATA_OF.keys() == set(EventType)


@pytest.mark.parametrize(
    "data",
    [
        DATA | {"port": MOBILE},
        DATA | {"note": f"请联系{MOBILE}。"},
        DATA | {"note": "+86 138 0013 8000"},
        DATA | {"note": "１３８００１３８０００"},
        DATA | {"deep": [{"number": int(MOBILE)}]},
        DATA | {MOBILE: "x"},
        DATA | {"note": f"phone{MOBILE}"},
        DATA | {"note": "138.0013.8000"},
        DATA | {"note": "138–0013 – 8000"},
        DATA | {"note": "(+86)(138)00138000"},
        DATA | {"note": "13800 138000"},
        DATA | {"note": "0086-013800138000"},
        DATA | {"note": f"sha256:{'5c' * 31}5_{MOBILE}"},
    ],
)
def test_a_whole_number_is_neither_signed_nor_taken(
    nodes: Nodes, registry: MemberRegistry, data: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match="whole_number") as raised:
        nodes["a"].signer.sign_event(dispatched(data=data))

    opened = open_event(changed(nodes["a"], data=data), registry, NOW)
    assert isinstance(opened, EventRefusal)
    assert opened.reason is RefusalReason.WHOLE_NUMBER
    assert MOBILE not in opened.detail + str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "10690013800138000",
        "106138001380001",
        "2026-11-19T08:00:00.138001+08:00",
        "1990-01-01 13:00:00",
        "unicom-gd.1380013800",
        f"hmac-sha256:{'13800138000' * 5}abcdef012",
        f"sha256:{'a13800138000b' * 4}abcdef012345",
        "4f89aa13-8001-4800-9a0c-13800138000e",
        "138 complaints, 0013 of 8000",
    ],
)
def test_what_is_no_mobile_number_is_left_alone(text: str) -> None:
    assert whole_number_in(text) is None
    assert without_numbers(text, 200) == text


def test_a_masked_number_leaves_no_node_either() -> None:
    assert without_numbers("of 138****8000, 13800138000 and 138****80", 200) == (
        "of ***, *** and 138****80"
    )


@pytest.mark.parametrize(
    "number", [MOBILE, "+86 138 0013-8000", "１３８００１３８０００", "138****8000"]
)
def test_a_text_that_is_cut_ends_in_no_part_of_a_number(number: str) -> None:
    text = f"举报{number}谢谢"

    shown = {without_numbers(text, most) for most in range(2, len(text))}

    assert shown <= {"举报", "举报***", "举报***谢"}


@pytest.mark.parametrize("text", ["138---", "1380013800 ", "86 0", "1381", "---", "sha256:a"])
def test_a_number_is_looked_for_in_linear_time(text: str) -> None:
    began = process_time()

    assert whole_number_in(text * (65_536 // len(text))) is None

    assert process_time() - began < 3


def test_a_number_is_named_by_another_hash_in_each_pair(
    nodes: Nodes, registry: MemberRegistry
) -> None:
    one, other = (number_hash(key * 32, 8613800138000) for key in (b"1", b"2"))

    assert one != other
    data: dict[str, object] = {"port": None, "sender_hash": one, "reporters": [other]}
    data |= DATA | {"port": None, "hash_keys": ["a-a", "b-a"]}
    envelope = nodes["a"].signer.sign_event(dispatched(data=data))
    assert isinstance(open_event(envelope, registry, NOW), VerifiedEvent)


def test_an_event_over_the_limit_is_neither_signed_nor_taken(
    nodes: Nodes, registry: MemberRegistry
) -> None:
    large = DATA | {"note": "长" * (MAX_EVENT_OCTETS // 3)}

    with pytest.raises(ValueError, match="too_large"):
        nodes["a"].signer.sign_event(dispatched(data=large))

    assert reason_of(changed(nodes["a"], data=large), registry) is RefusalReason.TOO_LARGE
    assert reason_of(b" " * (MAX_ENVELOPE_OCTETS + 1), registry) is RefusalReason.TOO_LARGE


def test_the_longest_event_is_taken(nodes: Nodes, registry: MemberRegistry) -> None:
    room = MAX_EVENT_OCTETS - 1_000
    envelope = nodes["a"].signer.sign_event(dispatched(data=DATA | {"note": "x" * room}))

    assert isinstance(open_event(envelope, registry, NOW), VerifiedEvent)


@pytest.mark.parametrize(
    "change",
    [
        lambda outer: outer | {"payload": outer["payload"] + "="},
        lambda outer: outer | {"payload": outer["payload"] + "\n"},
        lambda outer: outer | {"payload": 1},
        lambda outer: outer | {"protected": coded(b"[]")},
        lambda outer: outer | {"protected": coded(b"{")},
        lambda outer: outer | {"protected": coded(orjson.dumps(HEADER | {"alg": "none"}))},
        lambda outer: outer | {"protected": coded(orjson.dumps(HEADER | {"alg": "EdDSA"}))},
        lambda outer: outer | {"protected": coded(orjson.dumps(HEADER | {"typ": "JWT"}))},
        lambda outer: {"payload": outer["payload"], "signatures": [outer]},
        lambda outer: [outer],
    ],
)
def test_what_is_no_flattened_jws_of_ours_is_malformed(
    nodes: Nodes, registry: MemberRegistry, change: Callable[[dict[str, str]], object]
) -> None:
    outer = json.loads(nodes["a"].signer.sign_event(dispatched()))

    assert reason_of(orjson.dumps(change(outer)), registry) is RefusalReason.MALFORMED


@pytest.mark.parametrize(
    "header", [{"crit": ["b64"], "b64": False}, {"jwk": {"kty": "OKP"}}, {"later": 1}]
)
def test_a_header_that_changes_how_a_signature_is_read_is_refused(
    nodes: Nodes, registry: MemberRegistry, header: dict[str, object]
) -> None:
    outer = json.loads(nodes["a"].signer.sign_event(dispatched()))
    outer["protected"] = coded(orjson.dumps(HEADER | header))

    assert reason_of(orjson.dumps(outer), registry) is RefusalReason.WRONG_SIGNATURE


@pytest.mark.parametrize(
    "payload",
    [b'{"id": "1", "id": "2"}', b"[" * 5_000, b'{"id": NaN}', b'{"id": "\\ud800"}', b"\xff", b""],
)
def test_json_that_readers_may_take_in_two_ways_is_malformed(
    nodes: Nodes, registry: MemberRegistry, payload: bytes
) -> None:
    assert reason_of(signed(nodes["a"], payload), registry) is RefusalReason.MALFORMED
    assert reason_of(payload, registry) is RefusalReason.MALFORMED


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.sampled_from(["id", "time", "data", "sequence", "type", "dataschema", "source", "later"]),
)
def test_any_value_of_a_member_is_read_or_refused(
    nodes: Nodes, registry: MemberRegistry, value: object, name: str
) -> None:
    document = payload_of(nodes["a"].signer.sign_event(dispatched())) | {name: value}

    opened = open_event(signed(nodes["a"], json.dumps(document).encode()), registry, NOW)

    assert isinstance(opened, VerifiedEvent | EventRefusal)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_octets_are_refused(registry: MemberRegistry, octets: bytes) -> None:
    assert isinstance(open_event(octets, registry, NOW), EventRefusal)


def test_a_receipt_names_the_event_that_is_on_record(
    nodes: Nodes, registry: MemberRegistry
) -> None:
    opened = open_event(nodes["a"].signer.sign_event(dispatched()), registry, NOW)
    assert isinstance(opened, VerifiedEvent)

    receipt = nodes["b"].signer.sign_receipt(opened, "urn:smsward:member:b", NOW)

    said = open_receipt(receipt, registry, NOW)
    assert not isinstance(said, EventRefusal)
    assert (said.source, said.id, said.digest) == ("urn:smsward:member:a", "e-1", opened.digest)
    assert receipt == nodes["b"].signer.sign_receipt(opened, "urn:smsward:member:b", NOW)


def test_a_receipt_is_no_event_and_cannot_be_given_for_another(
    nodes: Nodes, registry: MemberRegistry
) -> None:
    event = nodes["a"].signer.sign_event(dispatched())
    opened = open_event(event, registry, NOW)
    assert isinstance(opened, VerifiedEvent)
    own = nodes["b"].signer.sign_receipt(opened, "urn:smsward:member:b", NOW)
    others = nodes["hub"].signer.sign_receipt(opened, "urn:smsward:member:b", NOW)

    assert reason_of(own, registry) is RefusalReason.MALFORMED
    refused = [open_receipt(one, registry, NOW) for one in (event, others)]
    reasons = [one.reason for one in refused if isinstance(one, EventRefusal)]
    assert reasons == [RefusalReason.MALFORMED, RefusalReason.WRONG_SOURCE]
