"""What the gateway writes to subscribers about their held messages: 70 characters each (R50)."""

from collections.abc import Sequence

from gateway.domain.short_texts import MAX_CHARS, chars_of, cut_to
from gateway.systems.quarantine.own_holds import OwnHold

NOTHING_HELD = "没有按您的接收设置拦截的短信"
LIST_FIRST = "请先发“查拦截”查看被拦截的短信，再回“放行1”或“删除1”"
NO_SUCH_ITEM = "没有这个序号。请发“查拦截”查看，再回“放行1”或“删除1,2”"
GONE = "所选短信已不在拦截中。查看其余请发：查拦截"

_MAX_ITEMS = 5
_FOOT = "。回放行1或删除1"
# So much of a text tells what it is about; with less of each, fewer are listed.
_MIN_WORDS = 8
_ELLIPSIS = "…"
_MAX_SOURCE_CHARS = 20


def listing(own: Sequence[OwnHold], start: int) -> tuple[str, int]:
    """Return the message that lists `own` from index `start` on, and where it stops.

    Each with its number, its sender's port and its first words; as many as fit, at most five,
    and of what is left how many.
    """
    shown = min(_MAX_ITEMS, len(own) - start)
    while shown > 1 and _room(own, start, shown) < shown * _MIN_WORDS:
        shown -= 1
    return _page(own, start, shown), start + shown


def released(count: int, left: int) -> str:
    """Say how many messages will be judged again and sent, and how many were gone."""
    return f"已放行{count}条，经复核后送达{_gone(left)}。查看其余请发：查拦截"


def discarded(count: int, left: int) -> str:
    """Say how many messages were dropped, and how many were gone."""
    return f"已删除{count}条，不可恢复{_gone(left)}。查看其余请发：查拦截"


def _gone(left: int) -> str:
    return f"；另{left}条已不在拦截中" if left else ""


def _page(own: Sequence[OwnHold], start: int, shown: int) -> str:
    head, foot = _frame(own, start, shown)
    room = _room(own, start, shown)
    items: list[str] = []
    for place in range(start, start + shown):
        # What a short text leaves is for those after it.
        fair = room // (start + shown - place)
        words = _words(own[place].text, fair)
        room -= chars_of(words)
        items.append(f"{_name(own, place)}{words}")
    return f"{head}{'；'.join(items)}{foot}"


def _frame(own: Sequence[OwnHold], start: int, shown: int) -> tuple[str, str]:
    left = len(own) - start - shown
    more = f"；余{left}条再发查拦截" if left else ""
    return f"拦截{len(own)}条：", f"{more}{_FOOT}"


def _name(own: Sequence[OwnHold], place: int) -> str:
    return f"{place + 1} {cut_to(own[place].source, _MAX_SOURCE_CHARS)} "


def _room(own: Sequence[OwnHold], start: int, shown: int) -> int:
    """Return how many characters are left for the words of `shown` messages."""
    head, foot = _frame(own, start, shown)
    names = "；".join(_name(own, place) for place in range(start, start + shown))
    return MAX_CHARS - chars_of(head) - chars_of(names) - chars_of(foot)


def _words(text: str, max_chars: int) -> str:
    plain = " ".join(text.split())
    if chars_of(plain) <= max_chars:
        return plain
    return cut_to(plain, max_chars - chars_of(_ELLIPSIS)) + _ELLIPSIS
