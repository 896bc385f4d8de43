"""The content stage, the whole tick at once."""

from collections.abc import Sequence

from gateway.dataplane.carried import Carried
from gateway.dataplane.plane import Plane
from gateway.domain.verdict import Action, Finding, Reason
from gateway.smpp.text import readings

_UNCHECKED = Finding(
    "CONTENT", Reason.CONTENT_UNCHECKED, Action.QUARANTINE, "the content filter failed"
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
            _judge_with_care(plane, message)
            continue
        hits = look_up(message.data_coding, message.octets)
        if hits is None:
            unknown.append(message)
        elif hits:
            rules.judge_content(message, hits)
    if unknown:
        _judge_unknown(plane, unknown)


def _judge_unknown(plane: Plane, messages: Sequence[Carried]) -> None:
    rules = plane.rules
    try:
        found = rules.scan.scan([(m.data_coding, m.octets) for m in messages], readings)
    except Exception:  # noqa: BLE001 - a filter that fails must not pass anything, nor stop the tick
        for message in messages:
            _set_aside(plane, message)
        return
    for message, hits in zip(messages, found, strict=True):
        if hits:
            rules.judge_content(message, hits)


def _judge_with_care(plane: Plane, message: Carried) -> None:
    rules, care = plane.rules, message.care
    if care is None:
        return
    try:
        if care.readings is None:
            (hits,) = rules.scan.scan([(message.data_coding, message.octets)], readings)
        else:
            hits = rules.scan.judge_texts(care.readings)
    except Exception:  # noqa: BLE001 - as above
        _set_aside(plane, message)
        return
    if hits:
        rules.judge_content(message, hits)


def settle_parts(plane: Plane, message: Carried) -> None:
    """Stop what is still to come of a long message whose text was stopped."""
    joint = message.care.joint if message.care is not None else None
    if joint is None:
        return
    verdict = message.verdict
    deciding = verdict.deciding if verdict is not None else None
    if deciding is not None and deciding.reason in _OF_THE_TEXT:
        joint.stopped = deciding
    is_refused_for_rate = deciding is not None and deciding.reason is Reason.RATE
    plane.parts.settle(joint, admitted=not is_refused_for_rate)


_OF_THE_TEXT = frozenset({Reason.CONTENT, Reason.PARTS_CONFLICT, Reason.CONTENT_UNCHECKED})


def _set_aside(plane: Plane, message: Carried) -> None:
    plane.tally.filter_failures += 1
    message.findings += (_UNCHECKED,)
    message.verdict = plane.rules.verdict(message, _UNCHECKED)
