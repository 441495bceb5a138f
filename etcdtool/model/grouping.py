"""Group rows by their user key without an object per key.

Each key is hashed by array operations, eight bytes at a time; ``(hash << bits) | row`` is sorted as one uint64, so that
equal hashes stand together with their rows in order; neighbours are then compared byte by byte.  Two keys of one hash
send that run down the plain path, a dictionary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from etcdtool.formats.words import UnalignedWords

__all__ = ["Keys", "group_rows", "hash_keys"]

_WORD_SIZE = 8
_SHORT_KEY_MAX = 1024
"""Keys up to this size are hashed as columns: the work is a pass over the rows for every eight bytes of the longest."""
_ROWS_PER_BLOCK = 1 << 13
"""The keys of so many rows, and of as many others, stay in cache while they are compared."""
_NO_ROW = -1
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SEED = np.uint64(0xC2B2AE3D27D4EB4F)
_SHIFT = np.uint64(29)
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(_WORD_SIZE + 1)], dtype=np.uint64)
"""By how many bytes of a little-endian word count."""


class Keys(NamedTuple):
    """User keys of a file: ``words`` are those of ``data``, int64 ``start`` and ``size`` have one element a row."""

    data: memoryview
    words: UnalignedWords
    start: NDArray[np.int64]
    size: NDArray[np.int64]

    def __call__(self, row: int) -> bytes:  # noqa: D102  the class says it
        at = int(self.start[row])
        return bytes(self.data[at : at + int(self.size[row])])


def hash_keys(keys: Keys) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each key; equal keys have equal hashes, whatever block they come from."""
    size = keys.size
    hashes = size.astype(np.uint64) * _SEED
    short = np.flatnonzero(size <= _SHORT_KEY_MAX)
    if len(short) == len(size):
        _hash_short(keys, hashes)
        return hashes
    part = hashes[short]
    _hash_short(keys._replace(start=keys.start[short], size=size[short]), part)
    hashes[short] = part
    for row in np.flatnonzero(size > _SHORT_KEY_MAX).tolist():
        hashes[row] = hash(keys(row)) & 0xFFFFFFFFFFFFFFFF
    return hashes


def _hash_short(keys: Keys, hashes: NDArray[np.uint64]) -> None:
    _, words, start, size = keys
    if not len(size):
        return
    smallest, largest = int(size.min()), int(size.max())
    for at in range(0, largest, _WORD_SIZE):
        if at + _WORD_SIZE <= smallest:
            hashes ^= words[start + at]
            hashes *= _MULTIPLIER
            hashes ^= hashes >> _SHIFT
            continue
        rows = np.flatnonzero(size > at)
        left = np.minimum(size[rows] - at, _WORD_SIZE)
        mixed = (words[start[rows] + at] & _MASKS[left]) ^ hashes[rows]
        mixed *= _MULTIPLIER
        hashes[rows] = mixed ^ (mixed >> _SHIFT)


def group_rows(keys: Keys, hashes: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Bring rows of one key together.

    Args:
        keys: the keys of the rows.
        hashes: what `hash_keys` gave for them; overwritten.

    Returns:
        order: row numbers, those of one key next to each other and ascending; the keys in no particular order.
        first: for each place in ``order``, whether a new key begins there.
    """
    count = len(hashes)
    if not count:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)
    bits = np.uint64(max(1, (count - 1).bit_length()))
    packed = hashes  # in place: another array of this size would be the most that is held at all
    packed >>= bits
    packed <<= bits
    packed |= np.arange(count, dtype=np.uint64)
    packed.sort()
    order = (packed & ((np.uint64(1) << bits) - np.uint64(1))).view(np.int64)
    packed >>= bits
    first = np.ones(count, dtype=np.bool_)
    first[1:] = packed[1:] != packed[:-1]
    del packed
    unequal = _unequal_places(keys, order, first)
    if len(unequal):
        for place in np.unique(_run_starts(first, unequal)).tolist():
            _regroup(keys, order, first, place)
    return order, first


def _unequal_places(keys: Keys, order: NDArray[np.int64], first: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the places whose key has the hash of the one before and is another all the same."""
    joined = np.flatnonzero(~first)
    before = np.full(len(order), _NO_ROW, dtype=np.int64)
    before[order[joined]] = order[joined - 1]
    del joined
    unequal: list[NDArray[np.int64]] = []
    # in order of the rows, so that one side of the pairs is read from the file as it lies there
    for start in range(0, len(before), _ROWS_PER_BLOCK):
        block = before[start : start + _ROWS_PER_BLOCK]
        rows = np.flatnonzero(block != _NO_ROW)
        equal = _same_keys(keys, block[rows], start + rows)
        if not equal.all():
            unequal.append(start + rows[~equal])
    return np.flatnonzero(np.isin(order, np.concatenate(unequal))) if unequal else np.empty(0, dtype=np.int64)


def _same_keys(keys: Keys, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Compare the keys of pairs of rows byte by byte."""
    words, start, size = keys.words, keys.start, keys.size
    length = size[one]
    equal: NDArray[np.bool_] = length == size[other]
    for pair in np.flatnonzero(equal & (length > _SHORT_KEY_MAX)).tolist():
        equal[pair] = keys(int(one[pair])) == keys(int(other[pair]))
    pending = np.flatnonzero(equal & (length <= _SHORT_KEY_MAX) & (length > 0))
    one_start, other_start, left = start[one[pending]], start[other[pending]], length[pending]
    while len(pending):
        difference = words[one_start] ^ words[other_start]
        same = difference & _MASKS[np.minimum(left, _WORD_SIZE)] == 0
        equal[pending[~same]] = False
        going = same & (left > _WORD_SIZE)
        if not going.all():
            pending, one_start, other_start, left = pending[going], one_start[going], other_start[going], left[going]
        one_start, other_start, left = one_start + _WORD_SIZE, other_start + _WORD_SIZE, left - _WORD_SIZE
    return equal


def _run_starts(first: NDArray[np.bool_], places: NDArray[np.int64]) -> NDArray[np.int64]:
    starts = np.flatnonzero(first)
    found: NDArray[np.int64] = starts[np.searchsorted(starts, places, side="right") - 1]
    return found


def _regroup(keys: Keys, order: NDArray[np.int64], first: NDArray[np.bool_], place: int) -> None:
    """Sort out one run of equal hashes that holds several keys."""
    end = place + 1
    while end < len(order) and not first[end]:
        end += 1
    groups: dict[bytes, list[int]] = {}
    for row in order[place:end].tolist():
        groups.setdefault(keys(row), []).append(row)
    for rows in groups.values():
        order[place : place + len(rows)] = rows
        first[place] = True
        first[place + 1 : place + len(rows)] = False
        place += len(rows)
