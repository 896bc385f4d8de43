"""Traces for OpenTelemetry: of requests to the console and of acts of the control path.

Off unless an endpoint is in the environment; then the extra `otel` must be installed. While off,
nothing of OpenTelemetry's SDK is imported. What handles messages may not import this module
(pyproject.toml), and a span holds no text, no number and no words of an exception.
"""

# ruff: noqa: PLC0415 - imported only where traces are wanted

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import structlog

from gateway import __version__

log = structlog.get_logger()

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SAMPLER = "OTEL_TRACES_SAMPLER"
# Of the acts of the control path: every console asks for the status each few seconds.
CONTROL_SHARE = 0.1


class TraceSpan(Protocol):
    """What a span may be told while it lasts: values of closed lists, never a person's words."""

    def name(self, name: str) -> None:
        """Call it otherwise: by what is known only at its end."""

    def note(self, key: str, value: str | int) -> None:
        """Keep an attribute of OpenTelemetry's semantic conventions."""


class SpanSource(Protocol):
    """Makes spans."""

    @contextmanager
    def span(self, name: str) -> Iterator[TraceSpan]:
        """Time what is done within; an exception is noted by its class alone, and goes on."""


class _NoSpan:
    def name(self, name: str) -> None:
        pass

    def note(self, key: str, value: str | int) -> None:
        pass


_NO_SPAN = _NoSpan()


class _Sources:
    """The source of this process; None while traces are off."""

    def __init__(self) -> None:
        self.used: SpanSource | None = None


_sources = _Sources()


@contextmanager
def span(name: str) -> Iterator[TraceSpan]:
    """Time what is done within, where traces are on."""
    if _sources.used is None:
        yield _NO_SPAN
        return
    with _sources.used.span(name) as found:
        yield found


def use_spans(source: SpanSource | None) -> None:
    """Let `span` take `source` from now on; None switches traces off."""
    _sources.used = source


def start_tracing(
    service: str, share: float = 1.0, environ: Mapping[str, str] = os.environ
) -> None:
    """Send traces of this process as `service`, if the environment says where to.

    A `share` of the traces is kept, unless OTEL_TRACES_SAMPLER says otherwise. Headers, limits and
    the rest are taken from the variables of OpenTelemetry.
    """
    if not any(map(environ.get, ENDPOINTS)):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        from gateway.runtime.otel_spans import OtelSpans
    except ImportError:
        log.error("tracing.unavailable", do="pip install 'smsward[otel]'")
        return
    source = OtelSpans(
        service,
        __version__,
        BatchSpanProcessor(OTLPSpanExporter()),
        None if environ.get(SAMPLER) else share,
    )
    use_spans(source)
    log.info("tracing.started", service=service)
