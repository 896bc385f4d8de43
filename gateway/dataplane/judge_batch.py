"""Judge the texts of all messages of a tick at once."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import TypeAlias

from gateway.dataplane.part_table import FORGOTTEN
from gateway.dataplane.plane import Plane
from gateway.dataplane.submit_request import Care, PartPosition, SubmitRequest, judge_each, narrow
from gateway.domain.policy import ListAction, RuleEvent
from gateway.domain.verdict import Action, Basis, Finding, Reason
from gateway.filter.classifier.model import PairedScorer
from gateway.filter.classifier.score import score_as_personal
from gateway.filter.facts import TextFacts
from gateway.policy.checks import reasons_on
from gateway.policy.engine import ask_together, count_together
from gateway.policy.submission import Submission
from gateway.policy.text_rulings import Course, StagedCounter
from gateway.smpp.text import readings

Courses: TypeAlias = defaultdict[Course, list[SubmitRequest]]
_Counted: TypeAlias = tuple[Sequence[StagedCounter], list[Sequence[Submission]]]
_Lot: TypeAlias = tuple[Sequence[StagedCounter], Sequence[Submission]]

UNCHECKED = Finding(
    "CONTENT", Reason.CONTENT_UNCHECKED, Action.QUARANTINE, "the content filter failed"
)
_OF_THE_TEXT = reasons_on(Basis.CONTENT) | {
    Reason.CONTENT_UNREADABLE,
    Reason.CONTENT_UNCHECKED,
    Reason.PARTS_CONFLICT,
    Reason.PARTS_FORGOTTEN,
}
_KEPT = frozenset({Action.QUARANTINE, Action.DEFER})


def judge_texts(  # noqa: C901 - the loop that every message takes
    plane: Plane, messages: Sequence[SubmitRequest], at: float
) -> None:
    """Judge the text of every message that its addresses did not stop; `at` is epoch seconds.

    A text seen before costs one look-up; new texts are scanned together. Messages on the same
    course are judged together. Plain texts that nothing in the bundle asks about are not read.
    """
    rules = plane.rules
    messages = messages if rules.reads_texts else [one for one in messages if one.care is not None]
    memory, course_of, asks = rules.scan.memory, rules.course_of, not rules.rules.are_none
    unknown: list[SubmitRequest] = []
    courses: Courses = defaultdict(list)
    for message in messages:
        if message.verdict is not None:
            continue
        if message.care is not None:
            _judge_alone(plane, message, message.care, at)
            continue
        # ContentScan.look_up and, below, _start, unfolded: this is what nearly every message takes.
        key = (message.data_coding, message.octets)
        facts = memory.young.get(key) or memory.recall(key)
        if facts is None:
            unknown.append(message)
            continue
        if facts.findings == () and message.origin.home.mark in facts.told_by:
            try:
                if asks:
                    courses[course_of(message, facts, at)].append(message)
            except Exception:  # noqa: BLE001 - a filter that fails must not pass anything, nor stop the tick
                _set_aside(plane, message)
        else:
            _start(plane, courses, message, facts, at)
    if unknown:
        _scan(plane, courses, unknown, at)
        if len(unknown) < len(messages):
            _order(courses, messages)
    if courses:
        _judge_together(plane, courses, messages, at)
    if isinstance(rules.knowledge.scorer, PairedScorer):
        _compare(rules.knowledge.scorer, messages)


def _order(courses: Courses, messages: Sequence[SubmitRequest]) -> None:
    """Sort the messages of each course into the order of `messages`: new texts came last.

    Otherwise a sender could hide a walk from number to number by using some new texts (R28).
    """
    place_of = {message: place for place, message in enumerate(messages)}
    for those in courses.values():
        those.sort(key=place_of.__getitem__)


def _compare(scorer: PairedScorer, messages: Sequence[SubmitRequest]) -> None:
    """Count each message by which of the two models would stop it."""
    for message in messages:
        if message.facts is not None:
            scorer.note(message.facts, is_personal=message.origin.is_personal)


def settle_parts(plane: Plane, message: SubmitRequest, care: Care, now: float) -> None:
    """Carry the verdict on a message over to its long messages.

    If the text of a long message was stopped, this part is stopped too. That may have happened
    after this part was judged, by a later part of this tick.
    """
    if message.verdict is None:
        joints = (place.joint for place in care.places)
        stopped = next((joint.stopped for joint in joints if joint.stopped is not None), None)
        if stopped is not None:
            plane.rules.hold_against(message, (stopped,))
    _settle(plane, message, care.places, now)
    for each in care.turned_away:
        _settle(plane, each.message, each.places, now)


def _settle(plane: Plane, message: Submission, places: Sequence[PartPosition], now: float) -> None:
    verdict = message.verdict
    deciding = verdict.deciding if verdict is not None else None
    for place in places:
        joint = place.joint
        if verdict is None or deciding is None:
            plane.parts.settle(joint, now)
        elif deciding.reason in _OF_THE_TEXT:
            joint.stopped = joint.stopped or deciding
            if place.is_new and verdict.action not in _KEPT:
                joint.withheld.add(place.number)
        elif verdict.action in _KEPT:
            plane.parts.settle(joint, now)
        elif place.is_new:
            plane.parts.withdraw(joint, place.number)


def _start(
    plane: Plane, courses: Courses, message: SubmitRequest, facts: TextFacts, at: float
) -> None:
    """Put a message on its course. If the filter has findings for its text, judge it alone."""
    try:
        if facts.findings != ():
            plane.rules.judge_text(message, facts, at)
        elif not plane.rules.rules.are_none:
            courses[plane.rules.course_of(message, facts, at)].append(message)
        if message.origin.home.mark not in facts.told_by:
            note_hint(plane, message, facts)
    except Exception:  # noqa: BLE001 - a filter that fails must not pass anything, nor stop the tick
        _set_aside(plane, message)


def _scan(plane: Plane, courses: Courses, messages: Sequence[SubmitRequest], at: float) -> None:
    scan = plane.rules.scan
    try:
        found = scan.scan([(m.data_coding, m.octets) for m in messages], readings)
    except Exception:  # noqa: BLE001 - as above
        # Only the text it fails on is set aside: the others of the tick are its neighbours.
        for message in messages:
            _judge_alone(plane, message, Care(), at)
        return
    scorer = scan.learnt.scorer
    if scorer is not None:
        sent = [facts for one, facts in zip(messages, found, strict=True) if one.origin.is_personal]
        with suppress(Exception):  # then rules score each text alone, and count those that fail
            score_as_personal(sent, scorer)
    for message, facts in zip(messages, found, strict=True):
        _start(plane, courses, message, facts, at)


def _judge_together(
    plane: Plane, courses: Courses, messages: Sequence[SubmitRequest], at: float
) -> None:
    """Judge the messages on `courses`; all are in `messages`, which keeps the order of arrival."""
    counted: dict[int, _Counted] = {}
    for course, those in courses.items():
        left = _ask_together(plane, course, those, at)
        if not course.counting or not left:
            continue
        if len(courses) == 1:
            _count_together(plane, course.counting, left, at)
        else:
            of_all = counted.setdefault(id(course.counting), (course.counting, []))
            of_all[1].append(left)
    lots = [(counting, _in_turn(of, messages)) for counting, of in counted.values()]
    if len(lots) > 1:
        lots = _count_first(plane, lots, messages, at)
    for counting, left in lots:
        _count_together(plane, counting, left, at)


def _in_turn(
    lots: Sequence[Sequence[Submission]], messages: Sequence[Submission]
) -> Sequence[Submission]:
    """Return the messages of all `lots` in the order of `messages`, as counters must see them."""
    if len(lots) == 1:
        return lots[0]
    those = set(chain.from_iterable(lots))
    return [one for one in messages if one in those]


def _count_first(
    plane: Plane, lots: Sequence[_Lot], messages: Sequence[Submission], at: float
) -> list[_Lot]:
    """Ask a first counter that several lots share once, for all of them in order.

    Otherwise a sender could hide a walk (R28) by sending texts of two classes in turn, if more
    counters are asked about one class. A counter that gives back (`gives_back`) is still asked
    lot by lot: a sum does not depend on the order. Return the lots with the counters that
    remain, without the messages that were stopped.
    """
    of_first: dict[StagedCounter, list[Sequence[Submission]]] = defaultdict(list)
    for counting, those in lots:
        of_first[counting[0]].append(those)
    shared = {
        first: of for first, of in of_first.items() if len(of) > 1 and not first.counter.gives_back
    }
    for first, of in shared.items():
        _count_together(plane, (first,), _in_turn(of, messages), at)
    return [
        (counting[1:], [one for one in those if one.verdict is None])
        if counting[0] in shared
        else (counting, those)
        for counting, those in lots
    ]


def _ask_together(
    plane: Plane, course: Course, messages: Sequence[SubmitRequest], at: float
) -> Sequence[Submission]:
    try:
        return ask_together(plane.rules, course, messages, at)
    except Exception:  # noqa: BLE001 - as above: only what fails is set aside, its neighbours are judged
        for message in messages:
            if message.verdict is not None:
                continue  # stopped or settled: it would be counted twice
            facts, message.findings, message.deferral = message.facts, (), None
            assert facts is not None  # noqa: S101 - without facts it is on no course
            try:
                plane.rules.judge_text(message, facts, at)
            except Exception:  # noqa: BLE001 - as above
                _set_aside(plane, message)
        return ()


def _count_together(
    plane: Plane,
    counting: Sequence[StagedCounter],
    messages: Sequence[Submission],
    at: float,
) -> None:
    count_together(plane.rules, counting, messages, at, partial(_set_aside, plane))


def _set_aside(plane: Plane, message: Submission) -> None:
    """Quarantine a message on which the filter failed, unless it has a verdict already."""
    plane.tally.filter_failures += 1
    if message.verdict is None:
        plane.rules.hold_against(message, (UNCHECKED,))


_MAX_TOLD = 11  # as many ports as the text has rulings for


def note_hint(plane: Plane, message: Submission, facts: TextFacts) -> None:
    """Remember the opt-out word that a text from a port offers, if no list stops the text."""
    home, told_by = message.origin.home, facts.told_by
    is_heard = (
        plane.rules.replies is not None
        and message.account.event is RuleEvent.SUBMIT  # a peer has ports without end
        and not any(one.action is not ListAction.SHADOW for one in facts.hits)
    )
    token = facts.shown().advertised if is_heard else ""
    if token and not plane.hints.note(message.account.system_id, home.number, token):
        home.change_mark()  # the text with the word that was dropped may be sent again
    facts.told_by = (*told_by[-_MAX_TOLD:], home.mark) if told_by else home.alone


def _judge_alone(plane: Plane, message: SubmitRequest, care: Care, at: float) -> None:
    rules = plane.rules
    copies = [(each.message, each.places) for each in care.addressees] or [(message, care.places)]
    for one, places in copies:
        _ask_whether_paid(plane, one, places)
    try:
        facts = _facts_of(plane, message, care)
        rivals = tuple(rules.scan.judge_texts(texts) for texts in care.rivals)
        if care.addressees:
            judge_each(rules, message, care, (*rivals, facts), at)
        elif message.verdict is None and all(
            rules.judge_rules(message, rival, at) for rival in rivals
        ):
            rules.judge_text(message, facts, at)
        if rivals:  # a shadow finding against several rivals counts once
            message.findings = tuple(dict.fromkeys(message.findings))
        note_hint(plane, message, facts)
    except Exception:  # noqa: BLE001 - as above
        _set_aside(plane, message)
    _settle_replacement(plane, message, care)
    for one, places in copies:
        _note_unpaid(one, places)
    if care.addressees:
        narrow(message, care)


def _settle_replacement(plane: Plane, message: SubmitRequest, care: Care) -> None:
    """Stop a new text for a part with unknown neighbours; undo the exchange of a stopped one."""
    if care.is_unplaced and message.verdict is None:
        plane.rules.hold_against(message, (FORGOTTEN,))
    if care.exchanged is not None and message.verdict is not None:
        plane.parts.restore(*care.exchanged)


def _ask_whether_paid(plane: Plane, one: Submission, places: Sequence[PartPosition]) -> None:
    """Reject a part if the part charged for the whole message was rejected in this tick."""
    refused = next((p.joint.refused for p in places if p.joint.refused is not None), None)
    if one.verdict is None and refused is not None:
        plane.rules.hold_against(one, (refused,))


def _note_unpaid(one: Submission, places: Sequence[PartPosition]) -> None:
    verdict = one.verdict
    if one.units > 1 and verdict is not None and verdict.action not in _KEPT:
        for place in places:
            place.joint.refused = place.joint.refused or verdict.deciding


def _facts_of(plane: Plane, message: SubmitRequest, care: Care) -> TextFacts:
    scan = plane.rules.scan
    if care.readings is None:
        (facts,) = scan.scan([(message.data_coding, message.octets)], readings)
        return facts
    return scan.judge_texts(care.readings, is_unreadable=care.is_unreadable, is_whole=care.is_whole)
