"""Make, use, list and drop the side index of a database: point reads on big files without a scan."""

from __future__ import annotations

import os
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.errors import EtcdtoolError, SourceError
from etcdtool.model.key_range import KeyRange
from etcdtool.model.key_rows import KEY_ROW_COLUMNS, NO_ROW, KeyRows
from etcdtool.sources.cache import CACHE_VARIABLE
from etcdtool.sources.database import Database
from etcdtool.sources.files import InputFile
from etcdtool.sources.index_place import Identity, folder_of_indexes, index_files, is_big
from etcdtool.sources.side_index import (
    FORM,
    ROW,
    ROWS_PER_BLOCK,
    IndexFile,
    Summary,
    lock_index,
    write_index,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.model.key_rows import RowFinder

__all__ = [
    "IndexState",
    "build",
    "drop",
    "finder",
    "indexes_of",
    "list_indexes",
    "opened_or_built",
    "rows_in",
]

_ROWS_AT_ONCE = ROWS_PER_BLOCK << 10


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


def build(database: Database, *, advance: Callable[[int], None] = lambda _: None) -> IndexFile:
    """Make the index of a database, unless another process has made it meanwhile.

    Raises:
        OSError: the cache folder cannot be written.
        FormatError: the bucket ``key`` cannot be read.
    """
    with lock_index(database.file.path):
        if (index := IndexFile.of(database)) is not None:
            return index
        found = KeyRows.scan(database.image, KeyRange.everything(), advance=advance)
        summary = Summary(
            form=FORM,
            path=str(database.file.path.resolve()),
            identity=Identity.of(database),
            revisions=len(found),
            keys=int((found.before == NO_ROW).sum()),
            current_revision=found.current_revision,
        )
        write_index(summary, _blocks(found))
    index = IndexFile.of(database)
    if index is None:
        raise EtcdtoolError(
            f"the index of {database.name} cannot be read back", hint="Without --index the file is scanned."
        )
    return index


def rows_in(index: IndexFile, data: memoryview, wanted: KeyRange) -> Iterator[NDArray[np.void]]:
    """Yield the rows (`ROW`) of the keys in a range, in blocks, by key and then revision.

    Raises:
        SourceError: a row is not where the index says: the file was changed behind its back.
        EtcdtoolError: the index is damaged.
    """
    for rows in index.blocks_from(wanted.start):
        key_of = _Reader(data, rows)
        stop = len(rows) if wanted.end is None else _first_at_or_above(key_of, wanted.end, len(rows))
        start = _first_at_or_above(key_of, wanted.start, stop)
        if start < stop:
            yield rows[start:stop]
        if stop < len(rows):
            return


def finder(index: IndexFile) -> RowFinder:
    """Return what finds the rows of keys by an index, in place of `KeyRows.scan`."""

    def find(
        image: Image, keys: KeyRange, *, engine: Engine = "columns", advance: Callable[[int], None] = lambda _: None
    ) -> KeyRows:
        del advance  # it is there at once
        rows = np.concatenate([np.empty(0, dtype=ROW), *rows_in(index, image.data, keys)])
        rows = rows[np.lexsort((rows["sub"], rows["main"]))]
        columns = {name: rows[name].astype(kind) for name, kind in KEY_ROW_COLUMNS}
        return KeyRows.of(image, index.summary.current_revision, columns, engine=engine)

    return find


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


class _Reader:
    """The keys of rows, read from the database when they are asked for."""

    def __init__(self, data: memoryview, rows: NDArray[np.void]) -> None:
        self._data, self._rows = data, rows

    def __call__(self, row: int) -> bytes:
        start, size = int(self._rows["key_start"][row]), int(self._rows["key_size"][row])
        if not 0 <= start <= start + size <= len(self._data):
            raise SourceError("the index names a place outside of the file", hint="Run etcdtool index drop --all.")
        return bytes(self._data[start : start + size])


def _first_at_or_above(key_of: _Reader, key: bytes, stop: int) -> int:
    """Return the first row before ``stop`` whose key is not below ``key``; ``stop`` where there is none."""
    return bisect_left(range(stop), key, key=key_of)


def _blocks(found: KeyRows) -> Iterator[tuple[bytes, NDArray[np.void]]]:
    ordered = found.in_key_order(np.arange(len(found), dtype=np.int64))
    for at in range(0, len(ordered), _ROWS_AT_ONCE):
        part = ordered[at : at + _ROWS_AT_ONCE]
        table = np.empty(len(part), dtype=ROW)
        for name in ROW.names or ():
            table[name] = getattr(found, name)[part]
        for start in range(0, len(part), ROWS_PER_BLOCK):
            yield found.key_of(int(part[start])), table[start : start + ROWS_PER_BLOCK]


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
