"""What every kind of output needs of the disk: a name that is free, a folder that is synced, and errors in words."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from typing import TYPE_CHECKING

from etcdtool.errors import EtcdtoolError, TargetExistsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "exchange",
    "free_space",
    "hidden_beside",
    "hidden_stem",
    "refuse_existing",
    "refuse_full_disk",
    "rename_without_replacing",
    "reporting",
    "start_writing",
    "sync_folder",
    "write_at",
    "write_error",
]

_RENAME_NOREPLACE = 1  # linux/fs.h
_RENAME_EXCHANGE = 2
_SYNC_FILE_RANGE_WRITE = 2
_STDOUT = "-"
_AT_FDCWD = -100  # linux/fcntl.h
_STEM_SIZE_MAX = 200
"""Bytes of a name that leave room for the rest of a hidden one; file systems take 255 in all."""


def free_space(folder: Path) -> int:
    """Return the bytes that are free for us where a folder is.

    Raises:
        OSError: there is no such folder.
    """
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def hidden_beside(target: Path, ending: str = "partial") -> Path:
    """Return a name that nobody has, beside a target and known as its own: for what is being written."""
    return target.with_name(f".{hidden_stem(target.name)}.{os.urandom(4).hex()}.{ending}")


def hidden_stem(name: str) -> str:
    """Return what a target's name is in hidden ones: itself, or its digest where they would be too long."""
    encoded = os.fsencode(name)
    if len(encoded) <= _STEM_SIZE_MAX:
        return name
    import hashlib  # noqa: PLC0415  few names are that long

    return hashlib.sha256(encoded).hexdigest()


def refuse_existing(target: Path) -> None:
    """Raise when something, even a dangling link, stands where the output would go, or stdout is meant."""
    if str(target) == _STDOUT:
        raise UsageError("this is written to a file, not to stdout", hint="Give a name other than '-'.")
    if os.path.lexists(target):
        raise TargetExistsError(
            f"{target} exists, and nothing that exists is overwritten", hint="Give another name, or move it away."
        )
    try:
        has_folder = target.parent.is_dir()
    except (OSError, ValueError) as error:
        raise write_error(target, error) from error
    if not has_folder:
        raise EtcdtoolError(f"cannot write {target}: there is no folder {target.parent}", hint="Make the folder first.")


def refuse_full_disk(target: Path, size: int, *, folder: Path | None = None) -> None:
    """Raise when there is no room for so many bytes in a folder, by default the one that an output is to be in."""
    with reporting(target):
        free = free_space(folder or target.parent)
    if free < size:
        raise EtcdtoolError(
            f"cannot write {target}: {size} bytes are needed, and {free} are free",
            hint="Free some space or choose another disk; nothing was left behind.",
        )


def rename_without_replacing(hidden: Path, target: Path) -> None:
    """Rename a file or folder, unless the new name is taken; raises OSError as rename does."""
    # a file system without hard links has no other atomic way that overwrites nothing
    _rename(hidden, target, _RENAME_NOREPLACE)


def exchange(one: Path, other: Path) -> None:
    """Let two files or folders change names, at once; raises OSError as rename does."""
    _rename(one, other, _RENAME_EXCHANGE)


def _rename(source: Path, target: Path, flags: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)  # Python has no renameat2
    if library.renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(target))


@contextlib.contextmanager
def reporting(target: Path) -> Iterator[None]:
    """Turn what the disk says of writes into our error.

    Raises:
        EtcdtoolError: the disk is full or fails.
    """
    try:
        yield
    except OSError as error:
        raise write_error(target, error) from error


def start_writing(descriptor: int, offset: int, size: int) -> None:
    """Let the disk begin with some bytes of a file; whether it can and did is not told, a sync has to say so."""
    library = ctypes.CDLL(None)
    if hasattr(library, "sync_file_range"):  # Linux only, and Python has no such call
        library.sync_file_range(descriptor, ctypes.c_int64(offset), ctypes.c_int64(size), _SYNC_FILE_RANGE_WRITE)


def sync_folder(folder: Path) -> None:
    """Have a folder's names on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Write all bytes at an offset; a disk that fills up takes a part of them first, and raises OSError then."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def write_error(target: Path, error: OSError | ValueError) -> EtcdtoolError:
    """Return the error that says what the disk said of a write."""
    code = error.errno if isinstance(error, OSError) else None
    hint = {
        errno.ENOSPC: "Free some space or choose another disk; nothing was left behind.",
        errno.EDQUOT: "Your quota is used up; nothing was left behind.",
        errno.EROFS: "Choose a place that can be written.",
        errno.EACCES: "Choose a folder that you may write to.",
        errno.EPERM: "Choose a folder that you may write to.",
        errno.EFBIG: "Raise the limit (ulimit -f), or choose a file system for large files; nothing was left behind.",
        errno.ENAMETOOLONG: "Choose a shorter name.",
    }.get(code or 0, "")
    reason = os.strerror(code) if code else str(error)  # ValueError: a zero byte in the name
    return EtcdtoolError(f"cannot write {target}: {reason.lower()}", hint=hint)
