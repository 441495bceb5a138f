"""The locks of a stopped member's files, held while a command works in its data dir.

A server that starts meanwhile waits for the database or gives up at the log, as beside another server.
Upstream: ``client/pkg/fileutil/lock_linux.go`` @ v3.6.14 (open-file-description locks on the log),
``bolt_unix.go`` @ bbolt v1.5.0 (``flock`` on the database).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING

from etcdtool.errors import EtcdtoolError
from etcdtool.targets.disk import write_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Hold", "InUseError"]

_PROCESSES = Path("/proc")
_TAKEN = {errno.EAGAIN, errno.EACCES}
_WHOLE_FILE = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)  # struct flock of 64-bit Linux
_HINT_STOP = "Stop the server first, and keep it stopped until this command is done"
_PAUSE_SECONDS = 0.05
_PATIENCE_SECONDS = 1.0


class InUseError(EtcdtoolError):
    """A process works with the files."""


class Hold(contextlib.AbstractContextManager["Hold"]):
    """Holds the write locks that a server takes, until the context ends; the files are not written to.

    Args:
        database: a ``db`` file, if there is one.
        segments: ``.wal`` files.
        wait_seconds: how long to wait for a process that works with them to end.
        waiting: is called once when that takes longer than a moment.

    Raises:
        InUseError: a process holds one of them, or has the database open.
        EtcdtoolError: one of them may not be locked.
    """

    def __init__(
        self,
        *,
        database: Path | None = None,
        segments: Iterable[Path] = (),
        wait_seconds: float = 0.0,
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._segments = list(segments)
        self._descriptors: list[int] = []
        started, said = time.monotonic(), False
        while True:
            try:
                self._lock_all()
            except InUseError:
                waited = time.monotonic() - started
                if waited >= wait_seconds:
                    raise
                if waited >= _PATIENCE_SECONDS and not said:
                    waiting()
                    said = True
                time.sleep(_PAUSE_SECONDS)
            else:
                return

    def _lock_all(self) -> None:
        try:
            if self._database is not None:
                self._lock(self._database, os.O_RDONLY, lambda one: fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB))
                self.refuse_company()
            for path in self._segments:
                self._lock(path, os.O_RDWR, lambda one: fcntl.fcntl(one, fcntl.F_OFD_SETLK, _WHOLE_FILE))
        except BaseException:
            self._release()
            raise

    def _lock(self, path: Path, flags: int, lock: Callable[[int], object]) -> None:
        try:
            # a named pipe would keep us waiting for who writes to it; whoever opens it then refuses it
            descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK)
            self._descriptors.append(descriptor)
            lock(descriptor)
        except OSError as error:
            if error.errno in _TAKEN and self._descriptors and not _is_denied(path, flags):
                raise InUseError(f"{path} is locked by a running process", hint=_HINT_STOP) from error
            raise write_error(path, error) from error

    def refuse_company(self) -> None:
        """Raise when another process has the database open.

        A server that waits for the lock on a file goes on with that file once it gets it, whatever its name is by then:
        so this is asked again right before the file is replaced.
        """
        assert self._database is not None
        for pid in _others_with(self._database):
            raise InUseError(f"{self._database} is open in process {pid}", hint=_HINT_STOP)

    def _release(self) -> None:
        while self._descriptors:
            os.close(self._descriptors.pop())

    def __exit__(self, *failure: object) -> None:
        self._release()


def _is_denied(path: Path, flags: int) -> bool:
    """Tell a missing permission, which has the number of a taken lock, from a taken lock."""
    return not os.access(path, os.R_OK if flags == os.O_RDONLY else os.R_OK | os.W_OK)


def _others_with(path: Path) -> Iterator[int]:
    """Yield the processes, ours apart, that have a file open, as far as we may look."""
    try:
        wanted = path.stat()
        pids = [int(one.name) for one in _PROCESSES.iterdir() if one.name.isdecimal()]
    except OSError:
        return
    for pid in pids:
        if pid == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it ended, or is somebody else's
            for descriptor in (_PROCESSES / str(pid) / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.path.samestat(descriptor.stat(), wanted):
                        yield pid
