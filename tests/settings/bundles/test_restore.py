"""Putting an earlier bundle back: whole, and nothing besides."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.settings.bundles.archive import restore
from gateway.settings.bundles.bundle import load_bundle, read_bundle

WriteBundle = Callable[[Mapping[str, str]], Path]

LIST = "version: 1\nid: {0}\ncategory: x\naction: reject\nfile: {0}.txt\n"
OLD = {
    "replies.yaml": "version: 1\n",
    "keywords/a.yaml": LIST.format("a"),
    "keywords/a.txt": "代开发票\n",
}


def listing(directory: Path) -> set[str]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix() for path in files}


def test_the_bundle_is_again_what_it_was(bundle: WriteBundle) -> None:
    directory = bundle(OLD)
    old = read_bundle(directory)
    (directory / "replies.yaml").unlink()
    bundle(
        {"keywords/a.txt": "改过\n", "keywords/b.yaml": LIST.format("b"), "keywords/b.txt": "新"}
    )
    bundle({"content.yaml": "version: 1\n", "notes.txt": "mine", "keywords/.b.yaml": "an editor's"})
    assert load_bundle(directory) != old.bundle

    removed = restore(directory, old.files)

    assert removed == ["content.yaml", "keywords/b.yaml"]
    assert load_bundle(directory) == old.bundle
    assert listing(directory) == {
        "bundle.yaml",
        *OLD,
        "keywords/b.txt",
        "keywords/.b.yaml",
        "notes.txt",
    }
    assert not list(directory.glob(".restore-*"))


def test_layers_are_again_what_they_were_and_profiles_out_of_force_are_left_alone(
    bundle: WriteBundle,
) -> None:
    named = {"bundle.yaml": "version: 1\nname: x\nprofile: fr\n"}
    layers = {
        "local.d/keywords/more.yaml": "version: 1\nid: a\nwords: [新词]\n",
        "profiles/fr/replies.yaml": "version: 1\n",
    }
    directory = bundle({**OLD, **named, **layers})
    old = read_bundle(directory)
    rule = "version: 1\nrules: [{id: R, check: opt_out, title: {zh: 一, en: a}, article: x}]\n"
    added = {
        "rules/r.yaml": rule,
        "local.d/rules/mine.yaml": rule.replace("id: R", "id: R2"),
        "override.d/replies.yaml": "version: 1\nopted_out: 好\n",
        "profiles/fr/content.yaml": "version: 1\n",
    }
    bundle({**named, **added, "profiles/uk/replies.yaml": "version: 1\n"})
    assert len(load_bundle(directory).rules) == 2

    restore(directory, old.files)

    assert load_bundle(directory) == old.bundle
    kept = {"bundle.yaml", *OLD, *layers, "profiles/uk/replies.yaml"}
    assert listing(directory) == kept


RULE = "version: 1\nrules: [{id: R, check: opt_out, title: {zh: 一, en: a}, article: x}]\n"
REPLACED = {
    **OLD,
    "rules/r.yaml": RULE,
    "override.d/rules/r.yaml": RULE.replace("article: x", "article: y"),
    "override.d/replies.yaml": "version: 1\nopted_out: 好\n",
}


def test_what_override_d_replaces_is_not_lost(bundle: WriteBundle) -> None:
    directory = bundle(REPLACED)
    old = read_bundle(directory)
    bundle({"override.d/rules/r.yaml": RULE.replace("article: x", "article: z")})

    restore(directory, old.files)

    assert load_bundle(directory) == old.bundle
    assert listing(directory) == {"bundle.yaml", *REPLACED}
    assert (directory / "rules/r.yaml").read_text() == RULE


def test_what_override_d_replaced_and_is_gone_is_no_hindrance(bundle: WriteBundle) -> None:
    directory = bundle(REPLACED)
    old = read_bundle(directory)
    (directory / "rules/r.yaml").unlink()
    (directory / "override.d/rules/r.yaml").unlink()

    restore(directory, old.files)

    assert load_bundle(directory) == old.bundle


def test_a_disk_that_is_full_changes_nothing(
    bundle: WriteBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = bundle(OLD)
    before = read_bundle(directory).files
    write = Path.write_bytes

    def full(path: Path, octets: bytes) -> int:
        if path.name == "c.txt":
            raise OSError(28, "No space left on device")
        return write(path, octets)

    monkeypatch.setattr(Path, "write_bytes", full)

    with pytest.raises(OSError, match="No space"):
        restore(directory, {"bundle.yaml": b"changed", "keywords/c.txt": b"new"})

    assert read_bundle(directory).files == before
    assert listing(directory) == {"bundle.yaml", *OLD}


def test_a_folder_that_is_a_link_out_of_the_bundle_is_not_written_through(
    bundle: WriteBundle, tmp_path: Path
) -> None:
    directory = bundle({})
    (tmp_path / "elsewhere").mkdir()
    (directory / "keywords").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ValueError, match="leads out of the bundle"):
        restore(directory, {"bundle.yaml": b"changed", "keywords/a.yaml": b"x"})

    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert (directory / "bundle.yaml").read_bytes() != b"changed"
