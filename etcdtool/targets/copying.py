"""A file copied into another one by a thread, which then has it on its way to the disk."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from typing import TYPE_CHECKING, Self

from etcdtool.targets.disk import start_writing
from etcdtool.targets.duplicate import copy_bytes

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Copying"]

_SENT_SIZE_MIN = 32 << 20
"""Bytes that are sent to the disk at once: else it would begin when all is copied, and be waited for."""


class Copying(contextlib.AbstractContextManager["Copying"]):
    """Bytes on their way from one file to another, which starts with the context and stops at the latest at its end.

    Args:
        path: what is copied; bytes that cannot be had from there, since somebody took it away, come from ``data``.
        data: its bytes.
        descriptor: the other file, empty and open for writing.
    """

    def __init__(self, path: Path, data: memoryview, descriptor: int) -> None:
        self._path = path
        self._data = data
        self._descriptor = descriptor
        self._done = 0
        self._sent = 0
        self._ended = False
        self._stopped = False
        self._failure: OSError | None = None
        self._sync_failure: OSError | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="copy", daemon=True)

    def wait_for(self, position: int) -> bool:
        """Wait until so many bytes are copied; return whether they are, which they never will be after a failure."""
        with self._changed:
            self._changed.wait_for(lambda: self._done >= position or self._ended)
        return self._done >= position

    def wait(self) -> None:
        """Wait until everything is copied.

        Raises:
            OSError: what the disk said.
        """
        if not self.wait_for(len(self._data)):
            assert self._failure is not None
            raise self._failure

    def wait_synced(self) -> None:
        """Wait until the disk has everything.

        Raises:
            OSError: what the disk said, which it says only once for a descriptor.
        """
        self.wait()
        self._thread.join()
        if self._sync_failure is not None:
            raise self._sync_failure

    def _run(self) -> None:
        try:
            copy_bytes(self._path, self._descriptor, self._data, advance=self._advance)
        except OSError as error:
            self._failure = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self._failure is None and not self._stopped:
            try:
                os.fdatasync(self._descriptor)
            except OSError as error:
                self._sync_failure = error

    def _advance(self, done: int) -> None:
        if self._stopped:
            raise InterruptedError(errno.EINTR, os.strerror(errno.EINTR))
        with self._changed:
            self._done = done
            self._changed.notify_all()
        if done - self._sent >= _SENT_SIZE_MIN:
            start_writing(self._descriptor, self._sent, done - self._sent)
            self._sent = done

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stopped = True
        self._thread.join()
