import io
import json
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.classifier.linear import BUCKETS, SIGNS
from gateway.filter.classifier.model import Model
from gateway.filter.classifier.model_file import (
    MAX_CARD_OCTETS,
    MAX_FILE_OCTETS,
    ModelFileError,
    read_model,
    write_model,
)
from gateway.filter.classifier.score import TextClass
from gateway.filter.normalise.views import Views

Card = dict[str, object]
Members = dict[str, bytes]

OURS = Ed25519PrivateKey.from_private_bytes(bytes(32))
THEIRS = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
PORT = "port.npy"


def unpacked(octets: bytes) -> Members:
    """Return the parts of a file."""
    with zipfile.ZipFile(io.BytesIO(octets)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members: Members) -> bytes:
    """Return a file of these parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, octets in members.items():
            archive.writestr(name, octets)
    return file.getvalue()


def npy(array: object) -> bytes:
    """Return an array as numpy itself writes it."""
    file = io.BytesIO()
    np.save(file, np.asarray(array), allow_pickle=False)
    return file.getvalue()


def card_of(members: Members) -> Card:
    """Return what the card says."""
    card: Card = json.loads(np.load(io.BytesIO(members["card.npy"])).tobytes())
    return card


def with_card(members: Members, card: object) -> Members:
    """Return the parts with another card."""
    written = card if isinstance(card, bytes) else json.dumps(card).encode()
    return {**members, "card.npy": npy(np.frombuffer(written, dtype=np.uint8))}


def changed(octets: bytes, path: str, value: object) -> bytes:
    """Return the file with one thing on its card said otherwise."""
    members = unpacked(octets)
    card = card_of(members)
    *above, last = path.split("/")
    inner = card
    for name in above:
        found = inner[name]
        assert isinstance(found, dict)
        inner = found
    inner[last] = value
    return packed(with_card(members, card))


def test_a_model_comes_back_as_it_was(model: Model) -> None:
    read = read_model(write_model(model))

    text = [Views("代开发票"), Views("online casino")]
    assert read.judge(text) == model.judge(text)
    assert read.about == model.about
    assert read.of(TextClass.PORT).thresholds == model.of(TextClass.PORT).thresholds


def test_a_model_without_categories_comes_back(model: Model) -> None:
    read = read_model(write_model(replace(model, categories=None)))

    assert read.categories is None


def test_the_same_model_makes_the_same_octets(model: Model) -> None:
    assert write_model(model, OURS) == write_model(model, OURS)


def test_numpy_reads_the_arrays_without_pickle(model: Model) -> None:
    with np.load(io.BytesIO(write_model(model, OURS)), allow_pickle=False) as arrays:
        assert arrays["port"].shape == (BUCKETS + len(SIGNS),)
        assert arrays["signature"].shape == (64,)


def test_one_trusted_key_is_enough(model: Model) -> None:
    trusted = [THEIRS.public_key(), OURS.public_key()]

    assert read_model(write_model(model, OURS), trusted).about == model.about


@pytest.mark.parametrize("key", [None, THEIRS])
def test_a_model_that_nobody_trusted_has_signed_is_refused(
    model: Model, key: Ed25519PrivateKey | None
) -> None:
    with pytest.raises(ModelFileError, match="signature"):
        read_model(write_model(model, key), [OURS.public_key()])


def test_a_changed_card_is_refused_where_a_signature_is_asked_for(model: Model) -> None:
    octets = changed(write_model(model, OURS), "classes/port/thresholds", [[0.01, 999.0]])

    assert read_model(octets).of(TextClass.PORT).threshold(0.01) == 999.0
    with pytest.raises(ModelFileError, match="no key that is trusted"):
        read_model(octets, [OURS.public_key()])


def test_changed_weights_are_refused_without_any_signature(model: Model) -> None:
    members = unpacked(write_model(model))
    members[PORT] = members[PORT][:-2] + b"\0\x3c"

    with pytest.raises(ModelFileError, match=r"port\.npy: its digest"):
        read_model(packed(members))


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("format", 1, "card.npy"),
        ("classes", {}, "classes"),
        ("classes", [], "classes"),
        ("classes/harbour", {}, "classes"),
        ("classes/person", {}, "person.npy"),
        ("classes/port", 7, "port"),
        ("classes/port/slope", "1", "port.slope"),
        ("classes/port/slope", 0, "port.slope"),
        ("classes/port/slope", 1e300, "port.slope"),
        ("classes/port/offset", None, "port.offset"),
        ("classes/port/offset", float("nan"), "port.offset"),
        ("classes/port/thresholds", {}, "port.thresholds"),
        ("classes/port/thresholds", [0.1], "port.thresholds"),
        ("classes/port/thresholds", [[0.1]], "port.thresholds"),
        ("classes/port/thresholds", [[1.5, 1]], "port.thresholds"),
        ("classes/port/sha256", "", "port.npy"),
        ("categories", [], "categories"),
        ("categories/ids", "loan", "categories"),
        ("categories/ids", [], "categories"),
        ("categories/ids", ["loan"] * 65, "categories"),
        ("categories/ids", ["loan", "noise"], "categories"),
        ("categories/ids", ["loan", "发票"], "categories"),
        ("categories/ids", ["loan", 7], "categories"),
        ("categories/ids", ["loan"], "categories.npy"),
        ("about", None, "about"),
    ],
)
def test_a_card_that_cannot_be_is_refused_with_its_place(
    model: Model, path: str, value: object, place: str
) -> None:
    octets = changed(write_model(model), path, value)

    with pytest.raises(ModelFileError) as caught:
        read_model(octets)

    assert caught.value.place == place


def weights(value: float, count: int = BUCKETS + len(SIGNS)) -> bytes:
    return npy(np.full(count, value, dtype="<f2"))


@pytest.mark.parametrize(
    "forged",
    [
        weights(float("nan")),
        weights(float("inf")),
        weights(2e4),
        weights(0.0, BUCKETS),
        weights(0.0)[:-2],
        npy(np.zeros(BUCKETS + len(SIGNS), dtype="<f4")),
        npy(np.zeros((1, BUCKETS + len(SIGNS)), dtype="<f2")),
        b"",
    ],
)
def test_weights_that_cannot_be_are_refused_though_their_digest_is_right(
    model: Model, forged: bytes
) -> None:
    members = unpacked(write_model(model)) | {PORT: forged}
    octets = changed(packed(members), "classes/port/sha256", sha256(forged).hexdigest())

    with pytest.raises(ModelFileError) as caught:
        read_model(octets)

    assert caught.value.place == PORT


def without(name: str) -> Callable[[Members], Members]:
    return lambda members: {one: octets for one, octets in members.items() if one != name}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (without("card.npy"), "card.npy"),
        (without(PORT), PORT),
        (lambda members: {**members, "evil.npy": b""}, "file"),
        (lambda members: {**members, "../card.npy": b""}, "file"),
        (lambda members: {**members, "card.npy": npy([])}, "card.npy"),
        (lambda members: {**members, "card.npy": npy(np.zeros(9, dtype="<i8"))}, "card.npy"),
        (lambda members: {**members, "card.npy": b"x" * (MAX_CARD_OCTETS + 129)}, "card.npy"),
        (lambda members: with_card(members, b"{"), "card.npy"),
        (lambda members: with_card(members, b"\xff"), "card.npy"),
        (lambda members: with_card(members, b"[" * 100_000), "card.npy"),
        (lambda members: with_card(members, []), "card.npy"),
    ],
)
def test_a_file_of_other_parts_is_refused(
    model: Model, change: Callable[[Members], Members], place: str
) -> None:
    octets = packed(change(unpacked(write_model(model))))

    with pytest.raises(ModelFileError) as caught:
        read_model(octets)

    assert caught.value.place == place


def test_a_part_that_is_there_twice_is_refused(model: Model) -> None:
    file = io.BytesIO(write_model(model))
    with (
        pytest.warns(UserWarning, match="Duplicate"),
        zipfile.ZipFile(file, "a") as archive,
    ):
        archive.writestr("card.npy", b"")

    with pytest.raises(ModelFileError, match="one twice"):
        read_model(file.getvalue())


def test_what_unpacks_to_too_much_is_refused_unread() -> None:
    octets = packed({"port.npy": bytes(MAX_FILE_OCTETS + 1)})

    assert len(octets) < MAX_FILE_OCTETS / 100
    with pytest.raises(ModelFileError, match="unpacked over"):
        read_model(octets)


def test_an_oversized_file_is_refused() -> None:
    with pytest.raises(ModelFileError, match="file: over"):
        read_model(bytes(MAX_FILE_OCTETS + 1))


# What a refused file may take besides itself: a card of the greatest length, and the like of it.
REFUSED_OCTETS = 1 << 20
BOMB_OCTETS = 64 << 20


def bomb(method: int, name: str = "card.npy", declared: int = 1_000) -> bytes:
    """Return a file of a few hundred octets whose one part unpacks to BOMB_OCTETS."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr(name, bytes(BOMB_OCTETS))
    octets = bytearray(file.getvalue())
    struct.pack_into("<L", octets, octets.rindex(b"PK\1\2") + 24, declared)
    return bytes(octets)


def peak_octets_of(octets: bytes, *trusted: Ed25519PublicKey) -> int:
    """Return how many octets it takes at most to refuse a file."""
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError):
            read_model(octets, trusted)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED], ids=str
)
def test_a_part_that_swells_beyond_what_it_declares_takes_no_memory(method: int) -> None:
    assert peak_octets_of(bomb(method)) < REFUSED_OCTETS


def test_weights_that_swell_take_no_memory_beside_a_true_card(model: Model) -> None:
    members = unpacked(write_model(model))
    octets = bytearray(packed({"card.npy": members["card.npy"], PORT: bytes(BOMB_OCTETS)}))
    at = octets.rindex(b"PK\1\2") + 24
    struct.pack_into("<L", octets, at, 2 * (BUCKETS + len(SIGNS)) + 128)

    assert peak_octets_of(bytes(octets)) < 8 * BUCKETS


def test_of_a_file_that_no_trusted_key_signed_only_the_card_is_unpacked(model: Model) -> None:
    octets = write_model(model, THEIRS)

    assert peak_octets_of(octets, OURS.public_key()) < REFUSED_OCTETS


def test_countless_parts_are_refused_before_any_is_listed() -> None:
    octets = packed({str(number): b"" for number in range(20_000)})

    assert peak_octets_of(octets) < REFUSED_OCTETS


def test_no_room_is_made_for_the_shape_that_a_header_claims(model: Model) -> None:
    huge = npy(np.zeros(4, dtype="<f2")).replace(b"'shape': (4,)", b"'shape': (9999999999999,)")
    members = unpacked(write_model(model)) | {PORT: huge}
    octets = changed(packed(members), "classes/port/sha256", sha256(huge).hexdigest())

    assert peak_octets_of(octets) < REFUSED_OCTETS


def test_a_part_on_no_card_is_never_unpacked(model: Model) -> None:
    members = unpacked(write_model(replace(model, categories=None)))
    members["categories.npy"] = bytes(1_000)

    assert read_model(packed(members)).categories is None


def flipped(octets: bytes, at: int) -> bytes:
    """Return the octets with every bit of one of them turned over."""
    return octets[:at] + bytes([octets[at] ^ 255]) + octets[at + 1 :]


@pytest.mark.parametrize(
    "name", ["card.npy", "signature.npy", PORT, "foreign.npy", "categories.npy"]
)
def test_a_part_with_a_broken_octet_is_named(model: Model, name: str) -> None:
    octets = write_model(model, OURS)
    with zipfile.ZipFile(io.BytesIO(octets)) as archive:
        part = archive.getinfo(name)
    begin = part.header_offset + 30 + len(name)  # behind the header of the part and its name

    for at in (part.header_offset, begin, begin + part.compress_size // 2):
        with pytest.raises(ModelFileError, match="it is broken: copy the file anew") as caught:
            read_model(flipped(octets, at))
        assert caught.value.place == name


def test_a_file_that_is_cut_short_is_said_to_be(model: Model) -> None:
    octets = write_model(model)

    for length in (4, len(octets) // 2, len(octets) - 22):
        with pytest.raises(ModelFileError, match="file: it is cut short"):
            read_model(octets[:length])


def test_a_file_that_is_no_archive_is_said_to_be_none() -> None:
    for octets in (b"", b"{}", b"version: 1\n"):
        with pytest.raises(ModelFileError, match=r"file: it is no \.npz"):
            read_model(octets)


def test_a_broken_list_of_parts_is_said(model: Model) -> None:
    octets = write_model(model)
    listed = octets.index(b"PK\1\2")

    with pytest.raises(ModelFileError, match="file: the list of its parts is broken"):
        read_model(flipped(octets, listed))


@given(st.binary(max_size=200))
def test_any_octets_are_a_model_or_refused(octets: bytes) -> None:
    with pytest.raises(ModelFileError):
        read_model(octets)


@pytest.fixture(scope="module")
def small() -> bytes:
    """Return the head and the tail of a true archive."""
    return packed({"card.npy": npy(np.frombuffer(b'{"format": 1}', dtype=np.uint8))})


@given(st.data())
def test_a_file_broken_anywhere_is_refused(small: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(small) - 1))
    broken = small[:at] + struct.pack("B", data.draw(st.integers(0, 255))) + small[at + 1 :]

    with pytest.raises(ModelFileError):
        read_model(broken)


@given(st.integers(0, 400))
def test_a_file_cut_off_anywhere_is_refused(small: bytes, length: int) -> None:
    with pytest.raises(ModelFileError):
        read_model(small[:length])
