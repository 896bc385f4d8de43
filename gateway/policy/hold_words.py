"""Commands of subscribers for messages that their own rules hold: 查拦截, 放行 1,3 (R50)."""

import re
from dataclasses import dataclass
from enum import StrEnum

from gateway.filter.simplified_letters import simplified
from gateway.policy.intents import Intent, meaning_of

MAX_CHARS = 60  # so that no list of numbers is long


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


_LIST = frozenset(
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
_NUMBER = re.compile(r"\d+")


def hold_command_of(text: str) -> HoldCommand | None:
    """Return the command in `text`; None for any other text. Never raises.

    The whole text must be the command, and what can be read as a refusal, a list or a confirmation
    is not a command (R31).
    """
    if len(text) > MAX_CHARS:
        return None
    plain = simplified(text).strip(" \t\r\n.!。")
    command = _listing(plain) or _deciding(plain)
    if command is None or meaning_of(text).intent is not Intent.NONE:
        return None
    return command


def _listing(plain: str) -> HoldCommand | None:
    return HoldCommand(HoldVerb.LIST) if "".join(plain.split()) in _LIST else None


def _deciding(plain: str) -> HoldCommand | None:
    found = _COMMAND.fullmatch(plain)
    if found is None or not _NUMBERS.fullmatch(found[2]):
        return None
    verb = _VERBS[found[1]]
    if not _ITEMS.fullmatch(found[2]):
        return HoldCommand(verb)
    items = sorted(set(map(int, _NUMBER.findall(found[2]))))
    return HoldCommand(verb, tuple(items))
