"""The simulated subscriber against the API as the process it is."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from gateway.app.gateway import Gateway
from gateway.systems.complaints.model import ComplaintSource
from simulators.subscriber.__main__ import main
from tests.app import test_console
from tests.app.test_console import API, Launch, digest, launch_api

__all__ = ["launch_api"]

Start = Callable[..., Awaitable[Gateway]]

APP = "the-token-of-an-app-" + "-" * 20
SENDER, TEXT = "106900010001", "低息贷款，加微信"


async def test_r81_a_subscriber_reports_in_one_tap_and_asks_how_it_stands(
    start: Start,
    launch_api: Launch,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = f'  - {{name: app, role: app, token: "sha256:{digest(APP)}"}}\n'
    monkeypatch.setattr(test_console, "API", API + client)
    monkeypatch.setenv("SMSWARD_APP_TOKEN", APP)
    gateway, api = await start(), await launch_api()

    async def phone(*arguments: str) -> dict[str, object]:
        address = f"http://127.0.0.1:{api.port}"
        assert await asyncio.to_thread(main, ["--api", address, *arguments]) == 0
        said: dict[str, object] = json.loads(capsys.readouterr().out)
        return said

    first = await phone("report", "--sender", SENDER, "--text", TEXT, "--number", "13800138000")
    again = await phone("report", "--sender", SENDER, "--text", TEXT, "--number", "13800138000")
    status = await phone("status", str(first["id"]))

    assert (first["is_new"], again["is_new"]) == (True, False)
    assert (again["id"], status["state"]) == (first["id"], "received")
    (kept,) = await gateway.stores.complaints.find()
    assert (kept.source, kept.text) == (ComplaintSource.CLIENT, TEXT)
