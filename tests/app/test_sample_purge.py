"""How long verdicts are kept to learn from: as long as records, and no hold keeps them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway.app.purge import PurgeErrand, PurgeResult, purge_before
from gateway.app.sample_purge import sample_purger
from gateway.domain.privacy import LegalHold
from gateway.domain.sample import NewSample, SampleLabel, SampleSource
from gateway.stores.open import memory_stores

THEN = datetime(2013, 9, 30, 8, 30, tzinfo=UTC)
NOW = datetime(2014, 4, 15, 3, tzinfo=UTC)
SAMPLE = NewSample(
    text="急用钱找我，身份证就能贷",
    digest="5c" * 32,
    label=SampleLabel.SPAM,
    category="loan",
    source=SampleSource.REVIEW,
    text_class="port",
    system_id="shop",
    at=THEN,
    by="lin",
)
HOLD = LegalHold(
    1, THEN - timedelta(days=1), THEN + timedelta(days=1), "shop", None, "case", "12", "wu", NOW
)


async def test_r72_samples_go_when_records_go_and_no_hold_keeps_a_copy_without_numbers() -> None:
    stores = memory_stores()
    recent = NOW - timedelta(days=10)
    await stores.samples.keep([SAMPLE, replace(SAMPLE, digest="other", at=recent)])
    errand = PurgeErrand(purge_before(6, NOW), [HOLD], NOW, "daily")
    purger = sample_purger(stores.samples)

    rehearsed = await purger.purge(replace(errand, is_rehearsal=True))
    assert rehearsed == PurgeResult("samples", 1, 0)
    assert len(await stores.samples.find()) == 2

    assert await purger.purge(errand) == PurgeResult("samples", 1, 0)
    assert [one.at for one in await stores.samples.find()] == [recent]
    (noted,) = await stores.journals.purges()
    assert (noted.what, noted.since, noted.until, noted.by) == ("samples", THEN, THEN, "daily")
