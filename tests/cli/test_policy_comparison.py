import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

Cli = Callable[..., CompletedProcess[str]]
Write = Callable[[str, str], None]

SELFTEST = "version: 1\ncases:\n  - {{text: 代开发票, expect: {}}}\n"
MORE = "version: 1\ncategory: gambling\nwords: [六合彩, 时时彩]\n"
FRAUD = "version: 1\nid: K-FRAUD\ncategory: fraud\naction: {}\nwords: [{}]\n"


def test_a_bundle_is_summed_up_with_its_self_test(cli: Cli, deployment: Path, write: Write) -> None:
    write("policies/selftest.yaml", SELFTEST.format("reject"))

    ran = cli("policy", "check", str(deployment / "policies"))

    assert ran.returncode == 0
    summary = dict(line.split(maxsplit=1) for line in ran.stdout.splitlines())
    assert {name: value.strip() for name, value in summary.items()} == {
        "policies": str(deployment / "policies"),
        "bundle": "test",
        "posture": "balanced",
        "lists": "3",
        "words": "3",
        "rules": "1",
        "enforced": "1",
        "cases": "1",
        "digest": summary["digest"].strip(),
    }


def test_a_case_that_fails_is_named_by_its_place(cli: Cli, deployment: Path, write: Write) -> None:
    write("policies/selftest.yaml", SELFTEST.format("forward"))
    place = f"{deployment}/policies/selftest.yaml:3:5 self-test: expected forward"

    alone = cli("policy", "check", str(deployment / "policies"))
    whole = cli(
        "check",
        "--config",
        str(deployment / "config"),
        "--policies",
        str(deployment / "policies"),
    )

    assert (alone.returncode, whole.returncode) == (2, 2)
    assert alone.stdout == whole.stdout
    assert alone.stdout.startswith(place)


def test_faults_and_summaries_of_a_bundle_are_json_for_programs(
    cli: Cli, deployment: Path, write: Write
) -> None:
    policies = str(deployment / "policies")
    sound = json.loads(cli("policy", "check", policies, "--json").stdout)
    write("policies/selftest.yaml", SELFTEST.format("forward"))
    faulty = json.loads(cli("policy", "check", policies, "--json").stdout)

    assert (sound["ok"], sound["faults"], sound["cases"]) == (True, [], 0)
    assert faulty["ok"] is False
    assert [(fault["line"], fault["column"]) for fault in faulty["faults"]] == [(3, 5)]


def test_a_bundle_that_stops_nothing_is_said_loudly(cli: Cli, write: Write, tmp_path: Path) -> None:
    write("open/bundle.yaml", "version: 1\nname: open\n")

    ran = cli("policy", "check", str(tmp_path / "open"))

    assert ran.returncode == 0
    assert "OPEN POLICY" in ran.stderr


def old_and_new(deployment: Path, write: Write) -> tuple[str, str]:
    """Write two bundles that differ in everything that can."""
    words = ", ".join(f"新词{number}" for number in range(25))
    write("new/bundle.yaml", "version: 1\nname: test\n")
    rules = (deployment / "policies/rules/consent.yaml").read_text(encoding="utf-8")
    write("new/rules/consent.yaml", rules.replace("enforce", "shadow"))
    write("new/selftest.yaml", SELFTEST.format("forward"))
    write("new/keywords/fraud.yaml", FRAUD.format("quarantine", words))
    write("new/keywords/more.yaml", FRAUD.format("reject", "彩票").replace("K-FRAUD", "K-MORE"))
    return str(deployment / "policies"), str(deployment / "new")


def test_what_differs_is_listed(cli: Cli, deployment: Path, write: Write) -> None:
    old, new = old_and_new(deployment, write)

    there, back = cli("policy", "diff", old, new), cli("policy", "diff", new, old)

    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in there.stdout.splitlines()
        if line.startswith("│")
    ]
    assert there.returncode == 0
    first_words = ", ".join(f"新词{number}" for number in range(20))
    assert rows == [
        ["+", "K-MORE", "the list: reject, 1 word"],
        ["-", "K-LOAN", "the list: quarantine, 1 word"],
        ["-", "K-LURE", "the list: shadow, 1 word"],
        ["~", "K-FRAUD action", "reject → quarantine"],
        ["+", "K-FRAUD", f"25 words: {first_words} and 5 more"],
        ["-", "K-FRAUD", "1 word: 代开发票"],
        ["~", "rules.R21.mode", "enforce → shadow"],
        ["+", "selftest", "1 case"],
    ]
    assert "-" in back.stdout
    assert "selftest" in back.stdout


def test_what_differs_is_json_for_programs(cli: Cli, deployment: Path, write: Write) -> None:
    report = json.loads(cli("policy", "diff", *old_and_new(deployment, write), "--json").stdout)

    (added,) = report["lists_added"]
    assert {name: value for name, value in added.items() if value is not None} == {
        "id": "K-MORE",
        "action": "reject",
        "words": 1,
    }
    assert [one["id"] for one in report["lists_removed"]] == ["K-LOAN", "K-LURE"]
    (changed,) = report["lists_changed"]
    assert (len(changed["added"]), changed["removed"]) == (25, ["代开发票"])
    assert changed["settings"] == [{"name": "action", "old": "reject", "new": "quarantine"}]
    assert report["settings"] == [{"name": "rules.R21.mode", "old": "enforce", "new": "shadow"}]
    assert (report["cases_added"], report["cases_removed"]) == (1, 0)
    assert len(report["old"]) == len(report["new"]) == 12


def test_of_a_list_that_came_all_is_told_but_its_words(
    cli: Cli, deployment: Path, write: Write
) -> None:
    old, new = old_and_new(deployment, write)
    told = "severity: major\nowner: 内容安全组\nweight: 4\nthreshold: 9\nnot_after: 2027-06-30\n"
    write("new/keywords/more.yaml", "id: K-MORE\n" + told + "action: reject\n" + MORE)

    shown = cli("policy", "diff", old, new).stdout
    (added,) = json.loads(cli("policy", "diff", old, new, "--json").stdout)["lists_added"]

    assert (
        "the list: reject, 2 words, severity major, owner 内容安全组, weight 4, threshold 9,"
        " not after 2027-06-30"
    ) in shown
    assert (added["severity"], added["owner"]) == ("major", "内容安全组")
    assert (added["weight"], added["threshold"]) == (4, 9)
    assert (added["not_before"], added["not_after"]) == (None, "2027-06-30")


def test_two_bundles_that_say_the_same_are_said_to(cli: Cli, deployment: Path) -> None:
    ran = cli("policy", "diff", str(deployment / "policies"), str(deployment / "policies"))

    assert ran.returncode == 0
    assert ran.stdout.endswith("say the same\n")


def test_faults_of_both_bundles_are_told_at_once(cli: Cli, deployment: Path, write: Write) -> None:
    write("new/bundle.yaml", "version: 2\nname: test\n")
    write("policies/bundle.yaml", "version: 3\nname: test\n")

    ran = cli("policy", "diff", str(deployment / "policies"), str(deployment / "new"))

    assert ran.returncode == 2
    assert f"{deployment}/policies/bundle.yaml:1:10" in ran.stderr
    assert f"{deployment}/new/bundle.yaml:1:10" in ran.stderr
