"""The findings that hold a message, as they are kept with it, and those that people overruled.

Both are lines of text, so that a decision adds those of a message to what was overruled before.
A finding is named by its rule and by what the rule found: an entry of a list, a link, a kind of
contact. So what a rule finds besides, once its list has grown, was not overruled. The score of the
classifier and the id of a campaign may change while the text does not: of the first the category
counts, and a campaign is named by its rule alone.
"""

from collections.abc import Iterable

from gateway.domain.verdict import Action, Finding, Reason, Waiver

_FINDING, _RULE, _CAMPAIGN, _HOLD = "F", "R", "C", "H"
# Any finding of a campaign, by whichever rule.
CAMPAIGN_LINE = f"{_CAMPAIGN}\n"
# Any finding that only holds: of a release before findings were kept, which overruled all of them.
HOLD_LINE = f"{_HOLD}\n"
_NAMES = {_CAMPAIGN: Reason.CAMPAIGN.value, _HOLD: "any rule that only holds"}


def rule_line(rule: str) -> str:
    """Return the line for all that a rule finds."""
    return f"{_RULE}\t{rule}\n"


def lines_of(findings: Iterable[Finding], known: Iterable[Finding] = ()) -> str:
    """Return the lines of what stops a message: of `findings` that decided, and of `known` ones.

    Of `known`, which were not asked to decide, only what would hold it is meant: what refuses a
    text is not for a person to overrule who was asked about another rule. Nothing in shadow mode
    is meant.
    """
    stops = [one for one in findings if not one.shadow and one.action is not Action.DEFER]
    stops += [one for one in known if not one.shadow and one.action is Action.QUARANTINE]
    return "".join(dict.fromkeys(f"{_FINDING}\t{one.rule}\t{_item_of(one)}\n" for one in stops))


def told_items(lines: str) -> list[tuple[str, str]]:
    """Return rule and item of each line, without repetitions; "" where all of a rule is meant."""
    told = (line.split("\t") for line in lines.split("\n") if line)
    named = (
        (_NAMES[kind] if kind in _NAMES else rest[0], "".join(rest[1:])) for kind, *rest in told
    )
    return list(dict.fromkeys(named))


class OverruledFindings:
    """Tells which findings a person has overruled, by the lines that are kept with a message."""

    __slots__ = ("_lines",)

    def __init__(self, lines: str = "") -> None:
        self._lines = frozenset(lines.splitlines(keepends=True))

    def covers(self, finding: Finding) -> bool:
        """Tell whether a finding does not count any more against the message."""
        if not self._lines or finding.reason.waiver is Waiver.NEVER:
            return False
        return (
            f"{_FINDING}\t{finding.rule}\t{_item_of(finding)}\n" in self._lines
            or rule_line(finding.rule) in self._lines
            or (finding.reason is Reason.CAMPAIGN and CAMPAIGN_LINE in self._lines)
            or (finding.action is Action.QUARANTINE and HOLD_LINE in self._lines)
        )


def _item_of(finding: Finding) -> str:
    if finding.reason is Reason.SUSPICIOUS:
        return finding.category
    if finding.reason is Reason.CAMPAIGN:
        return ""
    return " ".join(finding.evidence.split())
