"""Protobuf varints, a column at a time.

A word of eight bytes is loaded for each varint, wherever it starts; the first byte without a continuation bit ends it,
and the groups of seven bits are moved together in three steps.
Spec: https://protobuf.dev/programming-guides/encoding/#varints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LENGTH_MAX", "decode", "decode_wide", "is_canonical"]

LENGTH_MAX = 10
"""Bytes of the longest varint."""

_WORD_SIZE = 8
_STOP_BITS = np.uint64(0x8080808080808080)
_PAYLOAD_BITS = np.uint64(0x7F7F7F7F7F7F7F7F)
_ONE = np.uint64(1)
_STEPS = tuple(
    (np.uint64(low), np.uint64(high), np.uint64(shift), enough_for)
    for low, high, shift, enough_for in (
        (0x007F007F007F007F, 0x7F007F007F007F00, 1, 1),
        (0x00003FFF00003FFF, 0x3FFF00003FFF0000, 2, 2),
        (0x000000000FFFFFFF, 0x0FFFFFFF00000000, 4, 4),
    )
)
"""Masks and shift of each step, and the bytes of the longest varint that is whole before it."""
_BITS_OF_A_WORD = np.uint64(56)
_HIGH_PART_MAX = np.uint64(0xFF)
_HIGH_PART_LENGTH_MAX = 2


def decode(words: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Decode the varint that starts in the lowest byte of each word.

    Args:
        words: uint64, the bytes in file order from the lowest byte up.

    Returns:
        Values, and lengths in bytes from 1 to 8; 0 where the varint does not end within its word (`decode_wide`).
    """
    stop = ~words
    stop &= _STOP_BITS
    endless = stop == 0
    until_stop = stop - _ONE
    until_stop ^= stop  # all bits up to the first stop bit, itself included; all where there is none
    counts = np.bitwise_count(until_stop & _STOP_BITS)
    if endless.any():
        counts[endless] = 0
        longest = _WORD_SIZE
    else:
        longest = int(counts.max(initial=0))
    until_stop &= words
    until_stop &= _PAYLOAD_BITS
    _compress(until_stop, longest)
    return until_stop, counts.astype(np.int64)


def _compress(values: NDArray[np.uint64], longest: int) -> None:
    """Move groups of seven bits together, in place; ``longest`` is the most bytes that any of them has."""
    for low, high, shift, enough_for in _STEPS:
        if longest <= enough_for:
            return
        upper = values & high
        upper >>= shift
        values &= low
        values |= upper


def decode_wide(
    words: NDArray[np.uint64], next_words: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Decode varints of up to ten bytes.

    Args:
        words: uint64, the first eight bytes of each.
        next_words: uint64, the eight bytes behind.

    Returns:
        Values, and lengths from 1 to 10; 0 where it does not end within ten bytes or does not fit into 64 bits.
    """
    values, lengths = decode(words)
    endless = lengths == 0
    if endless.all():
        _add_high_parts(values, lengths, next_words)
    elif endless.any():
        long = np.flatnonzero(endless)
        some_values, some_lengths = values[long], lengths[long]
        _add_high_parts(some_values, some_lengths, next_words[long])
        values[long], lengths[long] = some_values, some_lengths
    return values, lengths


def _add_high_parts(values: NDArray[np.uint64], lengths: NDArray[np.int64], next_words: NDArray[np.uint64]) -> None:
    """Put what follows in the next word on top of values that do not end in their first one, in place."""
    high, high_lengths = decode(next_words)
    fits = (high_lengths > 0) & (high_lengths <= _HIGH_PART_LENGTH_MAX) & (high <= _HIGH_PART_MAX)
    high *= fits
    high <<= _BITS_OF_A_WORD
    values |= high
    np.multiply(high_lengths + _WORD_SIZE, fits, out=lengths)


def is_canonical(values: NDArray[np.uint64], lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell for each decoded varint whether no shorter one has its value; False where it was not decoded."""
    shift = (7 * np.maximum(lengths - 1, 0)).astype(np.uint64)
    canonical: NDArray[np.bool_] = (lengths == 1) | ((lengths > 1) & (values >> shift != 0))
    return canonical
