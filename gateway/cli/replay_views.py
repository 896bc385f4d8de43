"""How `smsward policy replay` shows what it found."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.app.replay.decisions import ReplayOutcome, UnchangedReason
from gateway.app.replay.tally import ChangedRecord, ReplayTally, VerdictChangeKind
from gateway.app.replay.verdict_changes import VerdictChange
from gateway.cli.screen import print_fields, print_json, print_table, say, warn

_SHOWN = 50
_TODAY = (
    "answers, preferences and filings of subscribers and SPs count as they stand in the store now"
)
_WHY = {
    UnchangedReason.MALFORMED: "the record, or the message it is about, cannot be read",
    UnchangedReason.KEY_MISSING: "sealed with a key that is not here",
    UnchangedReason.SENDER_GONE: "its sender is not in senders.yaml any more",
    UnchangedReason.OF_THE_MOMENT: "rate, overload or failure: how things stood then",
    UnchangedReason.TEXT_NOT_KEPT: "stopped or noted for a text that was not kept",
    UnchangedReason.SAME_POLICY: "comes out otherwise under the very policy that judged it: answers"
    " since, its schedule, or the other parts of a long message",
}


@dataclass(frozen=True, slots=True)
class ReplayComparison:
    """What came of a replay, and of what; `old` is None where the records themselves are old."""

    tally: ReplayTally
    old: str | None
    new: str
    records: Path
    lines: int
    warnings: tuple[str, ...]


def print_replay(compared: ReplayComparison) -> None:
    """Print what would change, for people."""
    tally = compared.tally
    print_fields(_summary(compared))
    if tally.by_rule:
        rows = sorted(tally.by_action.items(), key=lambda row: -row[1])
        print_table(("was", "would be", "messages"), ((*pair, str(count)) for pair, count in rows))
        print_table(("was", "would be", "messages", "for example"), _rule_rows(tally))
        print_table(("SP", "changed", "would be stopped", "would pass"), _sender_rows(tally))
    else:
        say(f"no verdict would change among the {tally.judged} judged")
    if tally.kept:
        print_table(
            ("not judged again, for", "decisions"),
            ((_WHY[kept], str(count)) for kept, count in tally.kept.most_common()),
        )
    if wordless := tally.unseen + tally.kept[UnchangedReason.TEXT_NOT_KEPT]:
        say(f"the words of {wordless} could not be judged: set records.texts in gateway.yaml")
    say(_TODAY)
    for warning in compared.warnings:
        warn(warning)


def print_replay_json(compared: ReplayComparison) -> None:
    """Print what would change, for programs."""
    tally = compared.tally
    print_json(
        {
            "old": compared.old,
            "new": compared.new,
            "records": str(compared.records),
            "lines": compared.lines,
            "decisions": tally.decisions,
            "judged": tally.judged,
            "without_text": tally.unseen,
            "changed": tally.changed,
            "would_be_stopped": tally.stopped,
            "would_pass": tally.passed,
            "by_action": [
                {"old": old, "new": new, "count": count}
                for (old, new), count in tally.by_action.most_common()
            ],
            "by_rule": [
                {**_pair(change), "count": found.count, "samples": list(map(asdict, found.samples))}
                for change, found in _ranked(tally)
            ],
            "by_sender": {name: asdict(found) for name, found in tally.by_sender.items()},
            "not_judged": {kept.value: count for kept, count in tally.kept.most_common()},
            "warnings": (_TODAY, *compared.warnings),
        }
    )


def _summary(compared: ReplayComparison) -> Iterator[tuple[str, str]]:
    tally = compared.tally
    yield "records", f"{compared.records}: {compared.lines} lines, {tally.decisions} decisions"
    yield "compared", f"{compared.old or 'what was recorded'} with {compared.new}"
    unseen = f", {tally.unseen} of them without their text" if tally.unseen else ""
    yield "judged again", f"{tally.judged}{unseen}"
    yield "would change", f"{tally.changed}"
    yield "would be stopped", f"{tally.stopped}"
    yield "would pass", f"{tally.passed}"


def _ranked(tally: ReplayTally) -> list[tuple[VerdictChange | None, VerdictChangeKind]]:
    return sorted(tally.by_rule.items(), key=lambda item: -item[1].count)


def _pair(change: VerdictChange | None) -> dict[str, object]:
    if change is None:
        return {"old": None, "new": None}
    return {"old": change.old._asdict(), "new": change.new._asdict()}


def _rule_rows(tally: ReplayTally) -> Iterator[tuple[str, str, str, list[str]]]:
    ranked = _ranked(tally)
    for change, found in ranked[:_SHOWN]:
        old, new = ("others", "others") if change is None else map(_said, change)
        yield old, new, str(found.count), list(map(_place, found.samples))
    if len(ranked) > _SHOWN:
        rest = sum(found.count for _, found in ranked[_SHOWN:])
        yield f"{len(ranked) - _SHOWN} more kinds", "", str(rest), ["--json lists them"]


def _sender_rows(tally: ReplayTally) -> Iterator[tuple[str, ...]]:
    ranked = sorted(tally.by_sender.items(), key=lambda item: -item[1].changed)
    for system_id, found in ranked[:_SHOWN]:
        yield system_id, str(found.changed), str(found.stopped), str(found.passed)
    if len(ranked) > _SHOWN:
        yield f"{len(ranked) - _SHOWN} more", "", "", ""


def _said(outcome: ReplayOutcome) -> str:
    return f"{outcome.action} {outcome.rule}".rstrip()


def _place(sample: ChangedRecord) -> str:
    where = f"{sample.file}:{sample.line}"
    return f"{where} {sample.at} {sample.system_id} → {sample.destination}"
