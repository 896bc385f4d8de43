import os
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.filter.classifier.linear import BUCKETS, SIGNS, Calibration, LinearModel
from gateway.filter.classifier.model import ClassModel, Model, Threshold
from gateway.filter.classifier.model_file import MAX_FILE_OCTETS, ModelFileError, write_model
from gateway.filter.classifier.score import TextClass
from gateway.filter.normalise.views import Views
from gateway.runtime.file_lock import FileLock
from gateway.systems.learning.model_directory import (
    STATE,
    ModelAct,
    ModelActError,
    ModelChange,
    ModelDirectory,
    ModelState,
    ModelStateError,
)

LIN = ModelChange(datetime(2013, 11, 26, 12, tzinfo=UTC), "lin", "trained on November")
OURS, THEIRS = (Ed25519PrivateKey.from_private_bytes(bytes([one]) * 32) for one in (1, 2))

Octets = Callable[..., bytes]


def model_octets(score: float, key: Ed25519PrivateKey | None = None) -> bytes:
    """Return the file of a model that gives every text the same score."""
    weights = np.zeros(BUCKETS + len(SIGNS), dtype=np.float32)
    weights[-1] = score
    one = ClassModel(LinearModel(weights, Calibration(1.0, 0.0)), (Threshold(0.01, 0.0),))
    return write_model(Model({TextClass.PORT: one}, None, {}), key)


@pytest.fixture(scope="module")
def octets() -> Octets:
    return model_octets


@pytest.fixture
def models(tmp_path: Path) -> ModelDirectory:
    return ModelDirectory(tmp_path / "var/models")


def digest_of(octets: bytes) -> str:
    return sha256(octets).hexdigest()


def test_before_the_first_model_there_is_nothing(models: ModelDirectory) -> None:
    pair, fault = models.pair()

    assert models.state() == ModelState()
    assert (pair.active, pair.shadow, fault) == (None, None, "")
    assert (models.stamp(), models.comparison()) == ((), b"")
    assert not models.path.exists()


def test_a_model_is_installed_in_shadow_for_its_owner_alone(
    models: ModelDirectory, octets: Octets
) -> None:
    digest = models.install(octets(1), LIN)

    state = models.state()
    assert (state.active, state.shadow) == ("", digest)
    assert (state.events[0].act, state.events[0].by) == (ModelAct.INSTALL, "lin")
    assert models.path.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in models.path.iterdir()} == {0o600}
    assert not list(models.path.glob("*.part"))


def test_what_is_promoted_scores_and_what_is_rolled_back_to_scores_again(
    models: ModelDirectory, octets: Octets
) -> None:
    def scores() -> list[bool]:
        pair, _ = models.pair()
        text = [Views("您的快件已到驿站")]
        sides = (pair.active, pair.shadow)
        return [one.score(text)[0].is_guilty(0.01) for one in sides if one is not None]

    first, second = (models.install(octets(score), LIN) for score in (1, -1))
    assert models.state().shadow == second
    models.promote(LIN)
    assert scores() == [False]
    models.install(octets(1), LIN)
    assert scores() == [False, True]
    assert models.promote(LIN) == first
    assert scores() == [True]
    assert models.roll_back(LIN) == second
    assert scores() == [False]
    assert models.roll_back(LIN) == ""
    assert scores() == []


def test_every_change_changes_the_stamp_and_nothing_else_does(
    models: ModelDirectory, octets: Octets
) -> None:
    stamps = [models.stamp()]
    models.install(octets(1), LIN)
    stamps.append(models.stamp())
    models.promote(LIN)
    stamps.append(models.stamp())

    models.write_comparison(b"{}")

    assert len(set(stamps)) == 3
    assert models.stamp() == stamps[-1]
    assert models.comparison() == b"{}"


def test_a_broken_or_oversized_model_is_refused_and_changes_nothing(
    models: ModelDirectory, octets: Octets
) -> None:
    models.install(octets(1), LIN)
    before = models.state()

    for wrong in (b"no model", octets(2)[:-100], bytes(MAX_FILE_OCTETS + 1)):
        with pytest.raises(ModelFileError, match=r"^file: "):
            models.install(wrong, LIN)

    assert models.state() == before
    assert len(list(models.path.glob("*.npz"))) == 1


def test_only_what_a_trusted_key_has_signed_is_installed_and_used(
    models: ModelDirectory, octets: Octets
) -> None:
    trusting = ModelDirectory(models.path, [OURS.public_key()])

    for wrong in (octets(1), octets(1, THEIRS)):
        with pytest.raises(ModelFileError, match=r"signature\.npy"):
            trusting.install(wrong, LIN)
    trusting.install(octets(1, OURS), LIN)
    trusting.promote(LIN)
    assert trusting.pair()[0].active is not None

    models.install(octets(2), LIN)
    with pytest.raises(ModelFileError, match="not signed"):
        trusting.promote(LIN)
    models.promote(LIN)
    with pytest.raises(ModelFileError, match="not signed"):
        trusting.pair()


def test_a_model_that_was_changed_since_is_not_promoted_nor_gone_back_to(
    models: ModelDirectory, octets: Octets
) -> None:
    first = models.install(octets(1), LIN)
    models.promote(LIN)
    second = models.install(octets(2), LIN)
    file = models.path / f"{second}.npz"
    whole = file.read_bytes()

    file.write_bytes(octets(3))
    with pytest.raises(ModelFileError, match=f"{second}.npz: it was changed"):
        models.promote(LIN)
    assert (models.state().active, models.state().shadow) == (first, second)

    file.write_bytes(whole)
    models.promote(LIN)
    (models.path / f"{first}.npz").unlink()
    with pytest.raises(ModelFileError, match=f"{first}.npz: there is no such file"):
        models.roll_back(LIN)
    assert models.state().active == second


def test_a_model_in_shadow_that_cannot_be_used_takes_nothing_from_the_one_in_force(
    models: ModelDirectory, octets: Octets
) -> None:
    first = models.install(octets(1), LIN)
    models.promote(LIN)
    second = models.install(octets(2), LIN)
    (models.path / f"{second}.npz").write_bytes(b"")

    pair, fault = models.pair()

    assert pair.digests == (first, "")
    assert fault == f"{second}.npz: it was changed since it was installed"
    models.withdraw(LIN)
    assert models.pair()[1] == ""


def test_a_model_in_force_that_cannot_be_used_is_told_with_its_fault(
    models: ModelDirectory, octets: Octets
) -> None:
    digest = models.install(octets(1), LIN)
    models.promote(LIN)
    (models.path / f"{digest}.npz").write_bytes(bytes(MAX_FILE_OCTETS + 2))

    with pytest.raises(ModelFileError, match=f"{digest}.npz: it was changed"):
        models.pair()


def test_a_state_that_cannot_be_read_is_told_with_its_place(
    models: ModelDirectory, octets: Octets
) -> None:
    models.install(octets(1), LIN)
    (models.path / STATE).write_text("{}")

    for act in (models.state, models.pair, lambda: models.promote(LIN)):
        with pytest.raises(ModelStateError, match="file: it is no mapping of actives"):
            act()


def test_what_cannot_be_done_changes_nothing(models: ModelDirectory, octets: Octets) -> None:
    for act in (models.promote, models.roll_back, models.withdraw):
        with pytest.raises(ModelActError):
            act(LIN)
    models.install(octets(1), LIN)
    with pytest.raises(ModelActError, match="in shadow already"):
        models.install(octets(1), LIN)

    assert len(models.state().events) == 1


def test_files_of_models_go_when_nobody_can_go_back_to_them(
    models: ModelDirectory, octets: Octets
) -> None:
    models.path.mkdir(parents=True)
    foreign = models.path / "mine.npz"
    foreign.write_bytes(b"mine")
    digests = [models.install(octets(score), LIN) for score in range(6)]

    kept = {path.stem for path in models.path.glob("*.npz")}

    assert digests[-1] in kept
    assert digests[0] not in kept
    assert len(kept) <= 5
    assert foreign.read_bytes() == b"mine"


def test_two_that_change_models_do_not_do_so_at_once(
    models: ModelDirectory, octets: Octets
) -> None:
    models.install(octets(1), LIN)
    other = FileLock.whole(models.path / STATE)

    with pytest.raises(BlockingIOError):
        models.promote(LIN)
    other.release()

    assert models.promote(LIN) == digest_of(octets(1))


def test_a_full_disk_leaves_what_was_there(
    models: ModelDirectory, octets: Octets, monkeypatch: pytest.MonkeyPatch
) -> None:
    models.install(octets(1), LIN)
    before = models.state()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        models.install(octets(2), LIN)

    assert models.state() == before
    assert not list(models.path.glob("*.part"))


def test_two_gateways_that_tell_at_once_do_not_write_into_one_file(
    models: ModelDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable, begun = os.fsync, list[set[Path]]()

    def meanwhile(descriptor: int) -> None:
        begun.append(set(models.path.glob("comparison.json.*.part")))
        if len(begun) == 1:
            ModelDirectory(models.path).write_comparison(b"theirs")
        durable(descriptor)

    monkeypatch.setattr(os, "fsync", meanwhile)
    models.write_comparison(b"ours")

    assert [len(files) for files in begun] == [1, 2]
    assert models.comparison() == b"ours"
    assert not list(models.path.glob("*.part"))


# The model that is shipped


def test_until_a_model_is_installed_the_shipped_one_is_in_force(
    models: ModelDirectory, octets: Octets, tmp_path: Path
) -> None:
    shipped = tmp_path / "starter.npz"
    shipped.write_bytes(octets(7))
    with_it = ModelDirectory(models.path, [OURS.public_key()], starter=shipped)

    pair, fault = with_it.pair()
    assert (pair.digests, fault) == ((with_it.starter(), ""), "")
    assert models.pair()[0].digests == ("", "")

    digest = with_it.install(octets(1, OURS), LIN)
    assert with_it.pair()[0].digests == (with_it.starter(), digest)
    with_it.promote(LIN)
    assert with_it.pair()[0].digests == (digest, "")
    with_it.roll_back(LIN)
    assert with_it.pair()[0].digests == (with_it.starter(), "")


def test_a_shipped_model_that_was_damaged_is_told(models: ModelDirectory, tmp_path: Path) -> None:
    shipped = tmp_path / "starter.npz"
    shipped.write_bytes(b"no model")

    with pytest.raises(ModelFileError, match=r"^starter.npz: "):
        ModelDirectory(models.path, starter=shipped).pair()
