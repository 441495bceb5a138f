"""What a compaction and a defrag would win, told without doing either.

A compaction makes room inside of the file, which stays as large as it was; only a defrag makes the file smaller.
Pages are divided here as `defrag` divides them, so that sizes are those of the files that it would write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.bbolt.division import PackedCount
from etcdtool.formats.bbolt.page import LEAF_ELEMENT
from etcdtool.model import schema
from etcdtool.model.compaction import rows_kept
from etcdtool.model.compactions import read_bucket
from etcdtool.model.revision import REVISION_SIZE, TOMBSTONE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.cursor import Bucket
    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.model.history import History

    Sizes = Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]

__all__ = ["Savings", "savings"]

_ROWS_AT_ONCE = 1 << 14
_MARKS = (schema.SCHEDULED_COMPACT_REV, schema.FINISHED_COMPACT_REV)


class Savings(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes, up to the high-water mark.

    Attributes:
        revision: at which is compacted: the newest.
        revisions_removed: entries of the history that go.
        bytes_freed: what these take with their elements: room for new data.
        size: of the database.
        size_defragmented: after a defrag alone.
        size_compacted: after a compaction, and a defrag behind it.
    """

    revision: int
    revisions_removed: int
    bytes_freed: int
    size: int
    size_defragmented: int
    size_compacted: int


def savings(image: Image, history: History, *, engine: Engine = "columns") -> Savings:
    """Tell what a compaction at the newest revision and a defrag win.

    Args:
        image: a database whose pages are good.
        history: its history.
        engine: how buckets are read, and who tells what a compaction keeps.

    Raises:
        FormatError: a bucket cannot be walked.
    """
    head, compactions = history.current_revision, history.compactions
    # what is scheduled and not finished, a server does at its start
    kept = rows_kept(history, [compactions.scheduled, head] if compactions.pending else [head], engine=engine)
    removed = len(history) - int(np.count_nonzero(kept))
    freed = int(history.size[~kept].sum(dtype=np.int64)) + LEAF_ELEMENT.size * removed
    return Savings(
        revision=head,
        revisions_removed=removed,
        bytes_freed=freed,
        size=image.high_water_mark * image.page_size,
        size_defragmented=_packed_size(image, history, None, engine),
        size_compacted=_packed_size(image, history, kept, engine),
    )


def _packed_size(image: Image, history: History, kept: NDArray[np.bool_] | None, engine: Engine) -> int:
    count = PackedCount(image.page_size)
    for name, bucket in cursor.root_buckets(image).items():
        if name == schema.KEY:
            count.bucket(name, _history_sizes(history, kept))
        elif name != schema.META or kept is None:
            count.bucket(name, _sizes(image, bucket, engine))
    if kept is not None:
        meta = read_bucket(image, schema.META) | dict.fromkeys(_MARKS, bytes(REVISION_SIZE))
        count.bucket(schema.META, iter([_sizes_of([(len(key), len(key) + len(meta[key])) for key in sorted(meta)])]))
    return count.finish() * image.page_size


def _history_sizes(history: History, kept: NDArray[np.bool_] | None) -> Sizes:
    for at in range(0, len(history), _ROWS_AT_ONCE):
        part = slice(at, at + _ROWS_AT_ONCE)
        size = history.size[part].astype(np.int64)
        key_size = np.where(history.tombstone[part], TOMBSTONE_SIZE, REVISION_SIZE)
        yield (size, key_size) if kept is None else (size[kept[part]], key_size[kept[part]])


def _sizes(image: Image, bucket: Bucket, engine: Engine) -> Sizes:
    if engine == "plain":
        items = list(cursor.iter_items(image, bucket))
        yield _sizes_of([(len(item.key), len(item.key) + len(item.value)) for item in items])
        return
    for block in columns.iter_blocks(image, bucket):
        yield block.value_end - block.key_start, block.value_start - block.key_start


def _sizes_of(rows: list[tuple[int, int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    array = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return array[:, 1], array[:, 0]
