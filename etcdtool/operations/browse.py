"""List keys level by level, as a file browser lists folders: what lies under a prefix, how many keys, how big."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from etcdtool.formats.words import Strings, compare, unaligned_words
from etcdtool.model.key_range import KeyRange
from etcdtool.model.key_rows import KeyRows, RowFinder
from etcdtool.operations.engine import chosen_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine

__all__ = ["Level", "Listing", "browse"]

_BYTES_PER_BLOCK = 1 << 19
"""So many bytes of keys are searched for separators at a time."""


@dataclass(frozen=True, slots=True)
class Level:
    """A prefix of keys that ends with a separator, or a key that has no further one.

    Attributes:
        name: the prefix, or the key.
        keys: how many keys begin with it, or 1.
        key_bytes, value_bytes: the sizes of these keys and of their values.
        is_key: whether one of the keys is ``name`` itself.
    """

    name: bytes
    keys: int
    key_bytes: int
    value_bytes: int
    is_key: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies under a prefix.

    Attributes:
        revision: the revision that was read.
        levels: in the order of their names.
    """

    revision: int
    levels: list[Level]

    @property
    def keys(self) -> int:
        """How many keys there are in all."""
        return sum(level.keys for level in self.levels)

    @property
    def size(self) -> int:
        """Bytes of all keys and values."""
        return sum(level.key_bytes + level.value_bytes for level in self.levels)


def browse(
    image: Image,
    prefix: bytes = b"",
    *,
    separator: bytes = b"/",
    depth: int = 1,
    revision: int = 0,
    find: RowFinder = KeyRows.scan,
    advance: Callable[[int], None] = lambda _: None,
    engine: Engine | None = None,
) -> Listing:
    """Group the keys that begin with a prefix by what stands before their next separators.

    A separator just behind the prefix belongs to what follows it: below ``/a`` there is ``/a/b/``, not ``/a/``.

    Args:
        image: the database.
        prefix: what the keys begin with.
        separator: one byte.
        depth: behind how many separators keys are cut.
        revision: the revision that is read at; 0 is the newest.
        find: finds the rows of the keys.
        advance: is told the bytes of each part of the database when it was looked at.
        engine: how the bucket is read; what ``ETCDTOOL_ENGINE`` says when not given.

    Raises:
        EtcdtoolError: the revision is compacted, or was not reached yet.
        FormatError: the database cannot be read.
    """
    engine = engine or chosen_engine()
    found = find(image, KeyRange.prefix(prefix), engine=engine, advance=advance)
    revision = revision or found.current_revision
    rows = found.live_at(revision)
    skip = len(prefix) + 1
    if engine == "plain":
        return Listing(revision, list(_levels_plainly(found, rows, separator, depth, skip)))
    cut = _cut_sizes(found, rows, separator[0], depth, skip)
    return Listing(revision, list(_levels(found, rows, cut)))


def _levels(found: KeyRows, rows: NDArray[np.int64], cut: NDArray[np.int64]) -> Iterator[Level]:
    """Sum up rows in key order; those of one name are neighbours."""
    if not len(rows):
        return
    start, size = found.key_start[rows], found.key_size[rows]
    names = Strings(start[:-1], cut[:-1]), Strings(start[1:], cut[1:])
    differs = compare(unaligned_words(found.data), *names) != 0
    first = np.append(0, np.flatnonzero(differs) + 1)
    columns: tuple[NDArray[Any], ...] = (
        np.diff(np.append(first, len(rows))),
        np.add.reduceat(size, first),
        np.add.reduceat(found.records(rows).value_size, first),
    )
    columns += (start[first], cut[first], size[first] == cut[first])  # the key of that name sorts first
    for keys, key_bytes, value_bytes, at, cut_size, is_key in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        yield Level(bytes(found.data[at : at + cut_size]), keys, key_bytes, value_bytes, is_key)


def _cut_sizes(found: KeyRows, rows: NDArray[np.int64], separator: int, depth: int, skip: int) -> NDArray[np.int64]:
    """Return how much of each key there is up to the separator that it is cut behind; all where there is none."""
    start, cut = found.key_start[rows], found.key_size[rows].copy()
    octets = np.frombuffer(found.data, dtype=np.uint8)
    total = np.cumsum(cut)
    first = 0
    while first < len(rows):
        done = int(total[first - 1]) if first else 0
        last = max(int(np.searchsorted(total, done + _BYTES_PER_BLOCK, side="right")), first + 1)
        block = slice(first, last)
        searched = np.maximum(cut[block] - skip, 0)
        ends = np.cumsum(searched)
        begins = ends - searched
        # the bytes behind what is skipped, one key behind the other
        places = np.repeat(start[block] + skip - begins, searched) + np.arange(int(ends[-1]))
        hits = np.flatnonzero(octets[places] == separator)
        row = np.searchsorted(ends, hits, side="right")
        number = np.arange(len(hits)) - np.searchsorted(hits, begins)[row]
        wanted = number == depth - 1
        cut[first + row[wanted]] = skip + (hits - begins[row])[wanted] + 1
        first = last
    return cut


def _levels_plainly(
    found: KeyRows, rows: NDArray[np.int64], separator: bytes, depth: int, skip: int
) -> Iterator[Level]:
    sums: dict[bytes, list[int]] = {}
    for record in found.key_values(rows):
        at = skip - 1
        for _ in range(depth):
            at = record.key.find(separator, at + 1) if at >= 0 else at
        name = record.key[: at + 1] if at >= 0 else record.key
        level = sums.setdefault(name, [0, 0, 0, False])
        level[0] += 1
        level[1] += len(record.key)
        level[2] += len(record.value)
        level[3] |= record.key == name
    for name, (keys, key_bytes, value_bytes, is_key) in sums.items():
        yield Level(name, keys, key_bytes, value_bytes, bool(is_key))
