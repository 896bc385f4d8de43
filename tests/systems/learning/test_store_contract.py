"""What gateway.systems.learning.model promises, on every store."""

import asyncio
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.domain.records import NewPurge
from gateway.runtime.sealing import Keys
from gateway.stores import Stores, open_store, reseal_store
from gateway.systems.learning import sql as sql_samples
from gateway.systems.learning.model import (
    KeptSample,
    NewSample,
    SampleCount,
    SampleLabel,
    SampleSource,
)
from gateway.systems.learning.sql import samples_table as samples

pytestmark = pytest.mark.every_store

Builder = Callable[..., NewSample]

HAM, SPAM = SampleLabel.HAM, SampleLabel.SPAM
REVIEW, COMPLAINT = SampleSource.REVIEW, SampleSource.COMPLAINT
LOAN = "急用钱找我，身份证就能贷，当天到账"


@pytest.fixture
def sample(noon: datetime) -> Builder:
    """Build a verdict of spam; give what should be otherwise."""
    usual = NewSample(LOAN, "5c" * 32, SPAM, "loan", REVIEW, "port", "sp1", noon, "lin")
    return lambda **changes: replace(usual, **changes)


def test_there_is_a_column_for_each_field_of_a_sample() -> None:
    named = [field.name for field in fields(NewSample)]

    assert [column.name for column in samples.columns] == ["number", *named]


async def test_a_verdict_comes_back_as_it_was_given(stores: Stores, sample: Builder) -> None:
    assert await stores.samples.keep([sample()]) == [1]

    given = {field.name: getattr(sample(), field.name) for field in fields(NewSample)}
    assert await stores.samples.get(1) == KeptSample(**given, number=1)
    assert await stores.samples.get(2) is None


async def test_of_two_verdicts_on_a_text_the_last_one_stands(
    stores: Stores, sample: Builder, noon: datetime
) -> None:
    later = noon + timedelta(hours=1)
    await stores.samples.keep([sample()])

    again = sample(label=HAM, category="", at=later, by="wu")
    assert await stores.samples.keep([again]) == [2]

    (stands,) = await stores.samples.find()
    assert (stands.label, stands.by, stands.at) == (HAM, "wu", later)
    assert await stores.samples.get(1) is None
    assert await stores.journals.purges() == []


async def test_a_verdict_that_comes_late_does_not_undo_a_later_one(
    stores: Stores, sample: Builder, noon: datetime
) -> None:
    await stores.samples.keep([sample(label=HAM)])

    late = [sample(at=noon - timedelta(seconds=1)), sample(digest="other")]
    assert await stores.samples.keep(late) == [None, 2]

    (_, stands) = await stores.samples.find()
    assert (stands.number, stands.label) == (1, HAM)


async def test_of_verdicts_given_together_the_last_on_a_text_stands(
    stores: Stores, sample: Builder
) -> None:
    assert await stores.samples.keep([sample(), sample(label=HAM)]) == [1, 2]
    assert await stores.samples.keep([]) == []

    (stands,) = await stores.samples.find()
    assert (stands.number, stands.label) == (2, HAM)


async def test_samples_are_found_by_what_they_are_the_newest_first(
    stores: Stores, sample: Builder
) -> None:
    kept = stores.samples
    await kept.keep(
        [
            sample(digest="a"),
            sample(digest="b", label=HAM, category=""),
            sample(digest="c", source=COMPLAINT, system_id="sp2"),
            sample(digest="d", category="gambling"),
        ]
    )

    assert [one.number for one in await kept.find()] == [4, 3, 2, 1]
    assert [one.number for one in await kept.find(label=SPAM, limit=2)] == [4, 3]
    assert [one.number for one in await kept.find(label=SPAM, before=3)] == [1]
    assert [one.number for one in await kept.find(category="loan")] == [3, 1]
    assert [one.number for one in await kept.find(source=COMPLAINT)] == [3]
    assert [one.number for one in await kept.find(system_id="sp1")] == [4, 2, 1]


async def test_samples_are_counted_by_label_category_and_source(
    stores: Stores, sample: Builder
) -> None:
    assert await stores.samples.counts() == []
    for digest, category in (("a", "loan"), ("b", "gambling"), ("c", "loan")):
        await stores.samples.keep([sample(digest=digest, category=category)])
    await stores.samples.keep([sample(digest="d", label=HAM, category="", source=COMPLAINT)])

    assert await stores.samples.counts() == [
        SampleCount(HAM, "", COMPLAINT, 1),
        SampleCount(SPAM, "gambling", REVIEW, 1),
        SampleCount(SPAM, "loan", REVIEW, 2),
    ]


async def test_what_is_forgotten_stands_in_the_journal(
    stores: Stores, sample: Builder, noon: datetime
) -> None:
    kept = stores.samples
    for days in range(3):
        await kept.keep([sample(digest=str(days), at=noon + timedelta(days=days))])
    purge = NewPurge("samples", noon, noon, 0, noon, "lin")

    assert [one.number for one in await kept.kept_before(noon + timedelta(days=2))] == [1, 2]
    assert await kept.kept_before(noon) == []
    later = await kept.kept_before(noon + timedelta(days=9), after=1, limit=1)
    assert [one.number for one in later] == [2]

    assert await kept.forget([1, 3, 9], purge) == 2
    assert await kept.forget([9], purge) == 0
    assert [one.number for one in await kept.find()] == [2]
    (noted,) = await stores.journals.purges()
    assert (noted.what, noted.count) == ("samples", 2)
    assert await kept.keep([sample(digest="0")]) == [4]


async def test_of_too_many_samples_the_oldest_go_together_and_are_journaled(
    stores: Stores, sample: Builder, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_samples, "SAMPLES_KEPT", 4)
    monkeypatch.setattr(sql_samples, "EVICTED_AT_ONCE", 3)

    for hour in range(6):
        await stores.samples.keep([sample(digest=str(hour), at=noon + timedelta(hours=hour))])

    assert [one.number for one in await stores.samples.find()] == [6, 5, 4]
    (noted,) = await stores.journals.purges()
    assert (noted.what, noted.count, noted.by) == ("samples", 3, "lin")
    assert (noted.since, noted.until) == (noon, noon + timedelta(hours=2))
    assert noted.at == noon + timedelta(hours=4)

    await stores.samples.keep([sample(digest=f"more {hour}") for hour in range(8)])
    assert [one.number for one in await stores.samples.find()] == [14, 13]


def test_a_sample_prints_no_text(sample: Builder) -> None:
    assert LOAN not in repr(sample())


async def test_in_a_sealed_store_neither_text_nor_digest_stands_open(
    sqlite_url: str, database_file: Path, keys: Keys, sample: Builder
) -> None:
    stores = await open_store(sqlite_url, keys=keys)
    await stores.samples.keep([sample()])
    (kept,) = await stores.samples.find()
    await stores.close()

    octets = b"".join(
        path.read_bytes() for path in database_file.parent.glob(f"{database_file.name}*")
    )
    assert kept.text == LOAN
    assert LOAN.encode() not in octets
    assert sample().digest.encode() not in octets


async def test_what_was_sealed_with_another_key_is_still_one_sample_of_its_text(
    sqlite_url: str, keys: Keys, sample: Builder, noon: datetime
) -> None:
    stores = await open_store(sqlite_url, keys=keys)
    await stores.samples.keep([sample(), sample(digest="other")])
    await stores.close()

    turned = Keys(keys.by_id, "k2")
    await asyncio.to_thread(reseal_store, sqlite_url, turned, lambda _done, _total: None)

    stores = await open_store(sqlite_url, keys=turned)
    assert [one.text for one in await stores.samples.find()] == [LOAN, LOAN]
    assert await stores.samples.keep([sample(label=HAM, at=noon + timedelta(days=1))]) == [3]
    assert [one.number for one in await stores.samples.find()] == [3, 2]
    await stores.close()
