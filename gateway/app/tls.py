"""TLS contexts for both sides, from the paths that the settings name."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.settings.gateway import ListenerTls, SmscTls


def listener_context(tls: ListenerTls) -> ssl.SSLContext:
    """Return the context that SPs meet; with a client_ca they must show a certificate of it.

    Raises OSError or ssl.SSLError when a file can not be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with _named(tls.certificate, tls.key):
        context.load_cert_chain(tls.certificate, tls.key)
    if tls.client_ca is not None:
        with _named(tls.client_ca):
            context.load_verify_locations(tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def smsc_context(tls: SmscTls) -> ssl.SSLContext:
    """Return the context for an SMSC, which must prove its name.

    Raises OSError or ssl.SSLError when a file can not be used.
    """
    with _named(tls.ca):
        context = ssl.create_default_context(cafile=str(tls.ca) if tls.ca is not None else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.certificate is not None and tls.key is not None:
        with _named(tls.certificate, tls.key):
            context.load_cert_chain(tls.certificate, tls.key)
    return context


@contextmanager
def _named(*paths: Path | None) -> Iterator[None]:
    """Say which files OpenSSL speaks of: it names none."""
    try:
        yield
    except ssl.SSLError as error:
        files = " and ".join(str(path) for path in paths if path is not None)
        raise ssl.SSLError(error.errno, f"cannot use {files}: {error.strerror}") from error
