"""A long message and its parts: each is judged with the text before and after it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from gateway.dataplane.part_texts import PartTexts, joined_texts, part_texts
from gateway.domain.msisdn import misread_as, msisdn_of
from gateway.domain.verdict import Finding
from gateway.smpp.national_languages import Shift
from gateway.smpp.text import readings

# How much text to either side a part is read together with. Not counted in parts: empty ones
# between the halves of a word would use up the reach, and joining 255 large ones for each
# would let one sender buy 250 times its share of the CPU.
REACH_OCTETS = 4096

# Of a part that is longer than any phone gets, so much at either end is read with its neighbours:
# it may go to hundreds of subscribers, each of whom had other parts before.
_END_OCTETS = 1024

# What a part takes in memory: objects, its octets, and the texts read from them; more where its
# data_coding has many meanings.
_PART_OCTETS = 300
_OCTETS_PER_OCTET = 4

# A cut is made between characters of two octets, and between septets packed from the beginning.
_CUT_OCTETS = 14

# Sender, source, subscriber: phones put together only what comes from one address.
Owner = tuple[str, bytes, int | bytes]
Key = tuple[Owner, int, int]


def subscriber_of(address: bytes) -> int | bytes:
    """Return by whom a long message is known, however its parts spell the number.

    One of North America and who is read in its place may be one phone: the SMSC decides.
    """
    number = msisdn_of(address)
    return address if number is None else misread_as(number) or number


@dataclass(frozen=True, slots=True)
class Part:
    """The text of one part, and what it may say by itself.

    `shift` are the national language tables that its header names, and `fill_bits` what stands
    between the header and packed text. Of a long one only both ends are kept: it is the first
    of them then, `end` the other, and `digest` that of all its octets.
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
        """Return what it takes in memory, about."""
        octets = len(self.octets)
        own = _PART_OCTETS + max(_OCTETS_PER_OCTET * octets, octets + self.texts.cost_octets)
        return own if self.end is None else own + self.end.cost_octets

    def shortened(self) -> "Part":
        """Return a part of blanks as its neighbours see it.

        Of an odd number of octets the last is kept, which shifts those behind it.
        """
        octets, blank = self.octets[len(self.octets) & ~1 :], self.texts.blank or ""
        texts = PartTexts(blank, (blank,), is_plain=self.texts.is_plain, blank=blank)
        return Part(self.data_coding, octets, texts, self.shift)

    def cut(self, reach: int) -> "Part":
        """Return it without what is further than `reach` octets from both of its ends."""
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
    """Return a part of which `best` is the likeliest reading.

    `fill_bits` and `shift` are what its header says of its text (gateway.smpp.text.readings).
    """
    texts = part_texts(octets, data_coding, best, fill_bits=fill_bits, shift=shift)
    return Part(data_coding, octets, texts, shift, fill_bits)


# The parts on the left of one, the part, those on its right: all in the order of the text.
_Row = tuple[tuple[Part, ...], Part, tuple[Part, ...]]


class Joint:
    """One long message while its parts arrive, in any order, on any bind of the sender.

    The first part of a round is charged for all of them; a round ends when every part was
    seen. The parts of the last round are kept: a phone keeps them too when the SMSC refused
    one of them, and puts them together with what is sent later. Once `stopped` by a finding,
    every later part is stopped by the same: the handset never assembles it. `refused` is
    what is against the part that would have paid for the round: nobody has paid for the others.
    `former` are parts that others came in the place of: older phones keep those. Parts that
    were `withheld` are at no phone, `doubtful` those that the SMSC may not have taken; `settled`
    are of a message that was whole, which phones forget.
    """

    __slots__ = (
        "doubtful",
        "expires_at",
        "former",
        "key",
        "octets",
        "parts",
        "refused",
        "seen",
        "settled",
        "stopped",
        "total",
        "withheld",
    )

    def __init__(self, key: Key, total: int, expires_at: float) -> None:
        self.key = key
        self.total = total
        self.expires_at = expires_at
        self.parts: dict[int, Part] = {}
        self.former: dict[int, Part] = {}
        self.seen: set[int] = set()
        self.withheld: set[int] = set()
        self.doubtful: set[int] = set()
        self.settled: set[int] = set()
        self.octets = 0
        self.stopped: Finding | None = None
        self.refused: Finding | None = None

    @property
    def is_whole(self) -> bool:
        """Tell whether a phone has every part, of this round or of those before it."""
        missing = self.settled | self.withheld | self.doubtful
        return len(self.parts.keys() - missing) >= self.total

    @property
    def is_settled(self) -> bool:
        """Tell whether nothing came since its last round was whole."""
        return self.parts.keys() <= self.settled

    def doubt(self, number: int) -> None:
        """Note that the SMSC did not take a part: phones wait for it, and keep the others."""
        self.doubtful.add(number)
        self.settled.clear()

    def delivered(self) -> tuple[dict[int, Part], dict[int, Part]]:
        """Return the parts that a phone may have, and former ones in the place of some."""
        parts = {n: part for n, part in self.parts.items() if n not in self.withheld}
        former = {n: part for n, part in self.former.items() if n in parts}
        return self.former | parts, former

    def texts(
        self, number: int, part: Part, known: dict[object, tuple[str, ...]] | None = None
    ) -> tuple[str, ...]:
        """Return the readings of `part`, number `number`, between the parts beside it.

        A character may be cut between two parts, so octets are joined; and a part may end in
        half a character that phones drop, and each has tables of its own, so texts are joined
        as well. Of one that stands alone there are none. `known` keeps what was read of the
        same part beside others.
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
        """Yield the part between its neighbours: as they are, and as they were before."""
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

    Parts of blanks take no reach, or thirty of them would put the halves of a word out of each
    other's: one that shows nothing is left out, and those that show space are one space.
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
