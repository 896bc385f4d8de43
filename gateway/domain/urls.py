"""Where links stand in a text: a variable of a template may not hold one (R12)."""

import re
from collections.abc import Iterator

# Possessive repetitions after a boundary: the time grows only with the length, for any text. The
# ideographic full stop counts as a dot, because browsers read it as one.
_LABEL = "[a-z0-9_-]"
_REST = "[!-~]*+"
_ENDINGS = "com|cn|net|org|top|xyz|vip|cc|me|io|info|club|shop|site|online|link|app|co|tv|la|im"
_LINK = re.compile(
    rf":[/\\]{{2}}{_REST}"
    rf"|h(?:tt|xx)ps?:{_REST}"
    rf"|www[.。]{_REST}"
    rf"|(?<![a-z0-9_.。-])(?P<host>{_LABEL}++(?:[.。]{_LABEL}++)++)"
    rf"|[.。](?:{_ENDINGS})(?![a-z0-9]){_REST}"
)
_BEHIND = re.compile(_REST)
_DOTS = re.compile("[.。]")
_KNOWN_ENDINGS = frozenset(_ENDINGS.split("|"))
_IPV4_LABELS = 4
_MAX_ENDING_CHARS = 24


def link_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each link of a lower-case `text` begins and ends, from left to right.

    Host names without a scheme count, and addresses of four numbers; 5.5km and 12.30 do not.
    """
    end = 0
    while (found := _LINK.search(text, end)) is not None:
        start, end = found.span()
        host = found["host"]
        if host is None:
            yield start, end
        elif _is_host(_DOTS.split(host)):
            # Only after a host: the length in 5.5km,http://… must not hide the link.
            behind = _BEHIND.match(text, end)
            end = behind.end() if behind is not None else end
            yield start, end


def _is_host(labels: list[str]) -> bool:
    *before, last = labels
    if last.isalpha():
        is_named = any(char.isalpha() for label in before for char in label)
        return 2 <= len(last) <= _MAX_ENDING_CHARS and (is_named or last in _KNOWN_ENDINGS)
    return len(labels) == _IPV4_LABELS and all(
        label.isdigit() and len(label) <= 3 for label in labels
    )
