"""What one part of a long message may say, and what parts in a row may say together."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from gateway.filter.unicode_fold import FILLERS
from gateway.smpp.national_languages import Shift
from gateway.smpp.text import is_plain, little_endian_text, meant_texts, packed_text

# The shortest part that may count as blank: a shorter one may hold half a character.
_BLANK_OCTETS = 16


@dataclass(frozen=True, slots=True)
class PartTexts:
    """The readings of one part by itself, as a phone makes them before it joins the texts.

    `best` is the likeliest. `meant` are those that its data_coding may mean, in the order of
    `gateway.smpp.alphabets.meanings_of`, by the national language tables of its own header;
    `packed` is what it says where its octets may be packed septets, and `little_endian` where
    they may be UCS-2. One that `is_plain` is not likely to be that: it is if its neighbours are.
    `blank` is what a part of blanks shows between its neighbours in all other readings: a space,
    or "" where it shows nothing; None for a part that shows text.
    """

    best: str
    meant: tuple[str, ...]
    packed: str | None = None
    little_endian: str | None = None
    is_plain: bool = False
    blank: str | None = None

    @property
    def cost_octets(self) -> int:
        """Return what they take in memory, about: two octets a character."""
        texts = (self.best, *self.meant, self.packed or "", self.little_endian or "")
        return 2 * sum(map(len, texts))

    @property
    def may_be_little_endian(self) -> bool:
        """Tell whether its own octets do not say that they are no little-endian UCS-2."""
        return self.little_endian is not None and not self.is_plain

    def within(self, span: slice) -> "PartTexts":
        """Return the same `span` of each."""
        return PartTexts(
            self.best[span],
            tuple(text[span] for text in self.meant),
            None if self.packed is None else self.packed[span],
            None if self.little_endian is None else self.little_endian[span],
            self.is_plain,
        )

    def as_best(self) -> str:
        """Return the likeliest."""
        return self.best

    def as_meant(self, place: int) -> str:
        """Return the reading at one place of `meant`, the last where it has fewer."""
        return self.meant[min(place, len(self.meant) - 1)]

    def as_packed(self) -> str:
        """Return it read as packed septets, as 3GPP reads it where it is none."""
        return self.as_meant(1) if self.packed is None else self.packed

    def as_little_endian(self) -> str:
        """Return it read in little-endian UCS-2, as 3GPP reads it where it is none."""
        return self.as_meant(1) if self.little_endian is None else self.little_endian


def part_texts(
    octets: bytes, data_coding: int, best: str, *, fill_bits: int = 0, shift: Shift | None = None
) -> PartTexts:
    """Return the texts of a part of which `best` is the likeliest reading.

    `fill_bits` and `shift` are what its header says of them (gateway.smpp.text.readings).
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
    """Yield what a part says between those beside it, of each at most `reach` characters.

    The likeliest of each, those of each by one standard, and those of packed septets and of
    little-endian UCS-2 where one of them may be that.
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
