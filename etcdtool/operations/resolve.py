"""Look up the hosts of peer URLs, as etcd does before it believes that two lists of URLs are the same."""

from __future__ import annotations

import time

__all__ = ["resolve"]

_SECONDS_MAX = 30.0
_RETRY_SECONDS = 1.0


def resolve(place: str) -> str:
    """Return ``address:port`` for a ``host:port``, trying for half a minute, as upstream does.

    Raises:
        OSError: there is no such host.
    """
    import socket  # noqa: PLC0415  most lists of URLs need no look-up

    host, _, port = place.rpartition(":")
    port = port.lstrip("0") or "0"
    deadline = time.monotonic() + _SECONDS_MAX
    while True:
        try:
            address = str(socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0][4][0])
        except (OSError, UnicodeError) as error:
            if time.monotonic() + _RETRY_SECONDS > deadline:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                raise OSError(f"lookup {host}: {reason}") from None
            time.sleep(_RETRY_SECONDS)
        else:
            return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
