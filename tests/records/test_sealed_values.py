from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.records.sealed_values import Subscriber, is_sealed, opened, sealed
from gateway.runtime.sealing import Sealer, SealError

SEALER = Sealer({"k1": bytes(64)}, "k1")
OTHER = Sealer({"k9": bytes(range(64))}, "k9")
NUMBER = 8613800138000

DECISION: dict[str, object] = {
    "kind": "decision",
    "at": "2013-09-30T08:34:56.123Z",
    "session": 12,
    "system_id": "sp1",
    "source": "10690001",
    "destination": "13800138000",
    "reason": "CONTENT",
    "gateway_id": 8176404480000000000,
}
REPLY: dict[str, object] = {
    "kind": "reply",
    "at": "2013-09-30T08:34:56.123Z",
    "system_id": "sp1",
    "subscriber": "8613800138000",
    "port": "106900010001",
    "answer": "refused",
}

RECEIPT: dict[str, object] = {
    "kind": "delivery",
    "at": "2013-09-30T08:34:56.123Z",
    "session": 13,
    "system_id": "sp1",
    "source": "13800138000",
    "destination": "10690001",
    "message_id": "8176404480000000000",
    "what": "receipt",
    "stat": "DELIVRD",
    "err": "000",
    "submitted": "1309300834",
    "done": "130930083512",
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
names = st.text("abcdefgh", min_size=1, max_size=8)
kinds = st.sampled_from(
    ["decision", "delivery", "outcome", "text", "malformed", "reply", "bind", ""]
)


def test_r73_a_closed_decision_keeps_its_port_and_hides_its_subscriber() -> None:
    shown = sealed(DECISION, SEALER)

    assert shown["source"] == "10690001"
    assert shown["gateway_id"] == DECISION["gateway_id"]
    assert "destination" not in shown
    assert b"13800138000" not in orjson.dumps(shown)
    assert is_sealed(shown)
    assert not is_sealed(DECISION)


def test_r70_a_closed_delivery_hides_its_subscriber_and_is_sealed_as_no_more() -> None:
    shown = sealed(RECEIPT, SEALER)

    rest = {name: value for name, value in RECEIPT.items() if name != "source"}
    assert {name: value for name, value in shown.items() if name != "source_sealed"} == rest
    assert opened(shown, SEALER) == RECEIPT


@pytest.mark.parametrize("person", ["13900139000", "+8613900139000"])
def test_r70_what_one_person_writes_another_hides_both(person: str) -> None:
    shown = sealed(RECEIPT | {"destination": person}, SEALER)

    assert not shown.keys() & {"source", "destination"}


@pytest.mark.parametrize("name", ["stat", "err", "submitted", "done"])
@pytest.mark.parametrize("value", ["13900139000", "8613900139000", "to 13900139000", 13900139000])
def test_a_number_where_a_receipt_has_something_else_is_hidden(name: str, value: object) -> None:
    record = RECEIPT | {name: value}

    shown = sealed(record, SEALER)

    assert b"13900139000" not in orjson.dumps(shown)
    assert opened(shown, SEALER) == record


@pytest.mark.parametrize("reason", ["SOURCE_NOT_OWNED", "SENDER_STATE", "MALFORMED"])
def test_r73_a_source_that_nobody_owns_may_be_a_subscriber(reason: str) -> None:
    record = DECISION | {"source": "13900139000", "reason": reason}

    shown = sealed(record, SEALER)

    assert "source" not in shown
    assert opened(shown, SEALER) == record


def test_r73_a_rare_event_hides_whatever_is_as_long_as_a_number() -> None:
    record = REPLY | {"said": {"from": ["13800138000"]}, "count": 13800138000}

    shown = sealed(record, SEALER)

    assert (shown["port"], shown["answer"], shown["at"]) == ("106900010001", "refused", REPLY["at"])
    assert b"13800138000" not in orjson.dumps(shown)
    assert opened(shown, SEALER) == record


def test_a_text_is_sealed_and_its_id_is_not() -> None:
    record: dict[str, object] = {"kind": "text", "id": "t1-1", "data_coding": 8, "octets": "gEE="}

    shown = sealed(record, SEALER)

    assert shown.keys() == {"kind", "id", "data_coding", "octets_sealed"}


@given(kinds, st.dictionaries(names, json_values, max_size=5))
def test_any_record_opens_as_it_was(kind: str, fields: dict[str, Any]) -> None:
    record = {"kind": kind, **fields}

    shown = orjson.loads(orjson.dumps(sealed(record, SEALER)))

    assert opened(shown, SEALER) == record


def test_a_record_that_was_never_sealed_opens_as_it_is() -> None:
    assert opened(DECISION, SEALER) == DECISION


@pytest.mark.parametrize("value", ["k2:AAAA", "", 7, None])
def test_what_cannot_be_opened_is_said(value: object) -> None:
    with pytest.raises(SealError):
        opened({"destination_sealed": value}, SEALER)


@pytest.mark.parametrize("record", [DECISION, RECEIPT, REPLY])
def test_a_subscriber_is_found_in_open_and_in_sealed_records(record: dict[str, object]) -> None:
    subscriber, other = Subscriber(NUMBER, SEALER), Subscriber(NUMBER + 1, SEALER)

    for form in (record, sealed(record, SEALER)):
        assert subscriber.is_named_in(form)
        assert not other.is_named_in(form)


def test_an_id_that_looks_like_a_number_is_no_subscriber() -> None:
    outcome = {"kind": "outcome", "message_id": "8613800138000"}

    assert not Subscriber(NUMBER, SEALER).is_named_in(outcome)


@pytest.mark.parametrize("sealer", [None, OTHER])
def test_without_the_key_it_cannot_be_told_whom_a_record_names(sealer: Sealer | None) -> None:
    subscriber = Subscriber(NUMBER, sealer)
    stranger = sealed(DECISION | {"destination": "13900139000"}, SEALER)

    assert not subscriber.is_named_in(stranger)
    assert subscriber.is_named_in(stranger, in_doubt=True)


def test_with_the_key_nothing_is_in_doubt_but_what_is_no_plain_text() -> None:
    subscriber = Subscriber(NUMBER, SEALER)
    stranger = sealed(DECISION | {"destination": "13900139000"}, SEALER)
    packed = sealed({"kind": "odd", "values": [13900139000]}, SEALER)

    assert not subscriber.is_named_in(stranger, in_doubt=True)
    assert subscriber.is_named_in(packed, in_doubt=True)
    assert not subscriber.is_named_in(packed)
