"""Group rows by their user key without an object per key.

Each key is hashed by array operations, eight bytes at a time; ``(hash << bits) | row`` is sorted as one uint64, so that
equal hashes stand together with their rows in order; neighbours are then compared byte by byte.  Two keys of one hash
send that run down the plain path, a dictionary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from etcdtool.formats.ahead import read_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from etcdtool.formats.words import UnalignedWords

__all__ = [
    "NO_ROW",
    "Keys",
    "equal_strings",
    "group_rows",
    "grouped",
    "hash_keys",
    "live_rows",
    "rows_before",
    "sorted_by_hash",
    "superseded_rows",
]

NO_ROW = -1

_WORD_SIZE = 8
_PIECE_SIZE = 64
"""Keys are looked up in pieces of so many bytes: eight words at once."""
_SHORT_KEY_MAX = 1024
"""Keys up to this size are hashed as columns: the work is a pass over the rows for every eight bytes of the longest."""
_ROWS_PER_BLOCK = 1 << 13
"""The keys of so many rows, and of as many others, stay in cache while they are compared."""
_PLACES_PER_BLOCK = 1 << 16
_HALF = np.uint64(32)
_SEED = 0xC2B2AE3D27D4EB4F
_MULTIPLIERS = np.array(
    [(0x9E3779B97F4A7C15 * place ^ 0xBF58476D1CE4E5B9 * place * place) & (1 << 64) - 1 | 1 for place in range(1, 130)],
    dtype=np.uint64,
)
"""One for each word of a key, odd."""
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(_WORD_SIZE + 1)], dtype=np.uint64)
"""By how many bytes of a little-endian word count."""


class Keys(NamedTuple):
    """User keys of a file: ``words`` are those of ``data``, ``start`` and ``size`` whole numbers, one element a row."""

    data: memoryview
    words: UnalignedWords
    start: NDArray[np.integer[Any]]
    size: NDArray[np.integer[Any]]

    def __call__(self, row: int) -> bytes:  # noqa: D102  the class says it
        at = int(self.start[row])
        return bytes(self.data[at : at + int(self.size[row])])

    def rows(self, chosen: slice | NDArray[np.integer[Any]] | NDArray[np.bool_]) -> Keys:
        """Return some of them."""
        return self._replace(start=self.start[chosen], size=self.size[chosen])


def hash_keys(keys: Keys) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each key; equal keys have equal hashes, whatever block they come from."""
    start, size = keys.start, keys.size
    hashes = size.astype(np.uint64)
    hashes *= np.uint64(_SEED)
    if int(size.max(initial=0)) <= _SHORT_KEY_MAX:
        _hash_short(keys, hashes)
        return hashes
    is_short = size <= _SHORT_KEY_MAX
    short = np.flatnonzero(is_short)
    part = hashes[short]
    _hash_short(keys._replace(start=start[short], size=size[short]), part)
    hashes[short] = part
    for row in np.flatnonzero(~is_short).tolist():
        hashes[row] = hash(keys(row)) & 0xFFFFFFFFFFFFFFFF
    return hashes


def _hash_short(keys: Keys, hashes: NDArray[np.uint64]) -> None:
    """Add each word of a key, folded and multiplied with a number of its own; what is behind its end adds nothing."""
    for rows, at, start, left in _pieces(keys.start, keys.size):
        sums = hashes[rows]
        words = keys.words.rows(start, _word_count(left))
        for place, word in enumerate(_within(words, left), at // _WORD_SIZE):
            folded = word >> _HALF
            folded ^= word
            folded *= _MULTIPLIERS[place]
            sums += folded
        hashes[rows] = sums


def _pieces(
    start: NDArray[np.integer[Any]], size: NDArray[np.integer[Any]]
) -> Iterator[tuple[NDArray[np.int64] | slice, int, NDArray[np.int64], NDArray[np.int64]]]:
    """Cut byte strings into pieces: yield the rows that reach so far, how far, where they go on, and what is left."""
    own_start, own_size = start.astype(np.int64, copy=False), size.astype(np.int64, copy=False)
    for at in range(0, int(own_size.max(initial=0)), _PIECE_SIZE):
        if at == 0:
            yield slice(None), at, own_start, own_size
        else:
            rows = np.flatnonzero(own_size > at)
            yield rows, at, own_start[rows] + at, own_size[rows] - at


def _word_count(left: NDArray[np.int64]) -> int:
    return -(-min(int(left.max()), _PIECE_SIZE) // _WORD_SIZE)


def _within(words: NDArray[np.uint64], left: NDArray[np.int64]) -> Iterator[NDArray[np.uint64]]:
    """Yield one word of each piece after the other, with zeros for what is behind its end."""
    smallest = int(left.min())
    for place in range(words.shape[1]):
        at = place * _WORD_SIZE
        word = words[:, place]
        yield word if smallest >= at + _WORD_SIZE else word & _MASKS.take(np.clip(left - at, 0, _WORD_SIZE))


def group_rows(keys: Keys, hashes: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Bring rows of one key together.

    Args:
        keys: the keys of the rows.
        hashes: what `hash_keys` gave for them; overwritten, and ``order`` takes its place.

    Returns:
        order: row numbers, those of one key next to each other and ascending; the keys in no particular order.
        first: for each place in ``order``, whether a new key begins there.
    """
    order, first, _ = grouped(keys, hashes)
    return order, first


def rows_before(keys: Keys, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return for each row the one before it that has the same key, `NO_ROW` where there is none.

    Args:
        keys: the keys of the rows.
        hashes: what `hash_keys` gave for them; overwritten.
    """
    return grouped(keys, hashes)[2]


def live_rows(
    before: NDArray[np.int64], tombstone: NDArray[np.bool_], reached: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Return the rows that are the last of their key and no deletion, ascending.

    Args:
        before: what `rows_before` gave.
        tombstone: which rows are deletions.
        reached: which rows are looked at; default: all.
    """
    if reached is None:
        live, superseded = ~tombstone, before
    else:
        live, superseded = reached & ~tombstone, before[reached]
    live[superseded[superseded != NO_ROW]] = False
    return np.flatnonzero(live)


def superseded_rows(keys: Keys, hashes: NDArray[np.uint64], count: int) -> NDArray[np.int64] | None:
    """Return which of the first ``count`` rows another row of their key comes behind.

    Only their keys, and those behind them, are compared byte by byte.

    Args:
        keys: the keys of the rows.
        hashes: what `hash_keys` gave for them; overwritten.
        count: how many rows are asked for.

    Returns:
        None where two keys share a hash: `grouped` tells them apart.
    """
    order, first = sorted_by_hash(hashes)
    places = np.flatnonzero((order[:-1] < count) & ~first[1:])
    superseded = order[places]
    before = np.full(len(order), NO_ROW)
    before[order[places + 1]] = superseded
    return None if len(_unequal_rows(keys, before)) else superseded


def grouped(keys: Keys, hashes: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Return what `group_rows` and what `rows_before` give."""
    order, first = sorted_by_hash(hashes)
    before = _links(order, first)
    unequal = _unequal_rows(keys, before)
    if len(unequal):
        places = np.flatnonzero(np.isin(order, unequal))
        for place in np.unique(_run_starts(first, places)).tolist():
            _regroup(keys, order, first, place)
        before = _links(order, first)
    return order, first, before


def sorted_by_hash(hashes: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return row numbers sorted by hash, ascending where it is equal, and at which places a hash begins.

    The hashes are overwritten: the row numbers take their place.  A few keys that differ may share one.
    """
    count = len(hashes)
    bits = np.uint64(max(1, (count - 1).bit_length()) if count else 1)
    row_numbers = (np.uint64(1) << bits) - np.uint64(1)
    hashes &= ~row_numbers
    hashes |= np.arange(count, dtype=np.uint64)
    hashes.sort()
    first = np.ones(count, dtype=np.bool_)
    for start in range(1, count, _PLACES_PER_BLOCK):
        stop = min(start + _PLACES_PER_BLOCK, count)
        np.greater(hashes[start:stop] ^ hashes[start - 1 : stop - 1], row_numbers, out=first[start:stop])
    hashes &= row_numbers
    return hashes.view(np.int64), first


def _links(order: NDArray[np.int64], first: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each row the one before it in its group, `NO_ROW` where there is none; see `group_rows`."""
    before = np.empty(len(order), dtype=np.int64)
    for start in range(0, len(order), _PLACES_PER_BLOCK):
        stop = min(start + _PLACES_PER_BLOCK, len(order))
        previous = np.empty(stop - start, dtype=np.int64)
        previous[0] = order[start - 1]  # the very first begins a group
        previous[1:] = order[start : stop - 1]
        previous[first[start:stop]] = NO_ROW
        before[order[start:stop]] = previous
    return before


def _unequal_rows(keys: Keys, before: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows whose key has the hash of the one before and is another all the same, ascending."""
    unequal: list[NDArray[np.int64]] = []
    starts = range(0, len(before), _ROWS_PER_BLOCK)
    blocks = (_unequal_in_block(keys, before, start) for start in starts[::2])
    # every other block in the other thread: the look-ups wait for memory, and leave the interpreter to each other
    for found, start in zip(read_ahead(blocks) if len(starts) > 1 else blocks, starts[::2], strict=True):
        unequal.append(found)
        if start + _ROWS_PER_BLOCK < len(before):
            unequal.append(_unequal_in_block(keys, before, start + _ROWS_PER_BLOCK))
    return np.concatenate(unequal) if unequal else np.empty(0, dtype=np.int64)


def _unequal_in_block(keys: Keys, before: NDArray[np.int64], start: int) -> NDArray[np.int64]:
    # in order of the rows, so that one side of the pairs is read from the file as it lies there
    block = before[start : start + _ROWS_PER_BLOCK]
    rows = np.flatnonzero(block != NO_ROW)
    equal = _same_keys(keys, block[rows], start + rows)
    return start + rows[~equal]


def _same_keys(keys: Keys, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Compare the keys of pairs of rows byte by byte."""
    return equal_strings(keys.rows(one), keys.rows(other))


def equal_strings(left: Keys, right: Keys) -> NDArray[np.bool_]:
    """Compare keys, or any byte strings, pair by pair and byte by byte; they may lie in two files."""
    size = left.size.astype(np.int64, copy=False)
    equal: NDArray[np.bool_] = size == right.size
    left_start, right_start = left.start.astype(np.int64), right.start.astype(np.int64)
    if size.max(initial=0) > _SHORT_KEY_MAX:
        for pair in np.flatnonzero(equal & (size > _SHORT_KEY_MAX)).tolist():
            equal[pair] = left(pair) == right(pair)
        size = np.where(size > _SHORT_KEY_MAX, 0, size)
    size *= equal  # the others are known
    for rows, at, start, rest in _pieces(left_start, size):
        count = _word_count(rest)
        words = left.words.rows(start, count)
        words ^= right.words.rows(right_start[rows] + at, count)
        difference = np.zeros(len(rest), dtype=np.uint64)
        for word in _within(words, rest):
            difference |= word
        equal[rows] &= difference == 0
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
