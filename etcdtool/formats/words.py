"""Read and compare byte strings of a file column-wise, eight bytes at a time at any offset."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from etcdtool.errors import FormatError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Strings", "UnalignedWords", "ascend", "compare", "unaligned_words"]

_WORD_SIZE = 8


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
