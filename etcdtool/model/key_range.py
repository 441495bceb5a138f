"""Which keys are asked for: one, those with a prefix, those from a key on, or those between two.

What the two ends mean is etcd's: no range end is the one key, a zero byte is every key from the first on.
Upstream: ``server/storage/mvcc/index.go``, ``client/v3/op.go`` (``GetPrefixRangeEnd``) @ v3.7.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from etcdtool.formats.words import UnalignedWords

__all__ = ["KeyChoice", "KeyRange"]

_WORD_SIZE = 8
_FROM_KEY_ON = b"\0"
_FIRST_KEY = b"\0"
"""The smallest key that a client can write: the empty one is refused by servers."""


class KeyChoice(Protocol):
    """Which keys are asked for: a range, or whatever else can tell."""

    def __contains__(self, key: bytes, /) -> bool: ...

    def mask(
        self, words: UnalignedWords, start: NDArray[np.integer[Any]], size: NDArray[np.integer[Any]]
    ) -> NDArray[np.bool_]:
        """Tell of each key whether it is asked for; see `KeyRange.mask`."""
        ...


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The keys from ``start`` to just before ``end``.

    Attributes:
        start: the first key.
        end: the first key behind the range, None where it has no end.
    """

    start: bytes
    end: bytes | None

    @classmethod
    def of(cls, key: bytes, range_end: bytes = b"") -> Self:
        """Return the range that a request with these two fields asks for; it may be empty."""
        if not range_end:
            return cls(key, key + b"\0")
        return cls(key, None if range_end == _FROM_KEY_ON else range_end)

    @classmethod
    def prefix(cls, prefix: bytes) -> Self:
        """Return the keys that begin with ``prefix``; with an empty one, every key."""
        if not prefix:
            return cls.everything()
        stem = prefix.rstrip(b"\xff")  # nothing comes behind a byte of 0xff, so the byte before it is raised
        return cls(prefix, stem[:-1] + bytes([stem[-1] + 1]) if stem else None)

    @classmethod
    def from_key(cls, key: bytes) -> Self:
        """Return the keys at and behind ``key``; with an empty one, every key."""
        return cls(key or _FIRST_KEY, None)

    @classmethod
    def everything(cls) -> Self:
        """Return every key that a client can see, the marker of ``restore --bump-revision`` (an empty key) left out."""
        return cls(_FIRST_KEY, None)

    @property
    def is_one_key(self) -> bool:
        """Whether it holds the key ``start`` and no other."""
        return self.end == self.start + b"\0"

    def __contains__(self, key: bytes) -> bool:
        return self.start <= key and (self.end is None or key < self.end)

    def mask(
        self, words: UnalignedWords, start: NDArray[np.integer[Any]], size: NDArray[np.integer[Any]]
    ) -> NDArray[np.bool_]:
        """Tell of each key whether it is in the range.

        Args:
            words: the file that the keys lie in.
            start: where each begins.
            size: bytes of each; where that is 0 ``start`` may be anything inside of the file.
        """
        keys = _Keys(words, start.astype(np.int64, copy=False), size.astype(np.int64, copy=False))
        found = np.zeros(len(keys.start), dtype=np.bool_)
        found[self._rows(keys)] = True
        return found

    def _rows(self, keys: _Keys) -> NDArray[np.int64]:
        if self.is_one_key:
            return keys.beginning_with(self.start, np.flatnonzero(keys.size == len(self.start)))
        if self.start and self == KeyRange.prefix(self.start):
            return keys.beginning_with(self.start, np.flatnonzero(keys.size >= len(self.start)))
        rows = np.arange(len(keys.start))
        rows = rows[~keys.below(self.start, rows)]
        return rows if self.end is None else rows[keys.below(self.end, rows)]


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
