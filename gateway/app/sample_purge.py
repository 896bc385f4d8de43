"""Labelled texts that are past keeping go as records do."""

from gateway.app.purge import PagePurger, Purger
from gateway.domain.privacy import LegalHold
from gateway.domain.sample import KeptSample
from gateway.ports.samples import SampleStore


def sample_purger(samples: SampleStore) -> Purger:
    """Return what purges samples by the time of their verdict.

    No legal hold keeps one: it is a copy to learn from, without the numbers that would make it
    evidence. The message it was made from stays with the hold.
    """
    return PagePurger(
        "samples",
        lambda before, after: samples.kept_before(before, after=after),
        samples.forget,
        lambda sample: sample.number,
        lambda sample: sample.at,
        _keeps,
    )


def _keeps(_hold: LegalHold, _sample: KeptSample) -> bool:
    return False
