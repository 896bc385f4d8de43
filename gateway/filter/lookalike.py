"""Names and hosts made to be mistaken for known ones."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pkgutil import get_data

from gateway.filter.links import registrable_domain
from gateway.filter.normalise.folding import SIMPLIFYING, sound_of
from gateway.filter.normalise.unicode_fold import FILLERS
from gateway.filter.normalise.views import Views


class Likeness(StrEnum):
    """How one name is like another, the most obvious way first."""

    SPELLING = "spelling"
    SOUND = "sound"
    SHAPE = "shape"
    ONE_LETTER = "one_letter"
    INSIDE = "inside"
    OTHER_ENDING = "other_ending"


@dataclass(frozen=True, slots=True)
class LookAlike:
    """The name or host that another is mistaken for, `original`, and in which way."""

    original: str
    likeness: Likeness

    @property
    def said(self) -> str:
        """Return the original with the way in brackets."""
        return f"{self.original} ({self.likeness.replace('_', ' ')})"


# Mistaken for each other although they have no common component.
_ALONE = (
    "己已巳 末未 土士 日曰 人入八 大太犬 干千于 商裔 天夭 王玉 午牛 甲由申 贝见 戊戌戍 工土 子孑"
)
_NO_LETTER = re.compile(r"[\W_]+")
# Letters and digits that phone fonts show alike: o0, il1, rn and m, vv and w.
_ALIKE = str.maketrans("01i", "oll")
_HOST_MARKS = re.compile("[.-]")

# With fewer letters, half of all names are one letter from another name.
_MIN_LETTERS = 5
_MIN_INSIDE = 4
_MAX_NAME_CHARS = 64
_MASK = "\0"


class KnownNames:
    """Registered signatures and names of brands. Immutable: share it, swap it to reload.

    A look-up takes 10 us, for any number of names.
    """

    __slots__ = ("_by_letters", "_by_mask", "_by_sound", "_by_spelling", "_known")

    def __init__(self, names: Iterable[str]) -> None:
        self._known: set[str] = set()
        self._by_spelling: dict[str, str] = {}
        self._by_sound: dict[str, str] = {}
        self._by_mask: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._by_letters = _OneLetter()
        for name in names:
            closed = _closed(name)
            if not closed:
                continue
            self._known |= {name.strip(), SIMPLIFYING.fold(name.strip())}
            self._by_spelling.setdefault(_skeleton(closed), name)
            self._by_sound.setdefault(sound_of(closed), name)
            self._by_letters.add(_skeleton(closed), name)
            for masked in _masked(closed):
                self._by_mask[masked].append((closed, name))

    def like(self, name: str) -> LookAlike | None:
        """Return the known name that `name` imitates; None for a known name and for a new one.

        A name in another width, in another case or in traditional characters is the same name.
        """
        if self._is_known(name.strip()):
            return None
        closed = _closed(name[:_MAX_NAME_CHARS])
        if not closed:
            return None
        spelt = self._by_spelling.get(_skeleton(closed))
        if spelt is not None:
            return LookAlike(spelt, Likeness.SPELLING)
        sounding = self._by_sound.get(sound_of(closed))
        if sounding is not None:
            return LookAlike(sounding, Likeness.SOUND)
        shaped = self._of_the_same_shape(closed)
        if shaped is not None:
            return LookAlike(shaped, Likeness.SHAPE)
        near = self._by_letters.near(_skeleton(closed))
        return None if near is None else LookAlike(near, Likeness.ONE_LETTER)

    def _is_known(self, name: str) -> bool:
        # No sender writes its own name with invisible characters in it.
        return name in self._known or (
            SIMPLIFYING.fold(name) in self._known and not FILLERS.search(name)
        )

    def _of_the_same_shape(self, closed: str) -> str | None:
        for place, masked in enumerate(_masked(closed)):
            for known, name in self._by_mask.get(masked, ()):
                if closed[place] in _SHAPED.get(known[place], ()):
                    return name
        return None


class KnownDomains:
    """Registrable domains of registered senders and brands. Immutable, like KnownNames."""

    __slots__ = ("_by_label", "_by_label_spelling", "_by_letters", "_by_spelling", "_known")

    def __init__(self, domains: Iterable[str]) -> None:
        self._known = frozenset(domain.lower() for domain in domains)
        self._by_spelling: dict[str, str] = {}
        self._by_label: dict[str, str] = {}
        self._by_label_spelling: dict[str, str] = {}
        self._by_letters = _OneLetter()
        for domain in sorted(self._known):
            label = domain.partition(".")[0]
            self._by_spelling.setdefault(_host_skeleton(domain), domain)
            self._by_label.setdefault(label, domain)
            self._by_label_spelling.setdefault(_skeleton(label), domain)
            self._by_letters.add(_skeleton(label), domain)

    def like(self, host: str) -> LookAlike | None:
        """Return the known domain that `host` imitates; None for a known domain and all below it.

        icbc-com.cn and 1cbc.com.cn are spelt like icbc.com.cn. icbc-login.top, 1cbc-login.top and
        icbc.com.cn.evil.top have its name inside. icbc.top has another ending. alipya.com is one
        letter from alipay.com.
        """
        domain = registrable_domain(host) or host
        if domain in self._known:
            return None
        spelt = self._by_spelling.get(_host_skeleton(domain))
        if spelt is not None:
            return LookAlike(spelt, Likeness.SPELLING)
        label = domain.partition(".")[0]
        same = self._by_label.get(label)
        if same is not None:
            return LookAlike(same, Likeness.OTHER_ENDING)
        near = self._by_letters.near(_skeleton(label))
        if near is not None:
            return LookAlike(near, Likeness.ONE_LETTER)
        inside = next(self._inside(host), None)
        return None if inside is None else LookAlike(inside, Likeness.INSIDE)

    def _inside(self, host: str) -> Iterator[str]:
        for word in _HOST_MARKS.split(host):
            known = self._by_label_spelling.get(_skeleton(word))
            if len(word) >= _MIN_INSIDE and known is not None:
                yield known


class _OneLetter:
    """Words one letter apart: one letter more, less or different, or two swapped.

    Take one letter away from each of two such words: one of the results is common to both.
    """

    __slots__ = ("_by_rest",)

    def __init__(self) -> None:
        self._by_rest: dict[str, list[tuple[str, str]]] = defaultdict(list)

    def add(self, word: str, name: str) -> None:
        if _is_spelt(word):
            for rest in _rests(word):
                self._by_rest[rest].append((word, name))

    def near(self, word: str) -> str | None:
        if not _is_spelt(word):
            return None
        for rest in _rests(word):
            for other, name in self._by_rest.get(rest, ()):
                if _is_one_letter_from(word, other):
                    return name
        return None


def _is_spelt(word: str) -> bool:
    return word.isascii() and _MIN_LETTERS <= len(word) <= _MAX_NAME_CHARS


def _rests(word: str) -> list[str]:
    # In order, so that every process reports the same one of several known names.
    return list(dict.fromkeys([word, *(word[:at] + word[at + 1 :] for at in range(len(word)))]))


def _is_one_letter_from(one: str, other: str) -> bool:
    if len(one) != len(other):
        return True  # the longer one without a letter is the shorter one
    places = [at for at in range(len(one)) if one[at] != other[at]]
    if len(places) < 2:
        return True
    first, last = places[0], places[-1]
    return (
        len(places) == 2
        and last == first + 1
        and one[first] == other[last]
        and one[last] == other[first]
    )


def _closed(name: str) -> str:
    return _NO_LETTER.sub("", Views(name).folded)


def _skeleton(closed: str) -> str:
    return closed.replace("rn", "m").replace("vv", "w").translate(_ALIKE)


def _host_skeleton(domain: str) -> str:
    return _skeleton(_HOST_MARKS.sub("", Views(domain).folded))


def _masked(closed: str) -> Iterator[str]:
    return (closed[:at] + _MASK + closed[at + 1 :] for at in range(len(closed)))


def _shaped() -> dict[str, set[str]]:
    """Return each character with those of its shape."""
    table = (get_data("gateway.filter.normalise", "shape_table.txt") or b"").decode()
    _, _, groups = table.partition("\n\n")
    shaped: dict[str, set[str]] = defaultdict(set)
    for group in (*groups.split(), *_ALONE.split()):
        for one in group:
            shaped[one].update(group)
    return shaped


_SHAPED = _shaped()
