import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.settings.bundles import layers
from gateway.settings.bundles.bundle import load_bundle
from gateway.settings.bundles.layers import BundleSource, stays_within

WriteBundle = Callable[[Mapping[str, str]], Path]
FaultsOf = Callable[[Callable[[], object]], list[str]]

FRAUD = "version: 1\nid: K-FRAUD\ncategory: fraud\naction: reject\nwords: [代开发票]\n"


def test_the_digest_is_what_sha256sum_finds(bundle: WriteBundle) -> None:
    directory = bundle({"keywords/a.txt": "ab\n"})
    source = BundleSource(directory)

    for name in ("keywords/a.txt", "bundle.yaml"):
        source.read(directory / name, 100)

    listing = "".join(
        f"{hashlib.sha256(octets).hexdigest()}  {name}\n"
        for name, octets in (
            ("bundle.yaml", b"version: 1\nname: test\n"),
            ("keywords/a.txt", b"ab\n"),
        )
    )
    assert source.digest() == hashlib.sha256(listing.encode()).hexdigest()[:12]


def test_a_moved_file_makes_another_digest(bundle: WriteBundle) -> None:
    directory = bundle({"a.txt": "ab\n", "b.txt": "ab\n"})
    digests = set()

    for name in ("a.txt", "b.txt"):
        source = BundleSource(directory)
        source.read(directory / name, 100)
        digests.add(source.digest())

    assert len(digests) == 2


@pytest.mark.parametrize("name", [b"a\\b.yaml", b"a\x1b.yaml", b"\xff.yaml"])
def test_a_file_whose_name_no_version_can_keep_is_at_fault(
    bundle: WriteBundle, faults_of: FaultsOf, name: bytes
) -> None:
    directory = bundle({"keywords/a.yaml": FRAUD})
    (directory / "keywords/a.yaml").rename(directory / "keywords" / os.fsdecode(name))

    (fault,) = faults_of(lambda: load_bundle(directory))

    assert "has a name that no version of the policy can keep" in fault


def test_hidden_files_and_notes_are_passed_over(bundle: WriteBundle) -> None:
    directory = bundle(
        {
            "README.md": "notes",
            ".bundle.yaml.swp": "",
            "..2026/x.yaml": "",
            "keywords/.a.yaml": "",
            "keywords/a.yaml": "",
            "keywords/a.txt": "",
        }
    )

    assert BundleSource(directory).yaml_files(directory) == ["bundle.yaml", "keywords/a.yaml"]


def test_a_bundle_mounted_by_kubernetes_is_read_through_its_links(bundle: WriteBundle) -> None:
    directory = bundle({"..2026/keywords/a.yaml": "x", "..2026/content.yaml": "y"})
    (directory / "..data").symlink_to("..2026")
    (directory / "keywords").symlink_to("..data/keywords")
    (directory / "content.yaml").symlink_to("..data/content.yaml")
    source = BundleSource(directory)

    *_, content, keywords = source.yaml_files(directory)

    assert source.read(directory / keywords, 10) == b"x"
    assert source.read(directory / content, 10) == b"y"


def test_a_bundle_may_itself_stand_behind_a_link(bundle: WriteBundle, tmp_path: Path) -> None:
    bundle({})
    link = tmp_path / "link"
    link.symlink_to("policies")

    assert BundleSource(link).read(link / "bundle.yaml", 100).startswith(b"version")


def test_a_link_out_of_the_bundle_is_not_followed(
    bundle: WriteBundle, tmp_path: Path, faults_of: FaultsOf
) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    directory = bundle({"keywords/a.yaml": "x"})
    (directory / "keywords/out.txt").symlink_to("../../secret.txt")
    source = BundleSource(directory)

    assert not stays_within(directory, directory / "keywords/out.txt")
    assert faults_of(lambda: source.read(directory / "keywords/out.txt", 100)) == [
        "policies/keywords/out.txt:1:1 leads out of the bundle"
    ]


def test_links_in_a_circle_are_a_fault(bundle: WriteBundle, faults_of: FaultsOf) -> None:
    directory = bundle({})
    (directory / "a.txt").symlink_to("b.txt")
    (directory / "b.txt").symlink_to("a.txt")
    source = BundleSource(directory)

    assert stays_within(directory, directory / "a.txt")
    assert faults_of(lambda: source.read(directory / "a.txt", 100)) == [
        "policies/a.txt:1:1 cannot be read: Too many levels of symbolic links"
    ]


def test_keywords_that_are_no_folder_are_a_fault(bundle: WriteBundle, faults_of: FaultsOf) -> None:
    directory = bundle({"keywords": "代开发票"})

    assert faults_of(lambda: BundleSource(directory).yaml_files(directory)) == [
        "policies/keywords:1:1 cannot be read: Not a directory"
    ]


def test_keywords_behind_a_broken_link_are_a_fault(
    bundle: WriteBundle, faults_of: FaultsOf
) -> None:
    directory = bundle({})
    (directory / "keywords").symlink_to("..data/keywords")

    assert faults_of(lambda: BundleSource(directory).yaml_files(directory)) == [
        "policies/keywords:1:1 cannot be read: No such file or directory"
    ]


def test_a_folder_that_looks_like_a_policy_and_is_not_read_is_a_fault(
    bundle: WriteBundle, faults_of: FaultsOf
) -> None:
    directory = bundle({"rule/a.yaml": "", "notes/a.txt": "", "local.d/profiles/a.yaml": ""})
    source = BundleSource(directory)

    assert [fault.split(" ")[0] for fault in faults_of(lambda: source.yaml_files(directory))] == [
        "policies/rule/a.yaml:1:1"
    ]
    local = directory / "local.d"
    assert [fault.split(" ")[0] for fault in faults_of(lambda: source.yaml_files(local))] == [
        "policies/local.d/profiles/a.yaml:1:1"
    ]


def test_a_folder_that_leads_out_is_not_even_listed(
    bundle: WriteBundle, tmp_path: Path, faults_of: FaultsOf
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/secret.yaml").write_text("")
    directory = bundle({})
    (directory / "local.d").symlink_to(tmp_path / "elsewhere")

    assert faults_of(lambda: BundleSource(directory).yaml_files(directory / "local.d")) == [
        "policies/local.d:1:1 leads out of the bundle"
    ]


def test_a_document_is_read_once(bundle: WriteBundle) -> None:
    directory = bundle({})
    source = BundleSource(directory)

    first = source.document(directory / "bundle.yaml")
    (directory / "bundle.yaml").write_text("changed: meanwhile\n")

    assert source.document(directory / "bundle.yaml") is first


def test_too_many_keyword_files_are_refused(
    bundle: WriteBundle, faults_of: FaultsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "_MAX_FILES", 1)
    directory = bundle({"keywords/a.yaml": "", "keywords/b.yaml": ""})

    assert faults_of(lambda: BundleSource(directory).yaml_files(directory)) == [
        "policies/keywords:1:1 more than 1 files"
    ]


def test_a_bundle_past_its_bound_is_refused(
    bundle: WriteBundle, faults_of: FaultsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "MAX_BUNDLE_OCTETS", 5)
    directory = bundle({"a.txt": "123", "b.txt": "456"})
    source = BundleSource(directory)

    assert source.read(directory / "a.txt", 4) == b"123"
    assert faults_of(lambda: source.read(directory / "b.txt", 4)) == [
        "policies/b.txt:1:1 the bundle exceeds 5 octets"
    ]
