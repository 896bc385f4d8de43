"""Each answer is as /openapi.json says, whatever is sent: schemathesis makes the requests.

A server in a thread of its own answers, so that requests come as octets, as strangers send them.
"""

import asyncio
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Self

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.console.http_server import HttpServer
from gateway.domain.permissions import UserRole
from gateway.settings.schema import Address
from gateway.systems.users.model import own_act
from gateway.systems.users.service import UserDesk
from gateway.web.access import ClientAccess
from tests.console.api.conftest import CLIENTS, LIVE_LIMITS, NOON, Desk, token_of
from tests.console.browsing import FIRST, held_with
from tests.console.test_policy_pages import FILES, RunningGateway
from tests.memory_stores import memory_stores

EXAMPLES = 12  # of each operation
SHARDS = 6  # so that several processes may share the work
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# Who may use most routes, and then who may use the others.
NAMES = ("admin", "shop", "营业厅", "app", "police", "officer")


# What there is: without it most requests would end as a 404.
KNOWN = {
    "message_id": str(FIRST),
    "system_id": "sp1",
    "number": 17,
    "/v1/users/{name}": "lin",
    "/v1/smscs/{name}": "a",
}


class Served:
    """The API at an address of its own, and its description."""

    def __init__(self) -> None:
        self.url = ""
        self.described: dict[str, Any] = {}
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            for name, text in FILES.items():
                path = Path(directory) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            await self._serve_with(Path(directory))

    async def _serve_with(self, policies: Path) -> None:
        async with memory_stores() as stores:
            await stores.quarantine.hold(
                [held_with("黑户贷款", message_id=FIRST + number) for number in range(20)]
            )
            await UserDesk(stores.users).add("lin", UserRole.VIEWER, own_act("wu", NOON))
            desk = Desk(stores, limits={"sp1": LIVE_LIMITS}, policies=policies)
            await RunningGateway(stores.policies, policies).record("start")
            # No request is one too many here, and no pause is waited for.
            desk.access = ClientAccess(CLIENTS, partial(next, count(0.0, 60.0)), _no_pause)
            app = desk.app()
            self.described = app.openapi()
            server = HttpServer(
                Address("127.0.0.1", 0), app, whom="for a test", file="console.yaml"
            )
            await server.start()
            self.url = f"http://127.0.0.1:{server.port}"
            self._is_up.set()
            await self._stop.wait()
            await server.stop()
            await desk.jobs.stop()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._is_up.wait(120)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


async def _no_pause(_seconds: float) -> None:
    """Let tests hurry."""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served() as served:
        yield served


def operations_of(served: Served) -> list[Any]:
    schema = schemathesis.openapi.from_dict(served.described)
    schema.config.update(base_url=served.url)
    found: Iterator[Any] = schema.get_all_operations()
    return [result.ok() for result in found]


def ask_each(operation: Any) -> Callable[[], None]:
    """Return what sends requests of all kinds to an operation, and looks at each answer."""
    kinds = [operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode]
    known = {one: value for one, value in KNOWN.items() if f"{{{one}}}" in operation.path}
    for path in filter(operation.path.startswith, KNOWN):
        known["name"] = KNOWN[path]
    if known:
        matched = {"If-Match": "*"}
        kinds.append(operation.as_strategy(path_parameters=known, headers=matched))

    @seed(20251125)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(*kinds))
    def ask(case: Any) -> None:
        for name in NAMES:
            headers = {"Authorization": f"Bearer {token_of(name)}"}
            answer = case.call(headers=headers)
            case.validate_response(answer, checks=CHECKS)
            if answer.status_code != 403:
                break

    return ask


@pytest.mark.parametrize("shard", range(SHARDS))
def test_each_answer_is_as_described(served: Served, shard: int) -> None:
    operations = operations_of(served)[shard::SHARDS]

    assert operations
    for one in operations:
        ask_each(one)()
