"""The in-memory twin of labelled texts (contract: gateway.ports.samples).

One event loop uses it, and no call awaits anything: each is atomic as it is.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from itertools import islice

from gateway.domain.privacy import NewPurge
from gateway.domain.sample import (
    KeptSample,
    NewSample,
    SampleCount,
    SampleLabel,
    SampleSource,
)
from gateway.ports.samples import EVICTED_AT_ONCE, SAMPLES_KEPT
from gateway.stores.memory_privacy import MemoryJournals


class MemorySamples:
    """Twin of the store of samples."""

    def __init__(self, journals: MemoryJournals) -> None:
        self._journals = journals
        self._last = 0
        self._samples: dict[int, KeptSample] = {}
        self._numbers: dict[str, int] = {}

    async def keep(self, samples: Sequence[NewSample]) -> list[int | None]:
        numbers = [self._put(sample) for sample in samples]
        while len(self._samples) > SAMPLES_KEPT:
            oldest = list(islice(self._samples.values(), EVICTED_AT_ONCE))
            times, newest = [one.at for one in oldest], samples[-1]
            purge = NewPurge("samples", min(times), max(times), 0, newest.at, newest.by)
            await self.forget([one.number for one in oldest], purge)
        return numbers

    async def get(self, number: int) -> KeptSample | None:
        return self._samples.get(number)

    async def find(
        self,
        *,
        label: SampleLabel | None = None,
        category: str | None = None,
        source: SampleSource | None = None,
        system_id: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[KeptSample]:
        found = (
            one
            for one in reversed(self._samples.values())
            if label in (None, one.label)
            and category in (None, one.category)
            and source in (None, one.source)
            and system_id in (None, one.system_id)
            and (before is None or one.number < before)
        )
        return list(islice(found, limit))

    async def counts(self) -> list[SampleCount]:
        counted = Counter((one.label, one.category, one.source) for one in self._samples.values())
        return [SampleCount(*kind, counted[kind]) for kind in sorted(counted)]

    async def kept_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[KeptSample]:
        found = (one for one in self._samples.values() if one.number > after and one.at < before)
        return list(islice(found, limit))

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        gone = self._samples.keys() & set(numbers)
        for number in gone:
            del self._numbers[self._samples.pop(number).digest]
        if gone:
            await self._journals.note_purge(replace(purge, count=len(gone)))
        return len(gone)

    def _put(self, sample: NewSample) -> int | None:
        earlier = self._numbers.get(sample.digest)
        if earlier is not None:
            if self._samples[earlier].at > sample.at:
                return None
            del self._samples[earlier]
        self._last += 1
        given = {field.name: getattr(sample, field.name) for field in fields(sample)}
        self._samples[self._last] = KeptSample(**given, number=self._last)
        self._numbers[sample.digest] = self._last
        return self._last
