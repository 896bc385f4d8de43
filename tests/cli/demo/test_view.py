import io
from dataclasses import replace

import pytest
from rich.console import Console

from gateway.cli.demo.cast import SpReport
from gateway.cli.demo.view import (
    DemoView,
    Moment,
    percentile_ms,
    sender_table,
    verdict_table,
)

MOMENT = Moment(
    elapsed_s=3.0,
    per_s=412.0,
    told={"shop": SpReport(submitted=10, forwarded=6, refused=2, quarantined=1, throttled=1)},
    verdicts={("forward", ""): 6, ("reject", "CONTENT"): 2},
    p50_ms=0.5,
    p99_ms=2.5,
    held=1,
    sessions={"shop": 1},
)


@pytest.fixture
def terminal() -> Console:
    return Console(
        file=io.StringIO(), force_terminal=True, width=120, height=50, legacy_windows=False
    )


@pytest.fixture(autouse=True)
def _no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)


def test_a_pipe_gets_one_line_a_second() -> None:
    stream = io.StringIO()
    view = DemoView(Console(file=stream, width=200))

    with view:
        view.show(MOMENT)
        view.show(replace(MOMENT, elapsed_s=4.0))

    first, second = stream.getvalue().splitlines()
    assert first.split()[:4] == ["3", "s", "412", "msg/s"]
    assert "quarantined 1" in first
    assert "p99 2.5 ms" in first
    assert second.lstrip().startswith("4 s")


def test_a_terminal_gets_tables_that_change(terminal: Console) -> None:
    view = DemoView(terminal)

    with terminal.capture() as capture, view:
        view.show(MOMENT)

    drawn = capture.get()
    assert view.is_live
    for what in ("shop", "CONTENT", "412 msg/s", "in quarantine 1"):
        assert what in drawn


def test_a_line_that_is_kept_heads_the_tables_whole_on_eighty_columns(terminal: Console) -> None:
    link = f"  http://127.0.0.1:8080/enrol/{'x' * 43}"
    terminal.width = 80
    view = DemoView(terminal)

    with terminal.capture() as capture, view:
        view.keep(link)
        view.show(MOMENT)

    assert link in capture.get()


def test_a_line_that_is_kept_is_printed_where_no_table_changes() -> None:
    stream = io.StringIO()

    DemoView(Console(file=stream, width=200)).keep("console: http://127.0.0.1:8080/")

    assert stream.getvalue() == "console: http://127.0.0.1:8080/\n"


def test_every_heading_is_whole_on_eighty_columns(terminal: Console) -> None:
    many = SpReport(*[1_000_000] * 6)
    terminal.width = 80

    with terminal.capture() as capture:
        terminal.print(sender_table({"spammer": many}, {"spammer": 1}))

    for heading in ("binds", "submitted", "forwarded", "refused", "throttled", "held", "receipts"):
        assert heading in capture.get()


def test_what_is_in_shadow_mode_stands_below_what_was_forwarded_and_is_among_it(
    terminal: Console,
) -> None:
    verdicts = {
        ("reject", "CONTENT"): 9,
        ("shadow", "FREQUENCY"): 3,
        ("forward", ""): 5,
        ("throttle", "RATE"): 12,
    }
    with terminal.capture() as capture:
        terminal.print(verdict_table(verdicts))

    shown = [line.split() for line in capture.get().splitlines() if line.split()[-1:] != []]
    assert [row for row in shown if row[-1].isdigit()] == [
        ["forward", "5"],
        ["of", "these,", "in", "shadow", "mode", "FREQUENCY", "3"],
        ["throttle", "RATE", "12"],
        ["reject", "CONTENT", "9"],
    ]


def test_continuous_integration_gets_lines_even_on_a_terminal(
    terminal: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")

    assert not DemoView(terminal).is_live


def test_without_answers_there_is_no_latency() -> None:
    assert percentile_ms([0] * 64, 0.99) == 0.0


@pytest.mark.parametrize(
    ("share", "at_least_ms", "at_most_ms"), [(0.5, 0.512, 1.024), (0.99, 8.192, 16.384)]
)
def test_a_percentile_lies_in_its_bucket(
    share: float, at_least_ms: float, at_most_ms: float
) -> None:
    # 95 answers of 512 to 1023 us, 5 of 8192 to 16383 us.
    latency_us = [0] * 64
    latency_us[10], latency_us[14] = 95, 5

    assert at_least_ms <= percentile_ms(latency_us, share) <= at_most_ms


def test_the_whole_is_the_sum_over_all_sps() -> None:
    told = {"shop": SpReport(forwarded=2), "bank": SpReport(forwarded=3)}

    assert replace(MOMENT, told=told).total("forwarded") == 5
