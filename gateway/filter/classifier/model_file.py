"""A model as the octets of a file: weights in a .npz with a card in JSON, and a signature.

The card names the digest of every array, so that a signature of the card covers the file.
Nothing in it is code: arrays are compared with the one header that is expected of them. The card
and the signature are read first; a part is inflated only when it declares the size that the card
gives it. The same model makes the same octets.
"""

import io
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from hashlib import sha256

import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from numpy.typing import NDArray

from gateway.domain.categories import category_of
from gateway.filter.classifier.linear import (
    BUCKETS,
    CATEGORY_BUCKETS,
    SIGNS,
    Calibration,
    CategoryModel,
    LinearModel,
)
from gateway.filter.classifier.model import ClassModel, Model, Threshold
from gateway.filter.classifier.score import TextClass
from gateway.filter.classifier.zip_members import (
    BEGIN,
    END,
    END_OCTETS,
    ZipFaultError,
    ZipMember,
    inflated,
    members_of,
)

FORMAT = 2  # another for other n-grams: the weights belong to them
MAX_FILE_OCTETS = 32 * 2**20
MAX_CARD_OCTETS = 256 * 2**10
MAX_CATEGORIES = 64

_CARD, _SIGNATURE, _CATEGORIES = "card.npy", "signature.npy", "categories.npy"
_KNOWN = frozenset({_CARD, _SIGNATURE, _CATEGORIES, *(f"{name}.npy" for name in TextClass)})
_HEADER_OCTETS = 128  # of an array whose shape takes less than a line
_WIDTH = BUCKETS + len(SIGNS)
_LARGEST_WEIGHT = 1e4
# Weights differ by more from one training to the next than half precision takes from them.
_STORED = np.dtype("<f2")
_EPOCH = (1980, 1, 1, 0, 0, 0)


class ModelFileError(Exception):
    """A file holds no model that may be used; `place` says where in it."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place


def write_model(model: Model, key: Ed25519PrivateKey | None = None) -> bytes:
    """Return the octets of `model`, signed with `key` if there is one."""
    arrays = {f"{name}.npy": one.linear.weights for name, one in model.classes.items()}
    if model.categories is not None:
        arrays[_CATEGORIES] = model.categories.weights
    members = {name: _npy(weights.astype(_STORED)) for name, weights in arrays.items()}
    digests = {name: sha256(octets).hexdigest() for name, octets in members.items()}
    card = json.dumps(_card(model, digests), ensure_ascii=False, indent=1).encode()
    members[_CARD] = _npy(np.frombuffer(card, dtype=np.uint8))
    if key is not None:
        members[_SIGNATURE] = _npy(np.frombuffer(key.sign(card), dtype=np.uint8))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, octets in members.items():
            archive.writestr(
                zipfile.ZipInfo(name, _EPOCH), octets, compress_type=zipfile.ZIP_DEFLATED
            )
    return packed.getvalue()


def read_model(octets: bytes, trusted: Sequence[Ed25519PublicKey] = ()) -> Model:
    """Return the model in `octets`, which may come from anybody.

    Where keys are `trusted`, one of them must have signed it. Raises ModelFileError.
    """
    parts = _FileSections(octets)
    card = parts.row(_CARD)
    _check_signature(parts, card, trusted)
    said = _mapping(_parsed(card), _CARD)
    if said.get("format") != FORMAT:
        raise ModelFileError(_CARD, f"its format is not {FORMAT}: train it anew")
    classes = {
        _class_named(name): _class_model(name, _mapping(one, name), parts)
        for name, one in _mapping(said.get("classes"), "classes").items()
    }
    if not classes:
        raise ModelFileError("classes", "there is none")
    categories = _categories(said.get("categories"), parts)
    return Model(classes, categories, _mapping(said.get("about"), "about"))


def _card(model: Model, digests: Mapping[str, str]) -> dict[str, object]:
    classes = {
        str(name): {
            "sha256": digests[f"{name}.npy"],
            "slope": one.linear.calibration.slope,
            "offset": one.linear.calibration.offset,
            "thresholds": [[each.tolerated, each.score] for each in one.thresholds],
        }
        for name, one in model.classes.items()
    }
    categories = model.categories and {
        "sha256": digests[_CATEGORIES],
        "ids": list(model.categories.ids),
    }
    return {
        "format": FORMAT,
        "classes": classes,
        "categories": categories,
        "about": dict(model.about),
    }


def _npy(array: NDArray[np.generic]) -> bytes:
    return _header(array.dtype, array.shape) + array.tobytes()


def _header(dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> bytes:
    header = io.BytesIO()
    described = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(header, described)
    return header.getvalue()


class _FileSections:
    """The parts of a file, each inflated when it is asked for. Raises ModelFileError."""

    def __init__(self, octets: bytes) -> None:
        if len(octets) > MAX_FILE_OCTETS:
            raise ModelFileError("file", f"over {MAX_FILE_OCTETS} octets")
        self._octets = octets
        try:
            listed = members_of(octets, len(_KNOWN))
        except ZipFaultError as error:
            if error.member in _KNOWN:
                raise _broken(error) from error
            raise ModelFileError("file", _fault_of(octets, error)) from error
        _check_members([one.name for one in listed], sum(one.octets for one in listed))
        self._listed = {one.name: one for one in listed}

    def __contains__(self, name: str) -> bool:
        return name in self._listed

    def declared_octets(self, name: str) -> int:
        """Return how many octets a part declares to hold."""
        return self._part(name).octets

    def whole(self, name: str) -> bytes:
        """Return what a part holds."""
        try:
            return inflated(self._octets, self._part(name))
        except ZipFaultError as error:
            raise _broken(error) from error

    def row(self, name: str) -> bytes:
        """Return the octets of a part that is one row of them."""
        length = self.declared_octets(name) - _HEADER_OCTETS
        if not 0 < length <= MAX_CARD_OCTETS:
            raise ModelFileError(name, f"not between 1 and {MAX_CARD_OCTETS} octets")
        member = self.whole(name)
        if member[:_HEADER_OCTETS] != _header(np.dtype(np.uint8), (length,)):
            raise ModelFileError(name, "it is no row of octets")
        return member[_HEADER_OCTETS:]

    def _part(self, name: str) -> ZipMember:
        found = self._listed.get(name)
        if found is None:
            raise ModelFileError(name, "it is missing")
        return found


def _broken(error: ZipFaultError) -> ModelFileError:
    return ModelFileError(error.member, f"{error.problem}: copy the file anew")


def _fault_of(octets: bytes, error: ZipFaultError) -> str:
    if not octets.startswith(BEGIN):
        return "it is no .npz"
    if END not in octets[-END_OCTETS:]:
        return "it is cut short, or broken at its end: copy it anew"
    return f"{error.problem}: copy it anew"


def _check_members(names: Sequence[str], unpacked_octets: int) -> None:
    if len(set(names)) != len(names) or not set(names) <= _KNOWN:
        raise ModelFileError("file", "it has a part that no model has, or one twice")
    if unpacked_octets > MAX_FILE_OCTETS:
        raise ModelFileError("file", f"unpacked over {MAX_FILE_OCTETS} octets")


def _check_signature(
    parts: _FileSections, card: bytes, trusted: Sequence[Ed25519PublicKey]
) -> None:
    signature = parts.row(_SIGNATURE) if _SIGNATURE in parts else b""
    if not trusted:
        return
    if not signature:
        raise ModelFileError(_SIGNATURE, "the model is not signed")
    for key in trusted:
        try:
            key.verify(signature, card)
        except InvalidSignature:
            continue
        return
    raise ModelFileError(_SIGNATURE, "no key that is trusted has signed this")


def _weights(
    parts: _FileSections, name: str, shape: tuple[int, ...], digest: object
) -> NDArray[np.float32]:
    header = _header(_STORED, shape)
    is_as_long = parts.declared_octets(name) == len(header) + 2 * math.prod(shape)
    member = parts.whole(name) if is_as_long else b""
    if is_as_long and sha256(member).hexdigest() != digest:
        raise ModelFileError(name, "its digest is not the one on the card")
    if not member.startswith(header):
        raise ModelFileError(name, f"it is not {' by '.join(map(str, shape))} weights")
    stored = np.frombuffer(member, dtype=_STORED, offset=len(header))
    # Before they are made wider: the check takes room as well.
    if not (np.abs(stored) < _LARGEST_WEIGHT).all():
        raise ModelFileError(name, "a weight is no number, or beyond all measure")
    return stored.astype(np.float32).reshape(shape)


def _parsed(card: bytes) -> object:
    try:
        parsed: object = json.loads(card)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(_CARD, "it is no JSON") from error
    return parsed


def _mapping(value: object, place: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ModelFileError(place, "not a mapping")
    return value


def _number(value: object, place: str) -> float:
    if not isinstance(value, int | float) or not abs(value) < _LARGEST_WEIGHT:
        raise ModelFileError(place, "no number, or beyond all measure")
    return float(value)


def _class_named(name: str) -> TextClass:
    if name not in set(TextClass):
        raise ModelFileError("classes", f"one is none of {', '.join(TextClass)}")
    return TextClass(name)


def _class_model(name: str, said: Mapping[str, object], parts: _FileSections) -> ClassModel:
    weights = _weights(parts, f"{name}.npy", (_WIDTH,), said.get("sha256"))
    slope, offset = (_number(said.get(one), f"{name}.{one}") for one in ("slope", "offset"))
    if slope <= 0:
        raise ModelFileError(f"{name}.slope", "a higher score must be likelier spam")
    listed = said.get("thresholds")
    if not isinstance(listed, list):
        raise ModelFileError(f"{name}.thresholds", "not a list")
    thresholds = tuple(_threshold(one, f"{name}.thresholds") for one in listed)
    return ClassModel(LinearModel(weights, Calibration(slope, offset)), thresholds)


def _threshold(said: object, place: str) -> Threshold:
    if not isinstance(said, list) or len(said) != 2:
        raise ModelFileError(place, "one is no pair of tolerated share and score")
    tolerated, score = (_number(one, place) for one in said)
    if not 0 <= tolerated <= 1:
        raise ModelFileError(place, "a share is not between 0 and 1")
    return Threshold(tolerated, score)


def _categories(said: object, parts: _FileSections) -> CategoryModel | None:
    if said is None:
        return None
    described = _mapping(said, "categories")
    ids = described.get("ids")
    if not isinstance(ids, list) or not 0 < len(ids) <= MAX_CATEGORIES:
        raise ModelFileError("categories", f"not 1 to {MAX_CATEGORIES} ids")
    names = tuple(str(one) for one in ids)
    for name in names:
        found = category_of(name)
        if found is None or found.id != name:
            raise ModelFileError("categories", "an id is none of the tree")
    shape = (len(names), CATEGORY_BUCKETS + 1)
    return CategoryModel(names, _weights(parts, _CATEGORIES, shape, described.get("sha256")))
