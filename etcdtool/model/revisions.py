"""Bucket ``key`` without its records: every revision, where its entry lies, and whose key it is.

What only asks for revisions reads several times faster this way than by `etcdtool.model.rows`, which parses each
record.  ``engine="plain"`` is the twin that goes entry by entry and shares no offset arithmetic with the columns.
Format: docs/formats/hashes.md; upstream: ``server/storage/mvcc/revision.go`` @ v3.6.14, v3.7.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from etcdtool.errors import FormatError
from etcdtool.formats import varints
from etcdtool.formats.ahead import read_ahead
from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.words import unaligned_words
from etcdtool.model.revision import MAIN_MAX, REVISION_SIZE, SEPARATOR, TOMBSTONE_MARK, TOMBSTONE_SIZE, Revision

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.cursor import Bucket, Item
    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.formats.words import UnalignedWords

__all__ = [
    "KeyedRevisions",
    "RevisionColumns",
    "Revisions",
    "checked_main",
    "checked_order",
    "first_key",
    "iter_keyed_revisions",
    "iter_revisions",
    "record_keys",
    "revision_columns",
    "revision_columns_and_heads",
    "revisions_at",
    "revisions_of_items",
]

_Block = TypeVar("_Block")

_ITEMS_PER_BLOCK = 4096
_TAG_KEY = 0x0A
_LENGTH_BYTES_MAX = 7
"""A word holds the tag and so many bytes of the length behind it."""
_LOW_BYTE = np.uint64(0xFF)
_WORDS_OF_A_REVISION = 3
_EIGHT_BITS, _SEVEN_BYTES = np.uint64(8), np.uint64(56)
_CONTINUATION_ON_TOP = np.uint64(0x80 << 56)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revisions:
    """Revisions of one block, ascending; arrays with one element each, offsets from the start of the file.

    Attributes:
        main, sub, tombstone: the revision; the numbers as int64.
        start: where the entry begins, with its revision key.
        message_start, stop: where the record begins, and where it and the entry end.
        runs: ``(start, stop)`` of the stretches without a gap that the entries make up, in order.
    """

    main: NDArray[np.int64]
    sub: NDArray[np.int64]
    tombstone: NDArray[np.bool_]
    start: NDArray[np.int64]
    message_start: NDArray[np.int64]
    stop: NDArray[np.int64]
    runs: list[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.main)


class KeyedRevisions(NamedTuple):
    """Revisions of one block, and where the user's key of each lies.

    Attributes:
        revisions: the revisions.
        key_start, key_size: int64; a start is 0 where the size is.
    """

    revisions: Revisions
    key_start: NDArray[np.int64]
    key_size: NDArray[np.int64]


def iter_revisions(
    image: Image, bucket: Bucket, *, engine: Engine = "columns", pages_per_block: int = columns.PAGES_PER_BLOCK
) -> Iterator[Revisions]:
    """Yield the revisions of bucket ``key`` in blocks, at least one each.

    Raises:
        FormatError: the tree cannot be walked, a key is no revision, or one is not above the one before it.
    """
    last = (-1, -1)
    if engine == "plain":
        blocks = _iter_plainly(image, bucket)
    else:
        blocks = _ahead(image, bucket, _iter_columns(image, bucket, pages_per_block), pages_per_block)
    for block in blocks:
        last = checked_order(block, last)
        yield block


def iter_keyed_revisions(
    image: Image, bucket: Bucket, *, engine: Engine = "columns", pages_per_block: int = columns.PAGES_PER_BLOCK
) -> Iterator[KeyedRevisions]:
    """Yield the same with the user's keys.

    A key is the record's first field, as every version of etcd writes it, and the rest is not looked at; only a record
    that begins otherwise goes through the generated parser.

    Raises:
        FormatError: as `iter_revisions`; or a record that begins otherwise does not parse.
    """
    last = (-1, -1)
    if engine == "plain":
        blocks = _iter_keyed_plainly(image, bucket)
    else:
        blocks = _ahead(image, bucket, _iter_keyed_columns(image, bucket, pages_per_block), pages_per_block)
    for block in blocks:
        last = checked_order(block.revisions, last)
        yield block


def _ahead(image: Image, bucket: Bucket, blocks: Iterator[_Block], pages_per_block: int) -> Iterator[_Block]:
    """Read blocks ahead, where there are several."""
    return read_ahead(blocks) if len(columns.find_leaves(image, bucket)) > pages_per_block else blocks


def checked_order(block: Revisions, last: tuple[int, int]) -> tuple[int, int]:
    """Return the last revision of a block, which comes after another one.

    Args:
        block: revisions, at least one.
        last: main and sub of the revision before them.

    Raises:
        FormatError: one is not above the one before it, or is beyond what a server loads.
    """
    _refuse_disorder(block, last)
    return checked_main(int(block.main[-1]), int(block.start[-1])), int(block.sub[-1])


def checked_main(main: int, offset: int) -> int:
    """Return a main revision.

    Raises:
        FormatError: no server loads it.
    """
    if main == MAIN_MAX:
        raise FormatError("revision key", "beyond what a server loads: 2^63-1", offset=offset)
    return main


def revisions_at(image: Image, block: columns.LeafBlock, rows: NDArray[np.int64]) -> Revisions:
    """Return some revisions of a block of pairs, without runs.

    Raises:
        FormatError: a key is no revision.
    """
    key_start, value_start = block.key_start[rows], block.value_start[rows]
    keys = _read_revisions(unaligned_words(image.data).rows(key_start, _WORDS_OF_A_REVISION), value_start - key_start)
    _refuse_malformed(image, keys, key_start, value_start)
    return Revisions(
        main=keys.main.view(np.int64),
        sub=keys.sub.view(np.int64),
        tombstone=keys.tombstone,
        start=key_start,
        message_start=value_start,
        stop=block.value_end[rows],
        runs=[],
    )


def record_keys(
    data: memoryview, message_start: NDArray[np.int64], stop: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the keys of records lie that begin and end there, as `iter_keyed_revisions` has them."""
    return _keys_of_heads(data, unaligned_words(data)[message_start], message_start, stop)


def _keys_of_heads(
    data: memoryview, word: NDArray[np.uint64], message_start: NDArray[np.int64], stop: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the same, where the first word of each record is known."""
    size, length_size = varints.decode((word >> _EIGHT_BITS) | _CONTINUATION_ON_TOP)
    start = message_start + 1 + length_size
    # seven bytes of a varint are below 2^49, so the sum stays inside int64
    key_size = size.astype(np.int64)
    first = ((word & _LOW_BYTE) == _TAG_KEY) & (length_size > 0) & (start + key_size <= stop)
    if not first.all():
        for row in np.flatnonzero(~first).tolist():
            start[row], key_size[row] = _parsed_key(data, int(message_start[row]), int(stop[row]))
    start[key_size == 0] = 0
    return start, key_size


class RevisionColumns(NamedTuple):
    """The keys of a block read as revisions, one element a row.

    Attributes:
        main, sub: uint64; 0 where the key is malformed.
        tombstone: False there.
        well_formed: whether it is not.
    """

    main: NDArray[np.uint64]
    sub: NDArray[np.uint64]
    tombstone: NDArray[np.bool_]
    well_formed: NDArray[np.bool_]


def revision_columns(words: UnalignedWords, block: columns.LeafBlock) -> RevisionColumns:
    """Read the keys of a block as revisions."""
    entry = words.rows(block.key_start, _WORDS_OF_A_REVISION)
    return _read_revisions(entry, block.value_start - block.key_start)


def revision_columns_and_heads(
    words: UnalignedWords, block: columns.LeafBlock
) -> tuple[RevisionColumns, NDArray[np.uint64]]:
    """Read the keys of a block as revisions, and the first words of the values behind them, uint64."""
    entry = words.rows(block.key_start, _WORDS_OF_A_REVISION + 1)
    size = block.value_start - block.key_start
    head = entry[:, 3] << _SEVEN_BYTES
    head |= entry[:, 2] >> _EIGHT_BITS
    if not (size == REVISION_SIZE).all():
        elsewhere = np.flatnonzero(size != REVISION_SIZE)
        head[elsewhere] = words[block.value_start[elsewhere]]
    return _read_revisions(entry, size), head


def _read_revisions(entry: NDArray[np.uint64], size: NDArray[np.int64]) -> RevisionColumns:
    """Take revisions from the first three words of each entry: main, and in ten bytes the separator, sub and a mark."""
    long = size == TOMBSTONE_SIZE
    well_formed = size == REVISION_SIZE
    well_formed |= long
    second, third = entry[:, 1], entry[:, 2]
    main = entry[:, 0].byteswap()
    sub = second >> _EIGHT_BITS
    sub |= third << _SEVEN_BYTES
    sub.byteswap(inplace=True)
    well_formed &= (second & _LOW_BYTE) == SEPARATOR
    well_formed &= main <= MAIN_MAX
    well_formed &= sub <= MAIN_MAX
    tombstone = well_formed & long
    if tombstone.any():
        tombstone &= ((third >> _EIGHT_BITS) & _LOW_BYTE) == TOMBSTONE_MARK
    if not well_formed.all():
        main[~well_formed] = 0
        sub[~well_formed] = 0
    return RevisionColumns(main, sub, tombstone, well_formed)


def _iter_columns(image: Image, bucket: Bucket, pages_per_block: int) -> Iterator[Revisions]:
    words = unaligned_words(image.data)
    for block in columns.iter_blocks(image, bucket, pages_per_block=pages_per_block):
        yield _revisions_of(image, revision_columns(words, block), block)


def _iter_keyed_columns(image: Image, bucket: Bucket, pages_per_block: int) -> Iterator[KeyedRevisions]:
    words = unaligned_words(image.data)
    for block in columns.iter_blocks(image, bucket, pages_per_block=pages_per_block):
        keys, heads = revision_columns_and_heads(words, block)
        revisions = _revisions_of(image, keys, block)
        yield KeyedRevisions(revisions, *_keys_of_heads(image.data, heads, block.value_start, block.value_end))


def _revisions_of(image: Image, keys: RevisionColumns, block: columns.LeafBlock) -> Revisions:
    _refuse_malformed(image, keys, block.key_start, block.value_start)
    return Revisions(
        main=keys.main.view(np.int64),
        sub=keys.sub.view(np.int64),
        tombstone=keys.tombstone,
        start=block.key_start,
        message_start=block.value_start,
        stop=block.value_end,
        runs=block.runs(),
    )


def _refuse_malformed(
    image: Image, keys: RevisionColumns, key_start: NDArray[np.int64], value_start: NDArray[np.int64]
) -> None:
    if not keys.well_formed.all():
        row = int(np.argmin(keys.well_formed))
        start = int(key_start[row])
        Revision.parse(image.data[start : int(value_start[row])], offset=start)


def _iter_plainly(image: Image, bucket: Bucket) -> Iterator[Revisions]:
    items = cursor.iter_items(image, bucket)
    while chunk := list(islice(items, _ITEMS_PER_BLOCK)):
        yield revisions_of_items(chunk)


def _iter_keyed_plainly(image: Image, bucket: Bucket) -> Iterator[KeyedRevisions]:
    for block in _iter_plainly(image, bucket):
        yield KeyedRevisions(block, *_user_keys_plainly(image.data, block))


def revisions_of_items(items: list[Item]) -> Revisions:
    """Return the revisions of pairs of the plain cursor.

    Raises:
        FormatError: a key is no revision.
    """
    runs = [(item.offset, item.offset + len(item.key) + len(item.value)) for item in items]
    revisions = [Revision.parse(item.key, offset=item.offset) for item in items]
    return Revisions(
        main=_int64(revision.main for revision in revisions),
        sub=_int64(revision.sub for revision in revisions),
        tombstone=np.array([revision.tombstone for revision in revisions], dtype=np.bool_),
        start=_int64(item.offset for item in items),
        message_start=_int64(item.offset + len(item.key) for item in items),
        stop=_int64(stop for _, stop in runs),
        runs=runs,
    )


def _refuse_disorder(block: Revisions, last: tuple[int, int]) -> None:
    main, sub = block.main, block.sub
    good = np.empty(len(block), dtype=np.bool_)
    good[0] = (int(main[0]), int(sub[0])) > last
    good[1:] = (main[1:] > main[:-1]) | ((main[1:] == main[:-1]) & (sub[1:] > sub[:-1]))
    if not good.all():
        row = int(np.argmin(good))
        raise FormatError("revision key", "not above the revision before it", offset=int(block.start[row]))


def _user_keys_plainly(data: memoryview, block: Revisions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    places = [
        first_key(data, start, stop)
        for start, stop in zip(block.message_start.tolist(), block.stop.tolist(), strict=True)
    ]
    return _int64(start if size else 0 for start, size in places), _int64(size for _, size in places)


def first_key(data: memoryview, start: int, stop: int) -> tuple[int, int]:
    """Return where the key of one record lies, reading tag and length byte by byte; see `iter_keyed_revisions`."""
    message = bytes(data[start : min(stop, start + 1 + _LENGTH_BYTES_MAX)])
    if message[:1] == bytes([_TAG_KEY]):
        size = 0
        for place, byte in enumerate(message[1:]):
            size |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                at = start + 2 + place
                if at + size <= stop:
                    return at, size
                break
    return _parsed_key(data, start, stop)


def _parsed_key(data: memoryview, start: int, stop: int) -> tuple[int, int]:
    from etcdtool.model.keyvalue import KeyValue  # noqa: PLC0415  no version of etcd writes such a record

    message = bytes(data[start:stop])
    key = KeyValue.parse(message, offset=start).key
    # the parser tells no offsets, yet what it gave for a bytes field stands in the message as it is
    return (start + message.find(key), len(key)) if key else (0, 0)


def _int64(numbers: Iterable[int]) -> NDArray[np.int64]:
    return np.array(list(numbers), dtype=np.int64)
