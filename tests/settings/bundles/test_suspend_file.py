"""How a rule suspends numbers, as people write it (R43)."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.suspension import SuspensionTerms
from gateway.policy.bundle import Bundle, Rule
from gateway.policy.checks.source_suspension import SourceSuspension
from gateway.policy.checks.too_often import TooOften
from gateway.settings.bundles.bundle import load_bundle
from gateway.settings.bundles.check_fields import parse_working_days
from gateway.settings.bundles.difference import parameters_of

WriteBundle = Callable[[Mapping[str, str]], Path]
FaultsOf = Callable[[Callable[[], object]], list[str]]

RULES = "rules/a.yaml"
CALENDAR = "version: 1\nname: x\nyears: {2026: {holidays: {国庆节: 10-01..10-07}}}\n"
HEAD = "version: 1\nrules:\n"
ASKS = "  - {id: S, check: source_suspension, title: {zh: 暂停, en: Suspended}, article: 协议}\n"
OFTEN = (
    "  - id: R43\n    check: too_often\n    title: {zh: 群发, en: Caps}\n    article: 协议\n"
    '    sources: ["13"]\n'
    "    limits: [{per: [source], at_most: 200, every: hour}]\n"
)
WORDS = "restore_words: [HF, 恢复]"
TELLS = "reply: 已暂停，回复HF恢复"


def files(suspend: str, *, often: str = OFTEN, asks: str = ASKS) -> dict[str, str]:
    """Return the files of a bundle; `suspend` stands in line 10 of the rules."""
    return {
        "bundle.yaml": "version: 1\nname: x\ncalendar: calendars/x.yaml\n",
        "calendars/x.yaml": CALENDAR,
        RULES: f"{HEAD}{asks}{often}    suspend: {{{suspend}}}\n",
    }


def rule_of(bundle: Bundle, rule_id: str) -> Rule:
    return next(rule for rule in bundle.rules if rule.id == rule_id)


def terms_of(bundle: Bundle) -> SuspensionTerms | None:
    check = rule_of(bundle, "R43").check
    assert isinstance(check, TooOften)
    return check.suspend


def test_a_rule_says_for_how_long_it_suspends_and_what_it_tells(bundle: WriteBundle) -> None:
    said = (
        f'for: 3 working days, {WORDS}, {TELLS}, self_restore: 2, restore_span: "7d",'
        " restored: 已恢复, refused: 不能恢复"
    )

    found = load_bundle(bundle(files(said)))

    assert terms_of(found) == SuspensionTerms(
        working_days=3,
        restore_words=("HF", "恢复"),
        reply="已暂停，回复HF恢复",
        restored="已恢复",
        refused="不能恢复",
        self_restores=2,
        restore_span=timedelta(days=7),
    )
    assert isinstance(rule_of(found, "S").check, SourceSuspension)


def test_a_number_lifts_its_own_suspension_once_in_thirty_days_unless_told_otherwise(
    bundle: WriteBundle,
) -> None:
    terms = terms_of(load_bundle(bundle(files(f"for: 1 working day, {WORDS}, {TELLS}"))))

    assert terms is not None
    assert (terms.self_restores, terms.restore_span) == (1, timedelta(days=30))


@pytest.mark.parametrize(
    ("looks", "same_text"),
    [
        ("", 0),
        (", looks_at_text: false, same_text: 5", 0),
        (", looks_at_text: true", 20),
        (", looks_at_text: true, same_text: 5", 5),
    ],
)
def test_r43_a_rule_says_whether_the_text_is_looked_at_first(
    bundle: WriteBundle, looks: str, same_text: int
) -> None:
    found = load_bundle(bundle(files(f"for: 1 working day, {WORDS}, {TELLS}{looks}")))

    terms, said = terms_of(found), parameters_of(rule_of(found, "R43"))
    assert terms is not None
    assert terms.same_text == same_text
    told = ("true", str(same_text)) if same_text else (None, None)
    assert (said.get("suspend.looks_at_text"), said.get("suspend.same_text")) == told


def test_all_that_a_rule_says_of_it_is_shown_in_its_words(bundle: WriteBundle) -> None:
    found = load_bundle(bundle(files(f"for: 1 working day, {WORDS}, {TELLS}")))

    said = parameters_of(rule_of(found, "R43"))

    assert {name: value for name, value in said.items() if name.startswith("suspend.")} == {
        "suspend.for": "1 working day",
        "suspend.restore_words": "HF, 恢复",
        "suspend.self_restore": "1",
        "suspend.restore_span": "30d",
        "suspend.reply": "已暂停，回复HF恢复",
        "suspend.restored": "您的短信发送功能已恢复。请勿群发",
        "suspend.refused": "您的号码暂不能自助恢复短信发送。到期自动恢复，如有异议请联系客服",
    }


DAYS = "must be 1 to 99 working days, as: 3 working days"
TAKEN = "means something else already, as TD, 1 and 0000 do"
SHORT = "must be 1 to 16 characters, and not only punctuation"
NONE = "List should have at least 1 item after validation, not 0"
NO_CALENDAR = "needs the calendar that bundle.yaml names: calendar: calendars/cn.yaml"
USUAL = f"for: 3 working days, {WORDS}, {TELLS}"
BROKEN: dict[str, tuple[dict[str, str], list[str]]] = {
    "no time": (files(f"{WORDS}, {TELLS}"), [":10:14 R43.suspend.for: is missing"]),
    "days that need not be worked": (
        files(f"for: 3 days, {WORDS}, {TELLS}"),
        [f":10:20 R43.suspend.for: {DAYS}"],
    ),
    "a number of days alone": (
        files(f"for: 3, {WORDS}, {TELLS}"),
        [f":10:20 R43.suspend.for: {DAYS}"],
    ),
    "no word that restores": (
        files(f"for: 1 working day, restore_words: [], {TELLS}"),
        [f":10:50 R43.suspend.restore_words: {NONE}"],
    ),
    "a word that refuses": (
        files(f"for: 1 working day, restore_words: [HF, TD], {TELLS}"),
        [f":10:55 R43.suspend.restore_words[1]: {TAKEN}"],
    ),
    "a word that is a command": (
        files(f"for: 1 working day, restore_words: [我的屏蔽], {TELLS}"),
        [f":10:51 R43.suspend.restore_words[0]: {TAKEN}"],
    ),
    "a word that says yes to what was asked": (
        files(f"for: 1 working day, restore_words: [Y], {TELLS}"),
        [f":10:51 R43.suspend.restore_words[0]: {TAKEN}"],
    ),
    "a word of nothing": (
        files(f'for: 1 working day, restore_words: ["。"], {TELLS}'),
        [f":10:51 R43.suspend.restore_words[0]: {SHORT}"],
    ),
    "a word that is a sentence": (
        files(f"for: 1 working day, restore_words: [{'复' * 17}], {TELLS}"),
        [f":10:51 R43.suspend.restore_words[0]: {SHORT}"],
    ),
    "a span past remembering": (
        files(f'{USUAL}, restore_span: "181d"'),
        [':10:94 R43.suspend.restore_span: must be "180d" at most: so long suspensions are kept'],
    ),
    "nothing to tell": (
        files(f"for: 1 working day, {WORDS}"),
        [":10:14 R43.suspend.reply: is missing"],
    ),
    "more to tell than one message holds": (
        files(f"for: 1 working day, {WORDS}, reply: {'停' * 71}"),
        [":10:67 R43.suspend.reply: is longer than one message of 70 characters"],
    ),
    "sources that are all": (
        files(USUAL, often=OFTEN.replace('    sources: ["13"]\n', "    # none\n")),
        [":4:5 R43: suspend: needs sources, or the ports of SPs would be suspended too"],
    ),
    "a limit of others than the source": (
        files(USUAL, often=OFTEN.replace("[source]", "[destination]")),
        [":4:5 R43: suspend: each limit must count per source, or it suspends others"],
    ),
    "nothing that asks for the suspended": (
        files(USUAL, asks="  # none\n"),
        [":10:14 suspend: stops nothing without a rule of check: source_suspension"],
    ),
    "numbers of other networks, which are not ours to write to": (
        files(
            USUAL,
            often=OFTEN.replace("    check: too_often", "    event: mt_in\n    check: too_often"),
        ),
        [":11:14 suspend: not with event: mt_in, of another network"],
    ),
    "working days nobody knows": (
        {**files(USUAL), "bundle.yaml": "version: 1\nname: x\n"},
        [f":10:20 suspend.for: {NO_CALENDAR}"],
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_suspension_that_cannot_be_meant_is_refused_with_every_fault_at_its_place(
    bundle: WriteBundle, faults_of: FaultsOf, case: str
) -> None:
    broken, faults = BROKEN[case]
    directory = bundle(broken)

    found = faults_of(lambda: load_bundle(directory))

    assert found == [f"policies/{RULES}{fault}" for fault in faults]


@given(st.one_of(st.text(max_size=20), st.integers(), st.none()))
def test_anything_is_working_days_or_refused(value: object) -> None:
    try:
        days = parse_working_days(value)
    except ValueError as error:
        assert str(error) == DAYS
    else:
        assert 1 <= days <= 99
