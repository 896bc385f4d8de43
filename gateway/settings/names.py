"""The ids of lists, rules and profiles."""

import re
from typing import Annotated

from pydantic import AfterValidator

_ID = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,31}")


def is_id(text: str) -> bool:
    """Tell whether `text` can be the id of a list or a rule, or the name of a profile."""
    return _ID.fullmatch(text) is not None


def _checked(text: str) -> str:
    if not is_id(text):
        raise ValueError("must be 1 to 32 of A-Z a-z 0-9 . _ - and start with a letter or digit")
    return text


Id = Annotated[str, AfterValidator(_checked)]
