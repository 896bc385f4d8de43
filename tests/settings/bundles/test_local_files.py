"""What commands write into local.d: only what leaves the bundle sound, and nothing else's lines."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.domain.policy import Enforcement
from gateway.policy.bundle import Rule
from gateway.settings.bundles.bundle import load_bundle
from gateway.settings.bundles.local_files import write_mode, write_posture
from gateway.settings.yaml import SettingsError

WriteBundle = Callable[[Mapping[str, str]], Path]

RULES = """\
version: 1
rules:
  - id: R21
    check: opt_out
    title: {zh: 拒收, en: Refusal}
    article: A
    mode: enforce
  - id: R61
    check: no_sender_name
    title: {zh: 署名, en: Name}
    article: B
    overrides:
      - {sender: sp1, mode: off, because: 已核实}
      - {port: "10690001", mode: enforce}
"""
BASE = {
    "rules/law.yaml": RULES,
    "postures/strict/rules/law.yaml": "version: 1\nrules: [{id: R61, mode: enforce}]\n",
}


def rule(directory: Path, id_: str) -> Rule:
    return next(one for one in load_bundle(directory).rules if one.id == id_)


def test_a_posture_is_written_beside_what_stands_there(bundle: WriteBundle) -> None:
    head = "version: 1\n# 上海\nzone: Asia/Shanghai  # 时区\nposture: balanced\n"
    directory = bundle({**BASE, "local.d/bundle.yaml": head})

    path = write_posture(directory, "strict")

    assert path.read_text(encoding="utf-8") == head.replace("balanced", "strict")
    assert load_bundle(directory).posture == "strict"


def test_a_posture_is_written_where_nothing_stands(bundle: WriteBundle) -> None:
    directory = bundle(BASE)

    write_posture(directory, "strict")
    write_posture(directory, "balanced")

    assert load_bundle(directory).posture == "balanced"
    write_posture(bundle({**BASE, "local.d/bundle.yaml": "version: 1\n"}), "strict")
    assert load_bundle(directory).posture == "strict"


def test_a_posture_that_is_not_there_leaves_all_as_it_was(bundle: WriteBundle) -> None:
    directory = bundle(BASE)

    with pytest.raises(SettingsError):
        write_posture(directory, "stern")

    assert not (directory / "local.d" / "bundle.yaml").exists()


def test_modes_of_rules_are_written_one_after_the_other(bundle: WriteBundle) -> None:
    directory = bundle(BASE)

    write_mode(directory, "R21", Enforcement.SHADOW)
    write_mode(directory, "R61", Enforcement.OFF)
    write_mode(directory, "R61", Enforcement.ENFORCE)

    assert rule(directory, "R21").mode is Enforcement.SHADOW
    assert rule(directory, "R61").mode is Enforcement.ENFORCE
    assert len(rule(directory, "R61").overrides) == 2


def test_the_mode_for_one_sender_leaves_other_exceptions(bundle: WriteBundle) -> None:
    directory = bundle(BASE)

    write_mode(directory, "R61", Enforcement.ENFORCE, "sp1")
    write_mode(directory, "R61", Enforcement.SHADOW, "sp2")

    found = rule(directory, "R61")
    assert found.mode is Enforcement.SHADOW
    assert {one.sender or one.port: one.mode for one in found.overrides} == {
        "10690001": Enforcement.ENFORCE,
        "sp1": Enforcement.ENFORCE,
        "sp2": Enforcement.SHADOW,
    }


def test_a_rule_that_another_local_file_changes_is_left_to_it(bundle: WriteBundle) -> None:
    mine = "version: 1\nrules: [{id: R61, mode: off}]\n"
    directory = bundle({**BASE, "local.d/rules/mine.yaml": mine})
    write_mode(directory, "R21", Enforcement.SHADOW)
    before = (directory / "local.d/rules/modes.yaml").read_bytes()

    with pytest.raises(SettingsError, match=r"R61: stands in mine.yaml line 2 already"):
        write_mode(directory, "R61", Enforcement.ENFORCE)

    assert (directory / "local.d/rules/modes.yaml").read_bytes() == before
