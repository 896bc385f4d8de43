"""What stays of a text when its recipients' particulars are gone, and its MinHash."""

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b, shake_256

import numpy as np
from numpy.typing import NDArray

from gateway.filter.folding import sound_of

# A text of more is judged by its beginning: what is longer than sixty parts is no bulk text,
# and the matrix below grows with the length.
MAX_CHARS = 4_096
# With fewer letters a skeleton says nothing: 您的验证码 is everybody's.
MIN_LETTERS = 8

SIGNS = 64
_BATCH_LETTERS = MAX_CHARS  # hashed at once: 1 MB of hashes, which stay in the cache

# Grams: pairs of Han, of which a changed one costs two, and three letters of what is spelt.
_WIDTH, _WIDTH_SPELT = 2, 3
_UNSPELT = re.compile(r"[\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]")

_LINK = re.compile(r"(?:https?://|(?<![a-z0-9])[a-z0-9-]++(?:[.。][a-z0-9-]++)++)[!-~]*+")
# Order numbers, amounts, codes, masked numbers: 138****8000, SF12345.
_NUMBERED = re.compile(r"[a-z]*\d[a-z0-9*]*")
_TITLES = tuple(map(sound_of, ("先生", "女士", "小姐")))
_GREETINGS = "|".join(map(sound_of, ("尊敬的", "亲爱的")))
_NAME = re.compile(
    rf"(?:{_GREETINGS}|(?<![^\W_]))[*\u4e00-\u9fff]{{1,4}}?(?:{'|'.join(_TITLES)})"
    rf"(?:/?(?:{'|'.join(_TITLES)}))?|\bdear (?:mr|mrs|ms|miss)?\.? ?[^\W\d_]+"
)
_MR, _MRS, _MISS = _TITLES
_LETTERS = re.compile(r"[^\W\d_]+")

# Fixed, so that every process gives a text the same fingerprint.
_MIX = (np.uint32(0x9E37_79B1), np.uint32(0x85EB_CA77), np.uint32(0xC2B2_AE3D))
_FIFTEEN, _ONE = np.uint32(15), np.uint32(1)
_FACTORS = np.frombuffer(shake_256(b"signs of campaigns").digest(4 * SIGNS), np.uint32) | _ONE

Signs = NDArray[np.uint32]


class Fingerprint:
    """The identity of a text for finding it again, as it is and changed.

    `skeleton` is equal for texts that differ only in particulars. The `signs` of two texts
    agree in the share of their letter pairs that both have (MinHash); None where the text is
    too short for that.
    """

    __slots__ = ("signs", "skeleton")

    def __init__(self, skeleton: int, signs: Signs | None) -> None:
        self.skeleton = skeleton
        self.signs = signs


def fingerprint_of(sound: str) -> Fingerprint:
    """Return the fingerprint of a text in its view for the ear: no homophone changes it.

    The same in every process and at every start. The time is linear in the length.
    """
    letters = skeleton_of(sound)
    if len(letters) < MIN_LETTERS:
        return Fingerprint(_digest(sound), None)
    return Fingerprint(_digest(letters), _signs_of(letters))


def fingerprints_of(sounds: Sequence[str]) -> list[Fingerprint]:
    """Return the fingerprint of each of a tick's new texts: 10 us each, alone 16."""
    skeletons = [skeleton_of(sound) for sound in sounds]
    found = [
        Fingerprint(_digest(letters if len(letters) >= MIN_LETTERS else sound), None)
        for sound, letters in zip(sounds, skeletons, strict=True)
    ]
    for width in (_WIDTH, _WIDTH_SPELT):
        for numbers in _batches(skeletons, width):
            rows = _rows([skeletons[number] for number in numbers], width)
            for number, signs in zip(numbers, rows, strict=True):
                found[number].signs = signs
    return found


def skeleton_of(sound: str) -> str:
    """Return the letters of such a text without links, numbers, and whom it is addressed to."""
    text = sound[:MAX_CHARS]
    if "." in text or "。" in text or "://" in text:
        text = _LINK.sub(" ", text)
    if _MR in text or _MRS in text or _MISS in text or "dear " in text:
        text = _NAME.sub(" ", text)
    return "".join(_LETTERS.findall(_NUMBERED.sub(" ", text)))


def _digest(text: str) -> int:
    octets = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(octets, digest_size=8).digest(), "big")


def _width_of(letters: str) -> int:
    # By what most of it is, of which every fourth letter tells enough: one Han put into an
    # English text must not make another text of it.
    some = letters[::4]
    return _WIDTH if 2 * len(_UNSPELT.findall(some)) >= len(some) else _WIDTH_SPELT


def _signs_of(letters: str) -> Signs:
    # The odd factors make each column a permutation of all hashes, of which the least is kept.
    grams = _hashed_grams(letters, _width_of(letters))
    signs: Signs = (grams[:, None] * _FACTORS).min(axis=0)
    return signs


def _batches(skeletons: Sequence[str], width: int) -> Iterator[list[int]]:
    """Yield the numbers of the texts that are hashed together."""
    numbers: list[int] = []
    letters = 0
    for number, skeleton in enumerate(skeletons):
        if len(skeleton) < MIN_LETTERS or _width_of(skeleton) != width:
            continue
        if letters + len(skeleton) > _BATCH_LETTERS:
            yield numbers
            numbers, letters = [], 0
        numbers.append(number)
        letters += len(skeleton)
    if numbers:
        yield numbers


def _rows(skeletons: Sequence[str], width: int) -> Signs:
    lengths = np.fromiter(map(len, skeletons), np.int64, len(skeletons))
    ends = lengths.cumsum()
    # Each text's grams, and behind them those that reach into the next text.
    bounds = np.empty(2 * len(skeletons), np.int64)
    bounds[::2] = ends - lengths
    bounds[1::2] = ends - (width - 1)
    hashes = _hashed_grams("".join(skeletons), width)[:, None] * _FACTORS
    signs: Signs = np.minimum.reduceat(hashes, bounds[:-1], axis=0)[::2]
    return signs


def _hashed_grams(letters: str, width: int) -> Signs:
    codes = np.frombuffer(letters.encode("utf-32-le", "surrogatepass"), np.uint32)
    grams = codes[:-1] * _MIX[0] + codes[1:] * _MIX[1]
    if width == _WIDTH_SPELT:
        grams = grams[:-1] * _MIX[0] + codes[2:] * _MIX[1]
    grams ^= grams >> _FIFTEEN
    grams *= _MIX[2]
    grams |= _ONE  # no sign is 0: that is what an empty slot of an index holds
    return grams
