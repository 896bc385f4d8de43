"""Lines of records counted by port and step, as detectors of early warnings read them (R95)."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeAlias

import orjson

from gateway.domain.detector import STEP, Measure
from gateway.domain.verdict import Action
from gateway.filter.normalise.unicode_fold import FILLERS
from gateway.policy.checks import all_reasons
from gateway.records.sealed_values import UNPROVEN, Joint, Record, joint_of, opened, text_of
from gateway.runtime.sealing import Sealer, SealError
from gateway.smpp.commands import CommandId
from gateway.smpp.status import CommandStatus
from gateway.smpp.text import readings

# Step, system_id, port.
CountKey: TypeAlias = tuple[int, str, str]
MeasureCounts: TypeAlias = dict[CountKey, Counter[Measure]]

MOST_SAMPLES = 5
_MOST_WAITING = 200_000  # decisions whose outcome was not read
_MOST_EVASIVE = 200_000  # texts of an hour
_MOST_STEPS = 20_000

_STEP_S = int(STEP.total_seconds())
_DECISION, _OUTCOME, _TEXT = b'{"kind":"decision",', b'{"kind":"outcome",', b'{"kind":"text",'
_PASSING = frozenset({Action.FORWARD, "shadow"})
_REPLACE_SM = int(CommandId.REPLACE_SM)
_UNKNOWN_NUMBER = int(CommandStatus.ESME_RINVDSTADR)
_MEASURES: dict[object, Measure] = {
    name: reason.measure for name, reason in all_reasons().items() if reason.measure is not None
}

_HAN = "\u4e00-\u9fff"
# Letters of Greek and Cyrillic, which stand for Latin ones among Han, and marks between each two
# of four Han. What shows as nothing hides words between two letters; behind a picture it is usual.
_EVASIVE = re.compile(
    rf"[\u0370-\u03ff\u0400-\u04ff][{_HAN}]|[{_HAN}][\u0370-\u03ff\u0400-\u04ff]"
    rf"|(?:[{_HAN}][-._*+|/\\~^=·•] ?){{3}}[{_HAN}]"
)
_BETWEEN_LETTERS = re.compile(rf"\w{FILLERS.pattern}(?=\w)")


def is_evasive(text: str) -> bool:
    """Tell whether a text has characters that hide words from a filter (W12)."""
    return bool(_EVASIVE.search(text) or _BETWEEN_LETTERS.search(text))


class MeasureCounter:
    """Counts lines in their order. `port_of` returns the port of an SP that a source belongs to.

    An outcome counts for the port of its decision, if that was read before.
    """

    def __init__(self, port_of: Callable[[str, str], str], sealer: Sealer | None) -> None:
        self.counts: MeasureCounts = defaultdict(Counter)
        # Of each port and measure the newest places in the records.
        self._samples: dict[tuple[str, str, Measure], list[str]] = {}
        self._port_of = port_of
        self._sealer = sealer
        self._ports: dict[Joint, str] = {}
        self._evasive: dict[object, None] = {}  # ids of texts
        self._steps: dict[str, int] = {}

    def take(self) -> MeasureCounts:
        """Return what was counted since the last call."""
        counts, self.counts = self.counts, defaultdict(Counter)
        return counts

    def add(self, lines: Iterable[bytes]) -> None:
        """Count lines; one that is no record counts as nothing."""
        for line in lines:
            try:
                if line.startswith(_DECISION):
                    self._decide(orjson.loads(line))
                elif line.startswith(_OUTCOME):
                    self._answer(orjson.loads(line))
                elif line.startswith(_TEXT):
                    self._read(orjson.loads(line))
            except (ValueError, TypeError, LookupError, AttributeError):
                continue

    def samples_of(self, system_id: str, port: str, measure: Measure) -> tuple[str, ...]:
        """Return the newest places in the records of what was counted of a port."""
        return tuple(self._samples.get((system_id, port, measure), ()))

    def begin_hour(self) -> None:
        """Forget the texts of the file before: ids count within an hour."""
        self._evasive.clear()

    def _decide(self, record: Record) -> None:
        if record.get("command_id") == _REPLACE_SM or record.get("reason") in UNPROVEN:
            return
        system_id = str(record["system_id"])
        port = self._port_of(system_id, str(record.get("source") or ""))
        counts = self.counts[self._step(str(record["at"])), system_id, port]
        counts[Measure.MESSAGES] += 1
        if record.get("class") == "commercial":
            counts[Measure.COMMERCIAL] += 1
        if record.get("action") in _PASSING:
            counts[Measure.FORWARDED] += 1
            if len(self._ports) >= _MOST_WAITING:
                del self._ports[next(iter(self._ports))]
            self._ports[joint_of(record)] = port
        findings = record.get("findings")
        found = {
            measure
            for one in (findings if isinstance(findings, list) else ())
            if (measure := _MEASURES.get(one.get("reason"))) is not None
        }
        if record.get("text") in self._evasive:
            found.add(Measure.EVASIVE)
        for measure in found:
            counts[measure] += 1
            self._sample((system_id, port, measure), record)

    def _sample(self, key: tuple[str, str, Measure], record: Record) -> None:
        place = record.get("gateway_id") or ":".join(map(str, joint_of(record)))
        samples = self._samples.setdefault(key, [])
        samples.append(str(place))
        del samples[:-MOST_SAMPLES]

    def _answer(self, record: Record) -> None:
        port = self._ports.pop(joint_of(record), None)
        if record.get("how") != "answered" or port is None:
            return
        counts = self.counts[self._step(str(record["at"])), str(record["system_id"]), port]
        counts[Measure.ANSWERED] += 1
        if record.get("command_status") == _UNKNOWN_NUMBER:
            counts[Measure.UNKNOWN_NUMBERS] += 1

    def _read(self, record: Record) -> None:
        try:
            text = text_of(record if self._sealer is None else opened(record, self._sealer))
        except SealError:
            return
        if text is not None and is_evasive(readings(text[1], text[0])[0]):
            if len(self._evasive) >= _MOST_EVASIVE:
                del self._evasive[next(iter(self._evasive))]
            self._evasive[record["id"]] = None

    def _step(self, at: str) -> int:
        """Return the step of a time as records have it, to the minute."""
        minute = at[:16]
        step = self._steps.get(minute)
        if step is None:
            if len(self._steps) >= _MOST_STEPS:
                self._steps.clear()
            moment = datetime.fromisoformat(f"{minute}:00+00:00")
            step = self._steps[minute] = int(moment.timestamp()) // _STEP_S
        return step
