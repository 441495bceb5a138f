"""A file's bytes into another file, by the kernel where it does that: on some file systems nothing is copied then."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["copy_bytes"]

_CHUNK_SIZE_MIN, _CHUNK_SIZE_MAX = 1 << 20, 32 << 20
_NO_COPY_IN_KERNEL = {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF}


def copy_bytes(
    source: Path, descriptor: int, data: memoryview, *, advance: Callable[[int], None] = lambda _: None
) -> None:
    """Write all bytes of a file to the beginning of another.

    Args:
        source: the file; somebody may have taken it away.
        descriptor: of the other one.
        data: the file's bytes, for what the kernel does not copy.
        advance: is called with how many bytes are there, first after a few; what it raises ends the copy.

    Raises:
        OSError: the disk refuses.
    """
    done, size = 0, len(data)
    with contextlib.suppress(FileNotFoundError), source.open("rb") as file:
        while done < size and (copied := _copy_in_kernel(file.fileno(), descriptor, done, _chunk_size(done, size))):
            done += copied
            advance(done)
    while done < size:
        done += os.pwrite(descriptor, data[done : done + _chunk_size(done, size)], done)
        advance(done)


def _chunk_size(done: int, size: int) -> int:
    return min(max(done, _CHUNK_SIZE_MIN), _CHUNK_SIZE_MAX, size - done)


def _copy_in_kernel(source: int, descriptor: int, offset: int, size: int) -> int:
    """Copy some bytes; return how many, 0 when the kernel does not."""
    try:
        return os.copy_file_range(source, descriptor, size, offset, offset)
    except OSError as error:
        if error.errno in _NO_COPY_IN_KERNEL:
            return 0
        raise
