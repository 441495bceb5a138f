"""Rows of a side index as columns: what a look-up of many keys goes on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from etcdtool.model.key_rows import KEY_ROW_COLUMNS, KeyRows
from etcdtool.model.revision import REVISION_SIZE, TOMBSTONE_MARK
from etcdtool.operations.index_finder import misplaced
from etcdtool.sources.index_row import ROW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine

__all__ = ["ROW_COLUMNS", "key_rows"]

ROW_COLUMNS = np.dtype(
    [
        ("main", "<i8"),
        ("sub", "<i8"),
        ("start", "<i8"),
        ("size", "<u4"),
        ("key_start", "<i8"),
        ("key_size", "<u4"),
        ("tombstone", "u1"),
    ]
)
"""An `IndexRow`, as it stands in the index."""
assert ROW_COLUMNS.itemsize == ROW.size
_IN_INDEX = frozenset(ROW_COLUMNS.names or ())


def key_rows(image: Image, pieces: Sequence[bytes], newest: int, *, engine: Engine = "columns") -> KeyRows:
    """Return what the rows of an index say.

    Args:
        image: the database.
        pieces: whole rows, in any order.
        newest: what a server that starts on the database calls its revision.
        engine: how keys are grouped and compared.

    Raises:
        SourceError: a row names a place outside of the file.
        FormatError: bucket ``meta`` cannot be read.
    """
    rows = np.frombuffer(b"".join(pieces), dtype=ROW_COLUMNS)
    rows = rows[np.lexsort((rows["sub"], rows["main"]))]
    columns = {name: rows[name].astype(kind) for name, kind in KEY_ROW_COLUMNS if name in _IN_INDEX}
    columns["message_start"] = _message_starts(image.data, rows)
    columns["message_end"] = rows["start"] + rows["size"]
    return KeyRows.of(image, newest, columns, engine=engine)


def _message_starts(data: memoryview, rows: NDArray[np.void]) -> NDArray[np.int64]:
    """Return where the records begin: behind 17 bytes of revision, or 18 with a mark that no record begins with."""
    start, size = rows["start"].astype(np.int64), rows["size"].astype(np.int64)
    inside = (start >= 0) & (start <= len(data)) & (size > REVISION_SIZE) & (size <= len(data) - start)
    if not inside.all():
        raise misplaced()
    behind: NDArray[np.int64] = start + REVISION_SIZE
    behind += np.array([data[at] == TOMBSTONE_MARK for at in behind.tolist()], dtype=np.int64)
    return behind
