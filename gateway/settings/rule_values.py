"""What the shapes of rules come to: the values that policy judges by."""

import math
from dataclasses import replace
from datetime import timedelta
from typing import TypeAlias, get_args

from gateway.domain.suspension import SuspensionTerms
from gateway.domain.verdict import Action
from gateway.policy import rules
from gateway.policy.limits import Limit
from gateway.policy.rules import Check, Override, Rule, Title
from gateway.policy.windows import Window, WindowSet
from gateway.settings import content_rule_file as content
from gateway.settings import rule_file as shapes
from gateway.settings import rule_shape as base
from gateway.settings.suspend_file import SuspendShape

_CountingShape: TypeAlias = (
    shapes.TooOftenShape | shapes.TooFastShape | shapes.NumberWalkShape | shapes.UnknownNumbersShape
)
_ContentShape: TypeAlias = (
    content.BadLinkShape
    | content.ImpostorShape
    | content.ContactGivenShape
    | content.SuspiciousShape
    | content.CampaignShape
)
_CONTENT_SHAPES = get_args(_ContentShape)

# The checks that ask for nothing more than their name.
_PLAIN: dict[type[base.RuleShape], Check] = {
    shapes.SuspendedShape: rules.Suspended(),
    shapes.OtherProvinceShape: rules.OtherProvince(),
    shapes.PurposeMissedShape: rules.PurposeMissed(),
    shapes.RefusedShape: rules.Refused(),
    shapes.UnwantedShape: rules.Unwanted(),
    shapes.SignatureSwitchedShape: rules.SignatureSwitched(),
    shapes.SignatureNotFiledShape: rules.SignatureNotFiled(),
    shapes.TemplateNotFiledShape: rules.TemplateNotFiled(),
    shapes.NoWayOutShape: rules.NoWayOut(),
}


def rule_of(shape: base.RuleShape) -> Rule:
    """Return the rule that `shape` describes."""
    rule = Rule(
        id=shape.id,
        title=Title(shape.title.zh, shape.title.en),
        article=shape.article,
        check=(
            _content_check_of(shape) if isinstance(shape, _CONTENT_SHAPES) else _check_of(shape)
        ),
        mode=shape.mode,
        applies_to=frozenset(shape.applies_to),
        overrides=tuple(map(_override, shape.overrides)),
    )
    match shape:
        case base.AgainstShape() | base.SlowingShape() | shapes.UntimelyShape():
            return replace(
                rule,
                action=Action(shape.action),
                status=shape.status or "",
                on_error={each: Action(action) for each, action in shape.on_error.items()},
                warning=shape.warning,
                severity=shape.severity,
            )
        case _:
            return replace(rule, action=Action.FORWARD, on_error={})


def _check_of(shape: base.RuleShape) -> Check:
    match shape:
        case shapes.PublicInterestShape():
            return rules.PublicInterest(frozenset(shape.exempts))
        case shapes.NotAgreedShape():
            return rules.NotAgreed(accept_asserted=shape.accept_asserted)
        case shapes.NamelessShape():
            return rules.Nameless(telephone=shape.telephone)
        case shapes.UntimelyShape():
            windows = WindowSet(tuple(map(_window, shape.open)))
            return rules.Untimely(windows, shape.jitter or timedelta())
        case (
            shapes.TooOftenShape()
            | shapes.TooFastShape()
            | shapes.NumberWalkShape()
            | shapes.UnknownNumbersShape()
        ):
            return _counting_check_of(shape)
        case _:
            return _PLAIN[type(shape)]


def _content_check_of(shape: _ContentShape) -> Check:
    match shape:
        case content.BadLinkShape():
            return rules.BadLink(
                tuple(shape.block),
                tuple(shape.allow),
                tuple(shape.brands),
                disguised=shape.disguised,
                only_allowed=shape.only_allowed,
                category=shape.category,
            )
        case content.ImpostorShape():
            return rules.Impostor(tuple(shape.names), shape.filed, shape.category)
        case content.ContactGivenShape():
            return rules.ContactGiven(frozenset(shape.kinds))
        case content.CampaignShape():
            return rules.Campaign(
                shape.people, shape.within, shape.accept_asserted, each_sender=shape.each_sender
            )
        case content.SuspiciousShape():
            tolerances = tuple(
                rules.Tolerance(one.tolerates, one.sender or "", one.port or "")
                for one in shape.tolerances
            )
            actions = {harm: Action(action) for harm, action in shape.actions.items()}
            return rules.Suspicious(shape.tolerates, tolerances, actions)


def _counting_check_of(shape: _CountingShape) -> Check:
    match shape:
        case shapes.TooOftenShape():
            suspend = _suspension_terms(shape.suspend) if shape.suspend is not None else None
            return rules.TooOften(tuple(map(_limit, shape.limits)), tuple(shape.sources), suspend)
        case shapes.TooFastShape():
            return rules.TooFast(shape.per_s, shape.burst or math.ceil(shape.per_s))
        case shapes.NumberWalkShape():
            return rules.NumberWalk(shape.count, shape.within)
        case shapes.UnknownNumbersShape():
            return rules.UnknownNumbers(shape.share, shape.within, shape.at_least)


def _window(shape: shapes.WindowShape) -> Window:
    opens, closes = shape.hours
    return Window(opens, closes, shape.numbered_weekdays, shape.holidays)


def _limit(shape: shapes.LimitShape) -> Limit:
    return Limit(tuple(shape.per), shape.at_most, shape.every, shape.on_holidays)


def _suspension_terms(shape: SuspendShape) -> SuspensionTerms:
    terms = SuspensionTerms(
        working_days=shape.for_,
        restore_words=tuple(shape.restore_words),
        reply=shape.reply,
        restored=shape.restored,
        refused=shape.refused,
        self_restores=shape.self_restore,
        same_text=shape.same_text if shape.looks_at_text else 0,
    )
    return terms if shape.restore_span is None else replace(terms, restore_span=shape.restore_span)


def _override(shape: base.OverrideShape) -> Override:
    return Override(shape.mode, shape.sender or "", shape.port or "", shape.because or "")
