"""The deployment on disk of the tests of gateway.cli."""

from tests.cli.conftest import cli, deployment, hold, in_store, write

__all__ = ["cli", "deployment", "hold", "in_store", "write"]
