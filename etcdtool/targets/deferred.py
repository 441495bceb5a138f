"""A file that gets its name only after another output has got its own; a marker holds its place meanwhile.

Two outputs on two disks cannot be renamed at once.  The first one stands there with a marker in place of its file, so
that whoever looks sees an output that is not finished, and no program takes it for one that is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.targets.disk import rename_without_replacing, reporting, sync_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Deferred", "forget_markers", "lock_marker", "name_all"]

_HIDDEN_SUFFIX = ".etcdtool-partial"
_MARKER_SIZE_MAX = 1 << 16


def lock_marker(descriptor: int) -> None:
    """Lock an open marker as long as it stays open, so that no other run takes it for one that a kill left."""
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def name_all(waiting: Sequence[Deferred]) -> None:
    """Give files their names, durably: all of them, or none where the disk refuses.

    Raises:
        EtcdtoolError: it refused.
    """
    touched: list[Deferred] = []
    try:
        for one in waiting:
            with reporting(one.folder):
                touched.append(one)
                one._name()  # noqa: SLF001  what a file does alone is nobody else's affair
                sync_folder(one.folder)
    except BaseException:
        for one in touched:
            one._hide()  # noqa: SLF001
        raise


def forget_markers(waiting: Sequence[Deferred]) -> None:
    """Take the markers of files away that have their names; one that stays is in nobody's way."""
    for one in waiting:
        with contextlib.suppress(OSError):
            (one.folder / one.marker).unlink()
            sync_folder(one.folder)


@dataclass(frozen=True, slots=True)
class Deferred:
    """A file that waits for its name.

    Attributes:
        folder: where it is.
        name: the one it will have.
        marker: name of the file beside it that says so.
    """

    folder: Path
    name: str
    marker: str

    @property
    def hidden_name(self) -> str:
        """What it is called until then."""
        return f"{self.name}{_HIDDEN_SUFFIX}"

    @property
    def entries(self) -> tuple[str, str]:
        """Both names in the order in which they may appear: no file without its marker."""
        return self.marker, self.hidden_name

    def read_marker(self) -> bytes | None:
        """Return what the marker says, None where there is none."""
        path = self.folder / self.marker
        if path.is_symlink() or not path.is_file():
            return None
        with path.open("rb") as file:
            return file.read(_MARKER_SIZE_MAX)

    @property
    def is_held(self) -> bool:
        """Whether a running process has locked the marker, as `lock_marker` does."""
        try:
            descriptor = os.open(self.folder / self.marker, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    @property
    def path(self) -> Path:
        """Where the file is, under the one name or the other."""
        hidden = self.folder / self.hidden_name
        return hidden if hidden.exists() else self.folder / self.name

    def _name(self) -> None:
        if (self.folder / self.hidden_name).exists():
            rename_without_replacing(self.folder / self.hidden_name, self.folder / self.name)

    def _hide(self) -> None:
        if not (self.folder / self.hidden_name).exists():
            rename_without_replacing(self.folder / self.name, self.folder / self.hidden_name)

    def take_away(self) -> None:
        """Remove a file that waits, and its marker, last; the folder too if nothing else is in it.

        Raises:
            EtcdtoolError: the disk refuses.
        """
        with reporting(self.folder):
            (self.folder / self.hidden_name).unlink(missing_ok=True)
            (self.folder / self.marker).unlink()
            with contextlib.suppress(OSError):  # a mount point, or something else is in it
                self.folder.rmdir()
            sync_folder(self.folder if self.folder.exists() else self.folder.parent)
