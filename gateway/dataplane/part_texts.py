"""What one part of a long message may say, and what parts in a row may say together."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from gateway.filter.unicode_fold import FILLERS
from gateway.smpp.national_languages import Shift
from gateway.smpp.text import is_plain, little_endian_text, meant_texts, packed_text

# The shortest part that can count as blank: a shorter one may hold half a character.
_BLANK_OCTETS = 16


@dataclass(frozen=True, slots=True)
class PartTexts:
    """The readings of one part by itself, as a phone makes them before it joins the texts.

    - `best`: the likeliest.
    - `meant`: what its data_coding may mean, in the order of
      `gateway.smpp.alphabets.meanings_of`, with the national language tables of its own header.
    - `packed`: its text if the octets may be packed septets.
    - `little_endian`: its text if the octets may be little-endian UCS-2. If `is_plain`, they look
      like big-endian UCS-2 only, and count as little-endian only if a neighbour does.
    - `blank`: what a part of blanks shows between its neighbours in all other readings: a space,
      or "" if it shows nothing. None for a part that shows text.
    """

    best: str
    meant: tuple[str, ...]
    packed: str | None = None
    little_endian: str | None = None
    is_plain: bool = False
    blank: str | None = None

    @property
    def cost_octets(self) -> int:
        """Return about how much memory they take: two octets a character."""
        texts = (self.best, *self.meant, self.packed or "", self.little_endian or "")
        return 2 * sum(map(len, texts))

    @property
    def may_be_little_endian(self) -> bool:
        """Tell whether its octets leave open that they are little-endian UCS-2."""
        return self.little_endian is not None and not self.is_plain

    def within(self, span: slice) -> "PartTexts":
        """Return the same `span` of each reading."""
        return PartTexts(
            self.best[span],
            tuple(text[span] for text in self.meant),
            None if self.packed is None else self.packed[span],
            None if self.little_endian is None else self.little_endian[span],
            self.is_plain,
        )

    def as_best(self) -> str:
        """Return the likeliest reading."""
        return self.best

    def as_meant(self, place: int) -> str:
        """Return the reading at one place of `meant`, or the last if there are fewer."""
        return self.meant[min(place, len(self.meant) - 1)]

    def as_packed(self) -> str:
        """Return the text as packed septets, or its 3GPP reading if it cannot be packed."""
        return self.as_meant(1) if self.packed is None else self.packed

    def as_little_endian(self) -> str:
        """Return the text as little-endian UCS-2, or its 3GPP reading if it cannot be UCS-2."""
        return self.as_meant(1) if self.little_endian is None else self.little_endian


def part_texts(
    octets: bytes, data_coding: int, best: str, *, fill_bits: int = 0, shift: Shift | None = None
) -> PartTexts:
    """Return the readings of a part; `best` is the likeliest.

    `fill_bits` and `shift` come from its header (gateway.smpp.text.readings).
    """
    meant = meant_texts(octets, data_coding, shift=shift)
    packed = packed_text(octets, data_coding, fill_bits=fill_bits, shift=shift)
    little_endian = little_endian_text(octets, data_coding)
    blank = _blank_of((best, *meant, packed or "")) if len(octets) >= _BLANK_OCTETS else None
    return PartTexts(best, meant, packed, little_endian, is_plain(octets, data_coding), blank)


def _blank_of(texts: Sequence[str]) -> str | None:
    left = [FILLERS.sub("", text) for text in texts]
    if any(text.strip() for text in left):
        return None
    return " " if any(left) else ""


def joined_texts(
    before: Sequence[PartTexts], texts: PartTexts, after: Sequence[PartTexts], reach: int
) -> Iterator[str]:
    """Yield what a part says between its neighbours, with at most `reach` characters of each.

    First the likeliest readings, then the readings by each standard; packed septets and
    little-endian UCS-2 only if at least one of the parts may be that.
    """
    run = (*before, texts, *after)

    def joined(read: Callable[[PartTexts], str]) -> str:
        left = (read(one)[-reach:] for one in before)
        right = (read(one)[:reach] for one in after)
        return "".join((*left, read(texts), *right))

    yield joined(PartTexts.as_best)
    for place in range(max(len(one.meant) for one in run)):
        yield joined(partial(PartTexts.as_meant, place=place))
    if any(one.packed is not None for one in run):
        yield joined(PartTexts.as_packed)
    if any(one.may_be_little_endian for one in run):
        yield joined(PartTexts.as_little_endian)
