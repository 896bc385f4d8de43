"""Whatever is sent, the API answers, with no fault of its own, and repeats no number."""

from collections.abc import Callable
from datetime import UTC, datetime

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.consent import Answer, ConsentAnswer

AskOnce = Callable[..., httpx.Response]

EXAMPLES = 40  # each opens a store, which takes some 20 ms

NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
KNOWN = 8613800138000

PATHS = ["/v1/optouts", "/v1/optouts/query", "/v1/consents", "/v1/consents/query", "/v1/complaints"]
CLIENTS = ["shop", "营业厅", "客服", "police", "app"]


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["13800138000", "sp1", "hall", "", "2025-11-24T00:00:00Z"])
)
names = st.sampled_from(
    ["numbers", "items", "number", "evidence", "when", "valid_until", "text", "who", "unmask"]
) | st.text(max_size=5)
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5),
    max_leaves=12,
)
numbers = st.lists(st.sampled_from(["13800138000", "8613800138001", "+86138"]) | leaves, max_size=4)
moments = st.datetimes(timezones=st.timezones() | st.none()).map(datetime.isoformat)
evidence = st.fixed_dictionaries(
    {},
    optional={
        "who": st.text(max_size=70),
        "when": moments | leaves,
        "channel": st.text(max_size=40),
        "text": st.text(max_size=10),
        "text_sha256": st.just("0" * 64) | leaves,
        "scope": st.text(max_size=10),
        "valid_until": st.dates().map(str) | leaves,
        "message_ids": st.lists(st.text(max_size=10) | leaves, max_size=10) | leaves,
        "document_sha256": st.just("9c1e" * 16) | leaves,
    },
)
likely = st.fixed_dictionaries(
    {},
    optional={
        "numbers": numbers,
        "items": st.lists(
            st.fixed_dictionaries(
                {"number": st.just("13800138000") | leaves}, optional={"evidence": evidence}
            ),
            max_size=3,
        ),
        "system_id": st.sampled_from(["sp1", "sp9", ""]) | leaves,
        "all_senders": st.booleans() | leaves,
        "channel": st.sampled_from(["hall", "web", "mo"]) | leaves,
        "operator": st.text() | leaves,
        "reason": st.text() | leaves,
        "unmask": st.booleans() | leaves,
    },
)


@settings(max_examples=EXAMPLES)
@given(st.sampled_from(PATHS), st.sampled_from(CLIENTS), anything | likely)
def test_any_json_is_answered_and_no_number_comes_back(
    ask_once: AskOnce, path: str, client: str, body: object
) -> None:
    refusal = ConsentAnswer(KNOWN, "sp1", Answer.REFUSED, NOON, "mo", "from 13800138000")

    answer = ask_once(client, "POST", path, before=[refusal], json=body)

    assert answer.status_code in {200, 202, 403, 422}
    is_investigator = client == "police" and answer.status_code == 200
    assert "13800138000" not in answer.text or is_investigator
    assert answer.json()


@settings(max_examples=EXAMPLES)
@given(st.sampled_from(PATHS), st.binary(max_size=200))
def test_any_octets_are_answered(ask_once: AskOnce, path: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}

    answer = ask_once("shop", "POST", path, content=body, headers=headers)

    assert answer.status_code in {400, 403, 422}
