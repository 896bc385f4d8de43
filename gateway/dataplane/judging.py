"""The content stage, the whole tick at once."""

from collections.abc import Sequence

from gateway.dataplane.carried import Care, Carried
from gateway.dataplane.plane import Plane
from gateway.domain.verdict import Action, Finding, Reason
from gateway.filter.keywords import Hit
from gateway.filter.optout_hint import advertised
from gateway.filter.scan import UNREADABLE
from gateway.smpp.text import readings

_UNCHECKED = Finding(
    "CONTENT", Reason.CONTENT_UNCHECKED, Action.QUARANTINE, "the content filter failed"
)
_OF_THE_TEXT = frozenset(
    {
        Reason.CONTENT,
        Reason.CONTENT_UNREADABLE,
        Reason.CONTENT_UNCHECKED,
        Reason.PARTS_CONFLICT,
    }
)


def judge_content(plane: Plane, messages: Sequence[Carried]) -> None:
    """Judge the text of every message that its addresses did not stop.

    Texts seen before cost one look-up; the others are judged together.
    """
    rules = plane.rules
    look_up = rules.scan.look_up
    unknown: list[Carried] = []
    for message in messages:
        if message.verdict is not None:
            continue
        if message.care is not None:
            _judge_alone(plane, message, message.care)
            continue
        hits = look_up(message.data_coding, message.octets)
        if hits is None:
            unknown.append(message)
        elif hits:
            rules.judge_content(message, hits)
    if unknown:
        _judge_unknown(plane, unknown)


def settle_parts(plane: Plane, message: Carried, care: Care, now: float) -> None:
    """Stop what is still to come of a long message whose text was stopped.

    The text may have been stopped since this part was judged, by a later part of this tick.
    """
    if message.verdict is None:
        stopped = next((j.stopped for j in care.joints if j.stopped is not None), None)
        if stopped is None:
            for joint in care.joints:
                plane.parts.settle(joint, now)
            return
        message.findings += (stopped,)
        plane.rules.judge_content(message, ())
    deciding = message.verdict.deciding if message.verdict is not None else None
    if deciding is not None and deciding.reason in _OF_THE_TEXT:
        for joint in care.joints:
            joint.stopped = joint.stopped or deciding


def _judge_unknown(plane: Plane, messages: Sequence[Carried]) -> None:
    rules = plane.rules
    read: dict[tuple[int, bytes], tuple[str, ...]] = {}

    def reading(octets: bytes, data_coding: int) -> tuple[str, ...]:
        texts = read[data_coding, octets] = readings(octets, data_coding)
        return texts

    try:
        found = rules.scan.scan([(m.data_coding, m.octets) for m in messages], reading)
    except Exception:  # noqa: BLE001 - a filter that fails must not pass anything, nor stop the tick
        # Only the text it fails on is set aside: the others of the tick are its neighbours.
        for message in messages:
            _judge_alone(plane, message, Care())
        return
    for message, hits in zip(messages, found, strict=True):
        if hits:
            rules.judge_content(message, hits)
        elif rules.replies is not None:
            _note_hint(plane, message, read.get((message.data_coding, message.octets), ()))


def _note_hint(plane: Plane, message: Carried, texts: Sequence[str]) -> None:
    """Remember which word a clean text tells subscribers to refuse with."""
    token = advertised(texts[0]) if texts else None
    if token is not None:
        plane.hints.note(message.account.system_id, token)


def _judge_alone(plane: Plane, message: Carried, care: Care) -> None:
    try:
        hits = _hits_of(plane, message, care)
    except Exception:  # noqa: BLE001 - as above
        plane.tally.filter_failures += 1
        message.findings += (_UNCHECKED,)
        message.verdict = plane.rules.verdict(message, _UNCHECKED)
        return
    if hits:
        plane.rules.judge_content(message, hits)
    elif plane.rules.replies is not None and care.readings is not None:
        _note_hint(plane, message, care.readings)


def _hits_of(plane: Plane, message: Carried, care: Care) -> tuple[Hit, ...]:
    scan = plane.rules.scan
    if care.readings is None:
        (hits,) = scan.scan([(message.data_coding, message.octets)], readings)
        return hits
    hits = scan.judge_texts(care.readings)
    return (*hits, UNREADABLE) if care.is_unreadable else hits
