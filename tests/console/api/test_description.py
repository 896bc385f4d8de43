"""/openapi.json: each operation is described with examples, a summary and its problems."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from gateway.console.api_description import operations_of
from tests.console.api.conftest import PORTS, Ask, Desk

MOST_PATHS = 45


def operations(app: FastAPI) -> dict[str, dict[str, Any]]:
    return {one["operationId"]: one for _, one in operations_of(app.openapi())}


def examples_of(body: dict[str, Any]) -> list[object]:
    return [
        media.get("example", media.get("examples"))
        for media in body.get("content", {}).values()
        if "schema" in media
    ]


async def test_what_pages_do_programs_can_do_too(app: FastAPI) -> None:
    paths = app.openapi()["paths"]

    assert len(paths) >= MOST_PATHS
    subjects = {path.split("/")[2] for path in paths if path.startswith("/v1/")}
    assert {"quarantine", "senders", "sessions", "suspensions", "smscs", "filings", "users"} <= (
        subjects
    )


async def test_each_operation_has_a_summary_examples_and_problems(app: FastAPI) -> None:
    for name, one in operations(app).items():
        assert one["summary"], name
        assert one["description"], name
        assert None not in examples_of(one.get("requestBody", {})), name
        assert all("example" in each or "examples" in each for each in one["parameters"]), name
        for status, answer in one["responses"].items():
            assert None not in examples_of(answer), (name, status)
            if status in {"4XX", "5XX"}:
                assert list(answer["content"]) == ["application/problem+json"]
        assert {"4XX", "5XX"} <= set(one["responses"])
        assert "422" not in one["responses"]


async def test_each_example_of_a_request_is_as_described(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent as they are, examples may meet nothing to act on; none is a 422."""
    monkeypatch.setitem(PORTS, "shop", ("10690001",))
    desk.policies = tmp_path
    app = desk.app()
    refused = {}
    for path, methods in app.openapi()["paths"].items():
        for method, one in methods.items():
            answer = await _sent(desk, app, method, path, one)
            if answer.status_code == 422:
                refused[f"{method} {path}"] = answer.json()

    assert refused == {}


async def _sent(
    desk: Desk, app: FastAPI, method: str, path: str, one: dict[str, Any]
) -> httpx.Response:
    parameters = one["parameters"]
    for each in parameters:
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", str(each["example"]))
    wanted = [each for each in parameters if each["in"] == "header" and each["required"]]
    media = one.get("requestBody", {}).get("content", {}).get("application/json", {})
    example = media.get("example") or next(
        (each["value"] for each in media.get("examples", {}).values()), None
    )
    answers = []
    for name in ("admin", "shop", "营业厅", "app", "police"):
        desk.monotonic += 60.0
        async with desk.asking(name, app=app) as client:
            headers = {each["name"]: str(each["example"]) for each in wanted}
            answers.append(
                await client.request(method.upper(), path, json=example, headers=headers)
            )
    may = [each for each in answers if each.status_code != 403]
    return may[0] if may else answers[0]


@pytest.mark.parametrize("name", ["admin", "app"])
async def test_the_description_is_open_and_the_same_for_all(ask: Ask, name: str) -> None:
    one, other = await ask(name, "GET", "/openapi.json"), await ask(None, "GET", "/openapi.json")

    assert one.status_code == other.status_code == 200
    assert one.json() == other.json()
