"""Traces tell routes and times, nothing of what people write, and cost nothing while off."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import orjson
import pytest
from fastapi import FastAPI, HTTPException
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from structlog.testing import capture_logs

from gateway.console.application import Console
from gateway.console.control_socket import ControlSocket
from gateway.runtime import traces
from gateway.runtime.otel_spans import OtelSpans
from gateway.runtime.traces import ENDPOINTS, SAMPLER, span, start_tracing, use_spans

NUMBER, TEXT = "13800138000", "代开发票加微信"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Return what gathers every span that ends."""
    exporter = InMemorySpanExporter()
    source = OtelSpans("test", "1", SimpleSpanProcessor(exporter), 1.0)
    use_spans(source)
    yield exporter
    use_spans(None)
    source.close()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a console with one page and one path of the API."""
    pages, api = FastAPI(), FastAPI()

    @pages.get("/held/{message_id}")
    async def page(message_id: str) -> str:
        return message_id

    @api.get("/v1/fault/{number}")
    async def fault(number: str) -> str:
        raise ValueError(number)

    @api.get("/v1/missing")
    async def missing() -> str:
        raise HTTPException(404, TEXT)

    transport = httpx.ASGITransport(Console(api, pages), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
        yield client


async def test_a_request_is_a_span_with_its_route_and_nothing_that_was_asked(
    spans: InMemorySpanExporter, client: httpx.AsyncClient
) -> None:
    await client.get(f"/held/{NUMBER}?text={TEXT}", headers={"X-Note": NUMBER})

    (found,) = spans.get_finished_spans()
    assert found.name == "GET /held/{message_id}"
    assert dict(found.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/held/{message_id}",
        "http.response.status_code": 200,
    }
    assert dict(found.resource.attributes)["service.name"] == "test"


async def test_a_fault_is_known_by_its_class_and_not_by_its_words(
    spans: InMemorySpanExporter, client: httpx.AsyncClient
) -> None:
    await client.get(f"/v1/fault/{NUMBER}")
    await client.get("/v1/missing")
    await client.get(f"/{TEXT}")
    await client.request(NUMBER, "/v1/missing")

    failed, missing, stranger, method = spans.get_finished_spans()
    assert (failed.name, failed.status.status_code) == ("GET /v1/fault/{number}", StatusCode.ERROR)
    assert (failed.attributes or {})["error.type"] == "ValueError"
    assert failed.status.description is None
    assert (missing.attributes or {})["http.response.status_code"] == 404
    assert stranger.name == "GET"
    assert method.name.startswith("_OTHER")
    told = "".join(one.to_json() for one in spans.get_finished_spans())
    assert NUMBER not in told
    assert TEXT not in told
    assert all(not one.events for one in spans.get_finished_spans())


async def test_an_order_of_a_command_is_a_span(spans: InMemorySpanExporter, tmp_path: Path) -> None:
    async def suspend(asked: object) -> object:
        return asked

    control = ControlSocket(tmp_path / "control")
    await control.start({"suspend": suspend})
    try:
        await control._answer(orjson.dumps({"do": "suspend", "note": TEXT, "system_id": "shop"}))
        await control._answer(orjson.dumps({"do": NUMBER}))
    finally:
        control.stop()

    (found,) = spans.get_finished_spans()
    assert found.name == "control suspend"
    assert dict(found.attributes or {}) == {}


def test_a_share_of_the_traces_is_kept() -> None:
    exporter = InMemorySpanExporter()
    source = OtelSpans("test", "1", SimpleSpanProcessor(exporter), 0.1)

    for _ in range(2000):
        with source.span("act"):
            pass
    source.close()

    assert 100 < len(exporter.get_finished_spans()) < 320


def test_without_a_source_a_span_does_nothing() -> None:
    with span("act") as found:
        found.name("other")
        found.note("http.route", "/")

    assert traces._sources.used is None


def test_traces_are_on_only_where_an_endpoint_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*ENDPOINTS, SAMPLER):
        monkeypatch.delenv(name, raising=False)

    start_tracing("smsward-gateway")
    off = traces._sources.used
    with capture_logs() as logs:
        start_tracing("smsward-gateway", environ={ENDPOINTS[0]: "http://127.0.0.1:9"})
    used = traces._sources.used
    use_spans(None)

    assert off is None
    assert isinstance(used, OtelSpans)
    used.close()
    assert [line["event"] for line in logs] == ["tracing.started"]


def test_what_is_missing_is_told_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)

    with capture_logs() as logs:
        start_tracing("smsward-gateway", environ={ENDPOINTS[1]: "http://127.0.0.1:9"})

    assert logs == [
        {
            "event": "tracing.unavailable",
            "do": "pip install 'smsward[otel]'",
            "log_level": "error",
        }
    ]
    assert traces._sources.used is None


def test_nothing_of_the_sdk_is_imported_while_traces_are_off() -> None:
    # The interfaces (opentelemetry.trace) come with the framework of the pages.
    program = (
        "import sys, gateway.app.run, gateway.app.console;"
        "wanted = ('opentelemetry.sdk', 'opentelemetry.exporter', 'gateway.runtime.otel_spans');"
        "sys.exit(any(name.startswith(wanted) for name in sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", program], timeout=250, check=False)  # noqa: S603

    assert done.returncode == 0
