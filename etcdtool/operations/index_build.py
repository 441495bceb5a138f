"""Make the side index of a database, from the columns of its history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from etcdtool.errors import EtcdtoolError
from etcdtool.formats.words import unaligned_words
from etcdtool.model.grouping import Keys
from etcdtool.model.history import History
from etcdtool.model.key_order import key_order
from etcdtool.operations.index_columns import ROW_COLUMNS
from etcdtool.sources.index_place import Identity
from etcdtool.sources.index_row import ROWS_PER_BLOCK
from etcdtool.sources.side_index import FORM, IndexFile, Summary, lock_index, write_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from etcdtool.sources.database import Database

__all__ = ["build"]

_KEYS_AT_ONCE = 1 << 14


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


def _blocks(history: History) -> Iterator[tuple[bytes, bytes]]:
    left = np.empty(0, dtype=np.int64)
    for rows in _ordered_rows(history):
        left = np.concatenate((left, rows))
        whole = len(left) // ROWS_PER_BLOCK * ROWS_PER_BLOCK
        yield from _cut(history, left[:whole])
        left = left[whole:]
    yield from _cut(history, left)


def _cut(history: History, rows: NDArray[np.int64]) -> Iterator[tuple[bytes, bytes]]:
    table = np.empty(len(rows), dtype=ROW_COLUMNS)
    for name in ROW_COLUMNS.names or ():
        table[name] = getattr(history, name)[rows]
    for start in range(0, len(rows), ROWS_PER_BLOCK):
        yield history.key_of(int(rows[start])), table[start : start + ROWS_PER_BLOCK].tobytes()


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
