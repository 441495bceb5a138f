"""Bucket ``key`` as columns: one row a revision, block by block, every field of its KeyValue an array.

Rows whose KeyValue is written as upstream writes it (fields in order, numbers of at most seven bytes, a lease of up to
ten) are read by array operations; all others go through the generated protobuf parser, one by one.
``engine="plain"`` reads every row that way from the plain cursor: the slow, obvious twin, which shares no offset
arithmetic with the columns.
Format: docs/formats/mvcc.md, "Revision keys".
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.errors import FormatError
from etcdtool.formats import varints
from etcdtool.formats.ahead import read_ahead
from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.engine import Engine
from etcdtool.formats.words import UnalignedWords, unaligned_words
from etcdtool.model.keyvalue import KeyValue
from etcdtool.model.revision import Revision
from etcdtool.model.revisions import revision_columns_and_heads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.cursor import Bucket, Item
    from etcdtool.formats.bbolt.page import Image

__all__ = ["Engine", "Rows", "expected_rows", "iter_key_values", "iter_rows", "refuse_unreadable"]

_ITEMS_PER_BLOCK = 4096
_TAG_KEY, _TAG_CREATE, _TAG_MOD, _TAG_VERSION, _TAG_VALUE, _TAG_LEASE = 0x0A, 0x10, 0x18, 0x20, 0x2A, 0x30
_LOW_BYTE = np.uint64(0xFF)
_EIGHT_BITS, _SEVEN_BYTES = np.uint64(8), np.uint64(56)
_CONTINUATION_ON_TOP = np.uint64(0x80 << 56)
_BITS_OF_A_BYTE, _BITS_OF_A_WORD = np.uint64(3), np.uint64(64)  # the first as a shift
_FIELDS_BEHIND_THE_KEY = 4
"""Create, mod, version and the length of the value: a word each."""


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
        keys = _slices(image.data, rows.key_start, rows.key_size)
        values = _slices(image.data, rows.value_start, rows.value_size)
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


def _slices(data: memoryview, start: NDArray[np.int64], size: NDArray[np.int64]) -> Iterator[bytes]:
    return (bytes(data[at:end]) for at, end in zip(start.tolist(), (start + size).tolist(), strict=True))


def _rows_of_block(image: Image, block: columns.LeafBlock) -> Rows:
    words = unaligned_words(image.data)
    start, end = block.value_start, block.value_end
    keys, heads = revision_columns_and_heads(words, block)
    fields, parsed = _key_value_columns(_FieldReader(words, heads, start, end))
    _parse_rest(image.data, start, end, fields, parsed)
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


def _key_value_columns(reader: _FieldReader) -> tuple[dict[str, NDArray[np.int64]], NDArray[np.bool_]]:
    """Read what is written in upstream's order; the second result says of which rows that was true."""
    fields: dict[str, NDArray[np.int64]] = {}
    fields["key_start"], fields["key_size"] = reader.bytes_field(_TAG_KEY)
    reader.look(_FIELDS_BEHIND_THE_KEY)
    fields["create_revision"] = reader.number_field(_TAG_CREATE)
    fields["mod_revision"] = reader.number_field(_TAG_MOD)
    fields["version"] = reader.number_field(_TAG_VERSION)
    fields["value_start"], fields["value_size"] = reader.bytes_field(_TAG_VALUE)
    fields["lease"] = reader.wide_number_field(_TAG_LEASE)
    return fields, reader.good & (reader.position == reader.end)


class _FieldReader:
    """A position in each row's message, moved over one optional field after the other.

    A field's tag and number, which is one of at most seven bytes, are taken from the first of the words at hand; then
    the words move up.

    Attributes:
        position: where each row's next field begins; anywhere in rows that are not good.
        end: where its message ends.
        good: whether all was written as expected so far.
    """

    def __init__(
        self, words: UnalignedWords, head: NDArray[np.uint64], start: NDArray[np.int64], end: NDArray[np.int64]
    ) -> None:
        self._words = words
        self._at_hand = [head]
        self.position = start
        self.end = end
        self.good = np.ones(len(start), dtype=np.bool_)

    def look(self, fields: int) -> None:
        """Take up the words of so many fields, of rows that are good and go on."""
        if not self.good.all():
            self.position = np.where(self.good, self.position, self.end)
        found = self._words.rows(np.minimum(self.position, self.end), fields)
        self._at_hand = list(found.T.copy())

    def number_field(self, tag: int) -> NDArray[np.int64]:
        """Read a varint of at most seven bytes; 0 where the field is absent."""
        present, value, size = self._varint(tag)
        size += 1
        _zero_where_not(present, value, size)
        self.position = self.position + size
        self._move_up(size)
        return value

    def bytes_field(self, tag: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Read a length and step over the bytes; return start and size, 0 and 0 where there is nothing."""
        present, size, length_size = self._varint(tag)
        length_size += 1
        _zero_where_not(present, size, length_size)
        start = self.position + length_size
        # seven bytes of a varint are below 2^49, so the sum stays inside int64
        self.position = start + size
        self.good &= self.position <= self.end
        if not size.all():
            start[size == 0] = 0
        return start, size

    def wide_number_field(self, tag: int) -> NDArray[np.int64]:
        """Read a varint of any length on the rows that have one, the last field."""
        going = self.position < self.end
        going &= self.good
        if not going.any():
            return np.zeros(len(going), dtype=np.int64)
        if going.all():
            value, self.position = self._wide(tag, self.position, self.end)
            return value
        rows = np.flatnonzero(going)
        value = np.zeros(len(going), dtype=np.int64)
        value[rows], self.position[rows] = self._wide(tag, self.position[rows], self.end[rows])
        return value

    def _wide(
        self, tag: int, position: NDArray[np.int64], end: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        found = self._words.rows(position, 2)
        word, next_word = found[:, 0], found[:, 1]
        first = word >> _EIGHT_BITS
        first |= next_word << _SEVEN_BYTES
        number, size = varints.decode_wide(first, next_word >> _EIGHT_BITS)
        value = number.view(np.int64)
        behind = position + 1 + size
        present = ((word & _LOW_BYTE) == tag) & (size > 0) & (behind <= end)
        if not present.all():
            value *= present
            behind = np.where(present, behind, position)
        return value, behind

    def _varint(self, tag: int) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
        word = self._at_hand[0]
        present = (word & _LOW_BYTE) == tag
        present &= self.position < self.end
        # seven bytes are left of the word: a bit on top keeps what does not end in them from ending at all
        number = word >> _EIGHT_BITS
        number |= _CONTINUATION_ON_TOP
        value, size = varints.decode(number)
        ends = size > 0
        if not ends.all():
            self.good &= ~present | ends
            present &= ends
        return present, value.view(np.int64), size

    def _move_up(self, size: NDArray[np.int64]) -> None:
        """Drop so many bytes, at most eight, from the front of the words at hand."""
        bits = size.view(np.uint64) << _BITS_OF_A_BYTE
        rest = _BITS_OF_A_WORD - bits  # a shift by all bits of a word leaves nothing
        moved = []
        for word, next_word in pairwise(self._at_hand):
            low = word >> bits
            low |= next_word << rest
            moved.append(low)
        self._at_hand = moved


def _zero_where_not(present: NDArray[np.bool_], *columns: NDArray[np.int64]) -> None:
    if not present.all():
        for column in columns:
            np.multiply(column, present, out=column)


def _parse_rest(
    data: memoryview,
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    fields: dict[str, NDArray[np.int64]],
    parsed: NDArray[np.bool_],
) -> None:
    """Give the rows that are written otherwise to the generated parser; all changes in place."""
    for row in np.flatnonzero(~parsed).tolist():
        at = int(start[row])
        plain = _plain_fields(data[at : int(end[row])], at)
        parsed[row] = plain is not None
        for name, column in fields.items():
            column[row] = plain[name] if plain else 0


def _plain_fields(message: memoryview, at: int) -> dict[str, int] | None:
    """Return the columns of one row by the generated parser, or None where it does not parse."""
    octets = bytes(message)
    try:
        record = KeyValue.parse(octets)
    except FormatError:
        return None
    # the parser tells no offsets, yet what it gave for a bytes field stands in the message as it is
    return {
        "key_start": at + octets.find(record.key) if record.key else 0,
        "key_size": len(record.key),
        "create_revision": record.create_revision,
        "mod_revision": record.mod_revision,
        "version": record.version,
        "value_start": at + octets.find(record.value) if record.value else 0,
        "value_size": len(record.value),
        "lease": record.lease,
    }


_NO_FIELDS = dict.fromkeys(
    ("key_start", "key_size", "create_revision", "mod_revision", "version", "value_start", "value_size", "lease"), 0
)
_FIELD_NAMES = tuple(_NO_FIELDS)
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
        plain = _plain_fields(item.value, item.offset + len(item.key))
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
        **{name: _int64(message[name] for message in messages) for name in _FIELD_NAMES},
    )


def _int64(numbers: Iterable[int]) -> NDArray[np.int64]:
    return np.array(list(numbers), dtype=np.int64)
