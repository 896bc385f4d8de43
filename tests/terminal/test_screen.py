import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.terminal import screen


@given(st.text())
def test_whatever_is_shown_is_visible(text: str) -> None:
    assert screen.visible(text).isprintable()


def test_text_that_can_be_seen_stays_as_it_is() -> None:
    assert screen.visible("【示例银行】验证码 123456 ✓") == "【示例银行】验证码 123456 ✓"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\u001b[2J"),
        ("代\u200b开", r"代\u200b开"),
        ("a\nb", r"a\nb"),
        ("\u202egnp", r"\u202egnp"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, shown: str) -> None:
    assert screen.visible(text) == shown


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.text(st.characters(exclude_categories=["Cs"])),
    )
)
def test_json_steers_no_terminal_and_says_the_same(value: dict[str, str]) -> None:
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", stream)

        screen.print_json(value)
        screen.print_json_line(value)

    text = stream.getvalue()
    assert all(line.isprintable() for line in text.split("\n"))
    whole, line = text.rstrip("\n").rsplit("\n", 1)
    assert json.loads(whole) == json.loads(line) == value


def test_a_table_in_a_pipe_is_not_folded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)

    screen.print_table(("id", "evidence"), [("1", "x" * 150)])

    assert "x" * 150 in capsys.readouterr().out


@pytest.mark.parametrize(
    ("width", "is_framed", "are_times_whole"),
    [("88", True, True), ("80", False, True), ("76", True, False), ("70", False, False)],
)
def test_numbers_and_times_stay_whole_in_a_table_of_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    width: str,
    is_framed: bool,
    are_times_whole: bool,
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    columns = ("no", "number", "SP", "rule", "since (UTC)", "until (UTC)", "state", "note")
    row = ("1", "138****8007", "sp1", "R43", *["2026-11-26 07:23"] * 2, "active", "by root: x")

    screen.print_table(columns, [row])

    shown = capsys.readouterr().out
    assert all(len(line) <= int(width) for line in shown.splitlines())
    assert [word for word in ("138****8007", "2026-11-26", "active") if word not in shown] == []
    assert ("┃" in shown) is is_framed
    assert ("2026-11-26 07:23" in shown) is are_times_whole


def test_a_table_that_no_terminal_of_this_width_holds_is_folded_within_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")

    screen.print_table(("number", "SP"), [("138****8007", "0123456789abcde")])

    assert all(len(line) <= 20 for line in capsys.readouterr().out.splitlines())


def test_a_table_shows_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    screen.print_table(("evidence",), [("[red]x[/red]",)], title="[b]now[/b]")

    shown = capsys.readouterr().out
    assert "[red]x[/red]" in shown
    assert "[b]now[/b]" in shown


def test_a_value_of_several_lines_stays_so(capsys: pytest.CaptureFixture[str]) -> None:
    screen.print_fields([("text", "one\ntwo\x1b")])

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["text", "one"], ["two\\u001b"]]


def test_a_warning_goes_to_the_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    screen.warn("mind the gap\x07")

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "warning: mind the gap\\u0007\n")


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 notices"), (1, "1 notice"), (2, "2 notices"), (1000, "1000 notices")]
)
def test_one_of_a_kind_is_not_said_in_the_plural(count: int, said: str) -> None:
    assert screen.counted(count, "notice") == said
