"""The console with its pages, and a browser that reads them."""

from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.stores import Stores
from tests.console.browsing import Site


@pytest.fixture
def site(stores: Stores) -> Site:
    return Site(stores)


@pytest.fixture
async def browser(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(site.app(), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
        client.headers["Accept-Language"] = "en"
        yield client
