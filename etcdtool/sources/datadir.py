"""Where the parts of a data dir are: ``.snap`` files, WAL, database (``server/storage/datadir`` @ v3.6.14).

A data dir, its ``member`` folder, a ``snap`` or ``wal`` folder alone, and the folder that ``etcdctl backup`` makes are
all accepted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etcdtool.errors import SourceError
from etcdtool.sources.files import is_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DataDir", "locate", "locate_database"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDir:
    """One member's files.

    Attributes:
        root: the folder as the user gave it.
        snap_files: ``*.snap`` files.
        segments: ``*.wal`` files.
        database: ``snap/db``, if there is one.
        received: ``snap/<index>.snap.db``, databases that a leader has sent.
        ignored: names in those folders that are neither, such as ``*.snap.broken`` and ``0.tmp``.
    """

    root: Path
    snap_files: list[Path] = field(default_factory=list)
    segments: list[Path] = field(default_factory=list)
    database: Path | None = None
    received: list[Path] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    @property
    def lockable(self) -> list[Path]:
        """Files that a running server locks."""
        return [*reversed(self.segments), *([self.database] if self.database else [])]


def locate(root: Path, *, wal_dir: Path | None = None) -> DataDir | None:
    """Find the parts of a data dir under ``root``.

    Args:
        root: a folder.
        wal_dir: where the WAL is when it is kept apart (``--wal-dir`` of etcd).

    Returns:
        The parts, or None when nothing of a data dir is there.

    Raises:
        SourceError: the folder cannot be listed, or it is one of a kind that holds no keys.
    """
    member = next((folder for folder in (root / "member", root) if _has_parts(folder)), None)
    if wal_dir is not None and not is_folder(wal_dir):
        raise SourceError(f"--wal-dir {wal_dir} is no folder")
    if member is None:
        loose = _list(root)
        if wal_dir is None and not any(path.suffix in {".snap", ".wal"} for path in loose):
            if is_folder(root / "proxy"):
                raise SourceError(
                    f"{root} is the data dir of a v2 proxy, which holds no keys", hint="Give the data dir of a member."
                )
            return None
        return _gather(root, loose + (_list(wal_dir) if wal_dir else []))
    found = _list(member / "snap") + (_list(wal_dir) if wal_dir else _list(member / "wal"))
    return _gather(root, found)


def locate_database(data_dir: Path, *, wal_dir: Path | None = None) -> tuple[DataDir, Path]:
    """Find the parts of a member's data dir, for work on its database; return the database's own path too.

    Where ``snap/db`` is a link, that is what it leads to: a link stays a link.

    Raises:
        SourceError: there is no database.
    """
    if data_dir.is_file():
        raise SourceError(f"{data_dir} is no data dir", hint="Give the folder that member/ is in")
    parts = locate(data_dir, wal_dir=wal_dir)
    if parts is None or parts.database is None:
        raise SourceError(
            f"stat {data_dir / 'member/snap/db'}: no such file or directory",
            hint="Give the data dir of a member, the folder that member/ is in",
        )
    return parts, parts.database.resolve() if parts.database.is_symlink() else parts.database


def _has_parts(folder: Path) -> bool:
    return is_folder(folder / "snap") or is_folder(folder / "wal")


def _gather(root: Path, found: list[Path]) -> DataDir:
    # by name alone: a link that leads nowhere must be met when it is opened, not left out
    snaps = sorted(path for path in found if path.suffix == ".snap")
    segments = sorted(path for path in found if path.suffix == ".wal")
    database = next((path for path in found if path.name == "db"), None)
    received = sorted(path for path in found if path.name.endswith(".snap.db"))
    known = {*snaps, *segments, *received, database}
    ignored = sorted(path.name for path in found if path not in known)
    return DataDir(
        root=root, snap_files=snaps, segments=segments, database=database, received=received, ignored=ignored
    )


def _list(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SourceError(
            f"cannot list {folder}: {(error.strerror or str(error)).lower()}",
            hint="Run as the user that owns it, or give yourself read permission.",
        ) from error
