"""What one part of a long message may say, and what parts in a row may say together."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from gateway.smpp.national_languages import Shift
from gateway.smpp.text import meant_texts, packed_text


@dataclass(frozen=True, slots=True)
class PartTexts:
    """The readings of one part by itself, as a phone makes them before it joins the texts.

    `best` is the likeliest. `meant` are those that its data_coding may mean, in the order of
    `gateway.smpp.alphabets.meanings_of`, by the national language tables of its own header; and
    `packed` is what it says where its octets may be packed septets.
    """

    best: str
    meant: tuple[str, ...]
    packed: str | None = None

    @property
    def cost_octets(self) -> int:
        """Return what they take in memory, about: two octets a character."""
        return 2 * sum(map(len, (self.best, *self.meant, self.packed or "")))

    def within(self, span: slice) -> "PartTexts":
        """Return the same `span` of each."""
        packed = None if self.packed is None else self.packed[span]
        return PartTexts(self.best[span], tuple(text[span] for text in self.meant), packed)

    def as_best(self) -> str:
        """Return the likeliest."""
        return self.best

    def as_meant(self, place: int) -> str:
        """Return the reading at one place of `meant`, the last where it has fewer."""
        return self.meant[min(place, len(self.meant) - 1)]

    def as_packed(self) -> str:
        """Return it read as packed septets, as 3GPP reads it where it is none."""
        return self.as_meant(1) if self.packed is None else self.packed


def part_texts(
    octets: bytes, data_coding: int, best: str, *, fill_bits: int = 0, shift: Shift | None = None
) -> PartTexts:
    """Return the texts of a part of which `best` is the likeliest reading.

    `fill_bits` and `shift` are what its header says of them (gateway.smpp.text.readings).
    """
    meant = meant_texts(octets, data_coding, shift=shift)
    packed = packed_text(octets, data_coding, fill_bits=fill_bits, shift=shift)
    return PartTexts(best, meant, packed)


def joined_texts(
    before: Sequence[PartTexts], texts: PartTexts, after: Sequence[PartTexts], reach: int
) -> Iterator[str]:
    """Yield what a part says between those beside it, of each at most `reach` characters.

    The likeliest of each, those of each by one standard, and those of packed septets.
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
