"""The identity that ``agentworks agent run`` hands to a program, by environment variables: paths, no secrets."""

from __future__ import annotations

import os
from typing import Any, Dict, Mapping

from .error import client_error

_variables = {
    "url": "AGENTWORKS_URL",
    "certificate": "AGENTWORKS_CERT_FILE",
    "key": "AGENTWORKS_KEY_FILE",
    "ca": "AGENTWORKS_CA_FILE",
}


def from_environment(environment: Mapping[str, str] = os.environ) -> Dict[str, Any]:
    """The options for ``connect`` of a program that was started by ``agentworks agent run``: whose agent it is stands
    in no line of it. The certificate is renewed by itself, which needs the package ``cryptography``.

    ``await connect(**from_environment())``; with ``{**from_environment(), "renew": False}`` it is not renewed. Raises
    invalid_argument, with what to do, when the variables are not set.
    """
    found = {name: environment[variable] for name, variable in _variables.items() if environment.get(variable)}
    if not {"url", "certificate", "key"} <= found.keys():
        raise client_error(
            "invalid_argument",
            "AGENTWORKS_URL, AGENTWORKS_CERT_FILE and AGENTWORKS_KEY_FILE are not all set: start the program by "
            "`agentworks agent run FILE`, or give connect() its files.",
        )
    return {**found, "renew": True}
