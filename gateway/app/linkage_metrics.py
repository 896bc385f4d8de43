"""What Prometheus is told of the linkage, by the process of `smsward linkage run`."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import product

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.console.http_server import EXPOSITION, HttpServer, MetricsReaders, not_a_reader
from gateway.domain.linkage import RefusalReason
from gateway.settings.linkage import LinkageMetrics
from gateway.storage.errors import StoreUnavailable
from gateway.systems.linkage.model import EventType, LinkageCounts, LinkageStanding
from gateway.systems.linkage.sql import LinkageOutboxStore

# From 0 on: Prometheus sees no increase in a series that begins with 1.
_RESULTS = ("received", "applied", "unapplied", "delivered", "dead")
_NO_EVENTS: dict[tuple[str, str], int] = dict.fromkeys(product(EventType, _RESULTS), 0)
_NONE_REFUSED: dict[str, int] = dict.fromkeys(RefusalReason, 0)


class LinkageCollector(Collector):
    """Builds the families; the labels are of closed lists."""

    def __init__(self, counts: LinkageCounts, standing: LinkageStanding, now: datetime) -> None:
        self._counts = counts
        self._standing = standing
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """Yield every family of ``smsward_linkage_``."""
        now, since = self._standing, self._standing.since
        age = 0.0 if since is None else max(0.0, (self._now - since).total_seconds())
        gauges = (
            ("outbox_waiting", "Events that their recipient has not signed for yet.", now.waiting),
            ("outbox_waiting_seconds", "How long the oldest of them waits.", age),
            ("outbox_dead", "Events that are sent no more until a person resends them.", now.dead),
            ("inbox_waiting", "Events that came and are not applied yet.", now.unapplied),
        )
        for name, meaning, value in gauges:
            yield GaugeMetricFamily(f"smsward_linkage_{name}", meaning, value=value)
        events = CounterMetricFamily(
            "smsward_linkage_events",
            "Events of this process, by type and what became of them.",
            labels=("type", "result"),
        )
        for labels, count in sorted((_NO_EVENTS | self._counts.events).items()):
            events.add_metric(labels, count)
        yield events
        refused = CounterMetricFamily(
            "smsward_linkage_refused",
            "Events of others that were refused, by reason.",
            labels=("reason",),
        )
        for reason, count in sorted((_NONE_REFUSED | self._counts.refused).items()):
            refused.add_metric((reason,), count)
        yield refused


def metrics_server(
    settings: LinkageMetrics,
    counts: LinkageCounts,
    outbox: LinkageOutboxStore,
    utcnow: Callable[[], datetime],
) -> HttpServer:
    """Return what answers at `metrics.address` of linkage.yaml: /metrics, and /livez."""
    readers = MetricsReaders(settings.token)

    async def metrics(request: Request) -> Response:
        if not readers.may_read(request):
            return not_a_reader("linkage.yaml")
        registry = CollectorRegistry()
        try:
            collector = LinkageCollector(counts, await outbox.standing(), utcnow())
        except StoreUnavailable:
            return Response(status_code=503)
        registry.register(collector)
        ProcessCollector(registry=registry)
        text = await asyncio.to_thread(generate_latest, registry)
        return Response(text, media_type=EXPOSITION)

    async def live(_request: Request) -> Response:
        return Response("alive\n", media_type="text/plain")

    app = Starlette(routes=[Route("/metrics", metrics), Route("/livez", live)])
    return HttpServer(
        settings.address,
        app,
        whom="for the metrics of the linkage",
        file="linkage.yaml",
        find_client=readers.find,
    )
