"""`smsward warnings try`: what rows would have warned of, by the counts that are kept."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.detector import Baseline, Detector, Measure
from gateway.domain.warning import WarningCode
from gateway.policy.hours import HolidayCalendar, RuleLocale
from gateway.stores import Stores
from gateway.systems.early_warnings.detector_judge import STEPS_PER_HOUR
from gateway.systems.early_warnings.detector_trial import DetectorTrial

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]

NUMBER = "13900000001"
NOW = 1_000_003  # the step that was judged last, since 1970: nobody looks at a clock
LAST = NOW // STEPS_PER_HOUR
SHARE = Detector(
    "share",
    WarningCode.W1,
    Measure.UNSIGNED,
    Measure.MESSAGES,
    window=timedelta(minutes=30),
    baseline=Baseline.DAYS,
    share=0.03,
    times=5,
    least=20,
)
BURST = Detector("burst", WarningCode.W7, Measure.MESSAGES, baseline=Baseline.SAME_HOUR, times=3)
ROWS = """version: 1
detectors:
  share: {warning: W1, counts: unsigned, per: messages, baseline: days, share: 0.03, least: 20}
  burst: {warning: W7, counts: messages, baseline: same_hour, times: 3, z: 6}
"""


async def keep_counts(stores: Stores, port: str = "10690001") -> None:
    """Keep 28 days of a port; two days ago an hour without signatures, three ago a burst."""
    counts = {}
    for hour in range(LAST - 24 * 28, LAST + 1):
        counts[hour * STEPS_PER_HOUR + 3, "shop", port] = {Measure.MESSAGES: 300}
    counts[(LAST - 48) * STEPS_PER_HOUR + 3, "shop", port] = {
        Measure.MESSAGES: 300,
        Measure.UNSIGNED: 90,
    }
    counts[(LAST - 72) * STEPS_PER_HOUR + 3, "shop", port] = {Measure.MESSAGES: 3000}
    counts[LAST * STEPS_PER_HOUR, "shop", port] = {Measure.MESSAGES: 9000, Measure.UNSIGNED: 9000}
    await stores.detectors.add(counts, {"revision": "1", "judged": str(NOW)})


async def tried(stores: Stores, *rows: Detector, days: int = 7) -> list[tuple[str, int]]:
    trial = DetectorTrial(rows, RuleLocale(calendar=HolidayCalendar("none")), days)
    await trial.run(stores.detectors)
    return [(one.detector.id, one.end // STEPS_PER_HOUR - LAST) for one in trial.warnings]


async def test_r95_rows_are_tried_on_the_hours_that_were_judged(stores: Stores) -> None:
    await keep_counts(stores)

    assert await tried(stores, SHARE, BURST) == [("burst", -71), ("share", -47)]
    assert await tried(stores, SHARE, BURST, days=2) == [("share", -47)]
    assert await tried(stores, SHARE, BURST, days=1) == []


async def test_r95_a_trial_raises_a_warning_once_in_24_hours(stores: Stores) -> None:
    unsigned = {Measure.MESSAGES: 300, Measure.UNSIGNED: 90}
    counts = {
        (hour * STEPS_PER_HOUR, "shop", "10690001"): unsigned for hour in range(LAST - 30, LAST)
    }
    await stores.detectors.add(counts, {"revision": "1", "judged": str(NOW)})

    assert await tried(stores, SHARE) == [("share", -29), ("share", -5)]


async def test_r95_a_trial_writes_nothing(stores: Stores) -> None:
    await keep_counts(stores)
    before = await stores.detectors.state()

    await tried(stores, SHARE, BURST)

    assert await stores.detectors.state() == before
    assert await stores.warnings.find() == []


def test_r95_each_row_is_told_with_what_it_would_have_warned_of(
    cli: Cli, deployment: Path, options: tuple[str, ...], in_store: InStore
) -> None:
    (deployment / "policies/detectors.yaml").write_text(ROWS, encoding="utf-8")
    in_store(lambda stores: keep_counts(stores, NUMBER))

    shown = cli("warnings", "try", *options).stdout
    of_a_row = cli("warnings", "try", "--row", "share", *options).stdout
    told = json.loads(cli("warnings", "try", "--json", *options).stdout)

    assert "W7 发送量突增" in shown
    assert "30.00%" in of_a_row
    assert [(one["row"], len(one["warnings"])) for one in told["rows"]] == [
        ("share", 1),
        ("burst", 1),
    ]
    assert told["rows"][0]["warnings"][0]["count"] == 90
    assert NUMBER not in shown + of_a_row + json.dumps(told)


def test_a_row_that_is_changed_is_tried_as_it_is_now(
    cli: Cli, deployment: Path, options: tuple[str, ...], in_store: InStore
) -> None:
    local = deployment / "policies/local.d/detectors.yaml"
    local.parent.mkdir(exist_ok=True)
    (deployment / "policies/detectors.yaml").write_text(ROWS, encoding="utf-8")
    local.write_text("version: 1\ndetectors: {share: {share: 0.4}}\n", encoding="utf-8")
    in_store(keep_counts)

    assert "no warnings" in cli("warnings", "try", "--row", "share", *options).stdout


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (("--days", "0"), 2, "--days: 1 to 28"),
        (("--row", "gone"), 2, "no row `gone`"),
        ((), 1, "nothing was counted yet"),
    ],
)
def test_what_cannot_be_tried_is_said(  # noqa: PLR0913, PLR0917 - fixtures, a row
    cli: Cli,
    deployment: Path,
    options: tuple[str, ...],
    in_store: InStore,
    given: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    (deployment / "policies/detectors.yaml").write_text(ROWS, encoding="utf-8")
    in_store(lambda _stores: None)

    done = cli("warnings", "try", *given, *options)

    assert (done.returncode, said in done.stderr) == (code, True)
