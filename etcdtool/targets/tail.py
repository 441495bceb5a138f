"""The one write into a file that exists: a record into the unused end of a log.

A log ends where the length field of the next record is zero, and a server that opens it fills all behind that with
zeros.  So the record is written and synced without its length field, and then that field: eight bytes at a multiple of
eight, which no power failure divides.  Before them nothing has happened, after them all has.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from etcdtool.errors import EtcdtoolError
from etcdtool.targets.disk import reporting, write_at

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["is_unfinished", "write_into_tail"]

_LENGTH_SIZE = 8


def is_unfinished(tail: bytes, record: bytes) -> bool:
    """Tell whether a tail holds nothing, or such parts of a record as were written before its length field."""
    written = tail.rstrip(b"\0")
    known = bytes(_LENGTH_SIZE) + record[_LENGTH_SIZE:]
    return len(written) <= len(known) and all(mine in (0, theirs) for mine, theirs in zip(written, known, strict=False))


def write_into_tail(path: Path, offset: int, record: bytes) -> None:
    """Write a record, length field first, at an offset behind which nothing is in use; synced.

    Raises:
        EtcdtoolError: something stands there; or the disk is full or fails, and the file is as it was.
    """
    with reporting(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            before, size = os.pread(descriptor, len(record), offset), os.fstat(descriptor).st_size
            if not is_unfinished(before, record):
                raise EtcdtoolError(
                    f"{path} has changed at offset {offset:#x}", hint="Make sure that no server runs on it."
                )
            try:
                _write(descriptor, offset, record)
            except OSError:
                with contextlib.suppress(OSError):
                    _take_back(descriptor, offset, len(before), size)
                raise
            if os.pread(descriptor, len(record), offset) != record:
                raise EtcdtoolError(
                    f"{path} does not read back what was written at offset {offset:#x}", hint="Look at the disk."
                )
        finally:
            os.close(descriptor)


def _take_back(descriptor: int, offset: int, count: int, file_size: int) -> None:
    """Have zeros in the place of what was written; a full disk may not even take those, but gives them."""
    try:
        write_at(descriptor, bytes(count), offset)
    except OSError:
        os.ftruncate(descriptor, offset)
    os.ftruncate(descriptor, file_size)
    os.fsync(descriptor)


def _write(descriptor: int, offset: int, record: bytes) -> None:
    write_at(descriptor, record[_LENGTH_SIZE:], offset + _LENGTH_SIZE)
    os.fsync(descriptor)
    write_at(descriptor, record[:_LENGTH_SIZE], offset)
    os.fsync(descriptor)
