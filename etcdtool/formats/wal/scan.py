"""One pass over a WAL: framing, checksums and structure checked, entries noted by their place.

`scan` reads every byte once and keeps about 32 bytes an entry; `Scan.entries` then hands the entries out as views.

Upstream: ``ReadAll`` in ``server/storage/wal/wal.go`` @ v3.7.1.
"""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003  documented types stay readable at run time

from etcdtool.errors import FormatError
from etcdtool.formats.engine import Engine  # noqa: TC001  documented types stay readable at run time
from etcdtool.formats.wal.column_pass import BlockSizes, ColumnPass
from etcdtool.formats.wal.log import Scan
from etcdtool.formats.wal.plain_pass import PlainPass
from etcdtool.formats.wal.segments import Segment, check_sequence

__all__ = ["scan"]

_USUAL_BLOCKS = BlockSizes()


def scan(
    segments: Sequence[Segment],
    *,
    after_index: int = 0,
    after_term: int | None = None,
    engine: Engine = "columns",
    block_sizes: BlockSizes = _USUAL_BLOCKS,
) -> Scan:
    """Read all segments, in order, and note the entries with an index above ``after_index``.

    Args:
        segments: as `select` returns them.
        after_index: index of the snapshot to go on from; 0 is the beginning of the log.
        after_term: the snapshot's term; a snapshot record of that index must have it.
        engine: ``columns`` reads usual records by the block, ``plain`` one by one.  Both find the same.
        block_sizes: how much is read at once by columns.

    Raises:
        ChecksumError: a record or the chain between two files does not match; names file, offset and both sums.
        FormatError: a missing file, a damaged length field, an unknown record type, conflicting metadata, a gap in
            the indexes, a file without records.
    """
    if not segments:
        raise FormatError("wal", "there is no .wal file")
    check_sequence(segments)
    result = Scan(tuple(segments), after_index)
    pass_ = PlainPass(result, after_term) if engine == "plain" else ColumnPass(result, after_term, block_sizes)
    for number in range(len(segments)):
        pass_.read_segment(number)
    pass_.finish()
    return result
