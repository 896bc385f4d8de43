import struct
import zlib

import pytest

from gateway.filter.classifier.score import TextClass
from gateway.systems.learning.cli.model_trainer import COLOURS, reliability_png
from gateway.systems.learning.evaluation import Bin

SHADES = {"blue": (31, 87, 180), "orange": (230, 120, 20), "green": (30, 140, 60)}


def pixel(png: bytes, across: int, down: int) -> tuple[int, ...]:
    """Return what stands at one place of a picture, three octets a pixel."""
    at = png.index(b"IDAT")
    (length,) = struct.unpack(">I", png[at - 4 : at])
    lines = zlib.decompress(png[at + 4 : at + 4 + length])
    (width,) = struct.unpack(">I", png[16:20])
    begin = down * (3 * width + 1) + 1 + 3 * across
    return tuple(lines[begin : begin + 3])


@pytest.mark.parametrize("text_class", TextClass)
def test_a_class_has_its_colour_whichever_others_there_are(text_class: TextClass) -> None:
    curve = [Bin(count=10, probability=0.5, spam=0.25)]

    png = reliability_png({text_class: curve})

    assert pixel(png, 240, 348) == SHADES[COLOURS[text_class]]
    assert pixel(png, 100, 108) == (255, 255, 255)
