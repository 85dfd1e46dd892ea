"""Whose a certificate says it is: read out of its DER (X.509, RFC 5280), of which the standard library shows nothing.
Knows as much of it as that needs."""

from __future__ import annotations

import re
import ssl
from typing import Optional, Tuple

_block = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
_version = 0xA0
#: serialNumber, signature, issuer, validity.
_before_subject = 4
#: id-at-commonName, as an OBJECT IDENTIFIER.
_common_name = bytes.fromhex("0603550403")


def certificate_in(text: str) -> Optional[str]:
    """The first one of a PEM text."""
    found = _block.search(text)
    return None if found is None else found.group() + "\n"


def _content(der: bytes, at: int) -> Tuple[int, int]:
    """Where the content of the element that begins there begins and ends."""
    size = der[at + 1]
    begin = at + 2
    if size & 0x80:
        begin += size & 0x7F
        size = int.from_bytes(der[at + 2 : begin], "big")
    return begin, begin + size


def common_name_of(text: str) -> Optional[str]:
    """The common name of the first certificate of a PEM text; None where there is none."""
    pem = certificate_in(text)
    if pem is None:
        return None
    try:
        der = ssl.PEM_cert_to_DER_cert(pem)
        # Into Certificate, and into its TBSCertificate.
        at, _ = _content(der, _content(der, 0)[0])
        for _ in range(_before_subject + (der[at] == _version)):
            at = _content(der, at)[1]
        subject = der[slice(*_content(der, at))]
        begin, end = _content(subject, subject.index(_common_name) + len(_common_name))
        return subject[begin:end].decode()
    except (ValueError, IndexError):
        return None
