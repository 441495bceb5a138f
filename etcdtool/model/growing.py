"""Columns that grow where they stand, block by block, as narrow as what they hold allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GrowingColumn", "NarrowColumn"]

_SIZE_MIN = 1 << 12
_NARROW_MAX = (1 << 32) - 1


class GrowingColumn:
    """An array that grows where it stands: joining a list of parts would hold a column twice, and leave holes.

    Args:
        kind: the type of its elements; what is added is converted.
        expected: how many there will be; nothing is moved as long as there are no more.
    """

    def __init__(self, kind: type[np.generic], expected: int = 0) -> None:
        self._array: NDArray[Any] = np.empty(max(expected, _SIZE_MIN), dtype=kind)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def extend(self, part: NDArray[Any]) -> None:
        """Add a part behind."""
        size = self._size + len(part)
        if size > len(self._array):
            self._array.resize(size + size // 8, refcheck=False)  # nobody else sees it before it is finished
        self._array[self._size : size] = part
        self._size = size

    def finish(self) -> NDArray[Any]:
        """Return the array, cut to its size; nothing can be added any more."""
        if len(self._array) > self._size:
            self._array.resize(self._size, refcheck=False)
        return self._array


class NarrowColumn(GrowingColumn):
    """Whole numbers: uint32 as long as all fit, int64 from then on.

    Args:
        expected: as for `GrowingColumn`.
    """

    def __init__(self, expected: int = 0) -> None:
        super().__init__(np.uint32, expected)

    def extend(self, part: NDArray[np.int64]) -> None:
        """Add a part behind, and make the column wide if the part asks for it."""
        if self._array.dtype == np.uint32 and int(part.view(np.uint64).max(initial=0)) > _NARROW_MAX:
            wide = np.empty(len(self._array), dtype=np.int64)
            wide[: self._size] = self._array[: self._size]
            self._array = wide
        super().extend(part)
