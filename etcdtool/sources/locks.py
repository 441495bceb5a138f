"""Does a running server hold this file? Asked without taking any lock oneself.

etcd locks its WAL files with open-file-description locks (``client/pkg/fileutil/lock_linux.go`` @ v3.5.33) and bbolt
its database with ``flock``; both stand in ``/proc/locks``.  Taking a lock to find out could make a starting server
fail.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Holder", "holder_of"]

_TABLE = Path("/proc/locks")


@dataclass(frozen=True, slots=True)
class Holder:
    """A write lock that stands on a file.

    Attributes:
        path: the locked file.
        pid: the process that holds it, or None where the kernel does not say (open-file-description locks).
    """

    path: Path
    pid: int | None

    def __str__(self) -> str:
        return f"{self.path.name} is locked by " + (f"process {self.pid}" if self.pid else "a running process")


def holder_of(paths: list[Path]) -> Holder | None:
    """Return the first of ``paths`` that another process holds a write lock on; None if none is or can be seen."""
    try:
        table = _TABLE.read_text()
    except OSError:
        return None  # not Linux, or hidden by a sandbox: a lock is a courtesy, not a proof
    locked: dict[tuple[int, int, int], int] = {}
    for line in table.splitlines():
        fields = line.split()
        # 1: FLOCK  ADVISORY  WRITE 4242 fd:00:131077 0 EOF
        if len(fields) >= 6 and fields[3] == "WRITE" and int(fields[4]) != os.getpid():
            major, minor, inode = fields[5].split(":")
            locked[int(major, 16), int(minor, 16), int(inode)] = int(fields[4])
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue
        pid = locked.get((os.major(status.st_dev), os.minor(status.st_dev), status.st_ino))
        if pid is not None:
            return Holder(path, pid if pid > 0 else None)
    return None
