"""Certificate, key and CA of an agent: given as PEM, or as files to read. Nothing else is read from the disk."""

from __future__ import annotations

import os
import ssl
import tempfile
from contextlib import contextmanager
from typing import Iterator, Optional, Union

from .certificates.common_name import certificate_in, common_name_of
from .error import AgentworksError, client_error

#: The path of a PEM file, or PEM itself (text or bytes that hold ``-----BEGIN``).
Pem = Union[str, bytes, "os.PathLike[str]"]

_pem_mark = "-----BEGIN"


def _text_of(name: str, given: Pem) -> str:
    """The PEM text. Raises invalid_argument when it cannot be read, or is none."""
    if not isinstance(given, (str, bytes, os.PathLike)):
        raise client_error("invalid_argument", f"`{name}` is the path of a PEM file, or PEM itself.")
    try:
        if isinstance(given, bytes):
            text = given.decode("ascii")
        elif isinstance(given, str) and _pem_mark in given:
            text = given
        else:
            with open(given, encoding="ascii") as file:
                text = file.read()
    except OSError as error:
        raise client_error(
            "invalid_argument", f"`{name}`: {os.fspath(given)!r} cannot be read: {error.strerror}."
        ) from None
    except ValueError as error:
        raise client_error("invalid_argument", f"`{name}` is no PEM text.") from None
    if _pem_mark not in text:
        raise client_error("invalid_argument", f"`{name}` is no PEM: it has no line {_pem_mark} …")
    return text


def _newer(certificate: str, key_text: str) -> Optional[str]:
    """The certificate that is with the key, where the other is one of the same agent."""
    inside = certificate_in(key_text)
    return inside if inside is not None and common_name_of(inside) == common_name_of(certificate) else None


def is_path(given: Pem) -> bool:
    """Whether it names a file, and is no PEM itself."""
    return isinstance(given, os.PathLike) or (isinstance(given, str) and _pem_mark not in given)


@contextmanager
def _as_file(given: Pem, text: str) -> Iterator[str]:
    """A path that OpenSSL can read, for it takes a certificate and its key from files only. What was given as text is
    written to a file that nobody else can read, and that is gone a moment later."""
    if is_path(given):
        yield os.fsdecode(given)
        return
    handle, path = tempfile.mkstemp(prefix="agentworks-")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
        yield path
    finally:
        os.unlink(path)


class Credentials:
    """Mutual TLS, 1.2 or newer, that verifies the broker's certificate and its name.

    Raises invalid_argument when one of them cannot be read, is no PEM, does not fit the other, or is encrypted and
    there is no password.
    """

    #: What the next connection is made with: it may be renewed.
    tls: ssl.SSLContext
    #: The certificate that it is made with, PEM.
    certificate: str

    def __init__(
        self, certificate: Pem, key: Pem, ca: Optional[Pem] = None, key_password: Optional[str] = None
    ) -> None:
        self._ca = None if ca is None else _text_of("ca", ca)
        self._key_password = key_password
        self.use(certificate, key)

    def use(self, certificate: Pem, key: Pem) -> None:
        """From the next connection on."""
        # In this order: a program that renews them writes the key first.
        certificate_text, key_text = _text_of("certificate", certificate), _text_of("key", key)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        with _as_file(certificate, certificate_text) as certificate_path, _as_file(key, key_text) as key_path:
            try:
                self._load(tls, certificate_path, key_path)
            except AgentworksError:
                # A renewal that was cut short leaves the new certificate with the key. Files of two agents are no pair.
                newer = _newer(certificate_text, key_text)
                if newer is None:
                    raise
                certificate_text = newer
                self._load(tls, key_path, key_path)
        self._trust(tls)
        self.tls = tls
        self.certificate = certificate_text

    def _load(self, tls: ssl.SSLContext, certificate_path: str, key_path: str) -> None:
        try:
            tls.load_cert_chain(certificate_path, key_path, self._password)
        except (OSError, ValueError) as error:
            raise client_error("invalid_argument", f"Certificate and key cannot be used: {_why(error)}.") from None

    def _password(self) -> str:
        # Without this OpenSSL would ask for it at the terminal.
        if self._key_password is None:
            raise client_error("invalid_argument", "The private key is encrypted: give its `key_password`.")
        return self._key_password

    def _trust(self, tls: ssl.SSLContext) -> None:
        if self._ca is None:
            return tls.load_default_certs()
        try:
            tls.load_verify_locations(cadata=self._ca)
        except (OSError, ValueError) as error:
            raise client_error(
                "invalid_argument", f"`ca` holds no certificate that can be used: {_why(error)}."
            ) from None


_said_by_openssl = {
    "KEY_VALUES_MISMATCH": "the key is not the certificate's",
    "KEY_TYPE_MISMATCH": "the key is not the certificate's",
    "PEM lib": "one of them is damaged, or is not what it is given as",
    "BAD_DECRYPT": "`key_password` is wrong",
}


def _why(error: Exception) -> str:
    said = str(error)
    return next((words for mark, words in _said_by_openssl.items() if mark in said), said)
