"""Which keys are asked for: one, those with a prefix, those from a key on, or those between two.

What the two ends mean is etcd's: no range end is the one key, a zero byte is every key from the first on.
Upstream: ``server/storage/mvcc/index.go``, ``client/v3/op.go`` (``GetPrefixRangeEnd``) @ v3.7.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from etcdtool.formats.words import UnalignedWords

__all__ = ["KeyChoice", "KeyRange"]

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
        from etcdtool.model.key_mask import keys_in  # noqa: PLC0415  it loads NumPy, and ranges serve without columns too

        return keys_in(self, words, start, size)
