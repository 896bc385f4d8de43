"""Add verdicts to the training samples, with no campaign in both training and measuring."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from gateway.filter.fingerprints import Signs, fingerprints_of
from gateway.systems.learning.samples import Sample, skeleton

# A verdict is from the carrier's own traffic and people: it counts as several collected texts.
USUAL_WEIGHT = 3
MAX_WEIGHT = 20

_MOST_OF_A_CAMPAIGN = 20
_BANDS, _AGREEING = 16, 22  # pairs and single ones of 64 signs, as gateway.filter.campaigns has
_FOUND_PER_BAND = 8
_HELD_OUT_OF = 10
_TEXTS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class SampleSplit:
    """The samples to train on, and the held-out samples to measure on.

    `added` verdicts are in `train`, each repeated by the weight; `left_out` belong to campaigns
    that are measured on; `repeated` are over the limit of their campaign.
    """

    train: list[Sample]
    held_out: list[Sample]
    added: int
    left_out: int
    repeated: int


def with_verdicts(
    verdicts: Sequence[Sample],
    train: Sequence[Sample],
    held_out: Sequence[Sample],
    *,
    weight: int = USUAL_WEIGHT,
    holds_out: bool,
) -> SampleSplit:
    """Add `verdicts`, the newest first, to the samples to train on.

    Texts that differ only in particulars are one campaign; each verdict gets the campaign's name
    as its group. A campaign in `held_out` stays out of the training, a campaign in `train` stays
    there; with `holds_out` every tenth of the other campaigns is held out. Of one campaign at
    most the newest twenty are trained on.
    """
    campaigns = _CampaignGroups(verdicts)
    measured = campaigns.among(held_out)
    trained = campaigns.among(train)
    more: list[Sample] = []
    measured_too: list[Sample] = []
    taken: dict[int, int] = {}
    left_out = repeated = 0
    for number, verdict in enumerate(verdicts):
        campaign = campaigns.of(number)
        verdict.group = f"verdicts:{skeleton(verdicts[campaign].text)}"
        if campaign in measured:
            left_out += 1
        elif holds_out and campaign not in trained and _is_tenth(verdicts[campaign]):
            measured_too.append(verdict)
        elif taken.get(campaign, 0) >= _MOST_OF_A_CAMPAIGN:
            repeated += 1
        else:
            taken[campaign] = taken.get(campaign, 0) + 1
            more.append(verdict)
    return SampleSplit(
        [*train, *more * weight], [*held_out, *measured_too], len(more), left_out, repeated
    )


def _is_tenth(first: Sample) -> bool:
    return crc32(skeleton(first.text).encode(errors="replace")) % _HELD_OUT_OF == 0


class _CampaignGroups:
    """Groups texts into campaigns: alike directly, or through other texts."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._parents = list(range(len(samples)))
        self._by_name: dict[int | str, int] = {}
        self._by_band: dict[tuple[int, bytes], list[int]] = {}
        self._signs: dict[int, Signs] = {}
        for number, (names, signs) in enumerate(_known_by(samples)):
            for other in self._alike(names, signs):
                self._join(number, other)
            for name in names:
                self._by_name.setdefault(name, number)
            if signs is not None:
                self._put(number, signs)

    def of(self, number: int) -> int:
        """Return the first text of the campaign of text `number`."""
        parents = self._parents
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    def among(self, samples: Sequence[Sample]) -> set[int]:
        """Return the campaigns that have a text in `samples`."""
        if not self._parents:
            return set()
        return {self.of(found) for known in _known_by(samples) for found in self._alike(*known)}

    def _put(self, number: int, signs: Signs) -> None:
        self._signs[number] = signs
        for band in _bands_of(signs):
            texts = self._by_band.setdefault(band, [])
            if len(texts) < _FOUND_PER_BAND:
                texts.append(number)

    def _alike(self, names: Sequence[int | str], signs: Signs | None) -> Iterator[int]:
        yield from (self._by_name[name] for name in names if name in self._by_name)
        if signs is None:
            return
        bands = _bands_of(signs)
        near = {number for band in bands for number in self._by_band.get(band, ())}
        for number in sorted(near):
            if np.count_nonzero(self._signs[number] == signs) >= _AGREEING:
                yield number

    def _join(self, one: int, other: int) -> None:
        first, second = sorted((self.of(one), self.of(other)))
        self._parents[second] = first


def _known_by(samples: Sequence[Sample]) -> Iterator[tuple[tuple[int | str, ...], Signs | None]]:
    """Yield for each text the names that it shares with texts alike, and its signs."""
    for at in range(0, len(samples), _TEXTS_AT_ONCE):
        some = samples[at : at + _TEXTS_AT_ONCE]
        found = fingerprints_of([one.text.sound for one in some])
        for sample, one in zip(some, found, strict=True):
            yield (one.skeleton, skeleton(sample.text)), one.signs


def _bands_of(signs: Signs) -> Iterator[tuple[int, bytes]]:
    for band in range(_BANDS):
        yield band, signs[2 * band : 2 * band + 2].tobytes()
