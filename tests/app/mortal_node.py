"""`smsward linkage run` that ends like by kill -9 within a commit, or right after it."""

import os
import signal
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.app import linkage
from gateway.cli.operate import serve_linkage_node
from gateway.storage.database import BatchingWriter, _Write
from gateway.systems.linkage import service
from gateway.terminal.options import Directories


class Death(StrEnum):
    """How a node dies: with a transaction that it has not committed yet, or has just committed."""

    BEFORE = "before"
    AFTER = "after"


def run_node(config: Path, death: Death, at: int) -> None:
    """Run the node of a directory until its commit `at`; 0 for one that is not killed."""
    linkage._DELIVER_EVERY_S = 0.02
    service._FIRST_RETRY = timedelta(milliseconds=20)
    transact, commits = BatchingWriter._transact, 0

    async def transact_and_die(writer: BatchingWriter, batch: list[_Write]) -> None:
        nonlocal commits
        commits += 1
        if commits == at and death is Death.BEFORE:
            # Its last statement, before the COMMIT.
            batch = [*batch, _Write(_die, None, 0)]
        await transact(writer, batch)
        if commits == at:
            await _die()

    BatchingWriter._transact = transact_and_die  # type: ignore[method-assign,assignment]
    serve_linkage_node(places=Directories(config=config), log_level="warning")


async def _die(_connection: AsyncConnection | None = None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
