"""Texts that the gateway itself sends: each fits one message."""

from typing import Annotated

from pydantic import AfterValidator

from gateway.settings.schema import Text

_UCS2_OCTETS = 140


def _fits_one_message(text: str) -> str:
    if len(text.encode("utf-16-be")) > _UCS2_OCTETS:
        raise ValueError("is longer than one message of 70 characters")
    return text


Reply = Annotated[Text, AfterValidator(_fits_one_message)]
