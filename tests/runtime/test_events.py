import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import gateway
from gateway.runtime.logging import EVENTS

LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
PACKAGE = Path(gateway.__file__).parent


def logged_events(source: str) -> Iterator[str]:
    """Yield the first argument of every ``log.info("...")`` and the like."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Attribute(value=receiver, attr=attr),
                args=[ast.Constant(value=str(event)), *_],
            ) if attr in LEVELS and ast.unparse(receiver).endswith(
                ("log", "logger", "get_logger()")
            ):
                yield event


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_an_event_is_a_dotted_fact(name: str) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z_]+", name)


def test_every_event_the_program_logs_is_on_the_list() -> None:
    logged = {
        event: path.relative_to(PACKAGE)
        for path in PACKAGE.rglob("*.py")
        for event in logged_events(path.read_text("utf-8"))
    }

    assert {event: path for event, path in logged.items() if event not in EVENTS} == {}
    assert "task.failed" in logged


def test_no_event_is_on_the_list_that_the_program_never_logs() -> None:
    named = Counter(
        node.value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )

    assert [event for event in EVENTS if not named[event]] == []


def test_the_scan_sees_loggers_under_any_usual_name() -> None:
    source = 'log.info("a.b", x=1)\nself._log.error("c.d")\nstructlog.get_logger().debug("e.f")'

    assert set(logged_events(source)) == {"a.b", "c.d", "e.f"}
