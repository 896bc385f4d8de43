"""Which model judges a text: those of one class have the same kind of innocent texts."""

import re
from enum import StrEnum

from gateway.filter.views import Views

_HAN = re.compile("[\u3400-\u9fff]")


class TextClass(StrEnum):
    """What a model was trained for.

    PORT is what SPs send from their ports, in Chinese; PERSON what people write; FOREIGN what
    has no Han in it. Innocent notices of banks look like adverts among chats, so that one
    model for all would have to let either pass.
    """

    PORT = "port"
    PERSON = "person"
    FOREIGN = "foreign"


def class_of(text: Views, *, is_port: bool = True) -> TextClass:
    """Return the class of `text`; `is_port` says that a port sends it."""
    if not _HAN.search(text.folded):
        return TextClass.FOREIGN
    return TextClass.PORT if is_port else TextClass.PERSON
