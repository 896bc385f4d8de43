"""From what a database driver raises to what a port's contract names."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gateway.ports.errors import StoreUnavailable


@contextmanager
def translated() -> Iterator[None]:
    """Raise StoreUnavailable in place of a driver's fault or a deadline that passed.

    Its text names the kind of fault only, never a statement's values. IntegrityError
    passes: it is the caller's fault.
    """
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise StoreUnavailable(_kind_of(error)) from error
    except (PoolTimeoutError, TimeoutError) as error:
        raise StoreUnavailable("no answer in time") from error


def _kind_of(error: DBAPIError) -> str:
    name = getattr(error.orig, "sqlite_errorname", "")
    return f"{error.orig} ({name})" if name else type(error.orig).__name__
