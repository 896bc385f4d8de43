"""The carrier's own service codes, as 10086: a message to them concerns every SP."""

from dataclasses import dataclass
from enum import StrEnum


class CancelAll(StrEnum):
    """What 00000 to a hub code does (R34): EXECUTE is the rule of 2004, LIST_ONLY today's."""

    EXECUTE = "execute"
    CONFIRM = "confirm"
    LIST_ONLY = "list_only"


@dataclass(frozen=True, slots=True)
class Hub:
    """The codes, and what 00000 does there. Without a code there is no hub."""

    codes: frozenset[str] = frozenset()
    cancel_all: CancelAll = CancelAll.CONFIRM
