"""A file's bytes into another file, by the kernel where it does that: on some file systems nothing is copied then."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["copy_bytes"]

_IN_KERNEL_CHUNK_SIZE = 1 << 26
_CHUNK_SIZE = 8 << 20
_NO_COPY_IN_KERNEL = {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF}


def copy_bytes(source: Path, descriptor: int, data: memoryview) -> None:
    """Write all bytes of a file to the beginning of another.

    Args:
        source: the file.
        descriptor: of the other one.
        data: the file's bytes, for what the kernel does not copy.

    Raises:
        OSError: the disk refuses.
    """
    done = 0
    with source.open("rb") as file:
        done = _copy_in_kernel(file.fileno(), descriptor, len(data))
    while done < len(data):
        done += os.pwrite(descriptor, data[done : done + _CHUNK_SIZE], done)


def _copy_in_kernel(source: int, descriptor: int, size: int) -> int:
    """Copy as far as the kernel does it; return how far that was."""
    done = 0
    while done < size:
        try:
            copied = os.copy_file_range(source, descriptor, min(size - done, _IN_KERNEL_CHUNK_SIZE), done, done)
        except OSError as error:
            if error.errno in _NO_COPY_IN_KERNEL:
                return done
            raise
        if copied == 0:
            return done
        done += copied
    return done
