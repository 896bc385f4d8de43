"""The commands that subscribers write to a hub code, besides the words of the dialogue.

Preferences: 屏蔽 房产, UNBLOCK 1069 (R51). Messages that are held:
查拦截, 放行 1,3 (R50).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from gateway.domain.categories import TrafficClass
from gateway.domain.preferences import (
    Preference,
    PreferenceAction,
    PreferenceError,
    PreferenceKind,
    preference,
)
from gateway.filter.normalise.folding import simplified
from gateway.policy.replies import Intent, meaning_of

# A command with the longest keyword is shorter, and no list of numbers is long; a longer text says
# something else.
MAX_CHARS = 60


class Verb(StrEnum):
    """What to do. UNCLEAR begins like a command but names nothing that can be kept."""

    SET = "set"
    TAKE_BACK = "take_back"
    SHOW = "show"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class PreferenceCommand:
    """What a subscriber asks for. Only SET and TAKE_BACK have `about`.

    To take back quiet hours without naming them leaves `about` None: all of them are meant.
    """

    verb: Verb
    about: Preference | None = None


_ALLOW, _BLOCK = PreferenceAction.ALLOW, PreferenceAction.BLOCK
_UNCLEAR = PreferenceCommand(Verb.UNCLEAR)
_SHOW = frozenset({"我的屏蔽", "查询屏蔽", "屏蔽列表", "接收设置", "prefs", "preferences"})

_SEPARATED = r"(?P<separator>[\s:+]*)(?P<object>.*)"
_UNDO = r"(?P<undo>取消|解除|撤销|关闭|删除)?"
_LIST = re.compile(
    rf"(?:{_UNDO}(?P<zh>屏蔽|拉黑|黑名单|白名单|暂存)|(?P<en>unblock|block|unallow|allow)(?![a-z0-9]))"
    rf"{_SEPARATED}"
)
_QUIET = re.compile(rf"{_UNDO}(?:免打扰|勿扰|dnd(?![a-z0-9])){_SEPARATED}")
_ACTIONS = {"白名单": _ALLOW, "allow": _ALLOW, "unallow": _ALLOW, "暂存": PreferenceAction.HOLD}

# Words for everything of a class, after endings such as 类 and 短信 are removed.
_CLASSES = {
    "广告": TrafficClass.COMMERCIAL,
    "营销": TrafficClass.COMMERCIAL,
    "推销": TrafficClass.COMMERCIAL,
    "推广": TrafficClass.COMMERCIAL,
    "促销": TrafficClass.COMMERCIAL,
    "商业": TrafficClass.COMMERCIAL,
    "ads": TrafficClass.COMMERCIAL,
    "commercial": TrafficClass.COMMERCIAL,
    "服务通知": TrafficClass.SERVICE,
    "service": TrafficClass.SERVICE,
}
_OBJECT_ENDS = ("短信", "信息", "类", "的")
_HOURS = re.compile(r"(\d{1,2})(?:[:点时](\d{2})?)?分?[-~到至—](\d{1,2})(?:[:点时](\d{2})?)?分?")
_NUMBER = re.compile(r"\+?[0-9][0-9 -]*\*?")
_SAYS_MORE = re.compile(r"[?!。,;]|吗|怎么|什么|为何|如何")


def _quiet(plain: str) -> PreferenceCommand | None:
    found = _QUIET.fullmatch(plain)
    if found is None:
        return None
    hours = _hours(found["object"])
    if found["undo"]:
        if not found["object"]:
            return PreferenceCommand(Verb.TAKE_BACK)
        return _command(Verb.TAKE_BACK, hours)
    if hours is None and not found["separator"]:
        return _UNCLEAR if not found["object"] else None  # 免打扰模式怎么开
    return _command(Verb.SET, hours)


def _listed(plain: str) -> PreferenceCommand | None:
    found = _LIST.fullmatch(plain)
    if found is None:
        return None
    word = found["zh"] or found["en"]
    action = _ACTIONS.get(word, _BLOCK)
    is_undone = bool(found["undo"]) or word.startswith("un")
    verb = Verb.TAKE_BACK if is_undone else Verb.SET
    about = _known(found["object"], action)
    if about is None and not found["separator"] and found["object"]:
        return None  # 屏蔽不了, 屏蔽器
    return _command(verb, about or _keyword(found["object"], action))


def _command(verb: Verb, about: Preference | None) -> PreferenceCommand:
    return _UNCLEAR if about is None else PreferenceCommand(verb, about)


def _known(words: str, action: PreferenceAction) -> Preference | None:
    """Return a number, a class or a category; these may follow the verb without a space."""
    if _NUMBER.fullmatch(words):
        digits = words.replace(" ", "").replace("-", "")
        return _kept(PreferenceKind.NUMBER, digits, action)
    word = words
    while word:
        if word in _CLASSES:
            return _kept(PreferenceKind.CLASS, _CLASSES[word], action)
        category = _kept(PreferenceKind.CATEGORY, word, action)
        if category is not None:
            return category
        shorter = next((word.removesuffix(end) for end in _OBJECT_ENDS if word.endswith(end)), "")
        word = shorter.strip()
    return None


def _keyword(words: str, action: PreferenceAction) -> Preference | None:
    # A number that cannot be kept is not a word, and a sentence is meant for people. Two things at
    # once would not be found in a text with only one of them.
    if _NUMBER.fullmatch(words) or _SAYS_MORE.search(words):
        return None
    if " " in words and all(_known(word, action) for word in words.split()):
        return None
    return _kept(PreferenceKind.KEYWORD, words, action)


def _hours(words: str) -> Preference | None:
    found = _HOURS.fullmatch("".join(words.split()))
    if found is None:
        return None
    value = f"{found[1]}:{found[2] or '00'}-{found[3]}:{found[4] or '00'}"
    return _kept(PreferenceKind.QUIET_HOURS, value, _BLOCK)


def _kept(kind: PreferenceKind, value: str, action: PreferenceAction) -> Preference | None:
    try:
        return preference(kind, value, action)
    except PreferenceError:
        return None


class HoldVerb(StrEnum):
    """What to do with messages that wait."""

    LIST = "list"
    RELEASE = "release"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True)
class HoldCommand:
    """What a subscriber asks for. `items` are numbers of the last list, each once, in order.

    RELEASE or DISCARD without `items` names nothing that can be found.
    """

    verb: HoldVerb
    items: tuple[int, ...] = ()


_LISTING = frozenset(
    {"查拦截", "查询拦截", "拦截查询", "查看拦截", "拦截列表", "我的拦截", "拦截短信", "lj"}
)
_VERBS = {
    "放行": HoldVerb.RELEASE,
    "fx": HoldVerb.RELEASE,
    "删除": HoldVerb.DISCARD,
    "sc": HoldVerb.DISCARD,
}
_COURTESY = r"(?:请?回复|请)?\s*"
_COMMAND = re.compile(rf"{_COURTESY}(放行|删除|(?:fx|sc)(?![a-z]))[\s:+,、第]*(.*)")
# Any other text after the word says something else: 放行条怎么开, 删除我的号码.
_NUMBERS = re.compile(r"[\d\s,、;/.&+和及跟与~\-到至第]*[条个号项]?")
_ITEMS = re.compile(r"\d{1,4}(?:[\s,、;/.&+和及跟与第]{1,3}\d{1,4})*[条个号项]?")
_ITEM = re.compile(r"\d+")


def _deciding(plain: str) -> HoldCommand | None:
    found = _COMMAND.fullmatch(plain)
    if found is None or not _NUMBERS.fullmatch(found[2]):
        return None
    verb = _VERBS[found[1]]
    if not _ITEMS.fullmatch(found[2]):
        return HoldCommand(verb)
    items = sorted(set(map(int, _ITEM.findall(found[2]))))
    return HoldCommand(verb, tuple(items))


HubCommand: TypeAlias = PreferenceCommand | HoldCommand


def hub_command_of(text: str) -> HubCommand | None:
    """Return the command in `text`; None for any other text. Never raises.

    The whole text must be the command. What can be read as a refusal, a list or a confirmation is
    not a command, so that nothing prevents an opt-out (R31).
    """
    if len(text) > MAX_CHARS:
        return None
    plain = simplified(text).strip(" \t\r\n.!。")
    closed_up = "".join(plain.split())
    command: HubCommand | None
    if closed_up in _SHOW:
        command = PreferenceCommand(Verb.SHOW)
    elif closed_up in _LISTING:
        command = HoldCommand(HoldVerb.LIST)
    else:
        command = _quiet(plain) or _listed(plain) or _deciding(plain)
    if command is None or meaning_of(text).intent is not Intent.NONE:
        return None
    return command
