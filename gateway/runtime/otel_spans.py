"""Spans for gateway.runtime.traces by OpenTelemetry's SDK; imported where traces are on."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, StatusCode

_NAME = "smsward"
_ERROR = "error.type"


class OtelSpan:
    """One span; what it is told goes to OpenTelemetry as it is."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def name(self, name: str) -> None:
        """Call it otherwise."""
        self._span.update_name(name)

    def note(self, key: str, value: str | int) -> None:
        """Keep an attribute."""
        self._span.set_attribute(key, value)


class OtelSpans:
    """Makes spans of one process and gives them to `processor`.

    `share` of the traces is kept; with None what the environment says decides. The provider is
    not the global one: no library of others can add spans of its own, with texts in them.
    """

    def __init__(
        self, service: str, version: str, processor: SpanProcessor, share: float | None
    ) -> None:
        resource = Resource.create({"service.name": service, "service.version": version})
        sampler = None if share is None else ParentBased(TraceIdRatioBased(share))
        self._provider = TracerProvider(sampler=sampler, resource=resource)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(_NAME, version)

    @contextmanager
    def span(self, name: str) -> Iterator[OtelSpan]:
        """Time what is done within; see SpanSource."""
        with self._tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield OtelSpan(span)
            except BaseException as error:
                # Its words may hold what a subscriber wrote.
                span.set_attribute(_ERROR, type(error).__name__)
                span.set_status(StatusCode.ERROR)
                raise

    def close(self) -> None:
        """Send what waits, and end."""
        self._provider.shutdown()
