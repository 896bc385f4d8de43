import logging
import os
import re
from datetime import UTC, datetime

import orjson
import pytest
import structlog

from gateway.runtime.logging import LogLevel, UnlistedEventError, configure_logging


def test_a_line_is_json_with_its_time_level_and_event(
    log_lines: list[dict[str, object]],
) -> None:
    structlog.get_logger().info("esme.bound", system_id="sp1", window=10)

    (line,) = log_lines
    assert datetime.fromisoformat(str(line.pop("at"))).tzinfo == UTC
    assert line == {"level": "info", "event": "esme.bound", "system_id": "sp1", "window": 10}


def test_a_line_keeps_subscribers_and_texts_out(log_lines: list[dict[str, object]]) -> None:
    structlog.get_logger().warning(
        "esme.closed", to="13800138000", text="代开发票", short_message=b"x", reason="reset"
    )

    (line,) = log_lines
    assert line["to"] == "138****8000"
    assert not {"text", "short_message"} & line.keys()


def test_an_unlisted_event_raises_where_it_is_strict(log_lines: list[dict[str, object]]) -> None:
    with pytest.raises(UnlistedEventError, match=r"made\.up"):
        structlog.get_logger().info("made.up")

    assert log_lines == []


@pytest.mark.usefixtures("log_lines")
def test_an_unlisted_event_is_written_and_counted_in_production() -> None:
    lines: list[bytes] = []
    check = configure_logging(json=True, sink=lines.append)

    structlog.get_logger().info("sent to 13800138000", code=1)

    (line,) = map(orjson.loads, lines)
    assert (line["event"], line["unlisted"], line["code"]) == (
        "log.unlisted",
        "sent to 138****8000",
        1,
    )
    assert check.unlisted == 1


@pytest.mark.usefixtures("log_lines")
def test_lines_below_the_level_are_not_written() -> None:
    lines: list[bytes] = []
    configure_logging(level=LogLevel.WARNING, json=True, strict=True, sink=lines.append)

    structlog.get_logger().info("esme.bound")
    structlog.get_logger().warning("smsc.lost")

    assert [orjson.loads(line)["event"] for line in lines] == ["smsc.lost"]


@pytest.mark.usefixtures("log_lines")
def test_people_get_one_readable_line() -> None:
    lines: list[bytes] = []
    configure_logging(json=False, strict=True, sink=lines.append)

    structlog.get_logger().info("policy.reloaded", digest="0123456789ab", name="默认")

    plain = re.sub(r"\x1b\[[0-9;]*m", "", b"".join(lines).decode())
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\S+ \[info +\] policy\.reloaded +digest=0123456789ab name=默认\n", plain
    )


def test_a_librarys_warning_comes_without_its_values(
    log_lines: list[dict[str, object]],
) -> None:
    library = logging.getLogger("some.library")  # noqa: TID251 - plays a library

    library.info("too chatty")
    library.warning("cannot send %s", "代开发票")
    library.error("no answer from %s", "13800138000", exc_info=TimeoutError("timed out"))

    warned, failed = log_lines
    assert (warned["event"], warned["library"]) == ("library.warned", "some.library")
    assert warned["said"] == "cannot send %s"
    assert failed["error"] == "TimeoutError"
    assert "代开发票" not in str(log_lines)


@pytest.mark.usefixtures("log_lines")
def test_a_full_disk_behind_the_standard_error_stops_nothing() -> None:
    configure_logging(json=True, strict=True)
    kept = os.dup(2)
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        os.dup2(full, 2)
        structlog.get_logger().error("gateway.failed")
    finally:
        os.dup2(kept, 2)
        os.close(full)
        os.close(kept)


@pytest.mark.usefixtures("log_lines")
def test_the_standard_error_gets_json_unless_it_is_a_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure_logging(strict=True)

    structlog.get_logger().info("gateway.started")

    assert orjson.loads(capfd.readouterr().err)["event"] == "gateway.started"
