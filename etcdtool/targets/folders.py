"""A folder as an output: made under a hidden name, and renamed when it is complete.

Beside a target that does not exist, or that is empty and can be replaced by one rename; inside an empty one that may be
a mount point, which cannot be renamed, where a name or two make it complete.  A kill leaves a hidden folder behind,
nothing under the target's name; the next run for the same target takes it away, unless a running process still holds
it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Self

from etcdtool.errors import EtcdtoolError, TargetExistsError
from etcdtool.targets.disk import (
    hidden_beside,
    hidden_stem,
    rename_without_replacing,
    reporting,
    sync_folder,
    write_error,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["StagedFolder", "can_be_replaced", "is_vacant", "take_away_left_overs"]

_LEFT_OVER = re.compile(r"\.(?P<target>.+)\.[0-9a-f]{8}\.etcdtool-partial")
_NO_FLAGS = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
_MODE = 0o700
_MODE_OF_FILES = 0o666


def is_vacant(target: Path) -> bool:
    """Tell whether nothing is in a folder but what a file system or a killed run of ours left there.

    Raises:
        OSError: it cannot be listed, or is no folder.
    """
    return all(_is_left_over(path, target) or _is_lost_and_found(path) for path in target.iterdir())


def can_be_replaced(target: Path) -> bool:
    """Tell whether a rename can put another folder in the place of this one, at once and without any loss.

    Not in that of the current one: the caller's shell would go on in the folder that is gone.

    Raises:
        OSError: it cannot be listed.
    """
    if not target.is_dir() or target.is_symlink() or target.is_mount() or any(target.iterdir()):
        return False
    return not target.samefile(os.curdir)


class StagedFolder(contextlib.AbstractContextManager["StagedFolder"]):
    """A folder that gets its name only by `commit`; left without one, it is gone.

    Args:
        target: the name it will have.
        entries: what everything inside is written under: an empty folder that stands at the target then stays, and is
            completed by as many renames, in this order.  Without them, it is replaced by one with its owner and mode.

    Attributes:
        path: where to write; it stands for the target.

    Raises:
        TargetExistsError: something that is no empty folder stands there, or a mount point without ``entries``.
        EtcdtoolError: the disk refuses.
    """

    def __init__(self, target: Path, *, entries: Sequence[str] = ()) -> None:
        self.target = target
        self._entries = entries
        self._made_parents: list[Path] = []
        self._lock = -1
        self._renamed: list[tuple[Path, Path]] = []
        self._replaced: os.stat_result | None = None
        try:
            self._inside = bool(entries) and target.is_dir()
            if not self._inside and can_be_replaced(target):
                self._replaced = target.stat()
            elif os.path.lexists(target) and not (self._inside and is_vacant(target)):
                raise TargetExistsError(
                    f"{target} exists, and nothing that exists is overwritten",
                    hint="Give another name, or move it away.",
                )
            home = target if self._inside else target.parent
            self._make_parents(home)
            self.path = hidden_beside(home / _name_of(target), "etcdtool-partial")
            take_away_left_overs(target, home=home)
            self.path.mkdir(mode=_MODE)
            self._begin()
        except OSError as error:
            self._forget_parents()
            raise write_error(target, error) from error

    def _begin(self) -> None:
        try:
            self._lock = _locked(self.path)
            if self._replaced is not None:
                _dress(self.path, self._replaced)
        except OSError:  # only root may give a folder away
            _remove(self.path)
            if self._lock >= 0:
                os.close(self._lock)
            raise

    def _make_parents(self, folder: Path) -> None:
        if not folder.is_dir():
            if os.path.lexists(folder):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
            self._make_parents(folder.parent)
            folder.mkdir(mode=_MODE)
            self._made_parents.append(folder)

    def create(self, name: str, *, mode: int = 0o600) -> int:
        """Make a new file, and the folders it is in; return its descriptor, open for reading and writing."""
        path = self.path / name
        with self.reporting():
            for folder in reversed([one for one in path.parents if self.path in one.parents]):
                folder.mkdir(mode=_MODE, exist_ok=True)
            return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, mode)
        raise AssertionError  # reporting() raises

    def reporting(self) -> contextlib.AbstractContextManager[None]:
        """Turn what the disk says of writes into our error, an EtcdtoolError."""
        return reporting(self.target)

    def sync(self) -> None:
        """Have the names of all files inside on disk; what is in them is their writer's to sync."""
        with self.reporting():
            for folder, _, _ in os.walk(self.path, topdown=False):
                sync_folder(Path(folder))

    def commit(self) -> None:
        """Give the folder its name, durably.

        Raises:
            TargetExistsError: somebody else made something of that name meanwhile.
        """
        self.sync()
        with self.reporting():
            try:
                for source, target in self._renames():
                    self._rename(source, target)
                for folder in {parent.parent for parent in self._made_parents}:
                    sync_folder(folder)
            except BaseException:
                self.withdraw()  # what is reported as a failure must not be there
                raise

    def _rename(self, source: Path, target: Path) -> None:
        try:
            if self._replaced is None:
                _rename(source, target)
            else:
                source.rename(target)  # only in the place of a folder that is still empty
        except OSError as error:
            if error.errno in {errno.EEXIST, errno.ENOTEMPTY}:
                raise TargetExistsError(f"{target} was made by another process meanwhile") from None
            raise
        self._renamed.append((source, target))
        sync_folder(target.parent)

    def _renames(self) -> list[tuple[Path, Path]]:
        if not self._inside:
            return [(self.path, self.target)]
        return [(self.path / entry, self.target / entry) for entry in self._entries]

    def withdraw(self) -> None:
        """Take a committed folder back, so that it is gone when the context ends."""
        while self._renamed:
            source, target = self._renamed[-1]
            _rename(target, source)
            self._renamed.pop()
            if self._replaced is not None:
                target.mkdir()
                _dress(target, self._replaced)

    def give(self, *, uid: int = -1, gid: int = -1, mode: int | None = None) -> None:
        """Give everything made so far, folders above the target included, to an owner; -1 leaves one as it is.

        Args:
            uid: the user.
            gid: the group.
            mode: permissions of folders; files get the same but those to execute.
        """
        # a folder that stood there is its owner's affair
        above = [*self._made_parents, *([] if self._inside or self._replaced is not None else [self.path])]
        with self.reporting():
            for path in [*above, *self.path.rglob("*")]:
                try:
                    os.chown(path, uid, gid, follow_symlinks=False)
                except PermissionError as error:
                    raise EtcdtoolError(
                        f"cannot give {self.target} to another owner: {os.strerror(error.errno or 0).lower()}",
                        hint="Only root may give files away.",
                    ) from error
                if mode is not None:
                    path.chmod(mode if path.is_dir() else mode & _MODE_OF_FILES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        if not self._renamed or self._inside:
            _remove(self.path)
        if not self._renamed:
            self._forget_parents()
        if self._lock >= 0:
            os.close(self._lock)

    def _forget_parents(self) -> None:
        for folder in reversed(self._made_parents):
            with contextlib.suppress(OSError):  # somebody put something there meanwhile
                folder.rmdir()


def _remove(folder: Path) -> None:
    import shutil  # noqa: PLC0415  it loads every kind of compression, and most runs end well

    shutil.rmtree(folder, ignore_errors=True)


def _dress(folder: Path, status: os.stat_result) -> None:
    """Give a folder the owner and mode of another."""
    if (status.st_uid, status.st_gid) != (os.geteuid(), folder.stat().st_gid):
        os.chown(folder, status.st_uid, status.st_gid)
    folder.chmod(stat.S_IMODE(status.st_mode))


def _rename(source: Path, target: Path) -> None:
    try:
        rename_without_replacing(source, target)
    except OSError as error:
        if error.errno not in _NO_FLAGS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        source.rename(target)  # fails where a file or a folder with content came meanwhile


def take_away_left_overs(target: Path, *, home: Path) -> None:
    """Remove what killed runs for a target have left in a folder, beside the target or inside it."""
    for path in list(home.iterdir()):
        if _is_left_over(path, target):
            with contextlib.suppress(OSError):
                lock = _locked(path)
                _remove(path)
                os.close(lock)


def _name_of(target: Path) -> str:
    """Return the name of a target, also of ``.``, which has none of its own."""
    return target.name or target.absolute().name


def _is_left_over(path: Path, target: Path) -> bool:
    match = _LEFT_OVER.fullmatch(path.name)
    if match is None or match["target"] != hidden_stem(_name_of(target)):
        return False
    return path.is_dir() and not path.is_symlink()


def _is_lost_and_found(path: Path) -> bool:
    """Every new ext4 volume has one."""
    try:
        return path.name == "lost+found" and path.is_dir() and not any(path.iterdir())
    except PermissionError:
        return True


def _locked(folder: Path) -> int:
    """Return a descriptor that holds a lock on a folder, so that no other run takes it for a left-over."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
