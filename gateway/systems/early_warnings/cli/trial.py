"""`smsward warnings try`: what rows of detectors would have warned of in the last days."""

# ruff: noqa: PLC0415 - see gateway.terminal

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from gateway.domain.detector import BASELINE_DAYS, Detector, DetectorHit, moment_of
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import USUAL_PLACES, AsJson, Directories
from gateway.terminal.screen import (
    masked_source,
    print_json,
    print_listed,
    print_table,
    say,
    visible,
)

_BY_ROW = ("row", "warning", "warnings", "SPs", "ports")
_OF_ROW = ("until (UTC)", "SP\nport", "counted", "share or count", "deviations")


def try_detectors(
    *,
    row: Annotated[str | None, Parameter(help="Only this row, and each of its warnings.")] = None,
    days: Annotated[int, Parameter(help="Of so many days until now, 1 to 28.")] = 7,
    directories: Directories = USUAL_PLACES,
    as_json: AsJson = False,
) -> int:
    """Tell what rows of detectors.yaml would have warned of in the last days; nothing is raised.

    It takes the counts that `smsward warnings watch` keeps, and the rows as they are in the
    policies now: so a row that was changed is seen before it counts. Judged is each full hour, not
    every five minutes.

    Example: smsward warnings try --days 14

    Example: smsward warnings try --row W11-refusals --policies /etc/smsward/new-policies --json
    """
    from gateway.systems.early_warnings.detector_counts import DetectorStore
    from gateway.systems.early_warnings.detector_trial import DetectorTrial
    from gateway.terminal.deployment import bundle_in, located
    from gateway.terminal.store import on_store

    if not 1 <= days <= BASELINE_DAYS:
        raise misused(f"--days: 1 to {BASELINE_DAYS}")
    config, policies = located(directories)
    bundle = bundle_in(policies)
    rows = [one for one in bundle.detectors if row in (None, one.id)]
    if not rows:
        of = "no rows of detectors" if row is None else f"no row `{visible(row)}`"
        raise misused(f"the policies have {of}", "detectors.yaml of the policies has them")
    trial = DetectorTrial(rows, bundle.surroundings, days)
    on_store(config, DetectorStore, trial.run)
    if trial.last == 0:
        raise CommandError("nothing was counted yet", advice="`smsward warnings watch` counts")
    if as_json:
        span = {"since": _iso(trial.first), "until": _iso(trial.last)}
        print_json(span | {"rows": [_described(one, trial.warnings) for one in rows]})
    elif row is None:
        print_table(_BY_ROW, (_counted(one, trial.warnings) for one in rows))
        say("--row ROW tells each warning of a row")
    else:
        print_listed(None, _OF_ROW, map(_told, trial.warnings), "no warnings", as_json=False)
    return ExitCode.FINE


def _counted(row: Detector, warnings: Sequence[DetectorHit]) -> tuple[str, ...]:
    found = [one for one in warnings if one.detector.id == row.id]
    senders = {one.system_id for one in found}
    ports = {one.port for one in found if one.port}
    counts = (str(len(some)) if row.enabled else "off" for some in (found, senders, ports))
    return (row.id, f"{row.warning} {row.warning.zh}", *counts)


def _told(hit: DetectorHit) -> tuple[str | tuple[str, ...], ...]:
    is_share = hit.detector.per is not None
    now = f"{hit.count / hit.events:.2%}" if is_share else str(hit.count)
    usual = "new" if hit.usual is None else f"{hit.usual:.2%}" if is_share else f"{hit.usual:.0f}"
    return (
        f"{moment_of(hit.end):%Y-%m-%d %H:%M}",
        (hit.system_id, masked_source(hit.port)),
        (str(hit.count), f"of {hit.events}" if is_share else ""),
        (now, f"usual {usual}"),
        f"{hit.score:.1f}",
    )


def _described(row: Detector, warnings: Sequence[DetectorHit]) -> dict[str, object]:
    found = [
        {
            "system_id": one.system_id,
            "port": masked_source(one.port),
            "since": _iso(one.start),
            "until": _iso(one.end),
            "count": one.count,
            "events": one.events,
            "usual": one.usual,
            "score": round(one.score, 1),
        }
        for one in warnings
        if one.detector.id == row.id
    ]
    return {"row": row.id, "warning": row.warning, "enabled": row.enabled, "warnings": found}


def _iso(step: int) -> str:
    return moment_of(step).isoformat()
