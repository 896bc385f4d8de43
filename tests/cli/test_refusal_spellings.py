"""A refusal holds however its number was typed, and however an SP writes it."""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from subprocess import CompletedProcess

import httpx
import pytest

from gateway.app.console import ConsoleProcess, routers_of
from gateway.console.application import build_api
from gateway.domain.api_client import ApiClient, ApiRole
from gateway.domain.msisdn import msisdn_of
from gateway.policy.knowledge import ConsentSets
from gateway.settings.console import ConsoleSettings
from gateway.settings.schema import Address
from gateway.stores import Stores
from gateway.systems.consent.follower import ConsentFollower
from gateway.web.access import ClientAccess

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]
Refuse = Callable[[str], None]

CLIENT = ApiClient("shop", ApiRole.SP, sha256(b"token").digest(), system_id="shop")
MAINLAND = ("13800138000", "8613800138000", "+8613800138000", "008613800138000", "013800138000")
NORTH_AMERICAN = ("+14165550123", "0014165550123", "+0014165550123", "14165550123")
OTHER_ABROAD = ("447700900123", "+447700900123", "00447700900123")


@pytest.fixture(params=["api", "cli", "import"])
def refuse(
    request: pytest.FixtureRequest, cli: Cli, deployment: Path, in_store: InStore, tmp_path: Path
) -> Refuse:
    """Return a function that records a refusal of a number, typed at one of the edges."""
    config = ("--config", str(deployment / "config"))

    def by_api(typed: str) -> None:
        in_store(lambda stores: _posted(stores, typed))

    def by_cli(typed: str) -> None:
        assert cli("consent", "refuse", typed, "--system-id", "shop", *config).returncode == 0

    def by_import(typed: str) -> None:
        path = tmp_path / "refused.csv"
        path.write_text(f"number\n{typed}\n")
        said = ("--system-id", "shop", "--answer", "refused")
        ran = cli("consent", "import", str(path), *said, *config)
        assert ran.stdout == "recorded: 1 answer; rejected: 0 lines\n"

    in_store(lambda _stores: None)
    return {"api": by_api, "cli": by_cli, "import": by_import}[str(request.param)]


@pytest.mark.parametrize(
    ("typed", "spellings"),
    [(one, group) for group in (MAINLAND, NORTH_AMERICAN, OTHER_ABROAD) for one in group],
)
def test_r21_a_refusal_holds_for_every_spelling(
    refuse: Refuse, in_store: InStore, typed: str, spellings: tuple[str, ...]
) -> None:
    refuse(typed)

    sets = ConsentSets()
    in_store(
        lambda stores: ConsentFollower(
            stores.consent, stores.subscriptions, stores.changes, sets
        ).load()
    )
    every = {one: is_refused(sets, one) for one in (*MAINLAND, *NORTH_AMERICAN, *OTHER_ABROAD)}
    assert [one for one, refused in every.items() if refused] == list(spellings)


def is_refused(sets: ConsentSets, spelling: str) -> bool:
    number = msisdn_of(spelling.encode())
    assert number is not None
    return sets.is_refused("shop", number)


async def _posted(stores: Stores, typed: str) -> None:
    settings = ConsoleSettings(version=1, address=Address("127.0.0.1", 0), clients=())
    routers = routers_of(stores, ConsoleProcess(settings, {"shop"}, "memory://"))
    transport = httpx.ASGITransport(build_api(ClientAccess([CLIENT], lambda: 0.0), routers))
    headers = {"Authorization": "Bearer token"}
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        answer = await client.post("/v1/optouts", json={"numbers": [typed]}, headers=headers)
    assert answer.json()["recorded"] == 1
