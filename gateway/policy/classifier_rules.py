"""Rules that need a classifier and have none: reported once to people, not per message."""

from collections.abc import Iterable, Iterator

from gateway.domain.policy import Enforcement
from gateway.filter.text_score import Scorer
from gateway.policy.rules import Rule, Suspicious, Title


def unscored(rules: Iterable[Rule], scorer: Scorer | None) -> Iterator[Title]:
    """Yield the rules that do not judge because a model, or a measurement of it, is missing."""
    asking = [rule for rule in rules if isinstance(rule.check, Suspicious) and not _is_off(rule)]
    if scorer is not None:
        for rule in asking:
            yield from _unmeasured(rule, scorer)
        return
    on_trial = [rule.id for rule in asking if not rule.can_stop]
    if on_trial:
        ids = ", ".join(on_trial)
        yield Title(
            f"没有分类模型：{ids}：没有文本经过判断",
            f"NO CLASSIFIER: {ids}: no text is judged, for there is no model",
        )
    enforced = [rule.id for rule in asking if rule.can_stop]
    if enforced:
        ids = ", ".join(enforced)
        yield Title(
            f"没有分类模型：{ids}：应由模型判断的短信按 on_error 一律拦截；"
            "用 `smsward filter install` 安装模型",
            f"NO CLASSIFIER: {ids}: there is no model, and what is asked is stopped unjudged, as"
            " on_error says; `smsward filter install` puts a model in place",
        )


def _unmeasured(rule: Rule, scorer: Scorer) -> Iterator[Title]:
    assert isinstance(rule.check, Suspicious)  # noqa: S101 - the caller has looked
    least = min((rule.check.tolerates, *(one.tolerates for one in rule.check.tolerances)))
    for text_class, measured_from in scorer.measured_from.items():
        if measured_from > least:
            share = f"{100 * least:g} %"
            yield Title(
                f"未经测定：{rule.id} 容许误判 {share} 的正常短信，而模型对类别 {text_class}"
                " 没有如此低的阈值，这类文本未经判断",
                f"NOT MEASURED: {rule.id} tolerates {share} of innocent texts, and the model knows"
                f" no threshold for so few of class {text_class}: those texts are not judged",
            )


def _is_off(rule: Rule) -> bool:
    return {rule.mode, *(override.mode for override in rule.overrides)} == {Enforcement.OFF}
