"""The deployment on disk and the command line of the tests of commands."""

from tests.cli.conftest import answered, cli, deployment, hold, in_store, options, write

__all__ = ["answered", "cli", "deployment", "hold", "in_store", "options", "write"]
