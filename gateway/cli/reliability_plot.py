"""The reliability of probabilities as a picture, without a library to draw with."""

import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.filter.model.classes import TextClass
from gateway.systems.learning.measures import Bin

_SIDE, _MARGIN = 480, 24
_LEAST, _MOST = 3, 12  # half a side of the square of few, and of many, texts
COLOURS: Mapping[TextClass, str] = {
    TextClass.PORT: "blue",
    TextClass.PERSON: "orange",
    TextClass.FOREIGN: "green",
}
_SHADES = {"blue": (31, 87, 180), "orange": (230, 120, 20), "green": (30, 140, 60)}
_GRID, _DIAGONAL = (225, 225, 225), (120, 120, 120)

Picture = NDArray[np.uint8]


def reliability_png(curves: Mapping[TextClass, Sequence[Bin]]) -> bytes:
    """Return a PNG of the curve of each class in its colour.

    To the right the probability, upwards the share that was spam, both from 0 to 1 with a
    line at each tenth; the larger a square, the more texts it stands for.
    """
    picture: Picture = np.full((_SIDE, _SIDE, 3), 255, dtype=np.uint8)
    inner = _SIDE - 2 * _MARGIN
    for tenth in range(11):
        at = _MARGIN + tenth * inner // 10
        picture[_MARGIN : _SIDE - _MARGIN, at] = _GRID
        picture[at, _MARGIN : _SIDE - _MARGIN] = _GRID
    along = np.arange(_MARGIN, _SIDE - _MARGIN)
    picture[_SIDE - 1 - along, along] = _DIAGONAL
    for text_class, curve in curves.items():
        most = max((one.count for one in curve), default=1)
        for one in curve:
            half = _LEAST + round((_MOST - _LEAST) * (one.count / most) ** 0.5)
            across = _MARGIN + round(one.probability * inner)
            down = _SIDE - _MARGIN - round(one.spam * inner)
            picture[down - half : down + half, across - half : across + half] = _SHADES[
                COLOURS[text_class]
            ]
    return _png(picture)


def _png(picture: Picture) -> bytes:
    height, width, _ = picture.shape
    lines = b"".join(b"\0" + line.tobytes() for line in picture)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, octets) for name, octets in parts)


def _chunk(name: bytes, octets: bytes) -> bytes:
    check = zlib.crc32(name + octets)
    return struct.pack(">I", len(octets)) + name + octets + struct.pack(">I", check)
