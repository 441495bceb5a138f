"""Which of many keys are in a range, told of all at once: keys of a file as columns, compared eight bytes at a time.

`etcdtool.model.key_range` says what a range is; `KeyRange.mask` asks here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from etcdtool.model.key_range import KeyRange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from etcdtool.formats.words import UnalignedWords

__all__ = ["keys_in"]

_WORD_SIZE = 8


def keys_in(
    wanted: KeyRange, words: UnalignedWords, start: NDArray[np.integer[Any]], size: NDArray[np.integer[Any]]
) -> NDArray[np.bool_]:
    """Tell of each key whether it is in the range; see `KeyRange.mask`."""
    keys = _Keys(words, start.astype(np.int64, copy=False), size.astype(np.int64, copy=False))
    found = np.zeros(len(keys.start), dtype=np.bool_)
    found[_rows(wanted, keys)] = True
    return found


def _rows(wanted: KeyRange, keys: _Keys) -> NDArray[np.int64]:
    if wanted.is_one_key:
        return keys.beginning_with(wanted.start, np.flatnonzero(keys.size == len(wanted.start)))
    if wanted.start and wanted == KeyRange.prefix(wanted.start):
        return keys.beginning_with(wanted.start, np.flatnonzero(keys.size >= len(wanted.start)))
    rows = np.arange(len(keys.start))
    rows = rows[~keys.below(wanted.start, rows)]
    return rows if wanted.end is None else rows[keys.below(wanted.end, rows)]


@dataclass(frozen=True, slots=True)
class _Keys:
    """Keys of a file, which are compared with bytes of the caller's: int64 offsets and sizes."""

    words: UnalignedWords
    start: NDArray[np.int64]
    size: NDArray[np.int64]

    def beginning_with(self, prefix: bytes, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of the rows, all of them as long at least, whose keys begin with ``prefix``."""
        # its end first: that is what tells it from its neighbours, which often begin alike
        for at in [max(len(prefix) - _WORD_SIZE, 0), *range(0, len(prefix) - _WORD_SIZE, _WORD_SIZE)]:
            piece = prefix[at : at + _WORD_SIZE]
            unused_bits = np.uint64(8 * (_WORD_SIZE - len(piece)))
            wanted = np.uint64(int.from_bytes(piece, "little")) << unused_bits
            words = self.words[self.start[rows] + at]
            words <<= unused_bits
            rows = rows[words == wanted]
        return rows

    def below(self, bound: bytes, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell of each row whether its key comes before ``bound``, as ``bytes.Compare`` has it."""
        start, size = self.start[rows], self.size[rows]
        result: NDArray[np.bool_] = size < len(bound)  # so it is where one begins with the other
        undecided = np.arange(len(rows))
        for at in range(0, len(bound), _WORD_SIZE):
            undecided = undecided[size[undecided] > at]
            common = np.minimum(size[undecided] - at, len(bound) - at)
            unused_bits = (8 * np.maximum(_WORD_SIZE - common, 0)).astype(np.uint64)
            own = self.words.big_endian(start[undecided] + at) >> unused_bits
            other = (
                np.uint64(int.from_bytes(bound[at : at + _WORD_SIZE].ljust(_WORD_SIZE, b"\0"), "big")) >> unused_bits
            )
            result[undecided] = np.where(own == other, result[undecided], own < other)
            undecided = undecided[own == other]
        return result
