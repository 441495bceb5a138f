"""Bucket ``lease`` as columns: one row a lease, since every key may have one of its own.

Values as upstream writes them (id, TTL, remaining TTL, in this order, zeros left out) are read by array operations; all
others go through `Lease.parse`.  ``engine="plain"`` reads every one that way.
Format: docs/formats/mvcc.md, "Buckets".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from etcdtool.errors import FormatError
from etcdtool.formats import varints
from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.words import unaligned_words
from etcdtool.model.lease import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.cursor import Bucket
    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.formats.words import UnalignedWords

__all__ = ["LeaseRows", "iter_leases"]

_KEY_SIZE = 8
_PAGES_PER_BLOCK = 128  # leases are small: so many pages hold 10,000 of them
_TAG_ID, _TAG_TTL, _TAG_REMAINING = 0x08, 0x10, 0x18
_WORD_SIZE = 8
_LOW_BYTE = np.uint64(0xFF)
_BITS_OF_A_TAG, _BITS_OF_THE_REST = np.uint64(8), np.uint64(56)
_CONTINUATION_ON_TOP = np.uint64(0x80 << 56)  # what does not end in seven bytes does not end at all


@dataclass(frozen=True, slots=True)
class LeaseRows:
    """Leases of one block, in the order of the bucket; int64 arrays of one element a row.

    Attributes:
        offset: where the key lies in the file.
        id, ttl_seconds, remaining_ttl_seconds: as in `Lease`; 0 in rows that cannot be read.
        problems: row -> what is wrong, for those.
    """

    offset: NDArray[np.int64]
    id: NDArray[np.int64]
    ttl_seconds: NDArray[np.int64]
    remaining_ttl_seconds: NDArray[np.int64]
    problems: dict[int, str]


def iter_leases(
    image: Image,
    bucket: Bucket,
    *,
    engine: Engine = "columns",
    look: Callable[[columns.LeafBlock], object] = lambda _: None,
) -> Iterator[LeaseRows]:
    """Yield the leases of the bucket in blocks, at least one row each.

    Args:
        image: the database.
        bucket: bucket ``lease``.
        engine: how it is read.
        look: is shown each block of pairs before its rows; not with ``plain``.

    Raises:
        FormatError: the tree of the bucket cannot be walked.
    """
    if engine == "plain":
        items = list(cursor.iter_items(image, bucket))
        if items:
            ends = ((item.offset, item.offset + len(item.key), len(item.value)) for item in items)
            start, value_start, value_size = np.array(list(ends), dtype=np.int64).T
            places = _Places(start, value_start, value_start + value_size)
            yield _completed(image, places, np.zeros((3, len(items)), np.int64), np.zeros(len(items), np.bool_))
        return
    words = unaligned_words(image.data)
    for block in columns.iter_blocks(image, bucket, pages_per_block=_PAGES_PER_BLOCK):
        look(block)
        places = _Places(block.key_start, block.value_start, block.value_end)
        numbers, good = _canonical(words, len(image.data), places)
        yield _completed(image, places, numbers, good)


class _Places(NamedTuple):
    """Where keys and values stand: int64 offsets, one row a lease."""

    start: NDArray[np.int64]
    value_start: NDArray[np.int64]
    value_end: NDArray[np.int64]


def _canonical(words: UnalignedWords, data_size: int, places: _Places) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Read what is written in upstream's order; the second result says of which rows that was true."""
    reader = _Reader(places.value_start, places.value_end)
    # a word holds the tag and seven bytes; the id, which mostly takes nine, goes on in the next word
    first = words[places.value_start]
    second = words[np.minimum(places.value_start + _WORD_SIZE, data_size)]
    wide = varints.decode_wide((first >> _BITS_OF_A_TAG) | (second << _BITS_OF_THE_REST), second >> _BITS_OF_A_TAG)
    numbers = [reader.take(_TAG_ID, first, wide)]
    for tag in (_TAG_TTL, _TAG_REMAINING):
        if reader.at_end:
            numbers.append(np.zeros(len(first), dtype=np.int64))
        else:
            word = words[reader.position]
            numbers.append(reader.take(tag, word, varints.decode((word >> _BITS_OF_A_TAG) | _CONTINUATION_ON_TOP)))
    whole = places.value_start - places.start == _KEY_SIZE
    filed_under = words.big_endian(np.where(whole, places.start, 0)).view(np.int64)
    return np.stack(numbers), whole & (reader.position == places.value_end) & (numbers[0] == filed_under)


class _Reader:
    """A position in each row's value, moved over one field after the other."""

    def __init__(self, position: NDArray[np.int64], end: NDArray[np.int64]) -> None:
        self.position = position
        self.end = end

    @property
    def at_end(self) -> bool:
        """Whether nothing is left in any row."""
        return bool((self.position == self.end).all())

    def take(
        self, tag: int, word: NDArray[np.uint64], varint: tuple[NDArray[np.uint64], NDArray[np.int64]]
    ) -> NDArray[np.int64]:
        """Return the field's value, 0 in rows where another tag stands in the word, or the varint leaves the value."""
        number, size = varint
        behind = self.position + 1 + size
        present = ((word & _LOW_BYTE) == tag) & (size > 0) & (behind <= self.end)
        self.position = np.where(present, behind, self.position)
        return np.where(present, number.view(np.int64), 0)


def _completed(image: Image, places: _Places, numbers: NDArray[np.int64], good: NDArray[np.bool_]) -> LeaseRows:
    """Give the rows that are written otherwise to the plain parser; changes ``numbers`` in place."""
    problems: dict[int, str] = {}
    for row in np.flatnonzero(~good).tolist():
        key_at, value_at, end = (int(column[row]) for column in places)
        try:
            lease = Lease.parse(image.data[key_at:value_at], image.data[value_at:end])
        except FormatError as error:
            problems[row] = error.problem
            numbers[:, row] = 0
        else:
            numbers[:, row] = lease.id, lease.ttl_seconds, lease.remaining_ttl_seconds
    return LeaseRows(places.start, numbers[0], numbers[1], numbers[2], problems)
