"""Profiles, local.d and override.d: what wins, and in which file a fault lies."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.domain.policy import Enforcement, ListAction
from gateway.policy.bundle import Bundle
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.settings.bundles.bundle import load_bundle, read_bundle

WriteBundle = Callable[[Mapping[str, str]], Path]
FaultsOf = Callable[[Callable[[], object]], list[str]]

RULES = """\
version: 1
rules:
  - id: R21
    check: opt_out
    title: {zh: 拒收, en: Refusal}
    article: A
    mode: enforce
  - id: R40
    check: outside_window
    title: {zh: 时段, en: Hours}
    article: B
    open: ["08:00-21:00"]
    overrides: [{sender: sp1, mode: off}]
"""
FRAUD = (
    "version: 1\nid: K-FRAUD\ncategory: fraud\naction: reject\nwords: [代开发票]\nfile: fraud.txt\n"
)
BASE = {
    "rules/law.yaml": RULES,
    "keywords/fraud.yaml": FRAUD,
    "keywords/fraud.txt": "办证\n",
    "replies.yaml": "version: 1\nopted_out: 已退订\nrestored: 已恢复\n",
}
NAMED = "version: 1\nname: test\nprofile: {}\n"
FR = {
    "bundle.yaml": NAMED.format("fr"),
    "profiles/fr/bundle.yaml": "version: 1\nzone: Europe/Paris\n",
    "profiles/fr/rules/law.yaml": (
        'version: 1\nrules: [{id: R40, open: ["08:00-22:00"], title: {en: Heures}}]\n'
    ),
}


def changed(layer: str, text: str) -> dict[str, str]:
    return {f"{layer}/rules/mine.yaml": f"version: 1\nrules:\n{text}"}


def modes(bundle: Bundle) -> dict[str, Enforcement]:
    return {rule.id: rule.mode for rule in bundle.rules}


def opening_hours(bundle: Bundle) -> list[int]:
    (check,) = [rule.check for rule in bundle.rules if isinstance(rule.check, OutsideWindow)]
    return [window.closes.hour for window in check.open.windows]


# Profiles


def test_a_profile_changes_only_what_it_names(bundle: WriteBundle) -> None:
    before = load_bundle(bundle(BASE))

    found = load_bundle(bundle({**BASE, **FR}))

    refusal, hours = found.rules
    assert refusal == before.rules[0]
    assert opening_hours(found) == [22]
    assert (hours.title.zh, hours.title.en) == ("时段", "Heures")
    assert hours.overrides == before.rules[1].overrides
    assert (found.name, found.surroundings.zone) == ("test", "Europe/Paris")
    assert found.keyword_lists == before.keyword_lists


def test_a_profile_that_is_not_named_says_nothing(bundle: WriteBundle) -> None:
    files = {
        **BASE,
        **FR,
        "profiles/uk/rules/x.yaml": "no YAML: [",
        "bundle.yaml": "version: 1\nname: test\n",
    }
    directory = bundle(files)

    assert opening_hours(load_bundle(directory)) == [21]
    assert opening_hours(load_bundle(directory, "fr")) == [22]


def test_a_profile_may_be_chosen_in_local_d(bundle: WriteBundle) -> None:
    uk = {"profiles/uk/bundle.yaml": "version: 1\nzone: Europe/London\n"}
    local = {"local.d/bundle.yaml": "version: 1\nprofile: uk\n"}

    found = load_bundle(bundle({**BASE, **FR, **uk, **local}))

    assert found.surroundings.zone == "Europe/London"
    assert opening_hours(found) == [21]


def test_a_head_in_override_d_chooses_the_profile_and_says_the_rest_itself(
    bundle: WriteBundle,
) -> None:
    plain = {"bundle.yaml": "version: 1\nname: test\n"}

    found = load_bundle(
        bundle({**BASE, **FR, **plain, "override.d/bundle.yaml": NAMED.format("fr")})
    )

    assert opening_hours(found) == [22]
    assert found.surroundings.zone == "Asia/Shanghai"


BAD_PROFILES = {
    "a profile that is not there": (
        {"bundle.yaml": NAMED.format("de")},
        "bundle.yaml:3:10 profile: there is no profiles/de; there are: fr",
    ),
    "a profile above": (
        {"bundle.yaml": NAMED.format("../policies")},
        "bundle.yaml:3:10 profile: there is no profiles/../policies; there are: fr",
    ),
    "a profile that names itself": (
        {"profiles/fr/bundle.yaml": "version: 1\nprofile: fr\n"},
        "profiles/fr/bundle.yaml:2:10 profile: a profile names no other",
    ),
    "a profile that names another": (
        {"profiles/fr/bundle.yaml": "version: 1\nprofile: uk\n"},
        "profiles/fr/bundle.yaml:2:10 profile: a profile names no other",
    ),
}


@pytest.mark.parametrize(("files", "fault"), BAD_PROFILES.values(), ids=BAD_PROFILES)
def test_a_profile_that_cannot_be_meant_is_a_fault(
    files: dict[str, str], fault: str, bundle: WriteBundle, faults_of: FaultsOf
) -> None:
    directory = bundle({**BASE, **FR, **files})

    assert f"policies/{fault}" in faults_of(lambda: load_bundle(directory))


# postures

POSED = "version: 1\nname: test\nposture: {}\n"
STRICT = {
    "postures/strict/rules/law.yaml": "version: 1\nrules: [{id: R40, mode: enforce}]\n",
    "postures/strict/keywords/fraud.yaml": "version: 1\nid: K-FRAUD\naction: quarantine\n",
}


def test_a_posture_is_laid_over_the_files(bundle: WriteBundle) -> None:
    found = load_bundle(bundle({**BASE, **STRICT, "bundle.yaml": POSED.format("strict")}))

    assert found.posture == "strict"
    assert modes(found) == {"R21": Enforcement.ENFORCE, "R40": Enforcement.ENFORCE}
    (fraud,) = found.keyword_lists
    assert fraud.action is ListAction.QUARANTINE


@pytest.mark.parametrize("head", [POSED.format("balanced"), "version: 1\nname: test\n"])
def test_balanced_is_what_the_files_say_themselves(bundle: WriteBundle, head: str) -> None:
    found = load_bundle(bundle({**BASE, **STRICT, "bundle.yaml": head}))

    assert found.posture == "balanced"
    assert modes(found) == {"R21": Enforcement.ENFORCE, "R40": Enforcement.SHADOW}


def test_a_profile_and_then_local_d_are_laid_over_a_posture(bundle: WriteBundle) -> None:
    head = {"bundle.yaml": "version: 1\nname: test\nposture: strict\nprofile: fr\n"}
    local = {"local.d/bundle.yaml": "version: 1\nposture: strict\n"}
    off = changed("local.d", "  - {id: R40, mode: off}\n")

    found = load_bundle(bundle({**BASE, **FR, **STRICT, **head, **local, **off}))

    assert opening_hours(found) == [22]
    assert modes(found)["R40"] is Enforcement.OFF


BAD_POSTURES = {
    "one that is not there": (
        {"bundle.yaml": POSED.format("stern")},
        "bundle.yaml:3:10 posture: there is no postures/stern; there are: balanced, strict",
    ),
    "one that names a profile": (
        {
            "bundle.yaml": POSED.format("strict"),
            "postures/strict/bundle.yaml": "version: 1\nprofile: fr\n",
        },
        "postures/strict/bundle.yaml:2:10 profile: a posture names no other",
    ),
}


@pytest.mark.parametrize(("files", "fault"), BAD_POSTURES.values(), ids=BAD_POSTURES)
def test_a_posture_that_cannot_be_meant_is_a_fault(
    files: dict[str, str], fault: str, bundle: WriteBundle, faults_of: FaultsOf
) -> None:
    directory = bundle({**BASE, **FR, **STRICT, **files})

    assert f"policies/{fault}" in faults_of(lambda: load_bundle(directory))


# local.d


def test_local_d_has_the_last_word(bundle: WriteBundle) -> None:
    local = changed("local.d", '  - {id: R40, mode: enforce, open: ["09:00-20:00"]}\n')

    found = load_bundle(bundle({**BASE, **FR, **local}))

    assert modes(found) == {"R21": Enforcement.ENFORCE, "R40": Enforcement.ENFORCE}
    assert opening_hours(found) == [20]


def test_a_rule_that_is_whole_is_added(bundle: WriteBundle) -> None:
    rule = "  - {id: MINE, check: no_sender_name, title: {zh: 署名, en: Name}, article: contract}\n"

    found = load_bundle(bundle({**BASE, **changed("local.d", rule)}))

    assert list(modes(found)) == ["R21", "R40", "MINE"]


def test_words_and_cases_are_added_and_other_settings_replaced(bundle: WriteBundle) -> None:
    files = {
        **BASE,
        "selftest.yaml": "version: 1\ncases: [{text: 代开发票, expect: reject}]\n",
        "local.d/keywords/more.yaml": (
            "version: 1\nid: K-FRAUD\naction: quarantine\nwords: [刷单]\nfile: mine.txt\n"
        ),
        "local.d/keywords/mine.txt": "收卡\n",
        "local.d/keywords/own.yaml": FRAUD.replace("K-FRAUD", "K-OWN").replace(
            "file: fraud.txt\n", ""
        ),
        "local.d/selftest.yaml": "version: 1\ncases:\n- {text: 您好, expect: forward}\n",
        "local.d/replies.yaml": "version: 1\nrestored: 欢迎回来\n",
    }

    found = load_bundle(bundle(files))

    fraud, own = found.keyword_lists
    assert (fraud.words, fraud.action) == (
        ("代开发票", "刷单", "办证", "收卡"),
        ListAction.QUARANTINE,
    )
    assert own.id == "K-OWN"
    assert [(case.text, case.file, case.line) for case in found.selftest] == [
        ("代开发票", "selftest.yaml", 2),
        ("您好", "local.d/selftest.yaml", 3),
    ]
    assert found.replies is not None
    assert (found.replies.opted_out, found.replies.restored) == ("已退订", "欢迎回来")


FAULTS = {
    "a wrong field of a rule": (
        changed("local.d", "  - {id: R40, mode: on}\n"),
        "local.d/rules/mine.yaml:3:21 R40.mode: Input should be 'enforce', 'shadow' or 'off'",
    ),
    "an unknown field of a rule": (
        changed("local.d", "  - {id: R40, modus: off}\n"),
        "local.d/rules/mine.yaml:3:15 R40.modus: unknown key",
    ),
    "a rule that is neither there nor whole": (
        changed("local.d", "  - {id: R41, mode: off}\n"),
        "local.d/rules/mine.yaml:3:5 R41.check: is missing",
    ),
    "another check": (
        changed("local.d", "  - {id: R21, check: no_sender_name}\n"),
        (
            "local.d/rules/mine.yaml:3:22 R21.check: a rule keeps its check, opt_out:"
            " give the new one its own id"
        ),
    ),
    "a rule twice in one layer": (
        changed("local.d", "  - {id: R40, mode: off}\n  - {id: R40, mode: shadow}\n"),
        "local.d/rules/mine.yaml:4:10 R40: stands in mine.yaml line 3 already",
    ),
    "no version": (
        {"local.d/replies.yaml": "restored: 欢迎\n"},
        "local.d/replies.yaml:1:1 version: is missing",
    ),
    "another version": (
        {"local.d/replies.yaml": "version: 2\n"},
        "local.d/replies.yaml:1:10 version: must be 1: no other version of this file is known",
    ),
    "what is no YAML": (
        {"local.d/replies.yaml": "a: [\n"},
        "local.d/replies.yaml:2:1 did not find expected node content",
    ),
    "a word": (
        {"local.d/keywords/a.yaml": "version: 1\nid: K-FRAUD\nwords: [刷单, x]\n"},
        "local.d/keywords/a.yaml:3:13 words[2]: a single ASCII character is no word",
    ),
    "a case": (
        {
            "selftest.yaml": "version: 1\ncases: [{text: 您好, expect: forward}]\n",
            "local.d/selftest.yaml": "version: 1\ncases: [{text: 您好}]\n",
        },
        "local.d/selftest.yaml:2:9 cases[1].expect: is missing",
    ),
    "a name that is not read": (
        {"local.d/rule.yaml": "version: 1\n"},
        (
            "local.d/rule.yaml:1:1 only bundle.yaml, content.yaml, detectors.yaml, replies.yaml,"
            " selftest.yaml, rules/*.yaml and keywords/*.yaml are read"
        ),
    ),
    "words from another layer's folder": (
        {"local.d/keywords/a.yaml": "version: 1\nid: K-FRAUD\nfile: ../../keywords/fraud.txt\n"},
        "local.d/keywords/a.yaml:3:7 must be a relative name without ..",
    ),
    "a replacement of nothing": (
        {"override.d/rules/lau.yaml": RULES},
        "override.d/rules/lau.yaml:1:1 replaces nothing: what is new belongs into local.d/",
    ),
    "a rule in a replacement": (
        {"override.d/rules/law.yaml": RULES.replace("enforce", "always")},
        "override.d/rules/law.yaml:7:11 R21.mode: Input should be 'enforce', 'shadow' or 'off'",
    ),
}


@pytest.mark.parametrize(("files", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_fault_lies_in_the_layer_that_said_it(
    files: dict[str, str], fault: str, bundle: WriteBundle, faults_of: FaultsOf
) -> None:
    directory = bundle({**BASE, **files})

    assert faults_of(lambda: load_bundle(directory)) == [f"policies/{fault}"]


# override.d


def test_override_d_replaces_whole_files_in_every_layer(bundle: WriteBundle) -> None:
    one = RULES.partition("  - id: R40")[0]
    local = {"local.d/rules/law.yaml": "version: 1\nrules: [{id: R21, mode: shadow}]\n"}

    found = load_bundle(bundle({**BASE, **FR, **local, "override.d/rules/law.yaml": one}))

    assert modes(found) == {"R21": Enforcement.ENFORCE}


def test_override_d_may_replace_words_alone_or_the_list_alone(bundle: WriteBundle) -> None:
    words = load_bundle(bundle({**BASE, "override.d/keywords/fraud.txt": "收卡\n"}))
    both = load_bundle(
        bundle({**BASE, "override.d/keywords/fraud.yaml": FRAUD.replace("代开发票", "刷单")})
    )

    assert words.keyword_lists[0].words == ("代开发票", "收卡")
    assert both.keyword_lists[0].words == ("刷单", "收卡")


def test_what_a_profile_alone_has_can_be_replaced(bundle: WriteBundle) -> None:
    words = FRAUD.replace("K-FRAUD", "K-FR").replace("fraud.txt", "fr.txt")
    files = {
        **BASE,
        **FR,
        "profiles/fr/keywords/fr.yaml": words,
        "profiles/fr/keywords/fr.txt": "一二\n",
        "override.d/keywords/fr.yaml": words.replace("代开发票", "三四"),
    }

    _, fr = load_bundle(bundle(files)).keyword_lists

    assert fr.words == ("三四", "一二")


# What is in force


def test_the_digest_and_the_history_cover_the_layers_in_force_and_no_others(
    bundle: WriteBundle,
) -> None:
    local = changed("local.d", "  - {id: R40, mode: off}\n")
    files = {**BASE, **FR, **local, "override.d/keywords/fraud.txt": "收卡\n"}
    before = read_bundle(bundle(files))

    unread = {"profiles/uk/rules/x.yaml": "x", "keywords/fraud.txt": "别的\n"}
    ignored = read_bundle(bundle({**files, **unread}))
    told = read_bundle(bundle({**files, **changed("local.d", "  - {id: R40, mode: shadow}\n")}))

    assert before.files.keys() == files.keys() - {"keywords/fraud.txt"}
    assert ignored.bundle.digest == before.bundle.digest
    assert told.bundle.digest != before.bundle.digest


@pytest.mark.parametrize("layer", ["local.d", "override.d", "profiles/fr"])
def test_a_layer_that_is_a_link_out_of_the_bundle_is_refused(
    layer: str, bundle: WriteBundle, tmp_path: Path, faults_of: FaultsOf
) -> None:
    directory = bundle({"bundle.yaml": NAMED.format("fr"), "profiles/a.txt": ""})
    (tmp_path / "elsewhere/rules").mkdir(parents=True)
    (tmp_path / "elsewhere/rules/secret.yaml").write_text("password: x\n")
    if layer != "profiles/fr":
        (directory / "profiles/fr").mkdir()
    (directory / layer).symlink_to(tmp_path / "elsewhere")

    assert faults_of(lambda: load_bundle(directory)) == [
        f"policies/{layer}:1:1 leads out of the bundle"
    ]


def test_words_behind_a_link_out_of_the_bundle_are_not_read(
    bundle: WriteBundle, tmp_path: Path, faults_of: FaultsOf
) -> None:
    (tmp_path / "secret.txt").write_text("secret\n")
    directory = bundle({"keywords/fraud.yaml": FRAUD})
    (directory / "keywords/fraud.txt").symlink_to(tmp_path / "secret.txt")

    assert faults_of(lambda: load_bundle(directory)) == [
        "policies/keywords/fraud.yaml:6:7 leads out of the bundle"
    ]
