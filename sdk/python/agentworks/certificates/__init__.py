"""An agent's certificate and its key: made, written, renewed. ``signing_request`` needs the package ``cryptography``;
who does not renew imports nothing of it."""
