"""How long verdicts are kept to learn from: as long as records, and no hold keeps them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway.app.housekeeping import PurgeJob, PurgeResult, purge_before, purgers_of
from gateway.stores import Stores
from gateway.systems.learning.model import NewSample, SampleLabel, SampleSource
from gateway.systems.legal_holds.model import LegalHold

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
    THEN - timedelta(days=1), THEN + timedelta(days=1), "shop", None, "case", "12", "wu", NOW, 1
)


async def test_r72_samples_go_when_records_go_and_no_hold_keeps_a_copy_without_numbers(
    stores: Stores,
) -> None:
    recent = NOW - timedelta(days=10)
    await stores.samples.keep([SAMPLE, replace(SAMPLE, digest="other", at=recent)])
    job = PurgeJob(purge_before(6, NOW), [HOLD], NOW, "daily")
    purger = purgers_of(stores)["samples"]

    rehearsed = await purger.purge(replace(job, is_rehearsal=True))
    assert rehearsed == PurgeResult("samples", 1, 0)
    assert len(await stores.samples.find()) == 2

    assert await purger.purge(job) == PurgeResult("samples", 1, 0)
    assert [one.at for one in await stores.samples.find()] == [recent]
    (noted,) = await stores.journals.purges()
    assert (noted.what, noted.since, noted.until, noted.by) == ("samples", THEN, THEN, "daily")
