"""Read and compare byte strings of a file column-wise, eight bytes at a time at any offset."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from etcdtool.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = [
    "NOT_FOUND",
    "Strings",
    "UnalignedWords",
    "ascend",
    "compare",
    "find_byte",
    "find_last_byte",
    "is_ascii",
    "unaligned_words",
]

NOT_FOUND = -1

_WORD_SIZE = 8
_EVERY_BYTE = 0x0101010101010101
_LOW_BITS = np.uint64(0x7F7F7F7F7F7F7F7F)
_HIGH_BITS = np.uint64(0x8080808080808080)
_ONE, _BITS_OF_A_BYTE = np.uint64(1), np.uint8(3)  # the second as a shift


class UnalignedWords:
    """A file as words that start at every byte: ``words[offsets]`` gives ``uint64`` values read little-endian.

    Offsets from 0 to the file's length are good; bytes past the end read as zero.
    """

    def __init__(self, data: memoryview) -> None:
        size = len(data)
        self._data = data
        self._size = size
        self._wide_views: dict[int, NDArray[np.void]] = {}
        self._safe_count = max(size - _WORD_SIZE + 1, 0)
        self._view: NDArray[np.uint64] = np.ndarray((self._safe_count,), dtype="<u8", buffer=data, strides=(1,))
        # the last words do not fit into the file: they are read from a copy of its end, filled up with zeros
        tail = bytes(data[self._safe_count :]).ljust(2 * _WORD_SIZE, b"\0")
        self._tail: NDArray[np.uint64] = np.ndarray((_WORD_SIZE + 1,), dtype="<u8", buffer=tail, strides=(1,))

    @property
    def data(self) -> memoryview:
        """The file."""
        return self._data

    def rows(self, offsets: NDArray[np.int64], count: int) -> NDArray[np.uint64]:
        """Return ``count`` words at each offset, one behind the other, as an array of that many columns.

        Looking up all at once takes little longer than looking up one.

        Raises:
            FormatError: an offset outside the file.
        """
        if not offsets.size:
            return np.empty((0, count), dtype=np.uint64)
        low, high = int(offsets.min()), int(offsets.max())
        self._check(low, high)
        view = self._view_of(count)
        if high < len(view):
            return view[offsets].view("<u8").reshape(-1, count)
        spans = np.zeros(len(offsets), dtype=view.dtype)
        safe = offsets < len(view)
        spans[safe] = view[offsets[safe]]
        tail = bytes(self._data[len(view) :]).ljust(2 * view.itemsize, b"\0")
        tail_view: NDArray[np.void] = np.ndarray((view.itemsize + 1,), dtype=view.dtype, buffer=tail, strides=(1,))
        spans[~safe] = tail_view[offsets[~safe] - len(view)]
        return spans.view("<u8").reshape(-1, count)

    def _view_of(self, count: int) -> NDArray[np.void]:
        view = self._wide_views.get(count)
        if view is None:
            kind = np.dtype((np.void, count * _WORD_SIZE))
            length = max(self._size - kind.itemsize + 1, 0)
            view = self._wide_views[count] = np.ndarray((length,), dtype=kind, buffer=self._data, strides=(1,))
        return view

    def _check(self, low: int, high: int) -> None:
        if low < 0 or high > self._size:
            offset = low if low < 0 else high
            raise FormatError("word", f"offset {offset} is outside of a file of {self._size} bytes")

    def __getitem__(self, offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return the word at each offset.

        Raises:
            FormatError: an offset outside the file.
        """
        if not offsets.size:
            return np.empty(0, dtype=np.uint64)
        low, high = int(offsets.min()), int(offsets.max())
        self._check(low, high)
        if high < self._safe_count:
            return self._view[offsets]
        words = np.empty(offsets.shape, dtype=np.uint64)
        safe = offsets < self._safe_count
        words[safe] = self._view[offsets[safe]]
        words[~safe] = self._tail[offsets[~safe] - self._safe_count]
        return words

    def big_endian(self, offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return the word at each offset, read big-endian: such words order as their bytes do."""
        return self[offsets].byteswap()


def unaligned_words(data: memoryview) -> UnalignedWords:
    """Return a file as words at every byte offset, its last seven bytes included."""
    return UnalignedWords(data)


class Strings(NamedTuple):
    """Byte strings of a file: int64 offsets and sizes."""

    start: NDArray[np.int64]
    size: NDArray[np.int64]


def ascend(words: UnalignedWords, strings: Strings) -> bool:
    """Tell whether each byte string is above the one before it, as ``bytes.Compare`` has it.

    Like `compare` it takes a round for every eight bytes that neighbours have in common.
    """
    start, size = strings
    first = words.big_endian(start)
    if int(size.min(initial=_WORD_SIZE)) < _WORD_SIZE:
        unused_bits = (np.maximum(_WORD_SIZE - size, 0) * 8).astype(np.uint64)
        first >>= unused_bits
        first <<= unused_bits
    rest = np.flatnonzero(first[1:] <= first[:-1])
    if not rest.size:
        return True
    left, right = Strings(start[rest], size[rest]), Strings(start[rest + 1], size[rest + 1])
    return bool((compare(words, left, right) < 0).all())


def compare(words: UnalignedWords, left: Strings, right: Strings) -> NDArray[np.int8]:
    """Compare byte strings pair by pair as ``bytes.Compare`` does; return -1, 0 or 1 for each pair.

    Takes a round for every eight bytes that some pair has in common, so the caller bounds the sizes.
    """
    result: NDArray[np.int8] = np.sign(left.size - right.size).astype(np.int8)
    common = np.minimum(left.size, right.size)
    active = np.flatnonzero(common > 0)
    position = 0
    while active.size:
        unused_bits = (np.maximum(_WORD_SIZE - (common[active] - position), 0) * 8).astype(np.uint64)
        left_words = words.big_endian(left.start[active] + position) >> unused_bits
        right_words = words.big_endian(right.start[active] + position) >> unused_bits
        differ = left_words != right_words
        result[active[differ]] = np.where(left_words[differ] < right_words[differ], -1, 1)
        position += _WORD_SIZE
        active = active[~differ]
        active = active[common[active] > position]
    return result


def find_byte(words: UnalignedWords, strings: Strings, byte: int, begin: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each byte string where a byte stands first at or behind a place, `NOT_FOUND` where it does not.

    As ``bytes.find`` has it: ``begin`` and the answer count from the string's own start.
    """
    found = np.full(len(strings.start), NOT_FOUND, dtype=np.int64)
    position = begin.astype(np.int64)
    active = np.flatnonzero((position < strings.size) & (position >= 0))
    while active.size:
        at = position[active]
        equal = _equal_bytes(words[strings.start[active] + at], byte)
        lowest = equal & (~equal + _ONE)
        place = at + (np.bitwise_count(lowest - _ONE) >> _BITS_OF_A_BYTE)
        hit = (equal != 0) & (place < strings.size[active])
        found[active[hit]] = place[hit]
        active = active[(equal == 0) & (at + _WORD_SIZE < strings.size[active])]
        position[active] += _WORD_SIZE
    return found


def find_last_byte(words: UnalignedWords, strings: Strings, byte: int) -> NDArray[np.int64]:
    """Return for each byte string where a byte stands last, `NOT_FOUND` where it does not; as ``bytes.rfind``."""
    found = np.full(len(strings.start), NOT_FOUND, dtype=np.int64)
    for rows, at, left in _all_words(strings):
        equal = _equal_bytes(words[strings.start[rows] + at], byte)
        equal &= _HIGH_BITS >> _unused_bits(left)
        for shift in (8, 16, 32):  # every byte below the highest that is equal gets a mark
            equal |= equal >> np.uint64(shift)
        hit = equal != 0
        found[rows[hit]] = at + np.bitwise_count(equal[hit]).astype(np.int64) - 1
    return found


def is_ascii(words: UnalignedWords, strings: Strings) -> NDArray[np.bool_]:
    """Tell of each byte string whether it is ASCII alone."""
    found = np.ones(len(strings.start), dtype=np.bool_)
    for rows, at, left in _all_words(strings):
        found[rows] &= words[strings.start[rows] + at] & (_HIGH_BITS >> _unused_bits(left)) == 0
    return found


def _all_words(strings: Strings) -> Iterator[tuple[NDArray[np.int64], int, NDArray[np.int64]]]:
    """Yield word by word the rows that reach so far, how far, and the bytes that are left."""
    rows = np.flatnonzero(strings.size > 0)
    at = 0
    while rows.size:
        yield rows, at, strings.size[rows] - at
        at += _WORD_SIZE
        rows = rows[strings.size[rows] > at]


def _unused_bits(left: NDArray[np.int64]) -> NDArray[np.uint64]:
    return (8 * np.maximum(_WORD_SIZE - left, 0)).astype(np.uint64)


def _equal_bytes(word: NDArray[np.uint64], byte: int) -> NDArray[np.uint64]:
    """Return the top bit of each byte that is this one."""
    differing = word ^ np.uint64(byte * _EVERY_BYTE)
    return ~(((differing & _LOW_BITS) + _LOW_BITS) | differing | _LOW_BITS)
