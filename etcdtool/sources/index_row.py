"""What stands in a side index of each revision: rows of one size, which are read one by one or as columns."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

__all__ = ["ROW", "ROWS_PER_BLOCK", "IndexRow"]

ROW = Struct("<qqqIqIB")
"""An `IndexRow`, one field behind the other."""
assert ROW.size == 41

ROWS_PER_BLOCK = 64


class IndexRow(NamedTuple):
    """A revision.

    Attributes:
        main, sub: its number.
        start, size: where its entry lies in the file: revision key and record, one behind the other.
        key_start, key_size: where the user's key lies.
        tombstone: 1 where it is one.
    """

    main: int
    sub: int
    start: int
    size: int
    key_start: int
    key_size: int
    tombstone: int
