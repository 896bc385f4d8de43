"""What a command asks of the running gateway, over the socket beside the store."""

import socket
from pathlib import Path
from typing import Protocol, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from gateway.runtime.acceptor import short_address
from gateway.terminal.failure import CommandError

T = TypeVar("T")

_PATIENCE_S = 10.0
_OF_ANOTHER_VERSION = "is the gateway of another version? Restart it after an upgrade"


class OrderRefusedByGatewayError(CommandError):
    """The gateway heard a question, and refused it."""


class AskGateway(Protocol):
    """Asks the running gateway, without a wait for others."""

    async def __call__(self, do: str, answer: type[T], **said: object) -> T:
        """Return what the gateway answers; raises as `ask` does."""


def ask(path: Path, do: str, answer: type[T], **said: object) -> T:
    """Return what the gateway at `path` answers, of the type `answer`, to the question `do`.

    Raises CommandError where no gateway runs on this store, or with what it refused.
    """
    where = path.absolute()
    try:
        line = _exchanged(path, orjson.dumps({"do": do, **said}))
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        raise CommandError(
            f"no gateway runs on this store: nothing answers at {where}",
            advice="name the gateway's --config, and call this from the directory it runs in",
        ) from error
    except PermissionError as error:
        raise CommandError(
            f"you may not speak to the gateway at {where}",
            advice="only the account that it runs as may",
        ) from error
    except OSError as error:
        raise CommandError(
            f"the gateway at {where} gave no answer within {_PATIENCE_S:g} s",
            advice="its log tells why",
        ) from error
    if not line:
        raise CommandError(f"the gateway at {where} gave no answer", advice="its log tells why")
    answered = orjson.loads(line)
    if "refused" in answered:
        raise OrderRefusedByGatewayError(answered["refused"], advice=answered["advice"])
    try:
        return TypeAdapter(answer).validate_python(answered["answer"])
    except ValidationError as error:
        raise CommandError(
            "the gateway's answer is not what was expected", advice=_OF_ANOTHER_VERSION
        ) from error


def _exchanged(path: Path, question: bytes) -> bytes:
    """Return the line that answers `question`, empty without an answer. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE_S)
        with short_address(path) as address:
            connection.connect(address)
        connection.sendall(question + b"\n")
        with connection.makefile("rb") as answers:
            return answers.readline()
