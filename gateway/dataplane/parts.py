"""A long message and its parts: each is judged with the text before and after it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from operator import attrgetter

from gateway.domain.msisdn import misread_as, msisdn_of
from gateway.domain.verdict import Finding
from gateway.filter.normalise.unicode_fold import FILLERS
from gateway.smpp.gsm0338 import Shift
from gateway.smpp.text import is_plain, little_endian_text, meant_texts, packed_text, readings

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

    yield joined(attrgetter("best"))
    for place in range(max(len(one.meant) for one in run)):
        yield joined(partial(PartTexts.as_meant, place=place))
    if any(one.packed is not None for one in run):
        yield joined(PartTexts.as_packed)
    if any(one.may_be_little_endian for one in run):
        yield joined(PartTexts.as_little_endian)


# How much text on either side a part is read with. Not counted in parts: empty parts between the
# halves of a word would use up the reach, and joining 255 large parts for each part would let one
# sender use 250 times its share of the CPU.
REACH_OCTETS = 4096

# If a part is longer than any phone gets, this much at either end is read with its neighbours: the
# part may go to hundreds of subscribers, and each may have other earlier parts.
_END_OCTETS = 1024

# What a part takes in memory: objects, its octets, and the texts read from them; more where its
# data_coding has many meanings.
_PART_OCTETS = 300
_OCTETS_PER_OCTET = 4

# A cut is made between characters of two octets, and between septets packed from the beginning.
_CUT_OCTETS = 14

# Sender, source, subscriber: phones join only parts that come from one address.
Owner = tuple[str, bytes, int | bytes]
Key = tuple[Owner, int, int]


def subscriber_of(address: bytes) -> int | bytes:
    """Return the key of a subscriber, the same for every spelling of the number.

    A North American number and the number that it may be misread as get one key, since they may
    be one phone: the SMSC decides.
    """
    number = msisdn_of(address)
    return address if number is None else misread_as(number) or number


@dataclass(frozen=True, slots=True)
class Part:
    """The text of one part, and what it may say by itself.

    `shift` are the national language tables that its header names, `fill_bits` the bits between
    the header and packed text. Only both ends of a long part are kept: this object is then the
    first end, `end` is the other one, and `digest` covers all octets of the part.
    """

    data_coding: int
    octets: bytes
    texts: PartTexts
    shift: Shift | None = None
    fill_bits: int = field(default=0, compare=False)
    end: "Part | None" = None
    digest: bytes = b""

    @property
    def cost_octets(self) -> int:
        """Return about how much memory it takes."""
        octets = len(self.octets)
        own = _PART_OCTETS + max(_OCTETS_PER_OCTET * octets, octets + self.texts.cost_octets)
        return own if self.end is None else own + self.end.cost_octets

    def shortened(self) -> "Part":
        """Return a part of blanks as its neighbours see it.

        If it has an odd number of octets, the last one is kept: it shifts the octets behind it.
        """
        octets, blank = self.octets[len(self.octets) & ~1 :], self.texts.blank or ""
        texts = PartTexts(blank, (blank,), is_plain=self.texts.is_plain, blank=blank)
        return Part(self.data_coding, octets, texts, self.shift)

    def cut(self, reach: int) -> "Part":
        """Return the part without what is further than `reach` octets from both ends."""
        last = self.end or self
        if len(self.octets) <= (2 * reach if self.end is None else reach):
            return self
        at = max(0, len(last.octets) - reach) // _CUT_OCTETS * _CUT_OCTETS
        end = replace(last, octets=last.octets[at:], texts=last.texts.within(slice(-reach, None)))
        digest = self.digest or blake2b(self.octets, digest_size=16).digest()
        texts = self.texts.within(slice(reach))
        return replace(self, octets=self.octets[:reach], texts=texts, end=end, digest=digest)


def part_of(
    data_coding: int, octets: bytes, best: str, *, fill_bits: int = 0, shift: Shift | None = None
) -> Part:
    """Return a part; `best` is its likeliest reading.

    `fill_bits` and `shift` come from its header (gateway.smpp.text.readings).
    """
    texts = part_texts(octets, data_coding, best, fill_bits=fill_bits, shift=shift)
    return Part(data_coding, octets, texts, shift, fill_bits)


# The parts on the left of one, the part, those on its right: all in the order of the text.
_Row = tuple[tuple[Part, ...], Part, tuple[Part, ...]]


@dataclass(slots=True, eq=False, repr=False)
class Joint:
    """One long message while its parts arrive, in any order, on any bind of the sender.

    The first part of a round is charged for all parts; a round ends when every part was seen.
    The parts of the last round are kept: if the SMSC rejected one of them, a phone keeps the
    others, and joins them with parts sent later.

    - `stopped`: the finding that stopped the text. It stops every later part too, so that the
      handset never assembles the message.
    - `refused`: the finding against the part that should have paid for the round. The other
      parts are not paid then.
    - `former`: parts that were replaced by others; older phones keep the former ones.
    - `withheld`: parts that no phone has. `doubtful`: parts that the SMSC may not have accepted.
      `settled`: parts of a message that was whole; phones forget those.
    """

    key: Key
    total: int
    expires_at: float
    parts: dict[int, Part] = field(default_factory=dict)
    former: dict[int, Part] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    withheld: set[int] = field(default_factory=set)
    doubtful: set[int] = field(default_factory=set)
    settled: set[int] = field(default_factory=set)
    octets: int = 0
    stopped: Finding | None = None
    refused: Finding | None = None

    @property
    def is_whole(self) -> bool:
        """Tell whether a phone has every part, of this round or of earlier ones."""
        missing = self.settled | self.withheld | self.doubtful
        return len(self.parts.keys() - missing) >= self.total

    @property
    def is_settled(self) -> bool:
        """Tell whether no part has come since its last round was whole."""
        return self.parts.keys() <= self.settled

    def doubt(self, number: int) -> None:
        """Note that the SMSC did not accept a part: phones wait for it, and keep the others."""
        self.doubtful.add(number)
        self.settled.clear()

    def delivered(self) -> tuple[dict[int, Part], dict[int, Part]]:
        """Return the parts that a phone may have, and the former parts in some of their places."""
        parts = {n: part for n, part in self.parts.items() if n not in self.withheld}
        former = {n: part for n, part in self.former.items() if n in parts}
        return self.former | parts, former

    def texts(
        self, number: int, part: Part, known: dict[object, tuple[str, ...]] | None = None
    ) -> tuple[str, ...]:
        """Return the readings of `part`, number `number`, between the parts beside it.

        A character may be cut between two parts, so octets are joined. A part may also end in half
        a character that phones drop, and each part has its own tables, so texts are joined as well.
        Return () for a part without neighbours. `known` caches the readings of the same part beside
        other parts.
        """
        known = {} if known is None else known
        found: dict[str, None] = {}
        for row in self._rows(number, part):
            read_before = known.get(row)
            if read_before is None:
                read_before = known[row] = _readings_of(row)
            found |= dict.fromkeys(read_before)
        return tuple(found)

    def _rows(self, number: int, part: Part) -> Iterable[_Row]:
        """Yield the part between its neighbours: the present ones, and the former ones."""
        part, tables = part.cut(_END_OCTETS), [self.parts]
        if self.former:
            tables.append(self.parts | self.former)
        for parts in tables:
            before, after = _beside(parts, number, -1), _beside(parts, number, 1)
            sides = [(before, after)]
            if any(one.texts.blank for one in (*before, *after)):
                sides.append((_without_blanks(before), _without_blanks(after)))
            for left, right in sides:
                rows: list[_Row] = [(left, part, right)]
                if part.end is not None:  # what lies between its ends was read by itself
                    rows = [(left, part, ()), ((), part.end, right)]
                yield from (row for row in rows if row[0] or row[2])


def _beside(parts: dict[int, Part], number: int, step: int) -> tuple[Part, ...]:
    """Return the unbroken run of parts on one side, in the order of the text.

    Parts of blanks do not use up the reach: otherwise thirty of them could separate the halves of
    a word. A part that shows nothing is left out; parts that show spaces become one space.
    """
    run: list[Part] = []
    octets = 0
    while octets < REACH_OCTETS and (part := parts.get(number + step)) is not None:
        number += step
        if part.texts.blank is not None:
            shortened = part.shortened()
            if shortened.octets or (shortened.texts.best and not (run and run[-1].texts.blank)):
                run.append(shortened)
            continue
        octets += len(part.octets)
        run.append(part.end if part.end is not None and step < 0 else part)
        if part.end is not None:
            break  # what stands between its ends is not known
    return tuple(run if step > 0 else reversed(run))


def _without_blanks(run: tuple[Part, ...]) -> tuple[Part, ...]:
    return tuple(part for part in run if part.texts.blank is None)


def _readings_of(row: _Row) -> tuple[str, ...]:
    before, part, after = row
    left = (p.octets[max(0, len(p.octets) - REACH_OCTETS) & ~1 :] for p in before)
    right = (p.octets[:REACH_OCTETS] for p in after)
    octets = b"".join((*left, part.octets, *right))
    texts = ([p.texts for p in before], part.texts, [p.texts for p in after])
    joined = joined_texts(*texts, REACH_OCTETS)
    return tuple(dict.fromkeys((*readings(octets, part.data_coding, shift=part.shift), *joined)))
