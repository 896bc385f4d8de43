"""A bundle packed and taken out again, and octets that only pretend to be one."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.bundles import archive
from gateway.settings.bundles.archive import packed, unpacked

FILES = {"bundle.yaml": b"version: 1\n", "keywords/a.txt": "代开发票\n".encode(), "empty": b""}


def zipped(*names: str, octets: bytes = b"x") -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(name, octets)
    return into.getvalue()


def test_what_was_packed_comes_out_as_it_was() -> None:
    assert unpacked(packed(FILES)) == FILES


def test_the_same_files_make_the_same_octets() -> None:
    assert packed(FILES) == packed(dict(reversed(FILES.items())))


def test_a_bundle_that_is_too_large_to_keep_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ARCHIVE_OCTETS", len(packed(FILES)) - 1)

    assert packed(FILES) == b""


@pytest.mark.parametrize(
    "name", ["../a", "/etc/a", "a/../../b", "./a", "a//b", "a/", ".", "a\\b", "a\nb"]
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="leads out of the bundle"):
        unpacked(zipped(name))


def test_an_archive_that_swells_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BUNDLE_OCTETS", 1_000)
    assert unpacked(zipped("a", octets=b"0" * 1_000))

    with pytest.raises(ValueError, match="more than 1000 octets"):
        unpacked(zipped("a", "b", octets=b"0" * 501))


def test_an_archive_of_countless_files_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_MAX_FILES", 2)

    with pytest.raises(ValueError, match="more than 2 parts"):
        unpacked(zipped("a", "b", "c"))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_other_methods_packed_is_refused(method: int) -> None:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", method) as file:
        file.writestr("bundle.yaml", b"version: 1\n")

    with pytest.raises(ValueError, match="neither stored nor deflated"):
        unpacked(into.getvalue())


@given(st.binary(max_size=200))
def test_any_octets_are_an_archive_or_a_value_error(octets: bytes) -> None:
    try:
        files = unpacked(octets)
    except ValueError:
        return
    assert all(isinstance(content, bytes) for content in files.values())


@given(st.data())
def test_an_archive_with_a_broken_octet_is_an_archive_or_a_value_error(data: st.DataObject) -> None:
    octets = bytearray(packed(FILES))
    at = data.draw(st.integers(0, len(octets) - 1))
    octets[at] ^= data.draw(st.integers(1, 255))

    try:
        files = unpacked(bytes(octets))
    except ValueError:
        return
    assert all(isinstance(content, bytes) for content in files.values())
