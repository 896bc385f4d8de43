"""Bundles whose rules cannot be meant: each is refused with every fault at its place."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.policy.checks import all_checks
from gateway.settings.bundles.bundle import load_bundle

WriteBundle = Callable[[Mapping[str, str]], Path]
FaultsOf = Callable[[Callable[[], object]], list[str]]

RULES = "rules/a.yaml"
START = "version: 1\nrules:\n"
# Below it the lines of a rule begin at line 6.
HEAD = "  - id: R1\n    title: {zh: 规则, en: Rule}\n    article: 第一条\n"
PLAIN = HEAD + "    check: opt_out\n"
SECOND = HEAD.replace("R1", "R2") + "    check: opt_out\n"
HOURS = HEAD + "    check: outside_window\n"
OFTEN = HEAD + "    check: too_often\n"
LINK = HEAD + "    check: bad_link\n"
LIKE_SPAM = HEAD + "    check: suspicious\n"
CAMPAIGN = HEAD + "    check: campaign\n"
MOSTLY = HEAD + "    check: unknown_numbers\n"
CALENDAR = "version: 1\nname: x\nyears: {2026: {holidays: {a: 01-01..12-31}}}\n"
KEPT = {
    "bundle.yaml": "version: 1\nname: x\ncalendar: calendars/x.yaml\n",
    "calendars/x.yaml": CALENDAR,
}
WORDS = "version: 1\nid: R1\ncategory: x\naction: shadow\nwords: [代开发票]\n"
ID = "must be text of 1 to 32 of A-Z a-z 0-9 . _ -, a letter or digit first"
NAME = "must be 1 to 32 of A-Z a-z 0-9 . _ - and start with a letter or digit"
TEXT = "must be text: put numbers, true and false in quotes"
DURATION = 'must be a duration in quotes: "90s", "30m", "24h" or "7d"'
TIMES = (
    'must be two times in one text, in quotes, as "08:00-21:00":'
    " without quotes some YAML readers take 21:00 for 1260"
)
EVERY = 'must be minute, hour, day, or a time that moves along, as "rolling 24h"'
REMEMBERED = 'must be "1m" to "1h": so long answers are remembered'
SHARE = "must be a share of innocent texts, as: 0.5 %"
HOST = "must be a domain or a host below one, as example.com, or an address"
KINDS = (
    "Input should be 'qq', 'wechat', 'messenger', 'mobile', 'landline', 'toll_free',"
    " 'service_line' or 'email'"
)
FOLLOWED = 'must be "1m" to "24h": so long campaigns are followed'
CODES = (
    "Input should be 'W1', 'W2', 'W3', 'W4', 'W5', 'W6', 'W7', 'W8', 'W9', 'W10', 'W11', 'W12'"
    " or 'W13'"
)
NO_CALENDAR = "needs the calendar that bundle.yaml names: calendar: calendars/cn.yaml"
CHECKS = f"must be one of {', '.join(sorted(one.name for one in all_checks()))}"
NONE = "List should have at least 1 item after validation, not 0"
CLASSES = "Input should be 'verification', 'service', 'commercial' or 'public_interest'"
WEEKDAYS = "Input should be 'mon', 'tue', 'wed', 'thu', 'fri', 'sat' or 'sun'"
PARTS = "Input should be 'destination', 'signature', 'template', 'sender' or 'source'"
OVERRIDES = "    overrides:\n      - {{{}, mode: off}}\n      - {{{}, mode: shadow}}\n"


def rules(*lines: str) -> dict[str, str]:
    """Return the files of a bundle with these rules."""
    return {RULES: START + "".join(lines)}


def limits(*limits: str, calendar: bool = False) -> dict[str, str]:
    """Return the files of a bundle whose one rule has these limits, from line 8 on."""
    lines = "".join(f"      - {{{one}}}\n" for one in limits)
    return {**rules(f"{OFTEN}    limits:\n{lines}"), **(KEPT if calendar else {})}


def bomb(levels: int) -> str:
    """Return a file that would grow tenfold at each level if aliases were followed."""
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


# What is wrong, the files, and every fault behind the name of the rules' file.
BROKEN: dict[str, tuple[dict[str, str], list[str]]] = {
    # The file
    "empty": ({RULES: ""}, [":1:1 must be a mapping"]),
    "only a comment": ({RULES: "# 稍后\n"}, [":1:1 must be a mapping"]),
    "a list at the top": ({RULES: "- id: R1\n"}, [":1:1 must be a mapping"]),
    "no version": ({RULES: f"rules:\n{PLAIN}"}, [":1:1 version: is missing"]),
    "a version to come": (
        {RULES: f"version: 2\nrules:\n{PLAIN}"},
        [":1:10 version: must be 1: no other version of this file is known"],
    ),
    "a version as text": (
        {RULES: f'version: "1"\nrules:\n{PLAIN}'},
        [":1:10 version: must be a whole number"],
    ),
    "no rules": ({RULES: "version: 1\n"}, [":1:1 rules: is missing"]),
    "rules of nothing": ({RULES: "version: 1\nrules:\n"}, [":2:7 rules: must be a list"]),
    "an empty list of rules": (
        {RULES: "version: 1\nrules: []\n"},
        [f":2:8 rules: {NONE}"],
    ),
    "rules by name": (
        {RULES: "version: 1\nrules: {R1: {check: opt_out}}\n"},
        [":2:8 rules: must be a list"],
    ),
    "a rule that is a word": (
        {RULES: "version: 1\nrules: [R21]\n"},
        [":2:9 rules[0]: must be a mapping"],
    ),
    "an unknown key at the top": (
        {RULES: f"{START}{PLAIN}rule: []\n"},
        [":7:1 rule: unknown key"],
    ),
    "a key twice": (
        rules(PLAIN, "    article: 第二条\n"),
        [":7:5 repeated key 'article' (first in line 5)"],
    ),
    "a rule twice in a file": (
        rules(PLAIN, PLAIN),
        [":7:9 R1: stands in a.yaml line 3 already"],
    ),
    "a rule twice in two files": (
        {**rules(PLAIN), "rules/b.yaml": START + PLAIN},
        ["/../b.yaml:3:9 R1: stands in a.yaml line 3 already"],
    ),
    "a rule with the id of a list": (
        {**rules(PLAIN), "keywords/a.yaml": WORDS},
        [":3:9 R1: is the id of a keyword list already"],
    ),
    "a tab": (
        {RULES: "version: 1\nrules:\n\t- id: R1\n"},
        [":3:1 found character that cannot start any token"],
    ),
    "a bracket that is never closed": (
        {RULES: "version: 1\nrules: [\n"},
        [":3:1 did not find expected node content"],
    ),
    "a colon within a text": (
        rules(PLAIN.replace("第一条", "A: B")),
        [":5:15 mapping values are not allowed in this context"],
    ),
    "a comma within a title": (
        rules(PLAIN.replace("en: Rule", "en: No, never")),
        [":4:29 R1.title.never: unknown key"],
    ),
    "a control character": (rules(PLAIN.replace("第一条", "\x07")), [":5:14 control character"]),
    "two documents": (rules(PLAIN, "---\na: 1\n"), [":7:1 a second document in one file"]),
    "a tag": (
        rules(PLAIN.replace("第一条", "!!python/name:os.system x")),
        [":5:14 tags are not accepted"],
    ),
    "an anchor": (rules(PLAIN.replace("第一条", "&a 第一条")), [":5:14 anchors are not accepted"]),
    "an alias": (rules(PLAIN.replace("第一条", "*a")), [":5:14 aliases are not accepted"]),
    "a bomb of anchors": ({RULES: bomb(20)}, [":1:5 anchors are not accepted"]),
    "a merge key": (
        rules(PLAIN, "    <<: {mode: off}\n"),
        [":7:5 R1.<<: unknown key"],
    ),
    "a nest without end": (
        {RULES: f"version: 1\nrules: {'[' * 40}{']' * 40}\n"},
        [":2:40 nested deeper than 32 levels"],
    ),
    # What every rule has
    "no id": (
        rules(PLAIN.replace("id: R1\n    ", "")),
        [":3:5 id: is missing"],
    ),
    "an id that is a number": (rules(PLAIN.replace("R1", "21")), [f":3:9 id: {ID}"]),
    "an id with a blank": (rules(PLAIN.replace("R1", "R 1")), [f":3:9 id: {ID}"]),
    "an id without end": (rules(PLAIN.replace("R1", "R" * 33)), [f":3:9 id: {ID}"]),
    "no check": (rules(HEAD), [":3:5 R1.check: is missing"]),
    "a check with a typo": (
        rules(HEAD, "    check: refuzed\n"),
        [f":6:12 R1.check: {CHECKS}"],
    ),
    "a check spelled as the class": (
        rules(HEAD, "    check: NotAgreed\n"),
        [f":6:12 R1.check: {CHECKS}"],
    ),
    "a list of checks": (
        rules(HEAD, "    check: [refused, unwanted]\n"),
        [f":6:12 R1.check: {CHECKS}"],
    ),
    "no title and no article": (
        rules("  - {id: R1, check: opt_out}\n"),
        [":3:5 R1.article: is missing", ":3:5 R1.title: is missing"],
    ),
    "a title in one language": (
        rules(PLAIN.replace("zh: 规则, ", "")),
        [":4:12 R1.title.zh: is missing"],
    ),
    "a title that is text": (
        rules(PLAIN.replace("{zh: 规则, en: Rule}", "规则")),
        [":4:12 R1.title: must be a mapping"],
    ),
    "a blank article": (rules(PLAIN.replace("第一条", '" "')), [":5:14 R1.article: is empty"]),
    "an article that is a number": (
        rules(PLAIN.replace("第一条", "18")),
        [f":5:14 R1.article: {TEXT}"],
    ),
    "a mode by truth": (
        rules(PLAIN, "    mode: true\n"),
        [":7:11 R1.mode: Input should be 'enforce', 'shadow' or 'off'"],
    ),
    "a mode with a typo": (
        rules(PLAIN, "    mode: enforced\n"),
        [":7:11 R1.mode: Input should be 'enforce', 'shadow' or 'off'"],
    ),
    "a purpose in place of a class": (
        rules(PLAIN, "    applies_to: [marketing]\n"),
        [f":7:18 R1.applies_to[0]: {CLASSES}"],
    ),
    "no class": (
        rules(PLAIN, "    applies_to: []\n"),
        [f":7:17 R1.applies_to: {NONE}"],
    ),
    "a class that is no list": (
        rules(PLAIN, "    applies_to: commercial\n"),
        [":7:17 R1.applies_to: must be a list"],
    ),
    "an action that there is not": (
        rules(PLAIN, "    action: drop\n"),
        [":7:13 R1.action: Input should be 'reject' or 'quarantine'"],
    ),
    "a refusal that is deferred": (
        rules(PLAIN, "    action: defer\n"),
        [":7:13 R1.action: Input should be 'reject' or 'quarantine'"],
    ),
    "a status that says yes": (
        rules(PLAIN, "    status: ESME_ROK\n"),
        [":7:13 R1.status: not the name of an error status, as ESME_RSUBMITFAIL is"],
    ),
    "a status by number": (
        rules(PLAIN, "    status: 0x45\n"),
        [":7:13 R1.status: not the name of an error status, as ESME_RSUBMITFAIL is"],
    ),
    "an error answered with a throttle": (
        rules(PLAIN, "    on_error: {commercial: throttle}\n"),
        [":7:28 R1.on_error.commercial: Input should be 'reject', 'quarantine' or 'forward'"],
    ),
    "an error of a purpose": (
        rules(PLAIN, "    on_error: {marketing: reject}\n"),
        [f":7:16 R1.on_error.marketing: {CLASSES}"],
    ),
    "an unknown field": (rules(PLAIN, "    modus: off\n"), [":7:5 R1.modus: unknown key"]),
    "a field of another check": (
        rules(PLAIN, "    jitter: 30m\n"),
        [":7:5 R1.jitter: unknown key"],
    ),
    # Overrides
    "an override of nobody": (
        rules(PLAIN, "    overrides: [{mode: off}]\n"),
        [":7:17 R1.overrides[0]: must name either a sender or a port"],
    ),
    "an override of a sender and a port": (
        rules(PLAIN, "    overrides: [{sender: sp1, port: '1069', mode: off}]\n"),
        [":7:17 R1.overrides[0]: must name either a sender or a port"],
    ),
    "an override without a mode": (
        rules(PLAIN, "    overrides: [{sender: sp1}]\n"),
        [":7:17 R1.overrides[0].mode: is missing"],
    ),
    "a port that is a number": (
        rules(PLAIN, "    overrides: [{port: 10690001, mode: off}]\n"),
        [f":7:24 R1.overrides[0].port: {TEXT}"],
    ),
    "a sender that is none": (
        rules(PLAIN, "    overrides: [{sender: 示例, mode: off}]\n"),
        [":7:26 R1.overrides[0].sender: must be 1 to 15 visible ASCII characters"],
    ),
    "two overrides of a sender": (
        rules(PLAIN, OVERRIDES.format("sender: a", "sender: a")),
        [":9:18 overrides: contradicts the one of this sender in line 8"],
    ),
    "two overrides of a port": (
        rules(PLAIN, OVERRIDES.format("port: '1'", "port: '1'")),
        [":9:16 overrides: contradicts the one of this port in line 8"],
    ),
    # R11
    "an exemption from an unknown rule": (
        rules(HEAD, "    check: public_interest\n    exempts: [R21]\n"),
        [":7:15 exempts: there is no rule 'R21'"],
    ),
    "an exemption from itself": (
        rules(HEAD, "    check: public_interest\n    exempts: [R1]\n"),
        [":7:15 exempts: a rule cannot exempt from itself"],
    ),
    "an exemption from nothing": (
        rules(HEAD, "    check: public_interest\n    exempts: []\n"),
        [f":7:14 R1.exempts: {NONE}"],
    ),
    "an exemption that rejects": (
        rules(HEAD, "    check: public_interest\n    exempts: [R2]\n    action: reject\n", SECOND),
        [":8:5 R1.action: unknown key"],
    ),
    # R20
    "consent in words": (
        rules(HEAD, "    check: no_consent\n    accept_asserted: yes\n"),
        [":7:22 R1.accept_asserted: must be true or false"],
    ),
    # R40
    "no window": (rules(HOURS), [":3:5 R1.open: is missing"]),
    "windows of nothing": (
        rules(HOURS, "    open: []\n"),
        [f":7:11 R1.open: {NONE}"],
    ),
    "the two ends apart, as YAML traps them": (
        rules(HOURS, "    open: [08:00, 21:00]\n"),
        [f":7:12 R1.open[0].hours: {TIMES}", f":7:19 R1.open[1].hours: {TIMES}"],
    ),
    "an end that YAML made a number of": (
        rules(HOURS, "    open: [1260]\n"),
        [f":7:12 R1.open[0].hours: {TIMES}"],
    ),
    "a window in one text": (
        rules(HOURS, '    open: "08:00-21:00"\n'),
        [":7:11 R1.open: must be a list"],
    ),
    "an hour that there is not": (
        rules(HOURS, '    open: ["08:00-25:00"]\n'),
        [":7:12 R1.open[0].hours: must be times from 00:00 to 24:00"],
    ),
    "a window of no time": (
        rules(HOURS, '    open: ["08:00-08:00"]\n'),
        [':7:12 R1.open[0].hours: never opens: write "00:00-24:00" for a whole day'],
    ),
    "a window of no day": (
        rules(HOURS, '    open: [{hours: "08:00-21:00", weekdays: []}]\n'),
        [f":7:45 R1.open[0].weekdays: {NONE}"],
    ),
    "a weekday written out": (
        rules(HOURS, '    open: [{hours: "08:00-21:00", weekdays: [monday]}]\n'),
        [f":7:46 R1.open[0].weekdays[0]: {WEEKDAYS}"],
    ),
    "holidays without a calendar": (
        rules(HOURS, '    open: [{hours: "08:00-21:00", holidays: closed}]\n'),
        [f":7:45 holidays: {NO_CALENDAR}"],
    ),
    "a window that no day of the calendar opens": (
        {**rules(HOURS, '    open: [{hours: "08:00-21:00", holidays: closed}]\n'), **KEPT},
        [":7:12 open: opens on no day of the calendar"],
    ),
    "a jitter in minutes": (
        rules(HOURS, '    open: ["08:00-21:00"]\n    jitter: 30\n'),
        [f":8:13 R1.jitter: {DURATION}"],
    ),
    # R42, R43
    "no limit": (
        rules(OFTEN, "    limits: []\n"),
        [f":7:13 R1.limits: {NONE}"],
    ),
    "a limit of nothing": (
        limits("per: [], at_most: 1, every: hour"),
        [f":8:15 R1.limits[0].per: {NONE}"],
    ),
    "a limit by what is not shown": (
        limits("per: [dst], at_most: 1, every: hour"),
        [f":8:16 R1.limits[0].per[0]: {PARTS}"],
    ),
    "a limit by one thing twice": (
        limits("per: [source, source], at_most: 1, every: hour"),
        [":8:9 R1.limits[0]: per: names a part twice"],
    ),
    "a limit that lets nothing pass": (
        limits("per: [source], at_most: 0, every: hour"),
        [":8:34 R1.limits[0].at_most: Input should be greater than or equal to 1"],
    ),
    "a limit past all bounds": (
        limits("per: [source], at_most: 100000000000, every: hour"),
        [":8:34 R1.limits[0].at_most: Input should be less than or equal to 1000000"],
    ),
    "a limit of more digits than any number has": (
        limits(f"per: [source], at_most: {'9' * 400}, every: hour"),
        [":8:34 R1.limits[0].at_most: must be a whole number"],
    ),
    "a limit in words": (
        limits("per: [source], at_most: ten, every: hour"),
        [":8:34 R1.limits[0].at_most: must be a whole number"],
    ),
    "a time that no limit counts in": (
        limits("per: [source], at_most: 1, every: week"),
        [f":8:44 R1.limits[0].every: {EVERY}"],
    ),
    "a time that moves along for too long": (
        limits("per: [source], at_most: 1, every: rolling 32d"),
        [":8:44 R1.limits[0].every: seconds: must be 1 to 2678400"],
    ),
    "more than a moving time can count": (
        limits("per: [source], at_most: 1001, every: rolling 24h"),
        [":8:9 R1.limits[0]: at_most: a rolling limit counts to 1000 at most"],
    ),
    "holidays within a moving time": (
        limits("per: [source], at_most: 1, every: rolling 24h, on_holidays: 2", calendar=True),
        [":8:9 R1.limits[0]: on_holidays: a rolling limit lies in more days than one"],
    ),
    "a limit for holidays nobody knows": (
        limits("per: [source], at_most: 1, every: day, on_holidays: 2"),
        [f":8:62 on_holidays: {NO_CALENDAR}"],
    ),
    "two limits of the same": (
        limits(
            "per: [source, sender], at_most: 1, every: day",
            "per: [sender, source], at_most: 2, every: day",
        ),
        [":9:9 limits: counts the same in the same time as line 8"],
    ),
    "a source that is a number": (
        rules(OFTEN, "    limits: [{per: [source], at_most: 1, every: day}]\n    sources: [1]\n"),
        [f":8:15 R1.sources[0]: {TEXT}"],
    ),
    # R44, R28
    "a rate of nothing": (
        rules(HEAD, "    check: too_fast\n    per_s: 0\n"),
        [":7:12 R1.per_s: Input should be greater than 0"],
    ),
    "a rate with its unit": (
        rules(HEAD, "    check: too_fast\n    per_s: 50/s\n"),
        [":7:12 R1.per_s: must be a number"],
    ),
    "a walk of one step": (
        rules(HEAD, "    check: number_walk\n    count: 1\n    within: 10m\n"),
        [":7:12 R1.count: Input should be greater than or equal to 2"],
    ),
    "a walk without a time": (
        rules(HEAD, "    check: number_walk\n    count: 100\n"),
        [":3:5 R1.within: is missing"],
    ),
    "a share in per cent": (
        rules(MOSTLY, "    share: 30\n    within: 10m\n    at_least: 50\n"),
        [":7:12 R1.share: Input should be less than or equal to 1"],
    ),
    "a share of nothing": (
        rules(MOSTLY, "    share: 0\n    within: 10m\n    at_least: 50\n"),
        [":7:12 R1.share: Input should be greater than 0"],
    ),
    "a share of a day that nobody remembers": (
        rules(MOSTLY, "    share: 0.3\n    within: 24h\n    at_least: 50\n"),
        [f":8:13 R1.within: {REMEMBERED}"],
    ),
    "a share of half a minute": (
        rules(MOSTLY, "    share: 0.3\n    within: 30s\n    at_least: 50\n"),
        [f":8:13 R1.within: {REMEMBERED}"],
    ),
    "a share of nobody knows what": (
        rules(MOSTLY, "    within: 10m\n"),
        [":3:5 R1.at_least: is missing", ":3:5 R1.share: is missing"],
    ),
    # What a rule says of links, R61
    "links that nothing is said about": (
        rules(LINK),
        [":3:5 R1: finds nothing: needs block, brands, disguised or only_allowed"],
    ),
    "a blocked link in place of its domain": (
        rules(LINK, "    block: ['http://evil.example.com/a']\n"),
        [f":7:13 R1.block[0]: {HOST}"],
    ),
    "a blocked word": (
        rules(LINK, "    block: [example.com, evil]\n"),
        [f":7:26 R1.block[1]: {HOST}"],
    ),
    "a blocked domain as a number": (
        rules(LINK, "    block: [1.5]\n"),
        [f":7:13 R1.block[0]: {TEXT}"],
    ),
    "a blocked domain in other letters": (
        rules(LINK, "    block: [xn--fiqs8s.cn]\n"),
        [":7:13 R1.block[0]: must be written in letters, not as xn--"],
    ),
    "a host as a brand": (
        rules(LINK, "    brands: [www.icbc.com.cn]\n"),
        [":7:14 R1.brands[0]: must be the domain that is registered: icbc.com.cn"],
    ),
    "an ending as a brand": (
        rules(LINK, "    brands: [com.cn]\n"),
        [f":7:14 R1.brands[0]: {HOST}"],
    ),
    "a domain both blocked and allowed": (
        rules(LINK, "    block: [a.com, b.com]\n    allow: [b.com]\n    brands: [a.com]\n"),
        [
            ":8:13 allow: stands in block, too, which would stop nothing",
            ":9:14 brands: stands in block, too, which would stop nothing",
        ],
    ),
    "disguised links in words": (
        rules(LINK, "    disguised: yes\n"),
        [":7:16 R1.disguised: must be true or false"],
    ),
    "only_allowed in words": (
        rules(LINK, "    only_allowed: 1\n"),
        [":7:19 R1.only_allowed: must be true or false"],
    ),
    "a category that there is none of": (
        rules(LINK, "    disguised: true\n    category: phising\n"),
        [":8:15 R1.category: is no category: docs/reference/policies.md lists them"],
    ),
    # What it says of names and contacts
    "an impostor of nobody": (
        rules(HEAD, "    check: impostor\n    names: []\n"),
        [":3:5 R1: finds nothing: needs names, or filed: true"],
    ),
    "impostors of a name in place of a list": (
        rules(HEAD, "    check: impostor\n    names: 工商银行\n"),
        [":7:12 R1.names: must be a list"],
    ),
    "impostors without a name": (
        rules(HEAD, "    check: impostor\n    names: ['']\n"),
        [":7:13 R1.names[0]: is empty"],
    ),
    "filed in words": (
        rules(HEAD, "    check: impostor\n    filed: all\n"),
        [":7:12 R1.filed: must be true or false"],
    ),
    "a contact that there is none of": (
        rules(HEAD, "    check: contact_in_text\n    kinds: [qq, pager]\n"),
        [f":7:17 R1.kinds[1]: {KINDS}"],
    ),
    "contacts of no kind": (
        rules(HEAD, "    check: contact_in_text\n    kinds: []\n"),
        [f":7:12 R1.kinds: {NONE}"],
    ),
    # What it says of the classifier
    "a classifier that is told nothing": (
        rules(LIKE_SPAM),
        [":3:5 R1.tolerates: is missing"],
    ),
    "a bare number in place of a share": (
        rules(LIKE_SPAM, "    tolerates: 0.005\n"),
        [f":7:16 R1.tolerates: {SHARE}"],
    ),
    "a share of no innocent text": (
        rules(LIKE_SPAM, "    tolerates: 0 %\n"),
        [":7:16 R1.tolerates: must be above 0 % and at most 50 %"],
    ),
    "a share of most": (
        rules(LIKE_SPAM, "    tolerates: 51 %\n"),
        [":7:16 R1.tolerates: must be above 0 % and at most 50 %"],
    ),
    "a tolerance of nobody": (
        rules(LIKE_SPAM, "    tolerates: 1 %\n    tolerances: [{tolerates: 2 %}]\n"),
        [":8:18 R1.tolerances[0]: must name either a sender or a port"],
    ),
    "a tolerance of both": (
        rules(
            LIKE_SPAM,
            "    tolerates: 1 %\n    tolerances: [{sender: a, port: '1', tolerates: 2 %}]\n",
        ),
        [":8:18 R1.tolerances[0]: must name either a sender or a port"],
    ),
    "a tolerance without a share": (
        rules(LIKE_SPAM, "    tolerates: 1 %\n    tolerances: [{sender: sp1}]\n"),
        [":8:18 R1.tolerances[0].tolerates: is missing"],
    ),
    "two tolerances of one sender": (
        rules(
            LIKE_SPAM,
            "    tolerates: 1 %\n    tolerances:\n",
            "      - {sender: sp1, tolerates: 2 %}\n      - {sender: sp1, tolerates: 3 %}\n",
        ),
        [":10:18 tolerances: contradicts the one of this sender in line 9"],
    ),
    "a harm that there is none of": (
        rules(LIKE_SPAM, "    tolerates: 1 %\n    actions: {spam: reject}\n"),
        [":8:15 R1.actions.spam: Input should be 'advert', 'fraud' or 'illegal'"],
    ),
    "an action by harm that there is none of": (
        rules(LIKE_SPAM, "    tolerates: 1 %\n    actions: {fraud: drop}\n"),
        [":8:22 R1.actions.fraud: Input should be 'reject', 'quarantine' or 'forward'"],
    ),
    # What it says of campaigns
    "a campaign that is told nothing": (
        rules(CAMPAIGN),
        [":3:5 R1.people: is missing", ":3:5 R1.within: is missing"],
    ),
    "a campaign of nobody": (
        rules(CAMPAIGN, "    people: 0\n    within: 1h\n"),
        [":7:13 R1.people: Input should be greater than or equal to 1"],
    ),
    "a campaign of seconds": (
        rules(CAMPAIGN, "    people: 100\n    within: 30s\n"),
        [f":8:13 R1.within: {FOLLOWED}"],
    ),
    "a campaign of days": (
        rules(CAMPAIGN, "    people: 100\n    within: 2d\n"),
        [f":8:13 R1.within: {FOLLOWED}"],
    ),
    "a consent that is asserted in words": (
        rules(CAMPAIGN, "    people: 9\n    within: 1h\n    accept_asserted: maybe\n"),
        [":9:22 R1.accept_asserted: must be true or false"],
    ),
    # R95
    "a warning that there is none of": (
        rules(PLAIN, "    warning: W14\n"),
        [f":7:14 R1.warning: {CODES}"],
    ),
    "a warning as a number": (
        rules(PLAIN, "    warning: 5\n"),
        [f":7:14 R1.warning: {CODES}"],
    ),
    "several warnings of one rule": (
        rules(PLAIN, "    warning: [W3, W5]\n"),
        [f":7:14 R1.warning: {CODES}"],
    ),
    "a severity that there is none of": (
        rules(PLAIN, "    warning: W5\n    severity: grave\n"),
        [":8:15 R1.severity: Input should be 'general', 'serious' or 'major'"],
    ),
    "a warning of another network, which is nobody's here": (
        rules(PLAIN, "    event: mt_in\n    warning: W5\n"),
        [":8:14 warning: not with event: mt_in, of another network"],
    ),
    "a violation that nobody would hear of": (
        rules(PLAIN, "    severity: serious\n"),
        [":7:15 severity: needs a warning: W1 to W13, by which it is heard of"],
    ),
    "codes that would wait for an hour": (
        rules(
            HEAD,
            '    check: outside_window\n    open: ["08:00-21:00"]\n    action: defer\n'
            "    applies_to: [commercial, verification]\n",
        ),
        [":9:30 applies_to: a verification code may not wait for an hour"],
    ),
    "a warning of a rule that finds nothing": (
        rules(HEAD, "    check: public_interest\n    exempts: [R2]\n    warning: W1\n", SECOND),
        [":8:5 R1.warning: unknown key"],
    ),
    # All at once
    "faults of several rules and files": (
        {
            **rules(PLAIN, "    mode: on\n", SECOND, "    action: drop\n"),
            "rules/b.yaml": START + HEAD.replace("R1", "R3") + "    check: refuse\n",
        },
        [
            ":7:11 R1.mode: Input should be 'enforce', 'shadow' or 'off'",
            ":12:13 R2.action: Input should be 'reject' or 'quarantine'",
            f"/../b.yaml:6:12 R3.check: {CHECKS}",
        ],
    ),
}


@pytest.mark.parametrize(("files", "faults"), BROKEN.values(), ids=BROKEN)
def test_rules_that_cannot_be_meant_are_refused_with_every_fault_at_its_place(
    files: dict[str, str], faults: list[str], bundle: WriteBundle, faults_of: FaultsOf
) -> None:
    directory = bundle(files)

    assert faults_of(lambda: load_bundle(directory)) == [
        f"policies/{RULES}{fault}".replace(f"{RULES}/../", "rules/") for fault in faults
    ]


def test_there_are_sixty_of_them_at_least() -> None:
    assert len(BROKEN) >= 60


def test_octets_that_are_no_text_are_refused(bundle: WriteBundle, faults_of: FaultsOf) -> None:
    directory = bundle(rules(PLAIN))
    (directory / RULES).write_bytes(f"{START}{PLAIN}".encode("gb18030"))

    assert faults_of(lambda: load_bundle(directory)) == ["policies/rules/a.yaml:4:17 not UTF-8"]


def test_a_file_past_its_bound_is_refused(bundle: WriteBundle, faults_of: FaultsOf) -> None:
    directory = bundle({RULES: START + PLAIN + "#" * 4 * 1024 * 1024})

    assert faults_of(lambda: load_bundle(directory)) == [
        "policies/rules/a.yaml:1:1 is larger than 4194304 octets"
    ]


def test_rules_that_are_a_link_out_of_the_bundle_are_refused(
    bundle: WriteBundle, tmp_path: Path, faults_of: FaultsOf
) -> None:
    (tmp_path / "secret.yaml").write_text("password: x\n")
    directory = bundle(rules(PLAIN))
    (directory / "rules/b.yaml").symlink_to(tmp_path / "secret.yaml")

    assert faults_of(lambda: load_bundle(directory)) == [
        "policies/rules/b.yaml:1:1 leads out of the bundle"
    ]
