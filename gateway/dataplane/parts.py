"""A long message and its parts: each is judged with the text before and after it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from gateway.dataplane.part_texts import PartTexts, joined_texts, part_texts
from gateway.domain.msisdn import misread_as, msisdn_of
from gateway.domain.verdict import Finding
from gateway.smpp.national_languages import Shift
from gateway.smpp.text import readings

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
