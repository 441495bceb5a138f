"""Read what can still be read of a damaged page: the elements whose place and sizes can be told.

Every writer lays keys and values behind the element array without gaps, in order.  So a position, a key size and a
value size say each thing twice: where one of them is off, the other two and the next element give it away.
Nothing here raises; `etcdtool.formats.bbolt.page` is what reads good pages.
Spec: ``docs/formats/bbolt.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from etcdtool.formats.bbolt.page import BRANCH_ELEMENT, HEADER, LEAF_ELEMENT, PageFlag
from etcdtool.formats.bbolt.writer import KEY_SIZE_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Child", "Pair", "Slot", "looks_like", "read_branch", "read_leaf"]


_ELEMENT_SIZE = LEAF_ELEMENT.size
_READ_MAX = 4
"""How often a page may be read over, while different readings of its elements are tried."""


_Row = tuple[int, int, int, int]


class Pair(NamedTuple):
    """A key, and where its value lies in the file."""

    key: bytes
    start: int
    stop: int


class Slot(NamedTuple):
    """An element of a leaf: its pair, or None where none of the form that is wanted can be made out."""

    pair: Pair | None
    flags: int


class Child(NamedTuple):
    """An element of a branch page; the key is None where it cannot be read."""

    key: bytes | None
    page_id: int


def read_leaf(data: memoryview, start: int, stop: int, plausible: Callable[[bytes, memoryview], bool]) -> list[Slot]:
    """Return the elements of what should be a leaf page, in stored order.

    Args:
        data: the file.
        start: where the page header is.
        stop: how far the page can reach at the most.
        plausible: tells a pair of the bucket from bytes that are none.
    """
    rows = _rows(data, start, stop)
    slots: list[Slot] = []
    room = _READ_MAX * (stop - start)  # elements may all claim the same bytes
    due = start + HEADER.size + len(rows) * _ELEMENT_SIZE  # where the next pair is, if nothing is off
    for index, (flags, _, key_size, value_size) in enumerate(rows):
        pair = None
        for key_start, key_end, end in _readings(rows, index, start, due):
            if not (start < key_start < key_end <= end <= stop) or key_end - key_start > KEY_SIZE_MAX:
                continue
            room -= end - key_start
            if room < 0:
                break
            key = bytes(data[key_start:key_end])
            if plausible(key, data[key_end:end]):
                pair = Pair(key, key_end, end)
                break
        due = pair.stop if pair else due + key_size + value_size
        slots.append(Slot(pair, flags))
    return slots


def _readings(rows: list[_Row], index: int, start: int, due: int) -> Iterator[tuple[int, int, int]]:
    """Yield where key and value may lie, the likeliest first: as the element says, or with one number mended."""
    _, _, key_size, value_size = rows[index]
    claimed = _claimed_start(rows, index, start)
    end = claimed + key_size + value_size
    if index + 1 == len(rows):
        yield claimed, claimed + key_size, end
        yield due, due + key_size, due + key_size + value_size
        return
    following = _claimed_start(rows, index + 1, start)
    if due + key_size + value_size == following:
        yield due, due + key_size, following
    if end != following and _is_supported(rows, index + 1, start):
        yield claimed, claimed + key_size, following
        yield claimed, following - value_size, following
    yield claimed, claimed + key_size, end
    yield due, due + key_size, due + key_size + value_size


def _claimed_start(rows: list[_Row], index: int, start: int) -> int:
    return start + HEADER.size + index * _ELEMENT_SIZE + rows[index][1]


def _is_supported(rows: list[_Row], index: int, start: int) -> bool:
    """Tell whether an element's position fits that of the element after it."""
    if index + 1 == len(rows):
        return False
    _, _, key_size, value_size = rows[index]
    return _claimed_start(rows, index, start) + key_size + value_size == _claimed_start(rows, index + 1, start)


def _rows(data: memoryview, start: int, stop: int) -> list[_Row]:
    if stop - start < HEADER.size + _ELEMENT_SIZE + 1:
        return []
    _, pos, key_size, value_size = LEAF_ELEMENT.unpack_from(data, start + HEADER.size)
    count = _count(data, start, stop, pos, pos + key_size + value_size)
    return list(LEAF_ELEMENT.iter_unpack(data[start + HEADER.size : start + HEADER.size + count * _ELEMENT_SIZE]))


def _count(data: memoryview, start: int, stop: int, first_position: int, first_end: int) -> int:
    """Return how many elements there are: the first one's position is the size of the array.

    The second element settles which of the two is off: in both kinds of pages it lies where the first one ends.
    """
    _, _, count, _ = HEADER.unpack_from(data, start)
    by_position, rest = divmod(first_position, _ELEMENT_SIZE)
    room = (stop - start - HEADER.size) // _ELEMENT_SIZE
    if rest == 0 and 0 < by_position <= room and by_position != count:
        second = start + HEADER.size + _ELEMENT_SIZE
        if by_position == 1:
            return 1
        positions = [BRANCH_ELEMENT.unpack_from(data, second)[0], LEAF_ELEMENT.unpack_from(data, second)[1]]
        if first_end - _ELEMENT_SIZE in positions:
            return int(by_position)
    return int(min(count, room))


def read_branch(data: memoryview, start: int, stop: int) -> list[Child]:
    """Return the children of what should be a branch page, in stored order; arguments as of `read_leaf`."""
    if stop - start < HEADER.size + 2 * _ELEMENT_SIZE:
        return []
    pos, key_size, _ = BRANCH_ELEMENT.unpack_from(data, start + HEADER.size)
    count = _count(data, start, stop, pos, pos + key_size)
    children = []
    for at in range(start + HEADER.size, start + HEADER.size + count * _ELEMENT_SIZE, _ELEMENT_SIZE):
        pos, key_size, child = BRANCH_ELEMENT.unpack_from(data, at)
        key_start, key_end = at + pos, at + pos + key_size
        is_inside = 0 < key_size <= KEY_SIZE_MAX and start < key_start < key_end <= stop
        children.append(Child(bytes(data[key_start:key_end]) if is_inside else None, child))
    return children


def looks_like(flags: int) -> tuple[bool, bool]:
    """Tell whether a page with these flags may be a branch and may be a leaf; damaged flags may be either."""
    if flags == PageFlag.BRANCH:
        return True, False
    if flags == PageFlag.LEAF:
        return False, True
    return True, True
