"""Whatever is sent in a subscriber's name, the API answers and opens nothing."""

import json
from collections.abc import Awaitable, Callable

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

Ask = Callable[..., Awaitable[httpx.Response]]
AskOnce = Callable[..., httpx.Response]

EXAMPLES = 40  # each opens a store, which takes some 20 ms

ME = "/v1/subscribers/me"
ROUTES = [
    ("POST", "/v1/orders"),
    ("POST", "/v1/orders/query"),
    ("POST", "/v1/subscribers/codes"),
    ("POST", "/v1/subscribers/sessions"),
    ("POST", f"{ME}/preferences"),
    ("DELETE", f"{ME}/preferences"),
    ("POST", f"{ME}/holds/release"),
    ("POST", f"{ME}/holds/discard"),
]


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["13800138000", "weather", "web", "000000", "block", "category", "房产"])
)
likely = st.fixed_dictionaries(
    {},
    optional={
        "number": st.just("13800138000") | leaves,
        "service": st.just("weather") | leaves,
        "channel": st.just("web") | leaves,
        "shown": leaves,
        "code": st.just("000000") | leaves,
        "kind": st.sampled_from(["number", "keyword", "category", "class", "hours"]) | leaves,
        "value": leaves,
        "action": st.sampled_from(["allow", "block", "hold"]) | leaves,
        "ids": st.lists(st.from_regex("[0-9]{1,20}", fullmatch=True) | leaves, max_size=4),
    },
)
anything = st.recursive(
    leaves | likely,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=EXAMPLES)
@given(st.sampled_from(ROUTES), st.sampled_from(["app", "shop"]), anything | likely)
def test_any_json_is_answered_and_nothing_opens_without_a_session(
    ask_once: AskOnce, route: tuple[str, str], client: str, body: object
) -> None:
    method, path = route
    headers = {"Subscriber-Session": "session-1"}  # which nobody has

    answer = ask_once(client, method, path, json=body, headers=headers)

    assert answer.status_code in {200, 202, 403, 422}
    assert answer.status_code >= 400 or not path.startswith(ME)
    assert "13800138000" not in answer.text
    assert answer.json()


@settings(max_examples=EXAMPLES)
@given(st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_any_session_that_was_never_given_opens_nothing(ask_once: AskOnce, token: bytes) -> None:
    headers = {b"Subscriber-Session": token}

    answer = ask_once("app", "GET", f"{ME}/preferences", headers=headers)

    assert answer.status_code in {403, 422}


@pytest.mark.parametrize("text", ["\ud800", "x\u0000y", "字" * 65])
async def test_a_value_that_cannot_be_kept_is_told(text: str, ask: Ask) -> None:
    await ask("app", "POST", "/v1/subscribers/codes", json={"number": "13800138000"})
    opened = await ask(
        "app",
        "POST",
        "/v1/subscribers/sessions",
        json={"number": "13800138000", "code": "482913"},
    )
    headers = {
        "Subscriber-Session": str(opened.json()["token"]),
        "Content-Type": "application/json",
    }
    body = json.dumps({"kind": "keyword", "value": text, "action": "block"})

    answer = await ask("app", "POST", f"{ME}/preferences", content=body, headers=headers)

    assert answer.status_code == 422
