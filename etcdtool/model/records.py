"""Records of bucket ``key`` as columns: every field of each KeyValue an array, wherever in the file the records lie.

Those that are written as upstream writes them (fields in order, numbers of at most seven bytes, a lease of up to ten)
are read by array operations; all others go through the generated protobuf parser, one by one, and with
``engine="plain"`` every one does.
Format: docs/formats/mvcc.md, "Value".
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.errors import FormatError
from etcdtool.formats import varints
from etcdtool.formats.words import unaligned_words
from etcdtool.model.keyvalue import KeyValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from etcdtool.formats.engine import Engine
    from etcdtool.formats.words import UnalignedWords

__all__ = ["FIELDS", "Records", "field_columns", "plain_fields", "read_records", "slices"]

FIELDS = ("key_start", "key_size", "create_revision", "mod_revision", "version", "value_start", "value_size", "lease")
"""The columns of a record."""

_RECORDS_PER_BLOCK = 1 << 15
"""So many at a time stay in cache."""
_TAG_KEY, _TAG_CREATE, _TAG_MOD, _TAG_VERSION, _TAG_VALUE, _TAG_LEASE = 0x0A, 0x10, 0x18, 0x20, 0x2A, 0x30
_LOW_BYTE = np.uint64(0xFF)
_EIGHT_BITS, _SEVEN_BYTES = np.uint64(8), np.uint64(56)
_CONTINUATION_ON_TOP = np.uint64(0x80 << 56)
_BITS_OF_A_BYTE, _BITS_OF_A_WORD = np.uint64(3), np.uint64(64)  # the first as a shift
_FIELDS_BEHIND_THE_KEY = 4
"""Create, mod, version and the length of the value: a word each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Records of a file, one element each, int64; offsets count from the start of the file.

    Attributes:
        key_start, key_size, value_start, value_size: where the user's key and value lie (a start is 0 if the size is).
        create_revision, mod_revision, version, lease: the fields of the same names.
    """

    key_start: NDArray[np.int64]
    key_size: NDArray[np.int64]
    create_revision: NDArray[np.int64]
    mod_revision: NDArray[np.int64]
    version: NDArray[np.int64]
    value_start: NDArray[np.int64]
    value_size: NDArray[np.int64]
    lease: NDArray[np.int64]


def read_records(
    data: memoryview, start: NDArray[np.int64], end: NDArray[np.int64], *, engine: Engine = "columns"
) -> Records:
    """Read the records that lie between these offsets.

    Raises:
        FormatError: one of them does not parse.
    """
    words = unaligned_words(data)
    columns = {name: np.zeros(len(start), dtype=np.int64) for name in FIELDS}
    for first in range(0, len(start), _RECORDS_PER_BLOCK):
        block = slice(first, first + _RECORDS_PER_BLOCK)
        if engine == "plain":
            fields, parsed = _parsed_plainly(data, start[block], end[block])
        else:
            fields, parsed = field_columns(data, words, words[start[block]], start[block], end[block])
        if not parsed.all():
            at = int(start[block][np.argmin(parsed)])
            raise FormatError("key-value", "the value of the revision does not parse", offset=at)
        for name, column in fields.items():
            columns[name][block] = column
    return Records(**columns)


def field_columns(
    data: memoryview,
    words: UnalignedWords,
    heads: NDArray[np.uint64],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
) -> tuple[dict[str, NDArray[np.int64]], NDArray[np.bool_]]:
    """Read records of which the first words are known; return the columns, and which of them parse: the rest is 0."""
    fields, parsed = _key_value_columns(_FieldReader(words, heads, start, end))
    _parse_rest(data, start, end, fields, parsed)
    return fields, parsed


def plain_fields(message: memoryview, at: int) -> dict[str, int] | None:
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


def slices(data: memoryview, start: NDArray[np.int64], size: NDArray[np.int64]) -> Iterator[bytes]:
    """Yield byte strings of a file."""
    return (bytes(data[at:end]) for at, end in zip(start.tolist(), (start + size).tolist(), strict=True))


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


def _parsed_plainly(
    data: memoryview, start: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[dict[str, NDArray[np.int64]], NDArray[np.bool_]]:
    fields = {name: np.zeros(len(start), dtype=np.int64) for name in FIELDS}
    parsed = np.zeros(len(start), dtype=np.bool_)
    _parse_rest(data, start, end, fields, parsed)
    return fields, parsed


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
        plain = plain_fields(data[at : int(end[row])], at)
        parsed[row] = plain is not None
        for name, column in fields.items():
            column[row] = plain[name] if plain else 0
