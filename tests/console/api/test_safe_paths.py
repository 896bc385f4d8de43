"""What a GET may do, which is to look; and paths that try to lead elsewhere."""

from urllib.parse import quote

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from gateway.domain.permissions import UserRole
from gateway.storage.tables import metadata
from gateway.stores import Stores
from gateway.systems.users.model import own_act
from gateway.systems.users.service import UserDesk
from tests.console.api.conftest import NOON, STAFF, Ask, Desk
from tests.console.browsing import FIRST, held_with
from tests.memory_stores import database_of

# A look is noted before it is done: at texts and numbers, and that of an app at a complaint.
NOTES = {"access_log", "status_queries"}
NAMES = (*STAFF, "shop", "营业厅", "app", "police", "officer", "regulator")
KNOWN = {"message_id": FIRST, "system_id": "sp1", "name": "lin", "number": 1, "batch": 1}


async def rows_of(stores: Stores) -> dict[str, list[str]]:
    database = database_of(stores)
    return {
        table.name: sorted(map(str, await database.rows(sa.select(table))))
        for table in metadata.sorted_tables
        if table.name not in NOTES
    }


async def test_a_get_never_acts(app: FastAPI, desk: Desk, stores: Stores) -> None:
    await stores.quarantine.hold([held_with("黑户贷款，当天放款")])
    await UserDesk(stores.users).add("lin", UserRole.VIEWER, own_act("wu", NOON))
    before, asked = await rows_of(stores), 0

    for path, methods in app.openapi()["paths"].items():
        for name in NAMES if "get" in methods else ():
            desk.monotonic += 60.0
            async with desk.asking(name, app=app) as client:
                for method in ("GET", "HEAD"):
                    answer = await client.request(method, path.format(**KNOWN))
                    asked += answer.status_code == 200

    assert asked > 50
    assert desk.gateway.orders == []
    assert await rows_of(stores) == before


@pytest.mark.parametrize(
    "way",
    [
        "../../../../etc/passwd",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        "..%5c..%5cetc%5cpasswd",
        "....//....//etc/passwd",
        "%00",
        "a%0d%0aSet-Cookie:%20x=1",
        "/etc/passwd",
        quote("．．／etc／passwd"),
    ],
)
@pytest.mark.parametrize(
    "where", ["users", "senders", "filings", "quarantine", "smscs", "sessions", "cases"]
)
async def test_a_path_leads_nowhere_else(ask: Ask, where: str, way: str) -> None:
    answer: httpx.Response = await ask("admin", "GET", f"/v1/{where}/{way}")

    assert answer.status_code in {404, 405, 422}
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "root:" not in answer.text
    assert "set-cookie" not in answer.headers
