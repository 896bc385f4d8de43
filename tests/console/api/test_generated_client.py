"""A client that is generated from /openapi.json, as programs of others would have it."""

import sys
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType

from gateway.domain.quarantine import HoldState
from tests.console.api.conftest import Desk, token_of
from tests.console.browsing import FIRST, held_with

NAME = "client_of_smsward"


@pytest.fixture
def _generated(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Generate the package, and let it be imported."""
    described = tmp_path / "openapi.json"
    described.write_bytes(orjson.dumps(desk.app().openapi()))
    settings = ConfigFile(post_hooks=[], package_name_override=NAME)
    target = tmp_path / NAME
    said = generate(
        config=Config.from_sources(settings, MetaType.NONE, described, "utf-8", False, target)
    )
    # It has no type for a file of lines; all else is in it.
    assert {str(one.header) for one in said} <= {
        "WARNING parsing POST /v1/audit/export within audit."
    }
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for module in [one for one in sys.modules if one.partition(".")[0] == NAME]:
        del sys.modules[module]


def client_of(desk: Desk, name: str) -> Any:
    return import_module(f"{NAME}.client").AuthenticatedClient(
        base_url="http://api",
        token=token_of(name),
        raise_on_unexpected_status=True,
        httpx_args={"transport": httpx.ASGITransport(desk.app())},
    )


def operation(name: str) -> Any:
    """Return the call of an operation on held messages."""
    return import_module(f"{NAME}.api.quarantine.{name}").asyncio_detailed


def model(name: str, **fields: object) -> Any:
    return getattr(import_module(f"{NAME}.models"), name)(**fields)


@pytest.mark.usefixtures("_generated")
async def test_a_generated_client_lists_decides_and_reads_problems(desk: Desk) -> None:
    await desk.stores.quarantine.hold(
        [held_with("黑户贷款，当天放款", message_id=FIRST + number) for number in range(3)]
    )
    client, stranger = client_of(desk, "reviewer"), client_of(desk, "viewer")
    search, show = (
        operation("search_v1_quarantine_search_post"),
        operation("show_v1_quarantine_message_id_get"),
    )
    release = operation("release_v1_quarantine_message_id_release_post")
    why = model("ReviewReason", reason="已致电核实")

    page = await search(client=client, body=model("HeldSearchBody", number="13800138000", limit=2))
    rest = await search(
        client=client,
        body=model("HeldSearchBody", number="13800138000", limit=2, cursor=page.parsed.next_),
    )
    seen = await show(str(FIRST), client=client)
    decided = await release(str(FIRST), client=client, body=why, if_match=seen.headers["ETag"])
    without = await release(str(FIRST), client=client, body=why)
    unknown = await show(str(FIRST + 9), client=client)
    forbidden = await search(client=stranger, body=model("HeldSearchBody"))
    wrong = await search(client=client, body=model("HeldSearchBody", number="12"))

    assert [one.id for one in (*page.parsed.messages, *rest.parsed.messages)] == [
        str(FIRST + number) for number in (2, 1, 0)
    ]
    assert seen.parsed.state == HoldState.HELD
    assert (decided.parsed.message_id, decided.parsed.state) == (str(FIRST), "waiting")
    problems = [one.parsed for one in (without, unknown, forbidden, wrong)]
    assert [one.status for one in problems] == [428, 404, 403, 422]
    assert {type(one).__name__ for one in problems} == {"Problem"}
    assert problems[3].faults[0].pointer == "/number"


@pytest.mark.usefixtures("_generated")
async def test_a_generated_client_makes_no_exception_without_the_rule_that_was_read(
    desk: Desk,
) -> None:
    await desk.stores.quarantine.hold([held_with("黑户贷款，当天放款", message_id=FIRST)])
    add = operation("add_v1_exceptions_post")
    fields = {"message_id": str(FIRST), "until": desk.now + timedelta(days=1), "note": "已备案活动"}

    stale = await add(
        client=client_of(desk, "senior_reviewer"),
        body=model("ExceptionBody", **fields, rule="K-OTHER"),
    )

    assert (stale.parsed.status, type(stale.parsed).__name__) == (409, "Problem")
    with pytest.raises(TypeError, match="rule"):
        model("ExceptionBody", **fields)
