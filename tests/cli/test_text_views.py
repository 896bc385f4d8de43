"""What `explain submit --views` shows of how a text was read."""

import json
from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

import pytest

from gateway.cli.explain_labels import text_views

Cli = Callable[..., CompletedProcess[str]]

TURNED = "\u202e票发开代\u202c"


@pytest.fixture(params=["explain submit", "policy explain"])
def explain(request: pytest.FixtureRequest, cli: Cli, options: tuple[str, ...]) -> Cli:
    """Return a function that asks about a text, by either name of the command."""

    def explain(text: str, *more: str) -> CompletedProcess[str]:
        asked = ("--system-id=shop", "--from=10690001", "--to=13800138000", f"--text={text}")
        return cli(*request.param.split(), *asked, *options, *more)

    return explain


def views_of(ran: CompletedProcess[str]) -> Any:
    return json.loads(ran.stdout)["views"]


def cells_of(output: str) -> list[list[str]]:
    """Return the cells of the table of views."""
    rows = [line.split("│")[1:-1] for line in output.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row] for row in rows if len(row) == 4]


def test_people_see_each_view_in_which_words_are_looked_for(explain: Cli) -> None:
    rows = cells_of(explain("周末大促 ＶＩＡ-ＧＲＡ", "--views").stdout)

    assert rows[:3] == [
        ["1", "as sent", "raw", "周末大促 ＶＩＡ-ＧＲＡ"],
        ["1", "as sent", "folded", "周末大促 via-gra"],
        ["1", "as sent", "letters", "周末大促viagra"],
    ]
    assert [row[2] for row in rows[3:]] == ["sound"]


def test_views_with_the_same_text_share_a_row(explain: Cli) -> None:
    assert cells_of(explain("hello", "--views").stdout) == [
        ["1", "as sent", "raw, folded, letters, sound", "hello"]
    ]


def test_what_shows_as_nothing_is_written_out(explain: Cli) -> None:
    ran = explain("代\u200b开\u3164发\ufe0f票\U000e0101", "--views")

    assert cells_of(ran.stdout)[0][3] == r"代\u200b开\u3164发\ufe0f票\U000e0101"
    assert cells_of(ran.stdout)[1][2:] == ["folded, letters", "代开发票"]


def test_a_text_is_shown_as_it_is_displayed_and_with_letters_as_marks(explain: Cli) -> None:
    views = views_of(explain(f"{TURNED} 代①开", "--views", "--json"))

    assert [(view["read"], view["letters"]) for view in views] == [
        ("as sent", "票发开代代1开"),
        ("as sent, with marks", "票发开代代开"),
        ("as displayed", "代开发票代1开"),
        ("as displayed, with marks", "代开发票代开"),
    ]


def test_each_reading_of_the_octets_has_its_views(explain: Cli) -> None:
    ran = explain("cost: 5$ @ home", "--views", "--json", "--data-coding=3")

    said = json.loads(ran.stdout)
    assert said["readings"] == len({view["reading"] for view in said["views"]}) > 1
    assert {view["raw"] for view in said["views"]} == {"cost: 5$ @ home", "cost: 5¤ ¡ home"}


def test_programs_get_the_characters_as_they_are(explain: Cli) -> None:
    view, *_ = views_of(explain("代\u200b開\u3164", "--views", "--json"))

    assert (view["raw"], view["folded"]) == ("代\u200b開\u3164", "代开")


def test_views_are_shown_only_where_they_are_asked_for(explain: Cli) -> None:
    assert cells_of(explain("hello").stdout) == []
    assert views_of(explain("hello", "--json")) is None


def test_the_table_of_views_is_in_the_language_that_is_asked_for(explain: Cli) -> None:
    shown = explain(f"{TURNED} 代①开", "--views", "--lang", "zh").stdout

    for words in ("解读", "读法", "视图", "按发送原样", "按屏幕显示顺序", "读音 sound"):
        assert words in shown
    assert "displayed" not in shown
    assert "as sent" not in shown


def test_views_change_neither_verdict_nor_findings(explain: Cli) -> None:
    plain, asked = (
        json.loads(explain(TURNED, "--json", *more).stdout) for more in ((), ("--views",))
    )

    assert asked["reason"] == "CONTENT"
    assert {**asked, "views": None} == plain


def test_what_swells_is_left_out_as_it_is_for_the_search() -> None:
    (view,) = text_views(["\ufdfa" * 2_000 + "代开"])

    assert view.raw == "代开"
