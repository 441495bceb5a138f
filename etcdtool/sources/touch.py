"""Have a mapped file in the process's page table before it is read: by one other thread, without the interpreter.

The first look at each stretch of a map is a page fault; for a file that is read whole these take as long as a third
of the reading.  A system call that copies one byte of each stretch takes the same faults, and while it runs, other
threads go on, an import among them.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

__all__ = ["Touched"]

_STRETCH = 64 << 10
"""What Linux maps at one fault of pages that are in its cache (``fault_around_bytes``)."""
_BYTES_A_CALL = 512
"""Fewer than a pipe holds, and than a call takes."""


class Touched(contextlib.AbstractContextManager["Touched"]):
    """While in this context, another thread goes through a map; what it has not come to is read as ever."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="touch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def wait(self) -> None:
        """Wait until it has come to the end."""
        self._thread.join()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        size = len(self._data)
        if size > _memory_size() // 2:
            return  # the cache would have dropped the first pages before the reader comes to them
        # nobody waits for this work: a descriptor or a byte that cannot be had is met by the reader, who says so
        with contextlib.suppress(OSError), _pipe() as (reader, writer):
            for start in range(0, size, _STRETCH * _BYTES_A_CALL):
                if self._stopped.is_set():
                    return
                stop = min(start + _STRETCH * _BYTES_A_CALL, size)
                os.writev(writer, [self._data[at : at + 1] for at in range(start, stop, _STRETCH)])
                os.read(reader, _BYTES_A_CALL)


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def _memory_size() -> int:
    """Bytes of memory that the machine has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
