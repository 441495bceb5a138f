"""Bring keys of a file into the order that a range over them has: as their bytes compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from etcdtool.model.grouping import Keys

__all__ = ["key_order"]

_WORD_SIZE = 8
_GOES_ON = _WORD_SIZE + 1
_ALL_BITS = np.uint64((1 << 64) - 1)
_ROUNDS_KEY_MAX = 1024
"""What is equal for so many bytes is sorted as byte strings: rounds over very long keys would take for ever."""
_COLUMNS_KEY_MAX = 256
"""Up to this size keys are sorted as columns: the work is a pass over the rows for every eight bytes of the longest."""


def key_order(keys: Keys) -> NDArray[np.int64]:
    """Return the rows in the order of their keys, as ``bytes.Compare`` has it; those of one key as they came."""
    if int(keys.size.max(initial=0)) > _COLUMNS_KEY_MAX:
        return _by_rounds(keys)
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


def _by_rounds(keys: Keys) -> NDArray[np.int64]:
    """Sort by eight bytes, then what was equal so far by the next eight: long keys cost only where they are needed."""
    order = np.arange(len(keys.size), dtype=np.int64)
    group = np.zeros(len(order), dtype=np.int64)
    open_places = np.arange(len(order), dtype=np.int64)
    at = 0
    while len(open_places):
        if at >= _ROUNDS_KEY_MAX:
            _sort_plainly(keys, order, group, open_places, at)
            break
        part = order[open_places]
        left = keys.size[part].astype(np.int64) - at
        word = _words_of(keys, part, at, left)
        np.minimum(left, _GOES_ON, out=left)
        if (left == _GOES_ON).all() and (word == word[0]).all():
            at += _WORD_SIZE
            continue
        groups = group[open_places]
        by = [column for column in (left, word, groups) if (column[1:] != column[:-1]).any()]
        best = np.lexsort(by) if by else np.arange(len(part))
        order[open_places] = part[best]
        word, left = word[best], left[best]
        begins = np.ones(len(open_places), dtype=np.bool_)
        begins[1:] = (
            (group[open_places][1:] != group[open_places][:-1]) | (word[1:] != word[:-1]) | (left[1:] != left[:-1])
        )
        starts = np.flatnonzero(begins)
        run = np.diff(np.append(starts, len(open_places)))
        group[open_places] = np.repeat(open_places[starts], run)
        open_places = open_places[(np.repeat(run, run) > 1) & (left == _GOES_ON)]
        at += _WORD_SIZE
    return order


def _words_of(keys: Keys, rows: NDArray[np.int64], at: int, left: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the next word of each key, big-endian, with zeros for what is behind the key's end."""
    start = keys.start[rows].astype(np.int64)
    word = keys.words.big_endian(start + np.where(left > 0, at, 0))
    unused = (np.clip(_WORD_SIZE - left, 0, _WORD_SIZE) * 8).astype(np.uint64)
    # a shift by all bits of a word is not defined
    masks = np.where(unused < np.uint64(64), _ALL_BITS << np.minimum(unused, np.uint64(63)), np.uint64(0))
    word &= masks
    return word


def _sort_plainly(
    keys: Keys, order: NDArray[np.int64], group: NDArray[np.int64], places: NDArray[np.int64], at: int
) -> None:
    starts = np.flatnonzero(np.append(True, group[places][1:] != group[places][:-1]))
    for run in np.split(places, starts[1:]):
        rows = order[run].tolist()
        rows.sort(key=lambda row: keys(row)[at:])
        order[run] = rows
