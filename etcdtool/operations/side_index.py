"""Open, list and drop side indexes of databases: point reads on big files without a scan."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from etcdtool.errors import EtcdtoolError
from etcdtool.sources.cache import CACHE_VARIABLE
from etcdtool.sources.database import Database
from etcdtool.sources.files import InputFile
from etcdtool.sources.index_place import Identity, folder_of_indexes, index_files, is_big
from etcdtool.sources.side_index import IndexFile, Summary

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["IndexState", "drop", "indexes_of", "list_indexes", "opened_or_built"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexState:
    """One index in the cache folder.

    Attributes:
        path: where it is.
        size: its bytes.
        built: seconds since 1970.
        summary: what it says of itself, None where it cannot be read.
        state: ``fits``, ``stale`` (the database is another one by now), ``database gone`` or ``unreadable``.
    """

    path: Path
    size: int
    built: float
    summary: Summary | None
    state: str


def opened_or_built(
    database: Database, *, asked: bool, advance: Callable[[int], None] = lambda _: None
) -> IndexFile | None:
    """Return the index of a database: the one that is there and fits, or a new one where that is worth it.

    Args:
        database: an opened one.
        asked: whether the user asked for an index; else one is made of a big file only.
        advance: is told the bytes of each block of entries that is read.

    Returns:
        None where there is no index and none was made.

    Raises:
        EtcdtoolError: an index was asked for and cannot be had.
        FormatError: the bucket ``key`` cannot be read.
    """
    if not database.is_in_place:
        if asked:
            raise EtcdtoolError(
                f"{database.name} has no file that stays, so an index of it would serve once",
                hint="Unpack it, or copy stdin to a file.",
            )
        return None
    found = IndexFile.of(database)
    if found is not None or not (asked or is_big(database)):
        return found
    from etcdtool.operations.index_build import build  # noqa: PLC0415  it loads NumPy

    try:
        return build(database, advance=advance)
    except OSError as error:
        if asked:
            reason = os.strerror(error.errno or 0).lower()
            raise EtcdtoolError(
                f"no index can be written to {folder_of_indexes()}: {reason}",
                hint=f"{CACHE_VARIABLE} names another folder.",
            ) from error
        return None


def list_indexes() -> list[IndexState]:
    """Return what stands in the cache folder."""
    return [_state_of(path) for path in index_files()]


def indexes_of(source: Path) -> list[Path]:
    """Return the indexes that there are of a database file, or of the one in a data dir."""
    databases = (source, source / "member" / "snap" / "db", source / "snap" / "db")
    return [path for database in databases for path in index_files(database)]


def drop(path: Path) -> None:
    """Take an index away; the database is not touched."""
    path.unlink(missing_ok=True)


def _state_of(path: Path) -> IndexState:
    status = path.stat()
    found = IndexFile.open(path)
    if found is None:
        return IndexState(path=path, size=status.st_size, built=status.st_mtime, summary=None, state="unreadable")
    with found:
        summary = found.summary
    return IndexState(path=path, size=status.st_size, built=status.st_mtime, summary=summary, state=_fit(summary))


def _fit(summary: Summary) -> str:
    path = Path(summary.path)
    if not path.exists():
        return "database gone"
    try:
        database = Database.of(InputFile.open(path), name=summary.path, kind="")
        return "fits" if Identity.of(database) == summary.identity else "stale"
    except EtcdtoolError:
        return "stale"
