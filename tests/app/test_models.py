"""Models in a gateway that runs: taken over when they change, compared, refused."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from structlog.testing import capture_logs

from gateway.app.followers import Rounds
from gateway.app.gateway import Gateway
from gateway.app.installed_models import InstalledModels, models_of
from gateway.filter.classifier.linear import BUCKETS, SIGNS, Calibration, LinearModel
from gateway.filter.classifier.model import ClassModel, Model, PairedScorer, Threshold
from gateway.filter.classifier.model_file import write_model
from gateway.filter.classifier.score import Scorer, TextClass
from gateway.filter.facts import TextFacts
from gateway.filter.normalise.views import Views
from gateway.runtime.snapshot import ModelsHealth
from gateway.runtime.tasks import spawn
from gateway.settings.gateway import LearningSettings
from gateway.settings.yaml import SettingsError
from gateway.systems.learning.model_directory import ModelChange, ModelDirectory, ModelState
from simulators.smsc import SimulatedSmsc
from tests.app.conftest import GATEWAY

SHIPPED = Path(__file__).resolve().parents[2] / "models" / "starter.npz"
Start = Callable[..., Awaitable[Gateway]]

NOON = datetime(2013, 11, 26, 12, tzinfo=UTC)
LIN = ModelChange(NOON, "lin")
OURS = Ed25519PrivateKey.from_private_bytes(bytes(32))
TEXT = Views("您的快件已到驿站")


def octets_of(score: float) -> bytes:
    weights = np.zeros(BUCKETS + len(SIGNS), dtype=np.float32)
    weights[-1] = score
    one = ClassModel(LinearModel(weights, Calibration(1.0, 0.0)), (Threshold(0.01, 0.0),))
    return write_model(Model({TextClass.PORT: one}, None, {}))


class Rules:
    """Stands for rules that ask a classifier."""

    def __init__(self) -> None:
        self.asked: list[Scorer | None] = []

    @property
    def digest(self) -> str:
        return self.asked[-1].digest if self.asked and self.asked[-1] else ""

    def finds(self) -> bool:
        scorer = self.asked[-1]
        assert scorer is not None
        facts = TextFacts((), (TEXT.raw,))
        facts.scored = tuple(scorer.score([TEXT]))
        if isinstance(scorer, PairedScorer):
            for _ in range(3):  # of as many messages
                scorer.note(facts, is_personal=False)
        return facts.scored[0].is_guilty(0.01)


@pytest.fixture
def directory(tmp_path: Path) -> ModelDirectory:
    return ModelDirectory(tmp_path / "models")


@pytest.fixture
def rules() -> Rules:
    return Rules()


@pytest.fixture
def models(directory: ModelDirectory, rules: Rules) -> InstalledModels:
    return InstalledModels(directory, rules.asked.append, lambda: NOON)


async def test_without_models_there_is_no_classifier_and_nothing_to_tell(
    models: InstalledModels, rules: Rules, directory: ModelDirectory
) -> None:
    with capture_logs() as lines:
        await models.refresh()
        await models.tell()

    assert rules.asked == [None]
    assert lines == []
    assert models.health() == ModelsHealth()
    assert not directory.path.exists()


async def test_a_model_judges_once_it_is_promoted_and_no_sooner(
    models: InstalledModels, rules: Rules, directory: ModelDirectory
) -> None:
    digest = directory.install(octets_of(1), LIN)
    await models.refresh()
    assert rules.digest == ""

    directory.promote(LIN)
    with capture_logs() as lines:
        await models.refresh()

    assert rules.digest == digest
    assert rules.finds()
    assert [(one["event"], one["active"], one["shadow"]) for one in lines] == [
        ("models.loaded", digest[:12], "")
    ]


async def test_what_is_in_shadow_is_compared_and_told_to_who_asks(
    models: InstalledModels, rules: Rules, directory: ModelDirectory
) -> None:
    first = directory.install(octets_of(1), LIN)
    directory.promote(LIN)
    second = directory.install(octets_of(-1), LIN)
    await models.refresh()

    assert rules.finds()
    await models.tell()

    health = models.health()
    assert (health.active, health.shadow, health.failed) == (first, second, 0)
    assert {labels: count for labels, count in health.texts.items() if count} == {
        ("port", "only_active"): 1
    }
    assert health.messages["port", "only_active"] == 3
    told = json.loads(directory.comparison())
    assert (told["active"], told["shadow"]) == (first, second)
    assert told["since"] == told["at"] == "2013-11-26T12:00:00+00:00"
    assert told["counts"]["port"]["only_active"] == 1
    assert told["messages"]["port"]["only_active"] == 3
    assert len(told["sampled"]["only_active"]) == 1
    assert "快件" not in directory.comparison().decode()


async def test_another_pair_is_compared_from_the_beginning(
    models: InstalledModels, rules: Rules, directory: ModelDirectory
) -> None:
    directory.install(octets_of(1), LIN)
    directory.promote(LIN)
    directory.install(octets_of(-1), LIN)
    await models.refresh()
    rules.finds()
    before = models.comparison

    directory.install(octets_of(2), LIN)
    await models.refresh()

    assert models.comparison is not before
    assert sum(models.comparison.counts[TextClass.PORT].values()) == 0
    directory.withdraw(LIN)
    await models.refresh()
    assert rules.asked[-1] is models.pair.active


async def test_rules_that_came_meanwhile_are_given_the_classifier_in_force(
    models: InstalledModels, rules: Rules, directory: ModelDirectory
) -> None:
    directory.install(octets_of(1), LIN)
    directory.promote(LIN)

    await models.refresh()
    await models.refresh()

    assert len(rules.asked) == 2
    assert rules.asked[0] is rules.asked[1]


async def test_what_has_not_changed_is_not_read_again(
    models: InstalledModels, directory: ModelDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.install(octets_of(1), LIN)
    directory.promote(LIN)
    await models.refresh()
    monkeypatch.delattr(ModelDirectory, "pair")

    await models.refresh()

    assert models.pair.active is not None


async def test_a_model_that_cannot_be_used_leaves_the_old_one_and_is_told_of_once(
    models: InstalledModels, rules: Rules, directory: ModelDirectory
) -> None:
    first = directory.install(octets_of(1), LIN)
    directory.promote(LIN)
    await models.refresh()
    second = directory.install(octets_of(2), LIN)
    directory.promote(LIN)
    (directory.path / f"{second}.npz").write_bytes(b"cut off")

    with capture_logs() as lines:
        await models.refresh()
        await models.refresh()

    assert rules.digest == first
    assert [one["event"] for one in lines] == ["models.refused"]
    assert lines[0]["fault"] == f"{second}.npz: it was changed since it was installed"

    directory.roll_back(LIN)
    with capture_logs() as lines:
        await models.refresh()
    assert lines == []


async def test_a_model_in_shadow_that_cannot_be_used_is_told_of_and_not_tried(
    models: InstalledModels, rules: Rules, directory: ModelDirectory
) -> None:
    first = directory.install(octets_of(1), LIN)
    directory.promote(LIN)
    second = directory.install(octets_of(2), LIN)
    (directory.path / f"{second}.npz").unlink()

    with capture_logs() as lines:
        await models.refresh()

    assert models.pair.digests == (first, "")
    assert rules.digest == first
    assert {one["event"] for one in lines} == {"models.loaded", "models.refused"}


async def test_models_that_are_gone_from_their_place_leave_the_one_in_force(
    models: InstalledModels, rules: Rules, directory: ModelDirectory
) -> None:
    first = directory.install(octets_of(1), LIN)
    directory.promote(LIN)
    await models.refresh()
    away = directory.path.with_name("away")

    for _ in range(2):
        directory.path.rename(away)
        with capture_logs() as lines:
            await models.refresh()
            await models.refresh()
        away.rename(directory.path)
        await models.refresh()

        assert rules.digest == first
        assert [(one["event"], one["fault"]) for one in lines] == [
            ("models.refused", "models.json is gone: put the models directory back as it was")
        ]

    directory.install(octets_of(2), LIN)
    second = directory.promote(LIN)
    await models.refresh()
    assert rules.digest == second


async def test_models_that_go_while_they_are_read_leave_the_one_in_force(
    models: InstalledModels,
    rules: Rules,
    directory: ModelDirectory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = directory.install(octets_of(1), LIN)
    directory.promote(LIN)
    await models.refresh()
    stamps = [(1, 1, 1), ()]
    monkeypatch.setattr(ModelDirectory, "stamp", lambda _directory: stamps.pop(0))
    monkeypatch.setattr(ModelDirectory, "state", lambda _directory: ModelState())

    await models.refresh()

    assert stamps == []
    assert rules.digest == first


async def test_a_state_that_cannot_be_read_changes_nothing(
    models: InstalledModels, rules: Rules, directory: ModelDirectory
) -> None:
    first = directory.install(octets_of(1), LIN)
    directory.promote(LIN)
    await models.refresh()
    (directory.path / "models.json").write_text("{")

    with capture_logs() as lines:
        await models.refresh()

    assert rules.digest == first
    assert [one["fault"] for one in lines] == ["file: it is no JSON"]


async def test_a_disk_that_fails_for_a_while_is_asked_again(
    models: InstalledModels,
    rules: Rules,
    directory: ModelDirectory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = directory.install(octets_of(1), LIN)
    directory.promote(LIN)

    def failing(_models: ModelDirectory) -> ModelState:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch, capture_logs() as lines:
        patch.setattr(ModelDirectory, "state", failing)
        await models.refresh()
        await models.refresh()
    assert [one["fault"] for one in lines] == ["Input/output error"]
    assert rules.digest == ""

    await models.refresh()
    assert rules.digest == first


async def test_what_cannot_be_told_is_complained_of_once(
    models: InstalledModels,
    rules: Rules,
    directory: ModelDirectory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directory.install(octets_of(1), LIN)
    directory.promote(LIN)
    directory.install(octets_of(2), LIN)
    await models.refresh()
    assert rules.finds()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, capture_logs() as lines:
        patch.setattr(os, "fsync", full)
        await models.tell()
        await models.tell()
    assert [(one["event"], one["said"]) for one in lines] == [
        ("models.report_failed", "No space left on device")
    ]

    with capture_logs() as lines:
        await models.tell()
    assert lines == []
    assert directory.comparison()


async def test_changes_are_looked_for_again_and_again_whatever_fails_once(
    directory: ModelDirectory,
    models: InstalledModels,
    rules: Rules,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, told = asyncio.get_running_loop(), asyncio.Event()

    def tell(_models: ModelDirectory, _octets: bytes) -> None:
        loop.call_soon_threadsafe(told.set)

    def broken(_models: ModelDirectory) -> tuple[int, ...]:
        monkeypatch.setattr(ModelDirectory, "stamp", stamp)
        raise ArithmeticError("a fault of ours")

    stamp = ModelDirectory.stamp
    monkeypatch.setattr(ModelDirectory, "stamp", broken)
    monkeypatch.setattr(ModelDirectory, "write_comparison", tell)
    keeping = spawn(models.keep(Rounds(), every_s=0), name="models")
    digest = directory.install(octets_of(1), LIN)
    directory.promote(LIN)
    directory.install(octets_of(2), LIN)

    async with asyncio.timeout(60):
        await told.wait()
    keeping.cancel()

    assert rules.digest == digest


@pytest.mark.parametrize("key", [None, OURS.public_key()])
async def test_only_what_a_trusted_key_has_signed_is_asked(
    tmp_path: Path, rules: Rules, key: Ed25519PublicKey | None
) -> None:
    directory = ModelDirectory(tmp_path / "models")
    directory.install(octets_of(1), LIN)
    directory.promote(LIN)
    public = tmp_path / "model.pub"
    public.write_bytes(
        OURS.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    learning = LearningSettings(models=directory.path, trusted_keys=(public,) if key else ())

    await InstalledModels(models_of(learning), rules.asked.append).refresh()

    assert bool(rules.digest) is (key is None)


def test_a_key_that_has_gone_since_the_settings_were_read_stops_a_start(tmp_path: Path) -> None:
    key = tmp_path / "model.pub"
    key.write_text("no key")

    with pytest.raises(SettingsError, match="holds no public Ed25519 key"):
        models_of(LearningSettings(trusted_keys=(key,)))


async def test_a_gateway_asks_the_shipped_model_until_one_is_installed(
    tmp_path: Path,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    smsc: SimulatedSmsc,
    free_port: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    yaml = GATEWAY.format(smsc=smsc.port, root=tmp_path, metrics=free_port)
    gateway = await start({"config/gateway.yaml": yaml.replace("starter: false", "starter: true")})

    scorer = gateway.plane.rules.knowledge.scorer
    assert scorer is not None
    assert scorer.digest == sha256(SHIPPED.read_bytes()).hexdigest()
    directory = ModelDirectory(tmp_path / "var/models")
    digest = directory.install(octets_of(1), LIN)
    directory.promote(LIN)
    assert gateway.models is not None
    await gateway.models.refresh()
    installed = gateway.plane.rules.knowledge.scorer
    assert installed is not None
    assert installed.digest == digest


async def test_a_gateway_asks_the_model_in_force_from_its_start_on(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    directory = ModelDirectory(tmp_path / "var/models")
    digest = directory.install(octets_of(1), LIN)
    directory.promote(LIN)

    gateway = await start()

    rules = gateway.plane.rules
    assert rules.knowledge.scorer is not None
    assert rules.knowledge.scorer.digest == digest
    assert gateway.models is not None
    directory.roll_back(LIN)
    await gateway.models.refresh()
    assert rules.knowledge.scorer is None
