"""Write to a file, and have it on disk, in a thread of its own, while what comes next is prepared."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["WriteBehind", "syncing"]

_HELD_MAX = 2
"""Pieces that wait to be written; more would only take memory."""


class WriteBehind(contextlib.AbstractContextManager["WriteBehind"]):
    """Takes pieces for a file; all of them are written when the context ends.

    What is handed over may not be changed any more.

    Raises:
        OSError: of an earlier write, at the next call or at the end.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._orders: queue.Queue[bytes | bytearray | int | None] = queue.Queue(_HELD_MAX)
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="write", daemon=True)

    def write(self, data: bytes | bytearray, /) -> None:
        """Write a piece at the position."""
        self._order(data)

    def seek(self, offset: int, /) -> None:
        """Move the position."""
        self._order(offset)

    def _order(self, order: bytes | bytearray | int) -> None:
        if self._error is not None:
            raise self._error
        self._orders.put(order)

    def _run(self) -> None:
        while (order := self._orders.get()) is not None:
            if self._error is not None:
                continue  # what waits is taken all the same, so that nobody waits for room
            try:
                if isinstance(order, int):
                    self._file.seek(order)
                else:
                    self._file.write(order)
            except OSError as error:
                self._error = error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *failure: object) -> None:
        self._orders.put(None)
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error


@contextlib.contextmanager
def syncing(descriptor: int) -> Iterator[None]:
    """Have a file on its way to the disk meanwhile; the last sync is the caller's, and says what the disk says."""

    def sync() -> None:
        with contextlib.suppress(OSError):  # the last sync says so again
            os.fdatasync(descriptor)

    thread = threading.Thread(target=sync, name="sync", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()
