"""Which model is in force, which is in shadow, and the history of that, in one file."""

import json
import re
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

FORMAT = 1
# So many former models can be put back, one after the other.
FORMER_KEPT = 5
# The model files of so many of the latest acts stay too.
LAST_KEPT = 3
ACTS_KEPT = 200
MAX_STATE_OCTETS = 2**20

_DIGEST = re.compile("[0-9a-f]{64}")
_MAX_WORDS_CHARS = 1000


class ModelStateError(Exception):
    """The state file has no usable content; `place` says where in it."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place


class ModelActError(Exception):
    """The act is not possible in the present state of the models."""


class ModelAct(StrEnum):
    """What was done to a model."""

    INSTALL = "install"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class ModelEvent:
    """One act on record: `digest` names the model put in force, put in shadow, or withdrawn.

    For a rollback it is the model put back, "" if there was none before.
    """

    number: int
    act: ModelAct
    digest: str
    at: datetime
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class ModelState:
    """The state of the models. `actives` were in force one after the other; the last still is."""

    actives: tuple[str, ...] = ()
    shadow: str = ""
    events: tuple[ModelEvent, ...] = ()

    @property
    def active(self) -> str:
        """Return the digest of the model in force, "" without one."""
        return self.actives[-1] if self.actives else ""

    @property
    def kept(self) -> tuple[str, ...]:
        """Return the models with files to keep, each once.

        These are the models in force and in shadow, those that can be put back, and the models
        of the latest acts.
        """
        last = [event.digest for event in reversed(self.events)][:LAST_KEPT]
        names = (self.shadow, *reversed(self.actives), *last)
        return tuple(dict.fromkeys(name for name in names if name))

    def install(self, digest: str, at: datetime, by: str, note: str) -> "ModelState":
        """Put a model into shadow, replacing any other. Raises ModelActError."""
        if digest == self.active:
            raise ModelActError("this model is in force already")
        if digest == self.shadow:
            raise ModelActError("this model is in shadow already")
        return replace(self._noted(ModelAct.INSTALL, digest, at, by, note), shadow=digest)

    def promote(self, at: datetime, by: str, note: str) -> "ModelState":
        """Put the model in shadow in force. Raises ModelActError."""
        if not self.shadow:
            raise ModelActError("there is no model in shadow")
        actives = (*(one for one in self.actives if one != self.shadow), self.shadow)
        after = self._noted(ModelAct.PROMOTE, self.shadow, at, by, note)
        return replace(after, actives=actives[-FORMER_KEPT - 1 :], shadow="")

    def roll_back(self, at: datetime, by: str, note: str) -> "ModelState":
        """Put the previous model in force, or none if there is no previous one.

        Raises ModelActError.
        """
        if not self.actives:
            raise ModelActError("there is no model in force")
        before = self.actives[:-1]
        after = self._noted(ModelAct.ROLLBACK, before[-1] if before else "", at, by, note)
        return replace(after, actives=before)

    def withdraw(self, at: datetime, by: str, note: str) -> "ModelState":
        """Remove the model in shadow. Raises ModelActError."""
        if not self.shadow:
            raise ModelActError("there is no model in shadow")
        return replace(
            self._noted(ModelAct.WITHDRAW, self.shadow, at, by, note),
            shadow="",
        )

    def _noted(self, act: ModelAct, digest: str, at: datetime, by: str, note: str) -> "ModelState":
        number = self.events[-1].number + 1 if self.events else 1
        event = ModelEvent(number, act, digest, at, by, note)
        return replace(self, events=(*self.events, event)[-ACTS_KEPT:])


def written(state: ModelState) -> bytes:
    """Return `state` as the octets of its file."""
    said = {
        "format": FORMAT,
        "actives": state.actives,
        "shadow": state.shadow,
        "events": [asdict(one) | {"at": one.at.isoformat()} for one in state.events],
    }
    return json.dumps(said, ensure_ascii=False, indent=1).encode()


def read(octets: bytes) -> ModelState:
    """Return the state in `octets`, which are not trusted. Raises ModelStateError."""
    if len(octets) > MAX_STATE_OCTETS:
        raise ModelStateError("file", f"over {MAX_STATE_OCTETS} octets")
    try:
        said: object = json.loads(octets)
    except (ValueError, RecursionError) as error:
        raise ModelStateError("file", "it is no JSON") from error
    fields = _fields(said, "file", {"format", "actives", "shadow", "events"})
    if fields["format"] != FORMAT:
        raise ModelStateError("format", f"it is not {FORMAT}")
    actives = tuple(_digest(one, "actives") for one in _items(fields["actives"], "actives"))
    if len(set(actives)) != len(actives) or len(actives) > FORMER_KEPT + 1:
        raise ModelStateError("actives", f"one is there twice, or over {FORMER_KEPT + 1}")
    shadow = "" if fields["shadow"] == "" else _digest(fields["shadow"], "shadow")
    listed = _items(fields["events"], "events")
    if len(listed) > ACTS_KEPT:
        raise ModelStateError("events", f"over {ACTS_KEPT}")
    events = tuple(_event(one, f"events[{place}]") for place, one in enumerate(listed))
    if any(later.number <= earlier.number for earlier, later in pairwise(events)):
        raise ModelStateError("events", "their numbers do not grow")
    return ModelState(actives, shadow, events)


def _event(said: object, place: str) -> ModelEvent:
    fields = _fields(said, place, {"number", "act", "digest", "at", "by", "note"})
    number, act, digest = fields["number"], fields["act"], fields["digest"]
    if type(number) is not int or number < 1:
        raise ModelStateError(f"{place}.number", "it is no number from 1 on")
    if not isinstance(act, str) or act not in set(ModelAct):
        raise ModelStateError(f"{place}.act", f"it is none of {', '.join(ModelAct)}")
    return ModelEvent(
        number,
        ModelAct(act),
        "" if digest == "" else _digest(digest, f"{place}.digest"),
        _time(fields["at"], f"{place}.at"),
        _words(fields["by"], f"{place}.by"),
        _words(fields["note"], f"{place}.note"),
    )


def _fields(said: object, place: str, names: set[str]) -> dict[str, object]:
    if not isinstance(said, dict) or said.keys() != names:
        raise ModelStateError(place, f"it is no mapping of {', '.join(sorted(names))}")
    return said


def _items(said: object, place: str) -> list[object]:
    if not isinstance(said, list):
        raise ModelStateError(place, "it is no list")
    return said


def _digest(said: object, place: str) -> str:
    if not isinstance(said, str) or not _DIGEST.fullmatch(said):
        raise ModelStateError(place, "it is no SHA-256 in hex")
    return said


def _time(said: object, place: str) -> datetime:
    try:
        time = datetime.fromisoformat(said) if isinstance(said, str) else None
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ModelStateError(place, "it is no time with an offset")
    return time


def _words(said: object, place: str) -> str:
    if not isinstance(said, str) or len(said) > _MAX_WORDS_CHARS:
        raise ModelStateError(place, f"it is no text of at most {_MAX_WORDS_CHARS} characters")
    return said
