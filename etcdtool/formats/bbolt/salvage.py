"""Walk what is left of a bucket's tree.

A page is taken where its parent expects it if its keys lie within the bounds that the parent's keys set; all else is a
`Gap`, to be filled from somewhere else.  No page is entered twice, and nothing raises.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from etcdtool.formats.bbolt.lenient import Child, Pair, Slot, looks_like, read_branch, read_leaf
from etcdtool.formats.bbolt.page import DEPTH_MAX, PageFlag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from etcdtool.formats.bbolt.loose_pages import Pages

__all__ = ["Gap", "Leaf", "Remains", "ascending", "walk", "walk_inline"]


class Gap(NamedTuple):
    """Keys that are not accounted for: ``lower <= key < upper``, the last gap of a bucket without an upper bound.

    Attributes:
        lower, upper: the bounds.
        page: page id of what could not be read, 0 when there is none to name.
        reason: why, for a person.
    """

    lower: bytes
    upper: bytes | None
    page: int
    reason: str

    def holds(self, key: bytes) -> bool:
        """Tell whether a key lies in it."""
        return self.lower <= key and (self.upper is None or key < self.upper)


class Leaf(NamedTuple):
    """A leaf that is taken: where it starts, how far it may reach, and the bounds of its keys."""

    page_id: int
    start: int
    stop: int
    lower: bytes
    upper: bytes | None


@dataclass(slots=True)
class Remains:
    """What is left of a bucket.

    Attributes:
        leaves: in key order.
        gaps: in key order.
        taken: page ids of everything that was entered and used in full, with overflow.
    """

    leaves: list[Leaf] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)
    _ends: list[tuple[bytes, bytes]] = field(default_factory=list)
    _between: list[tuple[int, int, str]] = field(default_factory=list)
    _refused: set[int] = field(default_factory=set)

    @property
    def last(self) -> bytes:
        """The last key taken so far."""
        return self._ends[-1][1] if self._ends else b""

    def add(self, leaf: Leaf, pairs: list[Pair]) -> None:
        """Take a leaf."""
        self.leaves.append(leaf)
        if pairs:
            self._ends.append((pairs[0].key, pairs[-1].key))

    def refuse(self, page_id: int, gap: Gap) -> None:
        """Note a page that is of no use here, so that it is not looked at again."""
        self._refused.add(page_id)
        self.gaps.append(gap)

    def was_met(self, page_id: int) -> bool:
        """Tell whether a page was looked at before."""
        return page_id in self.taken or page_id in self._refused

    def miss_here(self, page_id: int, reason: str) -> None:
        """Note that between what was taken last and what is taken next, bounds cannot be trusted."""
        self._between.append((len(self._ends), page_id, reason))

    def finish(self) -> None:
        """Turn what was noted into gaps."""
        for place, page_id, reason in self._between:
            lower = self._ends[place - 1][1] + b"\0" if place else b""
            upper = self._ends[place][0] if place < len(self._ends) else None
            self.gaps.append(Gap(lower, upper, page_id, reason))
        self._between.clear()
        self.gaps = merge(self.gaps)

    def pairs(self, data: memoryview, plausible: Callable[[bytes, memoryview], bool]) -> Iterator[Pair]:
        """Yield all pairs that can be read, in strictly ascending order of keys."""
        for leaf in self.leaves:
            yield from _sift(read_leaf(data, leaf.start, leaf.stop, plausible), leaf)[0]


class _Task(NamedTuple):
    page_id: int
    depth: int
    lower: bytes
    upper: bytes | None


def walk(pages: Pages, root: int, plausible: Callable[[bytes, memoryview], bool]) -> Remains:
    """Follow a bucket from its root page and take what fits."""
    remains = Remains()
    pending = [_Task(root, 1, b"", None)]
    while pending:
        task = pending.pop()
        problem = _refusal(pages, task, remains)
        children = () if problem else _children(pages, task)
        if problem:
            remains.gaps.append(Gap(task.lower, task.upper, task.page_id, problem))
        elif children:
            remains.taken.add(task.page_id)
            pending.extend(reversed(children))
        else:
            _take_leaf(pages, task, remains, plausible)
    remains.finish()
    if 2 <= root < pages.limit and _is_displaced(pages, root):
        reason = f"page {root} seems to be another one, so that parts of the tree may be missing"
        remains.gaps = [Gap(b"", None, root, reason)]
    return remains


def _is_displaced(pages: Pages, page_id: int) -> bool:
    """Tell a page that stands in another one's place from one whose id is damaged."""
    stored, _, _, _ = pages.header(page_id)
    if stored == page_id or not 2 <= stored < pages.limit:
        return False
    start, other, size = page_id * pages.page_size, stored * pages.page_size, pages.page_size
    is_copy = pages.data[start : start + size] == pages.data[other : other + size]
    return is_copy or pages.header(stored)[0] == page_id


def walk_inline(
    data: memoryview, start: int, stop: int, page_id: int, plausible: Callable[[bytes, memoryview], bool]
) -> Remains:
    """Take what can be read of an inline bucket whose page lies from ``start`` to ``stop``."""
    leaf = Leaf(page_id, start, stop, b"", None)
    return Remains(leaves=[leaf], gaps=merge(_sift(read_leaf(data, start, stop, plausible), leaf)[1]))


def merge(gaps: list[Gap]) -> list[Gap]:
    """Return gaps in order, those that overlap as one."""
    merged: list[Gap] = []
    for gap in sorted(gaps, key=lambda one: (one.lower, one.page)):
        before = merged[-1] if merged else None
        if before is None or (before.upper is not None and before.upper < gap.lower):
            merged.append(gap)
        else:
            upper = None if before.upper is None or gap.upper is None else max(before.upper, gap.upper)
            merged[-1] = before._replace(upper=upper)
    return merged


def _refusal(pages: Pages, task: _Task, remains: Remains) -> str:
    if not 2 <= task.page_id < pages.limit:
        return f"page {task.page_id} is outside of the {pages.limit} pages there are"
    if remains.was_met(task.page_id):
        return f"page {task.page_id} is in use elsewhere"
    return "deeper than any tree" if task.depth > DEPTH_MAX else ""


def _children(pages: Pages, task: _Task) -> list[_Task]:
    _, flags, _, _ = pages.header(task.page_id)
    if not looks_like(flags)[0]:
        return []
    start, stop = pages.span(task.page_id)
    children = read_branch(pages.data, start, stop)
    if flags != PageFlag.BRANCH and not _is_branch(pages, children, task):
        return []
    known = [child for child in children if child.key is not None]
    if not known and len(children) > 1:
        return []
    return list(_bounded(children, task))


def _is_branch(pages: Pages, children: list[Child], task: _Task) -> bool:
    """Tell a branch page by its content: all ids in the file, and keys that ascend within the bounds."""
    keys = [child.key for child in children if child.key is not None]
    return (
        len(children) > 1
        and len(keys) == len(children)
        and all(2 <= child.page_id < pages.limit for child in children)
        and all(one < other for one, other in pairwise(keys))
        and (task.upper is None or keys[-1] < task.upper)
    )


def _bounded(children: list[Child], task: _Task) -> Iterator[_Task]:
    """Yield a task for each child, with bounds from the keys on both sides that can be trusted."""
    keys = [child.key if child.key is not None and _within(child.key, task) else None for child in children]
    trusted = ascending(keys)
    lowers: list[bytes] = []
    lower = task.lower
    for index, key in enumerate(keys):
        # the first key may be above what the child holds by now; any other bounds its child
        if index and key is not None and trusted[index]:
            lower = key
        lowers.append(lower)
    upper = task.upper
    uppers: list[bytes | None] = []
    for index in range(len(children) - 1, -1, -1):
        uppers.append(upper)
        key = keys[index]
        if key is not None and trusted[index]:
            upper = key
    for child, child_lower, child_upper in zip(children, lowers, reversed(uppers), strict=True):
        yield _Task(child.page_id, task.depth + 1, child_lower, child_upper)


def _within(key: bytes, bounds: _Task | Leaf) -> bool:
    return key >= bounds.lower and (bounds.upper is None or key < bounds.upper)


def ascending(keys: list[bytes | None]) -> list[bool]:
    """Mark a longest run of keys that ascend strictly, not counting those that are None: the others are off."""
    tails: list[bytes] = []
    places: list[int] = []  # for each length, where the run of that length with the lowest end ends
    before: list[int] = []
    for index, key in enumerate(keys):
        length = 0 if key is None else bisect_left(tails, key)
        before.append(places[length - 1] if length else -1)
        if key is not None:
            tails[length : length + 1] = [key]
            places[length : length + 1] = [index]
    marks = [False] * len(keys)
    at = places[-1] if places else -1
    while at >= 0:
        marks[at] = True
        at = before[at]
    return marks


def _take_leaf(pages: Pages, task: _Task, remains: Remains, plausible: Callable[[bytes, memoryview], bool]) -> None:
    """Take a leaf, or note a gap."""
    start, stop = pages.span(task.page_id)
    _, flags, count, _ = pages.header(task.page_id)
    lower = max(task.lower, remains.last + b"\0") if remains.last else task.lower
    leaf = Leaf(task.page_id, start, stop, lower, task.upper)
    slots = read_leaf(pages.data, start, stop, plausible)
    pairs, gaps = _sift(slots, leaf)
    readable = sum(slot.pair is not None for slot in slots)
    if 2 * len(pairs) <= len(slots) and not (flags == PageFlag.LEAF and count == 0 and task.depth == 1):
        # rather another page than a damaged one
        if readable:
            remains.miss_here(task.page_id, f"page {task.page_id} holds keys out of its bounds")
        remains.refuse(task.page_id, Gap(lower, task.upper, task.page_id, f"page {task.page_id} cannot be read"))
        return
    outside = sum(slot.pair is not None and not _within(slot.pair.key, leaf) for slot in slots)
    if outside:
        remains.miss_here(task.page_id, f"{outside} keys of page {task.page_id} are out of its bounds")
    remains.add(leaf, pairs)
    remains.gaps.extend(gaps)
    if outside:
        remains.miss_here(task.page_id, f"{outside} keys of page {task.page_id} are out of its bounds")
        remains.refuse(task.page_id, gaps[0])  # not counted as taken: a scan finds those keys again
        return
    own = -(-(max((pair.stop for pair in pairs), default=start + 1) - start) // pages.page_size)
    remains.taken.update(range(task.page_id, task.page_id + own))


def _sift(slots: list[Slot], leaf: Leaf) -> tuple[list[Pair], list[Gap]]:
    """Keep the pairs that ascend within the bounds, and say where others are missing."""
    keys = [slot.pair.key if slot.pair is not None and _within(slot.pair.key, leaf) else None for slot in slots]
    fits = ascending(keys)
    kept: list[Pair] = []
    gaps: list[Gap] = []
    missing = 0
    lower = leaf.lower
    for slot, good in zip(slots, fits, strict=True):
        if slot.pair is None or not good:
            missing += 1
            continue
        if missing:
            gaps.append(_gap(lower, slot.pair.key, leaf.page_id, missing))
        kept.append(slot.pair)
        lower, missing = slot.pair.key + b"\0", 0
    if missing:
        gaps.append(_gap(lower, leaf.upper, leaf.page_id, missing))
    return kept, gaps


def _gap(lower: bytes, upper: bytes | None, page_id: int, missing: int) -> Gap:
    return Gap(lower, upper, page_id, f"{missing} pair{'' if missing == 1 else 's'} of page {page_id} cannot be read")
