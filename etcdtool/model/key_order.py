"""Bring keys of a file into the order that a range over them has: as their bytes compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from etcdtool.model.grouping import Keys

__all__ = ["key_order"]

_WORD_SIZE = 8
_COLUMNS_KEY_MAX = 256
"""Up to this size keys are sorted as columns: the work is a pass over the rows for every eight bytes of the longest."""


def key_order(keys: Keys) -> NDArray[np.int64]:
    """Return the rows in the order of their keys, as ``bytes.Compare`` has it; those of one key as they came."""
    if int(keys.size.max(initial=0)) > _COLUMNS_KEY_MAX:
        names = [keys(row) for row in range(len(keys.size))]
        return np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
    return np.lexsort(_columns(keys)) if len(keys.size) else np.empty(0, dtype=np.int64)


def _columns(keys: Keys) -> list[NDArray[np.uint64]]:
    """Return what orders the keys, the most significant last, and nothing that all have in common."""
    start, size = keys.start.astype(np.int64), keys.size.astype(np.int64)
    columns = [size.astype(np.uint64)]  # where one goes on with zero bytes, which are what stands behind the other
    for at in range(0, int(size.max()), _WORD_SIZE):
        left = np.clip(size - at, 0, _WORD_SIZE)
        unused_bits = (8 * (_WORD_SIZE - left)).astype(np.uint64)  # all of them where a key ends before: 0 is left
        word = keys.words.big_endian(np.minimum(start + at, start + size))
        word >>= unused_bits
        word <<= unused_bits
        if (word != word[0]).any():
            columns.insert(1, word)
    return columns
