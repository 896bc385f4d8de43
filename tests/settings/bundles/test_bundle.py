"""A bundle as files: what it comes to, and each fault at its place."""

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import pytest

from gateway.domain.policy import ContentRule, KeywordList, ListAction, OverdueAction, ReviewLimit
from gateway.domain.verdict import Action
from gateway.policy.hours import HolidayCalendar, RuleLocale
from gateway.settings.bundles import keyword_lists
from gateway.settings.bundles.bundle import load_bundle

WriteBundle = Callable[[Mapping[str, str]], Path]
FaultsOf = Callable[[Callable[[], object]], list[str]]

FRAUD = """\
version: 1
id: K-FRAUD
category: fraud
action: reject                         # reject | quarantine | shadow
words: [代开发票]
file: fraud.txt
"""
WORDS = "# 假证\n专业办证刻章\n\n代开发票\n"
PLAIN = FRAUD.replace("file: fraud.txt\n", "")


def test_a_head_alone_is_a_bundle_that_forwards_everything(bundle: WriteBundle) -> None:
    found = load_bundle(bundle({}))

    assert found.name == "test"
    assert found.keyword_lists == ()
    assert found.rules == ()
    assert found.replies is None
    assert found.surroundings == RuleLocale()
    assert found.content == ContentRule(unreadable=Action.FORWARD)
    assert found.is_open


def test_keywords_load_as_they_were_promised(bundle: WriteBundle) -> None:
    found = load_bundle(bundle({"keywords/fraud.yaml": FRAUD, "keywords/fraud.txt": WORDS}))

    assert found.keyword_lists == (
        KeywordList("K-FRAUD", "fraud", ListAction.REJECT, ("代开发票", "专业办证刻章")),
    )
    assert not found.is_open


def test_opt_out_words_and_port_numbers_stay_what_they_are(bundle: WriteBundle) -> None:
    words = "words: [no, on, 0106, 21:00, 00000, ' TD ']"
    found = load_bundle(bundle({"keywords/a.yaml": PLAIN.replace("words: [代开发票]", words)}))

    assert found.keyword_lists[0].words == ("no", "on", "0106", "21:00", "00000", "TD")


def test_a_list_may_stand_in_its_file_alone(bundle: WriteBundle) -> None:
    files = {
        "keywords/fraud.yaml": FRAUD.replace("words: [代开发票]\n", ""),
        "keywords/fraud.txt": WORDS,
    }

    assert load_bundle(bundle(files)).keyword_lists[0].words == ("专业办证刻章", "代开发票")


def test_lists_are_in_the_order_of_their_files(bundle: WriteBundle) -> None:
    files = {f"keywords/{n}.yaml": PLAIN.replace("K-FRAUD", n.upper()) for n in ("b", "c", "a")}

    assert [words.id for words in load_bundle(bundle(files)).keyword_lists] == ["A", "B", "C"]


def test_a_head_may_say_whose_clock_and_whose_holidays_count(bundle: WriteBundle) -> None:
    head = (
        "version: 1\nname: 示例\nzone: Europe/Paris\n"
        "calendar: calendars/x.yaml\nfrequency_capacity: 5000\n"
    )
    calendar = "version: 1\nname: x\nyears: {2026: {holidays: {Noël: 12-25}}}\n"

    found = load_bundle(bundle({"bundle.yaml": head, "calendars/x.yaml": calendar}))

    assert (found.name, found.surroundings.zone) == ("示例", "Europe/Paris")
    assert found.surroundings.calendar == HolidayCalendar(
        "x", frozenset({date(2026, 12, 25)}), years=frozenset({2026})
    )
    assert found.surroundings.capacity == 5000


def test_a_content_file_holds_what_cannot_be_read(bundle: WriteBundle) -> None:
    found = load_bundle(bundle({"content.yaml": "version: 1\n"}))

    assert found.content == ContentRule(Action.QUARANTINE, 60, 86_400)
    assert not found.is_open


def test_a_content_file_may_set_all_of_its_rule(bundle: WriteBundle) -> None:
    text = (
        "version: 1\nunreadable: reject\nparts_ttl_s: 2.5\nquarantine_ttl_s: 3600\n"
        "late_parts_s: 2592000\n"
    )

    found = load_bundle(bundle({"content.yaml": text}))

    assert found.content == ContentRule(Action.REJECT, 2.5, 3600, late_parts_s=30 * 86_400)


def test_a_content_file_sets_limits_by_category_of_the_tree_or_of_a_list(
    bundle: WriteBundle,
) -> None:
    text = (
        "version: 1\ncode_life_s: 300\nreview:\n"
        "  commercial: {within: 12h, then: release}\n"
        "  loan: {within: 30m, then: discard}\n"
        "  ours: {within: 1h}\n"
    )
    own = "version: 1\nid: K-OURS\ncategory: ours\naction: quarantine\nwords: [暗语]\n"

    found = load_bundle(bundle({"content.yaml": text, "keywords/ours.yaml": own})).content

    assert found.code_life_s == 300
    assert found.review == {
        "commercial": ReviewLimit(43_200, OverdueAction.RELEASE),
        "loan": ReviewLimit(1800, OverdueAction.DISCARD),
        "ours": ReviewLimit(3600, OverdueAction.KEEP),
    }
    for category, limit in (
        ("loan", "loan"),
        ("travel", "commercial"),
        ("commercial", "commercial"),
        ("ours", "ours"),
        ("fraud", ""),
        ("", ""),
    ):
        assert found.limit_of(category) == found.review.get(limit)
    assert str(found.review["loan"]) == "within 1800 s, then discard"


@pytest.mark.parametrize(
    ("action", "unreadable"),
    [
        ("reject", Action.QUARANTINE),
        ("quarantine", Action.QUARANTINE),
        ("shadow", Action.FORWARD),
    ],
)
def test_an_odd_encoding_is_no_way_around_keywords(
    action: str, unreadable: Action, bundle: WriteBundle
) -> None:
    found = load_bundle(bundle({"keywords/a.yaml": PLAIN.replace("reject", action, 1)}))

    assert found.content.unreadable is unreadable
    assert found.is_open is (action == "shadow")


def test_replies_are_heard_when_there_is_a_file_of_them(bundle: WriteBundle) -> None:
    found = load_bundle(bundle({"replies.yaml": "version: 1\nopted_out: 已退订\n"})).replies

    assert found is not None
    assert found.opted_out == "已退订"
    assert "TD" in found.restored


BROKEN = {
    "a text with a gap that nobody can fill": (
        {"replies.yaml": "version: 1\nhow_to: 退订{name}回TD\n"},
        "replies.yaml:2:9 how_to: knows {sender} and {orders}, and no other braces",
    ),
    "a confirmation of two messages": (
        {"replies.yaml": f"version: 1\nrestored: {'恢' * 71}\n"},
        "replies.yaml:2:11 restored: is longer than one message of 70 characters",
    ),
    "consent as it was written before": (
        {"consent.yaml": "version: 1\nopt_out: enforce\n"},
        (
            "consent.yaml:1:1 consent.yaml is no more: write its replies as opted_out and restored"
            " into replies.yaml, and opt_out and consent as rules with the checks opt_out and"
            " no_consent into rules/*.yaml"
        ),
    ),
    "zone": (
        {"bundle.yaml": "version: 1\nname: x\nzone: Asia/Peking\n"},
        "bundle.yaml:3:7 zone: is no time zone, as Asia/Shanghai is",
    ),
    "zone that is a file": (
        {"bundle.yaml": "version: 1\nname: x\nzone: ../../etc/passwd\n"},
        "bundle.yaml:3:7 zone: is no time zone, as Asia/Shanghai is",
    ),
    "zone that is a folder": (
        {"bundle.yaml": "version: 1\nname: x\nzone: Asia\n"},
        "bundle.yaml:3:7 zone: is no time zone, as Asia/Shanghai is",
    ),
    "calendar that is not there": (
        {"bundle.yaml": "version: 1\nname: x\ncalendar: calendars/no.yaml\n"},
        "calendars/no.yaml:1:1 cannot be read: No such file or directory",
    ),
    "calendar above": (
        {"bundle.yaml": "version: 1\nname: x\ncalendar: ../cn.yaml\n"},
        "bundle.yaml:3:11 calendar: must be a relative name without ..",
    ),
    "calendar that is the head itself": (
        {"bundle.yaml": "version: 1\nname: x\ncalendar: bundle.yaml\n"},
        "bundle.yaml:3:11 calendar: names itself",
    ),
    "calendar with a day that is none": (
        {
            "bundle.yaml": "version: 1\nname: x\ncalendar: calendars/x.yaml\n",
            "calendars/x.yaml": "version: 1\nname: x\nyears: {2026: {holidays: {a: 02-30}}}\n",
        },
        "calendars/x.yaml:3:30 '02-30' is no day of 2026",
    ),
    "calendar that says a thing twice": (
        {
            "bundle.yaml": "version: 1\nname: x\ncalendar: calendars/x.yaml\n",
            "calendars/x.yaml": "version: 1\nname: x\nname: y\nyears: {}\n",
        },
        "calendars/x.yaml:3:1 repeated key 'name' (first in line 2)",
    ),
    "head of another version": (
        {"bundle.yaml": "version: 2\nname: x\n"},
        "bundle.yaml:1:10 version: must be 1: no other version of this file is known",
    ),
    "head without a name": ({"bundle.yaml": "version: 1\n"}, "bundle.yaml:1:1 name: is missing"),
    "unknown key": (
        {"keywords/a.yaml": PLAIN + "acton: reject\n"},
        "keywords/a.yaml:6:1 acton: unknown key",
    ),
    "action": (
        {"keywords/a.yaml": PLAIN.replace("reject", "pass", 1)},
        "keywords/a.yaml:4:9 action: Input should be 'reject', 'quarantine' or 'shadow'",
    ),
    "id": (
        {"keywords/a.yaml": PLAIN.replace("K-FRAUD", "K FRAUD")},
        (
            "keywords/a.yaml:2:5 id: must be 1 to 32 of A-Z a-z 0-9 . _ -"
            " and start with a letter or digit"
        ),
    ),
    "no words": (
        {"keywords/a.yaml": PLAIN.replace("代开发票", "")},
        "keywords/a.yaml:1:1 holds no words, neither in words nor in a file",
    ),
    "a word that is a number": (
        {"keywords/a.yaml": PLAIN.replace("代开发票", "ab, 10086")},
        "keywords/a.yaml:5:13 words[1]: must be text: put numbers, true and false in quotes",
    ),
    "a word of one letter": (
        {"keywords/a.yaml": PLAIN.replace("代开发票", "ab, R")},
        "keywords/a.yaml:5:13 words[1]: a single ASCII character is no word",
    ),
    "file above": (
        {"keywords/a.yaml": PLAIN + "file: ../../etc/passwd\n"},
        "keywords/a.yaml:6:7 must be a relative name without ..",
    ),
    "file by absolute name": (
        {"keywords/a.yaml": PLAIN + "file: /etc/passwd\n"},
        "keywords/a.yaml:6:7 must be a relative name without ..",
    ),
    "file that is not there": (
        {"keywords/a.yaml": PLAIN + "file: no.txt\n"},
        "keywords/no.txt:1:1 cannot be read: No such file or directory",
    ),
    "file that is a folder": (
        {"keywords/a.yaml": PLAIN + "file: .\n"},
        "keywords:1:1 is not a regular file",
    ),
    "file as a number": (
        {"keywords/a.yaml": PLAIN + "file: 7\n"},
        "keywords/a.yaml:6:7 file: must be text: put numbers, true and false in quotes",
    ),
    "bad word in a file": (
        {"keywords/a.yaml": FRAUD, "keywords/fraud.txt": "代开发票\nx\n"},
        "keywords/fraud.txt:2:1 a single ASCII character is no word",
    ),
    "one id twice": (
        {"keywords/a.yaml": PLAIN, "keywords/b.yaml": PLAIN},
        "keywords/b.yaml:2:5 is the id of a.yaml already",
    ),
    "words that stand in YAML": (
        {"keywords/a.yaml": PLAIN + "file: b.yaml\n"},
        "keywords/a.yaml:6:7 is YAML: words stand in a text file, one a line",
    ),
    "a list that names itself": (
        {"keywords/a.yaml": PLAIN + "file: a.yaml\n"},
        "keywords/a.yaml:6:7 names itself",
    ),
    "late parts for a minute": (
        {"content.yaml": "version: 1\nlate_parts_s: 60\n"},
        "content.yaml:2:15 late_parts_s: Input should be greater than or equal to 86400",
    ),
    "time in words": (
        {"content.yaml": "version: 1\nparts_ttl_s: 1:00\n"},
        "content.yaml:2:14 parts_ttl_s: must be a number",
    ),
    "no time": (
        {"content.yaml": "version: 1\nquarantine_ttl_s: 0\n"},
        "content.yaml:2:19 quarantine_ttl_s: Input should be greater than or equal to 60",
    ),
    "a limit of no category": (
        {"content.yaml": "version: 1\nreview:\n  loann: {within: 4h}\n"},
        "content.yaml:3:3 review.loann: is no category, nor that of a list: write loan",
    ),
    "a limit of nothing like a category": (
        {"content.yaml": "version: 1\nreview:\n  xyz: {within: 4h}\n"},
        (
            "content.yaml:3:3 review.xyz: is no category, nor that of a list:"
            " write commercial, illegal, nuisance"
        ),
    ),
    "a limit of a category by another name": (
        {"content.yaml": "version: 1\nreview:\n  贷款: {within: 4h}\n"},
        "content.yaml:3:3 review.贷款: is another name of a category: write loan",
    ),
    "fraud released unread": (
        {"content.yaml": "version: 1\nreview:\n  fraud_prize: {within: 4h, then: release}\n"},
        (
            "content.yaml:3:35 review.fraud_prize.then: what may be against the law is not"
            " released unread: write discard or keep"
        ),
    ),
    "released before anybody looks": (
        {"content.yaml": "version: 1\nreview:\n  commercial: {within: 9m, then: release}\n"},
        (
            "content.yaml:3:24 review.commercial.within: people need 10m at least before it is"
            " released"
        ),
    ),
    "a limit after the end": (
        {"content.yaml": "version: 1\nreview:\n  loan: {within: 2d, then: discard}\n"},
        (
            "content.yaml:3:18 review.loan.within: a held message expires after 86400 s"
            " (quarantine_ttl_s): write less, or raise that"
        ),
    ),
    "a limit in seconds": (
        {"content.yaml": "version: 1\nreview:\n  loan: {within: 3600}\n"},
        (
            "content.yaml:3:18 review.loan.within: must be a duration in quotes:"
            ' "90s", "30m", "24h" or "7d"'
        ),
    ),
    "a code for days": (
        {"content.yaml": "version: 1\ncode_life_s: 86400\n"},
        "content.yaml:2:14 code_life_s: Input should be less than or equal to 3600",
    ),
    "a name that is not read": (
        {"consents.yaml": "version: 1\n"},
        (
            "consents.yaml:1:1 only bundle.yaml, content.yaml, detectors.yaml, replies.yaml,"
            " selftest.yaml, rules/*.yaml and keywords/*.yaml are read"
        ),
    ),
    "another ending": (
        {"keywords/a.yml": PLAIN},
        (
            "keywords/a.yml:1:1 only bundle.yaml, content.yaml, detectors.yaml, replies.yaml,"
            " selftest.yaml, rules/*.yaml and keywords/*.yaml are read"
        ),
    ),
}


@pytest.mark.parametrize(("files", "fault"), BROKEN.values(), ids=BROKEN)
def test_a_bad_bundle_is_named_by_file_line_and_column(
    files: dict[str, str], fault: str, bundle: WriteBundle, faults_of: FaultsOf
) -> None:
    directory = bundle(files)

    assert faults_of(lambda: load_bundle(directory)) == [f"policies/{fault}"]


def test_the_faults_of_all_files_come_at_once(bundle: WriteBundle, faults_of: FaultsOf) -> None:
    directory = bundle(
        {
            "bundle.yaml": "version: 1\nname: 7\n",
            "content.yaml": "unreadable: forward\n",
            "keywords/a.yaml": FRAUD + "x: 1\n",
            "keywords/b.yaml": "&a version: 1\n",
            "replies.yaml": "version: 1\nrestored: 7\n",
            "rules/a.yaml": "version: 1\nrules: [{id: R1}]\n",
            "keywords/fraud.txt": "代开发票\n!\n",
        }
    )

    assert [fault.split(" ")[0] for fault in faults_of(lambda: load_bundle(directory))] == [
        "policies/bundle.yaml:2:7",
        "policies/content.yaml:1:1",
        "policies/keywords/a.yaml:7:1",
        "policies/keywords/b.yaml:1:1",
        "policies/keywords/fraud.txt:2:1",
        "policies/replies.yaml:2:11",
        "policies/rules/a.yaml:2:9",
    ]


def test_a_directory_that_is_not_there_is_named(tmp_path: Path, faults_of: FaultsOf) -> None:
    assert faults_of(lambda: load_bundle(tmp_path / "no")) == [
        "no/bundle.yaml:1:1 cannot be read: No such file or directory"
    ]


def test_a_broken_link_in_place_of_a_rule_is_a_fault(
    bundle: WriteBundle, faults_of: FaultsOf
) -> None:
    directory = bundle({})
    (directory / "replies.yaml").symlink_to("nowhere.yaml")

    assert faults_of(lambda: load_bundle(directory)) == [
        "policies/replies.yaml:1:1 cannot be read: No such file or directory"
    ]


def test_a_list_past_the_bound_is_refused(
    bundle: WriteBundle, faults_of: FaultsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyword_lists, "MAX_WORDS", 2)
    more = FRAUD.replace("[代开发票]", "[另一个词]")
    directory = bundle({"keywords/a.yaml": more, "keywords/fraud.txt": WORDS})

    assert faults_of(lambda: load_bundle(directory)) == [
        "policies/keywords/a.yaml:1:1 more than 2 words"
    ]


def test_any_change_of_any_file_makes_another_digest(bundle: WriteBundle) -> None:
    files = {
        "keywords/fraud.yaml": FRAUD,
        "keywords/fraud.txt": WORDS,
        "replies.yaml": "version: 1\n",
    }
    before = load_bundle(bundle(files))
    digests = {before.digest}

    for name, text in files.items():
        digests.add(load_bundle(bundle({**files, name: text + "# \n"})).digest)

    assert len(digests) == 4
    assert load_bundle(bundle(files)) == before


@pytest.mark.parametrize(("said", "scope"), [("", "sender"), ("scope: port\n", "port")])
def test_r22_a_bundle_says_what_td_to_a_port_refuses(
    bundle: WriteBundle, said: str, scope: str
) -> None:
    found = load_bundle(bundle({"replies.yaml": f"version: 1\n{said}"})).replies

    assert found is not None
    assert found.scope == scope
