"""Replaces the files of an agent by one of several identities, again and again, and says a line for each time. To be
killed. Run by test_renewal.

Arguments: the files of certificate and key, and folders with ``cert.pem`` and ``key.pem``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from agentworks.certificates.files import Identity, IdentityFiles, write_identity

files = IdentityFiles(*sys.argv[1:3])
folders = [Path(folder) for folder in sys.argv[3:]]
identities = [Identity((one / "cert.pem").read_text(), (one / "key.pem").read_text()) for one in folders]
while True:
    for identity in identities:
        write_identity(files, identity)
        print("written", flush=True)
