"""One input file: opened read-only, mapped or read, closed at once, and proven not to have changed size meanwhile.

A mapped file that shrinks kills the process by SIGBUS, so maps are for files nobody writes to; a file of a running
server is read instead (`InputFile.open` with ``in_use=True``).  Such a copy can hold the end of a write without its
beginning, which had been read before: whoever meets that takes over what was written since (`InputFile.read_again`).
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from etcdtool.errors import SourceError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["InputFile", "Workspace", "bytes_on_disk", "is_folder", "open_read_only"]

_HEAD_SIZE, _TAIL_SIZE = 64 << 10, 4 << 10
_WRITE_SECONDS_MAX, _LOOK_SECONDS = 0.25, 0.005  # a server on a busy machine can be stopped in the middle of a write
_HINTS = {
    errno.EACCES: "Run as the user that owns it, or give yourself read permission.",
    errno.EPERM: "Run as the user that owns it, or give yourself read permission.",
    errno.ENOENT: "Check the path.",
    errno.ELOOP: "A symbolic link points at itself.",
    errno.EIO: "The disk reports an error; copy the file with a rescue tool first.",
}


def is_folder(path: Path) -> bool:
    """Tell whether there is a folder; what cannot be told, for want of permission, is no "no".

    Raises:
        SourceError: the path cannot be looked at.
    """
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def open_read_only(path: Path) -> int:
    """Return a read-only descriptor, or say in one sentence why there is none."""
    try:
        # O_NONBLOCK: a named pipe without a writer must not hang us; it is refused by its type afterwards
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError | ValueError) -> SourceError:
    code = error.errno if isinstance(error, OSError) else None
    reason = os.strerror(code) if code else str(error)  # ValueError: a zero byte in the name
    return SourceError(f"cannot read {path}: {reason.lower()}", hint=_HINTS.get(code or 0, ""))


@dataclass(frozen=True, slots=True)
class InputFile:
    """The bytes of one input file.

    Attributes:
        path: where it is.
        data: its bytes: a read-only view of a map, or of a private copy for a file in use.
        size: bytes when it was opened.
        modified_ns: modification time when it was opened.
    """

    path: Path
    data: memoryview
    size: int
    modified_ns: int

    @classmethod
    def open(cls, path: Path, *, in_use: bool = False) -> Self:
        """Map the file, or read it when a server may still be writing to it."""
        descriptor = open_read_only(path)
        try:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                raise SourceError(f"{path} is a folder where a file is needed")
            if not stat.S_ISREG(status.st_mode):
                raise SourceError(
                    f"{path} is no regular file", hint="Copy it to a file first, or give - to read stdin."
                )
            data = cls._read(descriptor, path) if in_use else cls._map(descriptor, status.st_size, path)
        finally:
            os.close(descriptor)
        return cls(path, data, status.st_size, status.st_mtime_ns)

    @classmethod
    def open_if_there(cls, path: Path, *, in_use: bool) -> Self | None:
        """Open a file that was listed; None for one that a running server has deleted since, as it does with old ones.

        Raises:
            SourceError: as `open` says, also for a file that is gone where no server runs.
        """
        try:
            return cls.open(path, in_use=in_use)
        except SourceError as error:
            if in_use and isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    @staticmethod
    def _map(descriptor: int, size: int, path: Path) -> memoryview:
        if size == 0:
            return memoryview(b"")
        _read_ends(descriptor, size)
        try:
            return memoryview(mmap.mmap(descriptor, size, prot=mmap.PROT_READ))
        except (OSError, ValueError, OverflowError) as error:
            raise SourceError(f"cannot map {path}: {error}") from error

    @staticmethod
    def _read(descriptor: int, path: Path) -> memoryview:
        os.set_blocking(descriptor, True)
        try:
            with os.fdopen(os.dup(descriptor), "rb") as file:
                return memoryview(bytearray(file.read())).toreadonly()
        except OSError as error:
            raise SourceError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error

    def read_again(self, start: int) -> bool:
        """Take over what a server has written since, within the size read before; waits a moment for it.

        Args:
            start: offset from which on the copy is renewed.

        Returns:
            Whether anything is different now; never for a file that is not in use, or is gone.
        """
        copy = self.data.obj
        if not isinstance(copy, bytearray):
            return False
        until = time.monotonic() + _WRITE_SECONDS_MAX
        while not (is_changed := self._renew(copy, start)) and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)
        return is_changed

    def _renew(self, copy: bytearray, start: int) -> bool:
        size = len(copy) - start
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                found = file.read(size).ljust(size, b"\0")  # a server cuts off what it had allocated and not used
        except OSError:
            return False
        with memoryview(copy) as view:
            if view[start:] == found:
                return False
            view[start:] = found
        return True

    def expect_jumps(self) -> None:
        """Tell the system that pages are read here and there, so that none is read ahead."""
        self._advise(mmap.MADV_RANDOM)

    def expect_sequence(self) -> None:
        """Tell the system that the file is read from end to end after all."""
        self._advise(mmap.MADV_NORMAL)

    def let_go(self) -> None:
        """Give the memory of the map back: what is read of it again comes from the system's cache."""
        self._advise(mmap.MADV_DONTNEED)

    def _advise(self, advice: int) -> None:
        if isinstance(self.data.obj, mmap.mmap):
            self.data.obj.madvise(advice)

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.path.name

    def check_unchanged(self) -> None:
        """Raise when the file shrank, grew or was written to since it was opened.

        Raises:
            SourceError: what was read is not what is there now.
        """
        try:
            status = self.path.stat()
        except OSError as error:
            raise SourceError(f"{self.path} went away while it was read") from error
        if (status.st_size, status.st_mtime_ns) != (self.size, self.modified_ns):
            raise SourceError(
                f"{self.path} changed while it was read", hint="Stop the server, or work on a copy, and run this again."
            )


def _read_ends(descriptor: int, size: int) -> None:
    """Have both ends of a file in memory: a first look at them through a map would read megabytes ahead."""
    with contextlib.suppress(OSError):  # whoever needs the bytes is told
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        os.pread(descriptor, _HEAD_SIZE, 0)
        os.pread(descriptor, _TAIL_SIZE, max(size - _TAIL_SIZE, 0))


class Workspace(contextlib.AbstractContextManager["Workspace"]):
    """A private temporary folder for what has to be unpacked before it can be read; made only when it is needed."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._count = 0

    def folder(self) -> Path:
        """Return a new empty folder inside the workspace."""
        if self._folder is None:
            import tempfile  # noqa: PLC0415  most inputs are read where they are

            self._folder = Path(tempfile.mkdtemp(prefix="etcdtool-"))
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        return folder

    def holds(self, path: Path) -> bool:
        """Tell whether a file is inside."""
        return self._folder is not None and path.is_relative_to(self._folder)

    def free_space(self) -> int:
        """Bytes free where the workspace is."""
        import shutil  # noqa: PLC0415  as in `folder`
        import tempfile  # noqa: PLC0415

        return shutil.disk_usage(self._folder or tempfile.gettempdir()).free

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._folder is not None:
            import shutil  # noqa: PLC0415  as in `folder`

            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def bytes_on_disk(path: Path) -> int:
    """Return the size of a file, or of all files in a folder; 0 where it cannot be told, as for stdin."""
    try:
        if not path.is_dir():
            return path.stat().st_size
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    except (OSError, ValueError):
        return 0
