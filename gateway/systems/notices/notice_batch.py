"""A batch as an SP reads it, and the signature that shows who wrote it."""

import hashlib
import hmac
from collections.abc import Mapping

import orjson

from gateway.domain.notice import Notice, NoticeBatch


def body_of(system_id: str, batch: NoticeBatch) -> bytes:
    """Return a batch as JSON; the same octets for the same batch."""
    return orjson.dumps(
        {
            "system_id": system_id,
            "batch": batch.batch_id,
            "is_last": batch.is_last,
            "notices": [fields_of(notice) for notice in batch.notices],
        }
    )


def fields_of(notice: Notice) -> Mapping[str, str | bool]:
    """Return one notice as it stands in JSON, with the whole number: the SP has to know it."""
    return {
        "number": str(notice.msisdn),
        "answer": notice.answer.value,
        "all_senders": notice.is_for_every_sender,
        "since": notice.since.isoformat().replace("+00:00", "Z"),
        "channel": notice.channel,
    }


def signature_of(body: bytes, key: bytes, timestamp: int) -> str:
    """Return the HMAC-SHA256 of ``timestamp.body`` in hexadecimal digits.

    The timestamp, in seconds, is signed too: who records a request cannot play it much later.
    """
    return hmac.new(key, b"%d." % timestamp + body, hashlib.sha256).hexdigest()
