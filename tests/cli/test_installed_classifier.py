"""What commands say of texts with the classifier that is installed, and without one (R61)."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest

from gateway.filter.classifier.linear import (
    BUCKETS,
    CATEGORY_BUCKETS,
    SIGNS,
    Calibration,
    CategoryModel,
    LinearModel,
)
from gateway.filter.classifier.model import ClassModel, Model, Threshold
from gateway.filter.classifier.model_file import write_model
from gateway.filter.classifier.score import TextClass
from gateway.systems.learning.model_directory import ModelChange, ModelDirectory

Cli = Callable[..., CompletedProcess[str]]
Write = Callable[[str, str], None]
Ask = Callable[..., CompletedProcess[str]]

RULE = """\
version: 1
rules:
  - id: R61
    check: suspicious
    title: {zh: 像垃圾短信, en: Like spam}
    article: test
    mode: %s
    applies_to: [verification, service, commercial]
    tolerates: %s
"""
PRIZE = "【示例商城】恭喜您被抽中，请在今天之内来领奖"


def model_of(score: float) -> Model:
    """Return a model of ports that gives every text that score, and takes it for a prize."""
    weights = np.zeros(BUCKETS + len(SIGNS), dtype=np.float32)
    weights[-1] = score
    weights[: BUCKETS // 2] = 0.01  # so that there are pieces to tell of
    linear = LinearModel(weights, Calibration(2.0, 0.0))
    thresholds = (Threshold(0.001, 2.0), Threshold(0.01, 0.5))
    rows = np.zeros((1, CATEGORY_BUCKETS + 1), dtype=np.float32)
    categories = CategoryModel(("fraud_prize",), rows)
    return Model({TextClass.PORT: ClassModel(linear, thresholds)}, categories, {})


@pytest.fixture
def models(deployment: Path) -> ModelDirectory:
    """Return the models of the deployment: none."""
    path = deployment / "config" / "gateway.yaml"
    said = path.read_text(encoding="utf-8")
    path.write_text(
        f"{said}learning: {{starter: false, models: {deployment}/var/models}}\n", encoding="utf-8"
    )
    return ModelDirectory(deployment / "var/models")


def put_in_force(models: ModelDirectory, score: float) -> str:
    change = ModelChange(datetime(2026, 11, 25, tzinfo=UTC), "test")
    digest = models.install(write_model(model_of(score)), change)
    models.promote(change)
    return digest


@pytest.fixture
def explain(cli: Cli, options: tuple[str, ...], write: Write) -> Ask:
    def explain(
        *more: str, tolerates: str = "1 %", mode: str = "enforce", source: str = "10690002"
    ) -> Any:
        write("policies/rules/content.yaml", RULE % (mode, tolerates))
        message = ("--system-id=shop", f"--from={source}", "--to=13800138000", f"--text={PRIZE}")
        return cli("explain", "submit", *message, *options, *more)

    return explain


def test_r61_a_text_like_spam_is_explained_by_the_pieces_that_made_its_score(
    explain: Ask, models: ModelDirectory
) -> None:
    put_in_force(models, 1.0)

    said = json.loads(explain("--json").stdout)

    (found,) = [one for one in said["findings"] if one["rule"] == "R61"]
    assert (found["reason"], found["action"]) == ("SUSPICIOUS", "quarantine")
    assert (found["category"], found["severity"]) == ("fraud_prize", "fraud")
    assert "likely spam: fraud_prize; " in found["evidence"]
    assert (said["category"], said["severity"]) == ("fraud_prize", "fraud")
    assert said["classifier"]["class"] == "port"
    assert said["classifier"]["severity"] == "fraud"
    assert said["classifier"]["stopped_from"] == 0.01
    assert 0.8 < said["classifier"]["probability"] < 1
    assert said["classifier"]["pieces"]


def test_r61_what_a_personal_number_sends_is_explained_as_what_people_write(
    explain: Ask, models: ModelDirectory
) -> None:
    put_in_force(models, 1.0)

    said = json.loads(explain("--json", source="13900000001").stdout)

    assert said["classifier"]["class"] == "person"
    assert said["classifier"]["pieces"]


def test_r61_people_read_what_the_classifier_says_also_of_a_text_that_passes(
    explain: Ask, models: ModelDirectory
) -> None:
    put_in_force(models, 1.0)

    passing = explain(tolerates="0.1 %").stdout
    held = explain().stdout

    assert "FORWARD" in passing
    assert "likely spam, as spam fraud_prize (fraud), stopped where 1 % may be innocent" in passing
    assert "QUARANTINE" in held
    assert "about" in held
    chinese = explain("--lang", "zh").stdout
    assert "内容类别" in chinese
    assert "可能是垃圾短信，若是则为 fraud_prize (fraud)，容许误判率达到 1 % 时拦截" in chinese


def test_r61_a_text_that_no_share_stops_is_said_to_be_one(
    explain: Ask, models: ModelDirectory
) -> None:
    put_in_force(models, -3.0)

    assert "stopped at no share measured" in explain().stdout
    assert "都不拦截" in explain("--lang", "zh").stdout
    assert json.loads(explain("--json").stdout)["classifier"]["stopped_from"] is None


def test_r61_without_a_model_nothing_is_said_to_have_been_judged(
    explain: Ask, models: ModelDirectory
) -> None:
    ran = explain("--json", mode="shadow")

    said = json.loads(ran.stdout)
    assert models.state().active == ""
    assert (said["classifier"], said["findings"]) == (None, [])
    assert "NO CLASSIFIER: R61: no text is judged, for there is no model" in said["warnings"]


def test_r61_a_check_of_the_deployment_says_loudly_that_there_is_no_model(
    cli: Cli, options: tuple[str, ...], write: Write, models: ModelDirectory
) -> None:
    write("policies/rules/content.yaml", RULE % ("enforce", "1 %"))

    warned = cli("check", *options).stderr

    assert "NO CLASSIFIER: R61: there is no model" in warned
    put_in_force(models, 1.0)
    assert "NO CLASSIFIER" not in cli("check", *options).stderr


def test_r61_a_share_that_the_model_was_not_measured_at_is_said(
    cli: Cli, options: tuple[str, ...], write: Write, models: ModelDirectory
) -> None:
    put_in_force(models, 1.0)
    write("policies/rules/content.yaml", RULE % ("enforce", "0.01 %"))

    assert "NOT MEASURED: R61 tolerates 0.01 %" in cli("check", *options).stderr


def test_a_model_that_was_tampered_with_is_said_and_not_asked(
    cli: Cli, options: tuple[str, ...], write: Write, models: ModelDirectory
) -> None:
    digest = put_in_force(models, 1.0)
    (models.path / f"{digest}.npz").write_bytes(b"PK")
    write("policies/rules/content.yaml", RULE % ("shadow", "1 %"))

    warned = cli("check", *options).stderr

    assert "MODEL UNUSABLE" in warned
    assert "NO CLASSIFIER: R61" in warned


def test_a_model_in_shadow_that_is_broken_leaves_the_one_in_force(
    explain: Ask, models: ModelDirectory
) -> None:
    put_in_force(models, 1.0)
    change = ModelChange(datetime(2026, 11, 25, tzinfo=UTC), "test")
    shadow = models.install(write_model(model_of(2.0)), change)
    (models.path / f"{shadow}.npz").write_bytes(b"PK")

    said = json.loads(explain("--json").stdout)

    assert said["classifier"]["category"] == "fraud_prize"
    assert any(one.startswith("MODEL UNUSABLE") for one in said["warnings"])


def test_r61_what_is_wrong_with_the_model_is_warned_of_in_chinese_too(
    explain: Ask, models: ModelDirectory, deployment: Path
) -> None:
    said = explain("--lang", "zh", mode="shadow").stderr
    assert "警告：没有分类模型：R61：没有文本经过判断" in said
    assert "警告：没有分类模型：R61：应由模型判断的短信" in explain("--lang", "zh").stderr

    put_in_force(models, 1.0)
    assert (
        "警告：未经测定：R61 容许误判 0.001 %"
        in explain("--lang", "zh", tolerates="0.001 %").stderr
    )

    (deployment / "var/models/models.json").write_text("{", encoding="utf-8")
    assert "警告：分类模型无法使用：" in explain("--lang", "zh").stderr
