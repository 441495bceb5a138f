"""Answer a request for one key by a side index: its rows, and of the one that counts the record; nothing else is read.

This is a twin of `etcdtool.operations.range_columns` that loads no NumPy; tests hold the two against each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcdtool.model.compactions import Compactions, read_meta
from etcdtool.model.keyvalue import KeyValue
from etcdtool.model.revision import REVISION_SIZE, TOMBSTONE_MARK
from etcdtool.operations.index_finder import key_of, misplaced
from etcdtool.operations.range_request import RangeAnswer
from etcdtool.sources.index_row import ROW, IndexRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.operations.index_finder import IndexFinder
    from etcdtool.operations.range_request import RangeRequest

__all__ = ["get_one"]


def get_one(image: Image, request: RangeRequest, find: IndexFinder, *, engine: Engine) -> RangeAnswer | None:
    """Answer a request for one key; orders and limits mean nothing to it.

    Args:
        image: the database.
        request: what is asked for.
        find: finds the rows of the key.
        engine: how the record is read: with ``plain`` always by the generated parser.

    Returns:
        None where rows have to be looked at as columns: of a key with very many, or where the file does not say what
        the index says.

    Raises:
        EtcdtoolError: the revision is compacted, or was not reached yet.
        SourceError: a row names a place outside of the file.
        FormatError: bucket ``meta`` or the record cannot be read.
    """
    pieces = find.pieces(image.data, request.keys)
    if pieces is None:
        return None
    rows = [_checked(IndexRow._make(row), len(image.data)) for piece in pieces for row in ROW.iter_unpack(piece)]
    compactions, newest = Compactions.parse(read_meta(image)), find.current_revision
    revision = request.revision if request.revision > 0 else newest
    compactions.check_readable(revision, newest)
    row = _last_at(rows, revision)
    if row is not None and key_of(image.data, row) != request.keys.start:
        return None
    if row is None or row.tombstone:
        return RangeAnswer(newest, 0, False, (), False)
    if request.count_only:
        return RangeAnswer(newest, 1, False, (), False)
    record = _record(image.data, row, engine)
    return RangeAnswer(newest, 1, False, (record,) if _passes(record, request) else (), request.keys_only)


def _checked(row: IndexRow, size: int) -> IndexRow:
    if not (row.size > REVISION_SIZE and 0 <= row.start <= row.start + row.size <= size):
        raise misplaced()
    return row


def _last_at(rows: Iterable[IndexRow], revision: int) -> IndexRow | None:
    """Return the newest row that is not above a revision."""
    return max((row for row in rows if row.main <= revision), key=lambda row: (row.main, row.sub), default=None)


def _record(data: memoryview, row: IndexRow, engine: Engine) -> KeyValue:
    """Read the record of a row: behind 17 bytes of revision, or 18 with a mark that no record begins with."""
    start = row.start + REVISION_SIZE
    start += data[start] == TOMBSTONE_MARK
    message = bytes(data[start : row.start + row.size])
    return KeyValue.parse(message, offset=start) if engine == "plain" else KeyValue.read(message, offset=start)


def _passes(record: KeyValue, request: RangeRequest) -> bool:
    """Tell whether the record is within the revisions that are asked for."""
    if not request.has_revision_filters:
        return True
    bounds = (
        (request.mod_revision_min, record.mod_revision, request.mod_revision_max),
        (request.create_revision_min, record.create_revision, request.create_revision_max),
    )
    return all(least <= number and (not greatest or number <= greatest) for least, number, greatest in bounds)
