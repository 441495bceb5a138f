"""New content for a file that exists: written beside it, and put in its place at once.

For verbs that work in place by nature.  What stood there is kept as ``<name>.before-<verb>-<time>``, a second name of
the same file, unless that is not wanted.  A kill leaves the old file or the new one under the name, and at most a
hidden file beside it, which the next run takes away.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import fcntl
import os
import re
from typing import TYPE_CHECKING, BinaryIO, Self

from etcdtool.targets.disk import exchange, hidden_beside, hidden_stem, sync_folder, write_error
from etcdtool.targets.files import StagedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Replacement"]

_LEFT_OVER = re.compile(r"\.(?P<target>.+)\.[0-9a-f]{8}\.partial")
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_NO_EXCHANGE = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}


class Replacement(contextlib.AbstractContextManager["Replacement"]):
    """A file that takes the place of another by `commit`; left without one, it is gone.

    It gets the permissions and the owner of the old one, and is locked as bbolt locks, so that a server that opens it
    as soon as it is in its place waits until the context ends.

    Args:
        target: the file to be replaced.
        verb: what is done to it, for the name under which the old one is kept.
        keep: whether it is kept.

    Attributes:
        file: opened for writing and reading back.

    Raises:
        EtcdtoolError: the disk refuses.
    """

    def __init__(self, target: Path, *, verb: str, keep: bool = True) -> None:
        self.target = target
        self._verb = verb
        self._keep = keep
        self._hidden = hidden_beside(target)
        self._committed = False
        try:
            _take_away_left_overs(target)
            old = target.stat()
        except OSError as error:
            raise write_error(target, error) from error
        self._staged = StagedFile(self._hidden)
        self.file: BinaryIO = self._staged.file
        try:
            with self._staged.reporting():
                descriptor = self._staged.fileno()
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with contextlib.suppress(PermissionError):  # only root may give a file away
                    os.fchown(descriptor, old.st_uid, old.st_gid)
                os.fchmod(descriptor, old.st_mode & 0o7777)
        except BaseException:
            self._staged.discard()
            raise

    def reporting(self) -> contextlib.AbstractContextManager[None]:
        """Turn what the disk says of writes into our error, an EtcdtoolError."""
        return self._staged.reporting()

    def fileno(self) -> int:
        """Return the descriptor, for mapping what was written."""
        return self._staged.fileno()

    def sync(self) -> None:
        """Have every byte on disk; EtcdtoolError when the disk is full or fails."""
        self._staged.sync()

    def commit(self, *, last_look: Callable[[], None] | None = None) -> Path | None:
        """Put the file in its place, durably; return the name under which the old one is kept, if it is.

        Args:
            last_look: is called right before, and may raise to leave everything as it is.
        """
        self._staged.commit()
        with self.reporting():
            kept = self._link_old() if self._keep else None
            try:
                if last_look is not None:
                    last_look()
            except BaseException:
                if kept is not None:
                    kept.unlink(missing_ok=True)
                raise
            if self._keep:
                kept = self._put_beside(kept)
            else:
                self._put_instead()
            self._committed = True
        return kept

    def _put_beside(self, kept: Path | None) -> Path:
        """Put the new file in its place, the old one being kept, or to be kept, under another name."""
        if kept is None:
            kept = self._exchange()
        else:
            try:
                self._hidden.replace(self.target)
            except OSError:
                kept.unlink()  # only a second name of what still stands there
                raise
        try:
            sync_folder(self.target.parent)
        except BaseException:
            kept.replace(self.target)  # what is reported as a failure must not be there
            raise
        return kept

    def _put_instead(self) -> None:
        """Put the new file in its place, and let the old one go once that is on disk."""
        try:
            exchange(self._hidden, self.target)
        except OSError as error:
            if error.errno not in _NO_EXCHANGE:
                raise
            self._hidden.replace(self.target)
            sync_folder(self.target.parent)
            return
        try:
            sync_folder(self.target.parent)
        except BaseException:
            exchange(self._hidden, self.target)
            raise
        self._hidden.unlink()

    def _link_old(self) -> Path | None:
        """Give the old file its second name; None where the file system has no hard links."""
        for name in self._names():
            try:
                os.link(self.target, name)
            except FileExistsError:
                continue
            except OSError as error:
                if error.errno in _NO_HARD_LINKS:
                    return None
                raise
            try:
                sync_folder(self.target.parent)
            except BaseException:
                name.unlink()
                raise
            return name
        raise AssertionError  # names never end

    def _exchange(self) -> Path:
        exchange(self._hidden, self.target)
        name = next(name for name in self._names() if not os.path.lexists(name))
        self._hidden.rename(name)
        return name

    def _names(self) -> Iterator[Path]:
        now = dt.datetime.now(tz=dt.UTC)
        first = self.target.with_name(f"{self.target.name}.before-{self._verb}-{now:%Y%m%dT%H%M%SZ}")
        yield first
        number = 2
        while True:
            yield first.with_name(f"{first.name}-{number}")
            number += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        if not self._committed:
            self._hidden.unlink(missing_ok=True)
        self._staged.discard()


def _take_away_left_overs(target: Path) -> None:
    for path in list(target.parent.iterdir()):
        match = _LEFT_OVER.fullmatch(path.name)
        if match is None or match["target"] != hidden_stem(target.name) or path.is_symlink() or not path.is_file():
            continue
        with contextlib.suppress(OSError):  # a running process holds it
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)
