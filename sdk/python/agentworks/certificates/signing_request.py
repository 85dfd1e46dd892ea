"""Keys, certificate signing requests (PKCS#10) and certificates, as PEM: all that is asked of ``cryptography``. The key
never leaves the machine; the request proves that whoever sends it has the key."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from .common_name import common_name_of


class KeyAndRequest(NamedTuple):
    """PEM texts. The key is PKCS#8."""

    key: str
    csr: str


class Facts(NamedTuple):
    """What a certificate says."""

    #: Whose it says it is; None: nobody's.
    common_name: Optional[str]
    not_before: datetime
    not_after: datetime


def make_key_and_request(common_name: str, key_password: Optional[str] = None) -> KeyAndRequest:
    """Makes a key (ECDSA, P-256) and a request for it.

    :param common_name: for people who look at the request: whose the certificate will be, the broker says
    :param key_password: what the key is encrypted with
    """
    # Any: in version 38 the type has another name.
    key: Any = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    hidden: KeySerializationEncryption = NoEncryption()
    if key_password is not None:
        hidden = BestAvailableEncryption(key_password.encode())
    return KeyAndRequest(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden).decode(),
        csr.public_bytes(Encoding.PEM).decode(),
    )


def facts_of(certificate: str) -> Facts:
    """Raises ValueError for what is no certificate."""
    its = x509.load_pem_x509_certificate(certificate.encode())
    return Facts(common_name_of(certificate), _time(its, "not_valid_before"), _time(its, "not_valid_after"))


def _time(certificate: x509.Certificate, name: str) -> datetime:
    # Before version 42 times have no zone, and are UTC; later they are to be asked for by another name.
    found: Optional[datetime] = getattr(certificate, f"{name}_utc", None)
    its: datetime = getattr(certificate, name) if found is None else found
    return its.replace(tzinfo=timezone.utc)


def is_pair(certificate: str, key: str, key_password: Optional[str] = None) -> bool:
    """Whether the key is the certificate's."""
    try:
        its = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        private = load_pem_private_key(key.encode(), None if key_password is None else key_password.encode())
    except (ValueError, TypeError):
        return False
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return bool(its.public_bytes(*form) == private.public_key().public_bytes(*form))
