"""Frames, records, entries and hard states of a WAL file as columns: one row a frame, every field an array.

Only rows in the layout that nearly all records have are read here: a record of type, crc and data, in it an entry or a
hard state with numbers below 2^49.  All others are marked as odd and left to the plain reader (`frames`), which has the
last word on what is valid; nothing here raises.  The two share no arithmetic.

Upstream: ``server/storage/wal/{encoder,decoder}.go`` @ v3.7.1.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import pairwise
from struct import Struct
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.formats import varints

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from etcdtool.formats.words import UnalignedWords

    _Which = slice | NDArray[np.bool_]

__all__ = ["Entries", "Rows", "States", "frame_offsets", "read_rows"]

_LENGTH = Struct("<Q")
_SIZE_BITS = (1 << 56) - 1
_ENTRY, _STATE = 2, 3
_ENTRY_TYPE_MAX = 2
_CRC_AT = 3  # behind the tag of the type, the type and the tag of the crc
_CRC_SIZE_MAX = 5
_CRC_MAX = np.uint64((1 << 32) - 1)
# the first and third byte of a record are tags, its second is the type
_HEAD_TAGS_MASK, _HEAD_TAGS = np.uint64(0xFF00FF), np.uint64(0x100008)
_TAG_RECORD_DATA = 0x1A
_TAG_TYPE, _TAG_TERM, _TAG_INDEX, _TAG_DATA = 0x08, 0x10, 0x18, 0x22
_TAG_STATE_TERM, _TAG_VOTE, _TAG_COMMIT = 0x08, 0x10, 0x18
_NUMBER_SIZE_MAX = 7  # what a word holds behind a tag
_WORD_SIZE = 8
_LOW_BYTE = np.uint64(0xFF)
_EIGHT_BITS = np.uint64(8)
_THREE_BYTES = np.uint64(24)


@dataclass(frozen=True, slots=True)
class Entries:
    """The raft entries among the rows, one element each; those of odd rows too.

    Attributes:
        row: which row it is.
        index, term, type: its place in the log, and an `EntryType` number.
        data_start, data_size: its data in the file.
    """

    row: NDArray[np.int64]
    index: NDArray[np.int64]
    term: NDArray[np.int64]
    type: NDArray[np.int32]
    data_start: NDArray[np.int64]
    data_size: NDArray[np.int64]

    def select(self, which: _Which) -> Entries:
        """Return some of them."""
        return Entries(
            self.row[which],
            self.index[which],
            self.term[which],
            self.type[which],
            self.data_start[which],
            self.data_size[which],
        )


@dataclass(frozen=True, slots=True)
class States:
    """The hard states among the rows, one element each; those of odd rows too."""

    row: NDArray[np.int64]
    term: NDArray[np.int64]
    vote: NDArray[np.uint64]
    commit: NDArray[np.int64]

    def select(self, which: _Which) -> States:
        """Return some of them."""
        return States(self.row[which], self.term[which], self.vote[which], self.commit[which])


@dataclass(frozen=True, slots=True)
class Rows:
    """Frames that follow each other.

    Attributes:
        stop: where each frame ends.
        is_odd: nothing else about the row counts; the plain reader has to look at it.
        crc: the stored checksum.
        data_start, data_stop: the record's data.
        entries, states: what the data are.
    """

    stop: NDArray[np.int64]
    is_odd: NDArray[np.bool_]
    crc: NDArray[np.uint64]
    data_start: NDArray[np.int64]
    data_stop: NDArray[np.int64]
    entries: Entries
    states: States

    def runs(self, shortest: int) -> list[tuple[int, int, bool]]:
        """Split the rows into runs: (start, stop, is odd); runs of usual rows below ``shortest`` count as odd."""
        bounds = (0, *(np.flatnonzero(np.diff(self.is_odd)) + 1).tolist(), len(self.is_odd))
        runs: list[tuple[int, int, bool]] = []
        for start, stop in pairwise(bounds):
            is_odd = bool(self.is_odd[start]) or stop - start < shortest
            if is_odd and runs and runs[-1][2]:
                runs[-1] = (runs[-1][0], stop, True)
            else:
                runs.append((start, stop, is_odd))
        return runs

    def entries_of(self, start: int, stop: int) -> Entries:
        """Return the entries in the rows from ``start`` up to ``stop``, none of them odd."""
        first, last = np.searchsorted(self.entries.row, (start, stop))
        return self.entries.select(slice(first, last))

    def states_of(self, start: int, stop: int) -> States:
        """Return the hard states in the rows from ``start`` up to ``stop``, none of them odd."""
        first, last = np.searchsorted(self.states.row, (start, stop))
        return self.states.select(slice(first, last))


def frame_offsets(data: memoryview, offset: int, count: int) -> array[int]:
    """Follow up to ``count`` length fields, without judging them, while their frames lie in the file.

    Returns:
        Where each frame begins, and where the last one ends: one element more than there are frames.
    """
    offsets = array("q", (offset,))
    append, read = offsets.append, _LENGTH.unpack_from
    file_size = len(data)
    last_start = file_size - _LENGTH.size
    for _ in range(count):
        if offset > last_start:
            break
        (length,) = read(data, offset)
        # the lowest three bits of the top byte are the size of the padding
        offset += _LENGTH.size + (length & _SIZE_BITS) + (length >> 56 & 7)
        if not length or offset > file_size:
            break
        append(offset)
    return offsets


def read_rows(words: UnalignedWords, offsets: array[int]) -> Rows:
    """Read the frames between these offsets of a file."""
    bounds = np.frombuffer(offsets, dtype=np.int64)
    begin, stop = bounds[:-1], bounds[1:]
    start = begin + _LENGTH.size
    size, is_framed = _sizes(words[begin])
    record_stop = start + size
    reader = _Fields(words, int(bounds[-1]))
    head = reader.word(start)
    crc, crc_size = varints.decode(head >> _THREE_BYTES)  # ends with the word at the latest: three zero bytes follow
    data_size, data_start, has_data = reader.number(start + _CRC_AT + crc_size, _TAG_RECORD_DATA)
    is_good = is_framed & (head & _HEAD_TAGS_MASK == _HEAD_TAGS) & (crc_size <= _CRC_SIZE_MAX) & (crc <= _CRC_MAX)
    is_good &= has_data & (data_start + data_size == record_stop)
    record_type = np.where(is_good, head >> _EIGHT_BITS & _LOW_BYTE, 0)
    is_usual = np.zeros(len(begin), dtype=np.bool_)
    entries = _entries(reader, np.flatnonzero(record_type == _ENTRY), data_start, record_stop, is_usual)
    states = _states(reader, np.flatnonzero(record_type == _STATE), data_start, record_stop, is_usual)
    return Rows(stop, ~is_usual, crc, data_start, record_stop, entries, states)


def _sizes(lengths: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the records' sizes, and for each length field whether a writer makes such."""
    size = (lengths & np.uint64(_SIZE_BITS)).astype(np.int64)
    top = (lengths >> np.uint64(56)).astype(np.int64)
    padding = -size & 7
    return size, (top == 0) | ((padding != 0) & (top == padding | 0x80))


class _Fields:
    """Reads protobuf fields that start with a tag of one byte, at many places at once."""

    def __init__(self, words: UnalignedWords, limit: int) -> None:
        self._words = words
        self._limit = limit  # places behind it are read there instead: what they give is not used

    def word(self, at: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return the eight bytes at each place."""
        return self._words[np.minimum(at, self._limit)]

    def number(self, at: NDArray[np.int64], tag: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Return the numbers, the places behind them, and where there is such a field with a number of 7 bytes."""
        word = self.word(at)
        values, sizes = varints.decode(word >> _EIGHT_BITS)
        is_there = (word & _LOW_BYTE == tag) & (sizes <= _NUMBER_SIZE_MAX)
        return values.astype(np.int64), at + 1 + sizes, is_there

    def wide_number(
        self, at: NDArray[np.int64], tag: int
    ) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.bool_]]:
        """Return the same for numbers of up to 64 bits."""
        values, sizes = varints.decode_wide(self.word(at + 1), self.word(at + 1 + _WORD_SIZE))
        return values, at + 1 + sizes, (self.word(at) & _LOW_BYTE == tag) & (sizes > 0)


def _entries(
    reader: _Fields,
    row: NDArray[np.int64],
    record_data_start: NDArray[np.int64],
    record_data_stop: NDArray[np.int64],
    is_usual: NDArray[np.bool_],
) -> Entries:
    """Read the entries in these rows, and mark rows that hold one that follows the one before it."""
    start, stop = record_data_start[row], record_data_stop[row]
    head = reader.word(start)
    has_type = head & _LOW_BYTE == _TAG_TYPE  # 3.7 leaves a type of 0 out
    entry_type = np.where(has_type, head >> _EIGHT_BITS & _LOW_BYTE, 0).astype(np.int32)
    term, at, has_term = reader.number(start + 2 * has_type, _TAG_TERM)
    index, at, has_index = reader.number(at, _TAG_INDEX)
    size, data_start, has_data = reader.number(at, _TAG_DATA)
    is_empty = at == stop
    is_good = has_term & has_index & (is_empty | (has_data & (data_start + size == stop)))
    is_good &= (entry_type <= _ENTRY_TYPE_MAX) & (term > 0) & (index > 0)
    entries = Entries(row, index, term, entry_type, np.where(is_empty, stop, data_start), np.where(is_empty, 0, size))
    entries = entries.select(is_good)
    follows = np.ones(len(entries.row), dtype=np.bool_)
    follows[1:] = (entries.index[1:] == entries.index[:-1] + 1) & (entries.term[1:] >= entries.term[:-1])
    is_usual[entries.row] = follows
    return entries


def _states(
    reader: _Fields,
    row: NDArray[np.int64],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    is_usual: NDArray[np.bool_],
) -> States:
    """Read the hard states in these rows, and mark rows that hold one that does not go back."""
    term, at, has_term = reader.number(start[row], _TAG_STATE_TERM)
    vote, at, has_vote = reader.wide_number(at, _TAG_VOTE)
    commit, at, has_commit = reader.number(at, _TAG_COMMIT)
    is_good = has_term & has_vote & has_commit & (at == stop[row]) & (term > 0)
    states = States(row, term, vote, commit).select(is_good)
    follows = np.ones(len(states.row), dtype=np.bool_)
    follows[1:] = (states.term[1:] >= states.term[:-1]) & (states.commit[1:] >= states.commit[:-1])
    is_usual[states.row] = follows
    return states
