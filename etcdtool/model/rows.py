"""Bucket ``key`` as columns: one row a revision, block by block, every field of its KeyValue an array.

Rows whose KeyValue is written as upstream writes it (fields in order, numbers of at most seven bytes, a lease of up to
ten) are read by array operations; all others go through the generated protobuf parser, one by one.
``engine="plain"`` reads every row that way from the plain cursor: the slow, obvious twin, which shares no offset
arithmetic with the columns.
Format: docs/formats/mvcc.md, "Revision keys".
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.errors import FormatError
from etcdtool.formats.ahead import read_ahead
from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.engine import Engine
from etcdtool.formats.words import unaligned_words
from etcdtool.model.keyvalue import KeyValue
from etcdtool.model.records import FIELDS, field_columns, plain_fields, slices
from etcdtool.model.revision import Revision
from etcdtool.model.revisions import revision_columns_and_heads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.cursor import Bucket, Item
    from etcdtool.formats.bbolt.page import Image

__all__ = ["Engine", "Rows", "expected_rows", "iter_key_values", "iter_rows", "refuse_unreadable"]

_ITEMS_PER_BLOCK = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Revisions of one block, in the order of the bucket; all arrays have one element a row.

    Offsets count from the start of the file.

    Attributes:
        offset, page: where the revision key lies, and on which page.
        revision_size: bytes of the revision key.
        message_start, message_end: where the KeyValue lies.
        main, sub, tombstone: the revision; 0, 0, False where ``well_formed`` is False.
        well_formed: whether the revision key follows its format.
        parsed: whether the KeyValue parses; if not, the columns below are 0.
        key_start, key_size, value_start, value_size: where the user's key and value lie (a start is 0 if the size is).
        create_revision, mod_revision, version, lease: the fields of the same names, int64.
        runs: contiguous stretches (start, stop) of revision keys and values, all of the block's and nothing else.
    """

    offset: NDArray[np.int64]
    page: NDArray[np.int64]
    revision_size: NDArray[np.int64]
    message_start: NDArray[np.int64]
    message_end: NDArray[np.int64]
    main: NDArray[np.uint64]
    sub: NDArray[np.uint64]
    tombstone: NDArray[np.bool_]
    well_formed: NDArray[np.bool_]
    parsed: NDArray[np.bool_]
    key_start: NDArray[np.int64]
    key_size: NDArray[np.int64]
    create_revision: NDArray[np.int64]
    mod_revision: NDArray[np.int64]
    version: NDArray[np.int64]
    value_start: NDArray[np.int64]
    value_size: NDArray[np.int64]
    lease: NDArray[np.int64]
    runs: list[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.offset)


def iter_rows(
    image: Image,
    bucket: Bucket,
    *,
    engine: Engine = "columns",
    pages_per_block: int = columns.PAGES_PER_BLOCK,
    look: Callable[[columns.LeafBlock], object] = lambda _: None,
) -> Iterator[Rows]:
    """Yield the rows of bucket ``key`` in blocks, at least one row each.

    Args:
        image: the database.
        bucket: bucket ``key``.
        engine: how it is read.
        pages_per_block: how many leaf pages are read at a time.
        look: is shown each block of pairs before its rows; not with ``plain``.

    Raises:
        FormatError: the tree of the bucket cannot be walked.
    """
    if engine == "plain":
        items = cursor.iter_items(image, bucket)
        while chunk := list(islice(items, _ITEMS_PER_BLOCK)):
            yield _rows_of_items(chunk)
        return
    blocks = columns.iter_blocks(image, bucket, pages_per_block=pages_per_block)
    rows: Iterator[tuple[columns.LeafBlock, Rows]] = ((block, _rows_of_block(image, block)) for block in blocks)
    if len(columns.find_leaves(image, bucket)) > pages_per_block:
        rows = read_ahead(rows)
    for block, found in rows:
        look(block)
        yield found


def expected_rows(image: Image, bucket: Bucket | None, engine: Engine) -> int:
    """Return how many rows `iter_rows` will yield; 0 where that is not known beforehand.

    Raises:
        FormatError: the tree of the bucket cannot be walked.
    """
    return columns.pair_count(image, bucket) if bucket is not None and engine == "columns" else 0


def iter_key_values(image: Image, bucket: Bucket, *, engine: Engine = "columns") -> Iterator[tuple[Revision, KeyValue]]:
    """Yield every revision of bucket ``key`` with its record, in order: for whoever needs them all as objects.

    Raises:
        FormatError: the bucket cannot be walked, or a revision or record cannot be read.
    """
    for rows in iter_rows(image, bucket, engine=engine):
        refuse_unreadable(image.data, rows)
        revisions = zip(rows.main.tolist(), rows.sub.tolist(), rows.tombstone.tolist(), strict=True)
        numbers = zip(
            rows.create_revision.tolist(),
            rows.mod_revision.tolist(),
            rows.version.tolist(),
            rows.lease.tolist(),
            strict=True,
        )
        keys = slices(image.data, rows.key_start, rows.key_size)
        values = slices(image.data, rows.value_start, rows.value_size)
        for revision, key, value, (create, mod, version, lease) in zip(revisions, keys, values, numbers, strict=True):
            yield Revision(*revision), KeyValue(key, create, mod, version, value, lease)


def refuse_unreadable(data: memoryview, rows: Rows) -> None:
    """Raise what the plain parsers say of the first row that they cannot read, if there is one.

    Raises:
        FormatError: its revision key or its record is off.
    """
    unreadable = np.flatnonzero(~(rows.well_formed & rows.parsed))
    if len(unreadable):
        offset, start, end = (
            int(column[unreadable[0]]) for column in (rows.offset, rows.message_start, rows.message_end)
        )
        Revision.parse(data[offset:start], offset=offset)
        KeyValue.parse(data[start:end], offset=start)


def _rows_of_block(image: Image, block: columns.LeafBlock) -> Rows:
    words = unaligned_words(image.data)
    start, end = block.value_start, block.value_end
    keys, heads = revision_columns_and_heads(words, block)
    fields, parsed = field_columns(image.data, words, heads, start, end)
    return Rows(
        offset=block.key_start,
        page=block.page,
        revision_size=start - block.key_start,
        message_start=start,
        message_end=end,
        main=keys.main,
        sub=keys.sub,
        tombstone=keys.tombstone,
        well_formed=keys.well_formed,
        parsed=parsed,
        runs=block.runs(),
        **fields,
    )


_NO_FIELDS = dict.fromkeys(FIELDS, 0)
_NO_REVISION = Revision(0, 0)


def _rows_of_items(items: list[Item]) -> Rows:
    revisions, well_formed, messages, parsed, runs = [], [], [], [], []
    for item in items:
        try:
            revisions.append(Revision.parse(item.key))
            well_formed.append(True)
        except FormatError:
            revisions.append(_NO_REVISION)
            well_formed.append(False)
        plain = plain_fields(item.value, item.offset + len(item.key))
        messages.append(plain or _NO_FIELDS)
        parsed.append(plain is not None)
        runs.append((item.offset, item.offset + len(item.key) + len(item.value)))
    start = [item.offset + len(item.key) for item in items]
    return Rows(
        offset=_int64(item.offset for item in items),
        page=_int64(item.page for item in items),
        revision_size=_int64(len(item.key) for item in items),
        message_start=_int64(start),
        message_end=_int64(at + len(item.value) for at, item in zip(start, items, strict=True)),
        main=np.array([revision.main for revision in revisions], dtype=np.uint64),
        sub=np.array([revision.sub for revision in revisions], dtype=np.uint64),
        tombstone=np.array([revision.tombstone for revision in revisions], dtype=np.bool_),
        well_formed=np.array(well_formed, dtype=np.bool_),
        parsed=np.array(parsed, dtype=np.bool_),
        runs=runs,
        **{name: _int64(message[name] for message in messages) for name in FIELDS},
    )


def _int64(numbers: Iterable[int]) -> NDArray[np.int64]:
    return np.array(list(numbers), dtype=np.int64)
