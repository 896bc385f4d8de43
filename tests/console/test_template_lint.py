"""Templates have nothing that the policy of pages forbids, or that lets a text be code."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

GATEWAY = Path(__file__).resolve().parents[2] / "gateway"
TEMPLATES = sorted(GATEWAY.glob("**/templates/*.html"))
_CODE = re.compile(r"\s*(?:javascript|js|data|vbscript)\s*:", re.IGNORECASE)
_ELSEWHERE = re.compile(r"\s*(?:[a-z]+:)?//", re.IGNORECASE)
_ADDRESSES = frozenset(
    {"src", "href", "action", "formaction", "hx-get", "hx-post", "hx-sse:connect"}
)
_STATEMENT = re.compile(r"{%.*?%}|{#.*?#}", re.DOTALL)
_VALUE = re.compile(r"{{.*?}}", re.DOTALL)
_UNESCAPED = re.compile(r"\|\s*safe\b|\bautoescape\b|\|\s*forceescape\b|\bMarkup\b")


class Lint(HTMLParser):
    """Gathers what a template may not have, as lines of text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for reason in _refused(tag, dict(attrs)):
            self.found.append(f"line {self.getpos()[0]}: <{tag}>: {reason}")
        self._inside = tag

    def handle_endtag(self, _tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script" and data.strip():
            self.found.append(f"line {self.getpos()[0]}: a script in the page")


def _refused(tag: str, attributes: dict[str, str | None]) -> Iterator[str]:
    if tag in {"style", "object", "embed", "iframe", "base"}:
        yield "no such element"
    if tag == "script" and not (attributes.get("src") or "").startswith("/static/"):
        yield "a script that is no file of this console"
    if tag == "form" and attributes.get("method") not in {"get", "post", "dialog"}:
        yield "a form that does not say how it is sent"
    if any(name.startswith("hx-") for name in attributes) and "hx-nonce" not in attributes:
        yield "attributes of htmx without the nonce of the page"
    if tag == "meta" and "http-equiv" in attributes:
        yield "an answer's header in a page"
    for name, value in attributes.items():
        yield from _refused_value(name, value or "")


def _refused_value(name: str, value: str) -> Iterator[str]:
    if name.startswith(("on", "hx-on", "hx-live")) or name in {"style", "srcdoc"}:
        yield f"{name}: code or style in an attribute"
    if _CODE.match(value):
        yield f"{name}: code in a value"
    if name in _ADDRESSES and _ELSEWHERE.match(value):
        yield f"{name}: leads elsewhere"


def lint(text: str) -> list[str]:
    """Return what a template may not have."""
    parser = Lint()
    parser.feed(_VALUE.sub("x", _STATEMENT.sub(" ", text)))
    parser.close()
    unescaped = (f"{match[0]}: a value without escapes" for match in _UNESCAPED.finditer(text))
    return [*parser.found, *unescaped]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_a_template_has_neither_code_nor_style_nor_addresses_of_others(path: Path) -> None:
    assert lint(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        '<p onclick="act()">x</p>',
        '<p hx-on:click="act()">x</p>',
        '<p hx-on::after-swap="act()">x</p>',
        '<p style="color: red">x</p>',
        "<style>p { color: red }</style>",
        "<script>act()</script>",
        '<script src="https://cdn.example/x.js"></script>',
        '<a href="javascript:act()">x</a>',
        '<a href=" JavaScript:act()">x</a>',
        "<div hx-vals='js:{one: 1}' hx-nonce='x'></div>",
        '<div hx-get="/live" hx-trigger="load"></div>',
        '<a href="//elsewhere.example">x</a>',
        '<a href="https://elsewhere.example">x</a>',
        '<form action="/act"><button>x</button></form>',
        '<iframe src="/x"></iframe>',
        '<meta http-equiv="refresh" content="0">',
        "{{ text|safe }}",
        "{% autoescape false %}{{ text }}{% endautoescape %}",
    ],
)
def test_the_lint_finds(text: str) -> None:
    assert lint(text)


def test_the_lint_passes_what_pages_are_made_of() -> None:
    text = '<form method="post" action="/a/{{ one }}"><a href="/b?c={{ d }}">{{ e }}</a></form>'

    assert lint(text) == []
    assert TEMPLATES
