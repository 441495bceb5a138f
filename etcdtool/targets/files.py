"""One file as an output.

It is written to a file without a name where the file system has them (``O_TMPFILE``: a kill leaves nothing),
else to a hidden file beside the target; it is synced, handed to the caller to be read back and verified, and only then
given its name, by ``link``, which refuses a name that exists.

One kind of output is made to be replaced at every run: a metrics file that a collector reads.  `replace_own_file` does
that, and only where the file that stands there begins as ours do; see docs/adr/0011-metrics-file.md.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Self

from etcdtool.errors import TargetExistsError
from etcdtool.targets.disk import (
    hidden_beside,
    refuse_existing,
    rename_without_replacing,
    reporting,
    sync_folder,
    write_error,
)

__all__ = ["StagedFile", "refuse_foreign", "replace_own_file"]

_DESCRIPTORS = Path("/proc/self/fd")
_NO_UNNAMED_FILES = {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL}
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EINVAL}


def refuse_foreign(target: Path, own_start: bytes) -> None:
    """Raise when something stands where the output would go, unless it is a plain file that begins as ours do."""
    if os.path.lexists(target) and not _starts_with(target, own_start):
        raise TargetExistsError(
            f"{target} exists and was not written by this command, so it is not replaced",
            hint="Give another name, or move it away.",
        )
    if not os.path.lexists(target):
        refuse_existing(target)


def replace_own_file(target: Path, content: bytes, *, own_start: bytes, mode: int = 0o644) -> None:
    """Put a file in the place of the one that an earlier run wrote, at once: a reader sees the old or the new one.

    Args:
        target: the name; its folder gets a hidden file for a moment.
        content: all bytes, beginning with ``own_start``.
        own_start: the first bytes of every file of this kind, by which it is known again.
        mode: permissions before the umask; collectors run as somebody else.

    Raises:
        TargetExistsError: something else stands there.
        EtcdtoolError: it cannot be written; the old file is as it was.
    """
    assert content.startswith(own_start)
    hidden = hidden_beside(target)
    refuse_foreign(target, own_start)
    try:
        with StagedFile(hidden, mode=mode) as staged:
            with staged.reporting():
                staged.file.write(content)
            staged.commit()
        refuse_foreign(target, own_start)  # writing took a while
        hidden.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        hidden.unlink(missing_ok=True)


def _starts_with(path: Path, start: bytes) -> bool:
    try:
        # neither a link, which would be replaced itself, nor a pipe, which would keep us waiting
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode) and os.read(descriptor, len(start)) == start
    finally:
        os.close(descriptor)


class StagedFile(contextlib.AbstractContextManager["StagedFile"]):
    """A file that gets its name only by `commit`; left without one, it is gone.

    Args:
        target: the name it will have.
        mode: its permissions.
        named: whether it needs a hidden name meanwhile, for a library that opens files itself.

    Attributes:
        target: the name it will have.
        file: opened for writing and reading back, unbuffered writes go through ``BufferedRandom``.
    """

    def __init__(self, target: Path, *, mode: int = 0o600, named: bool = False) -> None:
        refuse_existing(target)
        self.target = target
        self._hidden: Path | None = None
        try:
            self._descriptor = self._open_named(mode) if named else self._open(mode)
        except OSError as error:
            raise write_error(target, error) from error
        self.file: BinaryIO = os.fdopen(self._descriptor, "w+b", buffering=1 << 20)
        self._committed = False

    def _open(self, mode: int) -> int:
        folder = self.target.parent
        try:
            if _DESCRIPTORS.exists():  # without it an unnamed file could not be given its name later
                return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, mode)
        except OSError as error:
            if error.errno not in _NO_UNNAMED_FILES:
                raise
        return self._open_named(mode)

    def _open_named(self, mode: int) -> int:
        self._hidden = hidden_beside(self.target)
        return os.open(self._hidden, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, mode)

    @property
    def hidden_path(self) -> Path:
        """The name it has until then, of one made with ``named``."""
        assert self._hidden is not None
        return self._hidden

    def reporting(self) -> contextlib.AbstractContextManager[None]:
        """Turn what the disk says of writes into our error, an EtcdtoolError."""
        return reporting(self.target)

    def sync(self) -> None:
        """Have every byte on disk.

        Raises:
            EtcdtoolError: the disk is full or fails.
        """
        with self.reporting():
            self.file.flush()
            os.fsync(self._descriptor)

    def fileno(self) -> int:
        """Return the descriptor, for mapping what was written."""
        return self._descriptor

    def commit(self) -> None:
        """Give the file its name, durably.

        Raises:
            TargetExistsError: somebody else made a file of that name meanwhile.
        """
        self.sync()
        with self.reporting():
            try:
                self._name()
            except FileExistsError:
                refuse_existing(self.target)
                raise
            self._committed = True
            try:
                sync_folder(self.target.parent)
            except BaseException:
                self.target.unlink()  # what is reported as a failure must not be there
                raise

    def _name(self) -> None:
        if self._hidden is None:
            # only with a folder descriptor does Python call linkat, which follows the link in /proc
            os.link(_DESCRIPTORS / str(self._descriptor), self.target, src_dir_fd=self._descriptor)
            return
        try:
            os.link(self._hidden, self.target)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            rename_without_replacing(self._hidden, self.target)
            return
        self._hidden.unlink()

    def discard(self) -> None:
        """Close the file; what was not committed is gone."""
        with contextlib.suppress(OSError):  # a full disk was reported by the write that met it
            self.file.close()
        if self._hidden is not None and not self._committed:
            self._hidden.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.discard()
