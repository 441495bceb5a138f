"""Look up keys in the side index of a database: by bytes, so that a question about one key loads no NumPy."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from etcdtool.errors import SourceError
from etcdtool.sources.index_row import ROW, IndexRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.model.key_range import KeyRange
    from etcdtool.model.key_rows import KeyRows
    from etcdtool.sources.files import InputFile
    from etcdtool.sources.side_index import IndexFile

__all__ = ["IndexFinder", "key_of", "misplaced", "rows_in"]

_SHARE_OF_A_SCAN, _ROWS_ALWAYS_LOOKED_UP = 50, 10_000
"""Where more than a fiftieth of all revisions is asked for, all are looked at sooner."""


class IndexFinder:
    """Finds the rows of keys by an index: a `RowFinder`, which scans where so many are wanted that it is faster.

    Attributes:
        current_revision: what a server that starts on the database calls its revision.
    """

    def __init__(self, index: IndexFile, file: InputFile) -> None:
        """Take the index of a database, and the database's own file: the system is told how it is going to be read."""
        self._index, self._file = index, file
        self._rows_max = max(index.summary.revisions // _SHARE_OF_A_SCAN, _ROWS_ALWAYS_LOOKED_UP)
        self.current_revision = index.summary.current_revision

    def __call__(
        self,
        image: Image,
        keys: KeyRange,
        *,
        engine: Engine = "columns",
        advance: Callable[[int], None] = lambda _: None,
    ) -> KeyRows:
        """See `KeyRows.scan`."""
        from etcdtool.model.key_rows import KeyRows  # noqa: PLC0415  it loads NumPy
        from etcdtool.operations.index_columns import key_rows  # noqa: PLC0415  likewise

        pieces = self.pieces(image.data, keys)
        if pieces is None:
            self._file.expect_sequence()
            return KeyRows.scan(image, keys, engine=engine, advance=advance)
        return key_rows(image, pieces, self.current_revision, engine=engine)

    def pieces(self, data: memoryview, keys: KeyRange) -> list[bytes] | None:
        """Return the rows of the keys in a range, some (`ROW`) in each; None where a scan is faster.

        Raises:
            SourceError: a row is not where the index says: the file was changed behind its back.
            EtcdtoolError: the index is damaged.
        """
        self._file.expect_jumps()
        found, count = [], 0
        for rows in rows_in(self._index, data, keys):
            found.append(rows)
            count += len(rows) // ROW.size
            if count > self._rows_max:
                return None
        return found


def rows_in(index: IndexFile, data: memoryview, wanted: KeyRange) -> Iterator[bytes]:
    """Yield the rows (`ROW`) of the keys in a range, in blocks, by key and then revision; see `IndexFinder.pieces`."""
    for block in index.blocks_from(wanted.start):
        rows = _Block(data, block)
        stop = len(rows) if wanted.end is None else rows.first_at_or_above(wanted.end, len(rows))
        start = rows.first_at_or_above(wanted.start, stop)
        if start < stop:
            yield block[start * ROW.size : stop * ROW.size]
        if stop < len(rows):
            return


class _Block:
    """Rows by key; the keys are read from the database when they are asked for."""

    def __init__(self, data: memoryview, block: bytes) -> None:
        self._data, self._block = data, block

    def __len__(self) -> int:
        return len(self._block) // ROW.size

    def key(self, row: int) -> bytes:
        return key_of(self._data, IndexRow._make(ROW.unpack_from(self._block, row * ROW.size)))

    def first_at_or_above(self, key: bytes, stop: int) -> int:
        """Return the first row before ``stop`` whose key is not below ``key``; ``stop`` where there is none."""
        return bisect_left(range(stop), key, key=self.key)


def key_of(data: memoryview, row: IndexRow) -> bytes:
    """Return the user's key of a row.

    Raises:
        SourceError: it is not where the index says.
    """
    start, size = row.key_start, row.key_size
    if not 0 <= start <= start + size <= len(data):
        raise misplaced()
    return bytes(data[start : start + size])


def misplaced() -> SourceError:
    """Return what is told where a row names a place that cannot be."""
    return SourceError("the index names a place outside of the file", hint="Run etcdtool index drop --all.")
