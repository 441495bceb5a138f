"""Make, use, list and drop the side index of a database: point reads on big files without a scan."""

from __future__ import annotations

import os
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.errors import EtcdtoolError, SourceError
from etcdtool.formats.words import unaligned_words
from etcdtool.model.grouping import Keys
from etcdtool.model.history import History
from etcdtool.model.key_order import key_order
from etcdtool.model.key_rows import KEY_ROW_COLUMNS, KeyRows
from etcdtool.model.revision import REVISION_SIZE, TOMBSTONE_MARK
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
    from etcdtool.model.key_range import KeyRange
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

_IN_INDEX = frozenset(ROW.names or ())
_KEYS_AT_ONCE = 1 << 14
_SHARE_OF_A_SCAN, _ROWS_ALWAYS_LOOKED_UP = 50, 10_000
"""Where more than a fiftieth of all revisions is asked for, all are looked at sooner."""


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
        history = History.read(database.image, advance=advance)
        summary = Summary(
            form=FORM,
            path=str(database.file.path.resolve()),
            identity=Identity.of(database),
            revisions=len(history),
            keys=int(history.first.sum()),
            current_revision=history.current_revision,
        )
        write_index(summary, _blocks(history))
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


def finder(index: IndexFile, file: InputFile) -> RowFinder:
    """Return what finds the rows of keys by an index, or by `KeyRows.scan` where so many are wanted that it is faster.

    Args:
        index: of the database.
        file: the database's own; the system is told how it is going to be read.
    """
    rows_max = max(index.summary.revisions // _SHARE_OF_A_SCAN, _ROWS_ALWAYS_LOOKED_UP)

    def find(
        image: Image, keys: KeyRange, *, engine: Engine = "columns", advance: Callable[[int], None] = lambda _: None
    ) -> KeyRows:
        file.expect_jumps()
        found, count = [np.empty(0, dtype=ROW)], 0
        for rows in rows_in(index, image.data, keys):
            found.append(rows)
            count += len(rows)
            if count > rows_max:
                file.expect_sequence()
                return KeyRows.scan(image, keys, engine=engine, advance=advance)
        rows = np.concatenate(found)
        rows = rows[np.lexsort((rows["sub"], rows["main"]))]
        columns = {name: rows[name].astype(kind) for name, kind in KEY_ROW_COLUMNS if name in _IN_INDEX}
        columns["message_start"] = _message_starts(image.data, rows)
        columns["message_end"] = rows["start"] + rows["size"]
        return KeyRows.of(image, index.summary.current_revision, columns, engine=engine)

    return find


def _message_starts(data: memoryview, rows: NDArray[np.void]) -> NDArray[np.int64]:
    """Return where the records begin: behind 17 bytes of revision, or 18 with a mark that no record begins with."""
    start, stop = rows["start"].astype(np.int64), rows["start"].astype(np.int64) + rows["size"]
    if len(rows) and (int(start.min()) < 0 or int(stop.max()) > len(data) or int(rows["size"].min()) <= REVISION_SIZE):
        raise _misplaced()
    behind: NDArray[np.int64] = start + REVISION_SIZE
    behind += np.array([data[at] == TOMBSTONE_MARK for at in behind.tolist()], dtype=np.int64)
    return behind


def _misplaced() -> SourceError:
    return SourceError("the index names a place outside of the file", hint="Run etcdtool index drop --all.")


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
            raise _misplaced()
        return bytes(self._data[start : start + size])


def _first_at_or_above(key_of: _Reader, key: bytes, stop: int) -> int:
    """Return the first row before ``stop`` whose key is not below ``key``; ``stop`` where there is none."""
    return bisect_left(range(stop), key, key=key_of)


def _blocks(history: History) -> Iterator[tuple[bytes, NDArray[np.void]]]:
    left = np.empty(0, dtype=np.int64)
    for rows in _ordered_rows(history):
        left = np.concatenate((left, rows))
        whole = len(left) // ROWS_PER_BLOCK * ROWS_PER_BLOCK
        yield from _cut(history, left[:whole])
        left = left[whole:]
    yield from _cut(history, left)


def _cut(history: History, rows: NDArray[np.int64]) -> Iterator[tuple[bytes, NDArray[np.void]]]:
    table = np.empty(len(rows), dtype=ROW)
    for name in ROW.names or ():
        table[name] = getattr(history, name)[rows]
    for start in range(0, len(rows), ROWS_PER_BLOCK):
        yield history.key_of(int(rows[start])), table[start : start + ROWS_PER_BLOCK]


def _ordered_rows(history: History) -> Iterator[NDArray[np.int64]]:
    """Yield all rows by key, those of one key by revision; some keys at a time, as all would be as much again."""
    starts = np.flatnonzero(history.first)
    counts = np.diff(np.append(starts, len(history)))
    leaders = history.order[starts]
    words = unaligned_words(history.data)
    ordered = key_order(Keys(history.data, words, history.key_start[leaders], history.key_size[leaders]))
    for at in range(0, len(ordered), _KEYS_AT_ONCE):
        groups = ordered[at : at + _KEYS_AT_ONCE]
        of_each = counts[groups]
        before = np.cumsum(of_each) - of_each
        places = np.repeat(starts[groups] - before, of_each) + np.arange(of_each.sum(), dtype=np.int64)
        yield history.order[places]


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
