"""Free loopback ports that parallel test processes do not give out twice."""

from __future__ import annotations

import contextlib
import fcntl
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

# below Linux' range for outgoing connections (32768…), so that no client of anyone takes one in between
PORT_MIN, PORT_MAX = 20_000, 32_000
_LOCKS = Path(tempfile.gettempdir()) / "etcdtool-test-ports"
_LISTEN = "0A"  # TCP_LISTEN of the kernel's tcp_states.h
_random = random.SystemRandom()  # not the seeded one: equal seeds in two workers would meet on equal ports


class Port:
    """A reserved port; the reservation ends with `release` or with the process.

    Args:
        number: the very port that is wanted; by default any. `OSError` where it is taken.
    """

    def __init__(self, number: int | None = None) -> None:
        self.number, self._lock = _reserve_any() if number is None else (number, _reserve(number))

    def release(self) -> None:
        """Let others have it."""
        self._lock.close()


def listens(pid: int, number: int) -> bool:
    """Say whether this very process listens on a loopback port: an answer from there may be another's."""
    sockets = set()
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, local, _, state, *rest = line.split()
        if state == _LISTEN and int(local.split(":")[1], 16) == number:
            sockets.add(f"socket:[{rest[5]}]")
    try:
        return any(str(descriptor.readlink()) in sockets for descriptor in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def _reserve_any() -> tuple[int, IO[str]]:
    for _ in range(1000):
        number = _random.randrange(PORT_MIN, PORT_MAX)
        with contextlib.suppress(OSError):
            return number, _reserve(number)
    raise OSError(f"no free port between {PORT_MIN} and {PORT_MAX}")


def _reserve(number: int) -> IO[str]:
    _LOCKS.mkdir(exist_ok=True)
    lock = (_LOCKS / str(number)).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as etcd does: remains of closed ones pass
            probe.bind(("127.0.0.1", number))
    except OSError:
        lock.close()
        raise
    return lock
