"""What rules ask a classifier for and do not get: told to people, not of each message."""

from collections.abc import Iterable, Iterator

from gateway.domain.policy import Enforcement
from gateway.filter.scoring import Scorer
from gateway.policy.rules import Rule, Suspicious


def unscored(rules: Iterable[Rule], scorer: Scorer | None) -> Iterator[str]:
    """Yield what rules do not judge for want of a model, or of what was measured of it."""
    asking = [rule for rule in rules if isinstance(rule.check, Suspicious) and not _is_off(rule)]
    if scorer is not None:
        for rule in asking:
            yield from _unmeasured(rule, scorer)
        return
    on_trial = [rule.id for rule in asking if not rule.can_stop]
    if on_trial:
        yield f"NO CLASSIFIER: {', '.join(on_trial)}: no text is judged, for there is no model"
    enforced = [rule.id for rule in asking if rule.can_stop]
    if enforced:
        yield (
            f"NO CLASSIFIER: {', '.join(enforced)}: there is no model, and what is asked is"
            " stopped unjudged, as on_error says; `smsward filter install` puts a model in place"
        )


def _unmeasured(rule: Rule, scorer: Scorer) -> Iterator[str]:
    assert isinstance(rule.check, Suspicious)  # noqa: S101 - the caller has looked
    least = min((rule.check.tolerates, *(one.tolerates for one in rule.check.tolerances)))
    for text_class, measured_from in scorer.measured_from.items():
        if measured_from > least:
            yield (
                f"NOT MEASURED: {rule.id} tolerates {100 * least:g} % of innocent texts, and the"
                f" model knows no threshold for so few of class {text_class}:"
                " those texts are not judged"
            )


def _is_off(rule: Rule) -> bool:
    return {rule.mode, *(override.mode for override in rule.overrides)} == {Enforcement.OFF}
