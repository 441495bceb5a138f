"""Nodes of a B+tree in memory: pages that a transaction changes, read when they are first needed.

A node is a page's elements as lists; a child that nobody asked for stays a page id.  Written again are changed nodes
and the path from each of them to the root, all others are pointed at as before.
Upstream: ``node.go`` @ bbolt v1.5.0 (``spill``, ``splitTwo``).  Neighbours are not merged when they shrink; a node that
is empty goes, and a root with one child gives way to it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate, chain
from typing import TYPE_CHECKING

from etcdtool.formats.bbolt.page import (
    DEPTH_MAX,
    LEAF_ELEMENT,
    PageError,
    PageFlag,
    branch_elements,
    leaf_elements,
)
from etcdtool.formats.bbolt.page import HEADER as PAGE_HEADER
from etcdtool.formats.bbolt.writer import COUNT_MAX, branch_table, leaf_table, pack_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etcdtool.formats.bbolt.page import Image, Page

__all__ = ["NewPages", "Node", "Pair", "Tree", "pack_inline"]

Pair = tuple[bytes, int, bytes | memoryview]
"""Key, flags, value."""

_ELEMENT_SIZE = LEAF_ELEMENT.size
_FILL_PERCENT = 0.5
_KEYS_PER_PAGE_MIN = 2


class NewPages:
    """Hands out pages for what is written: free ones first, then those behind the high-water mark.

    Attributes:
        high_water_mark: the first page id that was never allocated.
        writes: page id -> whole pages.
    """

    def __init__(self, page_size: int, high_water_mark: int, free: list[int]) -> None:
        self.page_size = page_size
        self.high_water_mark = high_water_mark
        self.writes: dict[int, bytes] = {}
        self._free = sorted(free, reverse=True)

    def write(self, flags: PageFlag, count: int, body: list[bytes | memoryview], size: int) -> int:
        """Take pages for a body of ``size`` bytes; return the id of the first."""
        page_id = self._allocate(max(-(-(PAGE_HEADER.size + size) // self.page_size), 1))
        self.writes[page_id] = pack_page(page_id, flags, count, body, size, page_size=self.page_size)
        return page_id

    def _allocate(self, count: int) -> int:
        run = 0
        for place in range(len(self._free) - 1, -1, -1):
            run = run + 1 if run and self._free[place] == self._free[place + 1] + 1 else 1
            if run == count:
                first = self._free[place] - count + 1
                del self._free[place : place + count]
                return first
        page_id = self.high_water_mark
        self.high_water_mark += count
        return page_id


class Node:
    """One page's elements.

    Attributes:
        page_id: where it was read from, 0 for an inline bucket's page or a new one.
        keys: ascending.
        flags, values: of a leaf, one a key.
        children: of a branch, one a key: a page id, or the node that was read from there; None for a leaf.
        dirty: something in it or below it has changed.
    """

    __slots__ = ("children", "dirty", "flags", "keys", "page_id", "values")

    def __init__(self, page_id: int = 0, *, children: list[int | Node] | None = None) -> None:
        self.page_id = page_id
        self.keys: list[bytes] = []
        self.flags: list[int] = []
        self.values: list[bytes | memoryview] = []
        self.children = children
        self.dirty = False

    @classmethod
    def read(cls, page: Page, page_id: int) -> Node:
        """Take the elements of a page.

        Raises:
            PageError: it is neither leaf nor branch, an element is off, or keys do not ascend.
        """
        if page.flags == PageFlag.BRANCH:
            children: list[int | Node] = []
            node = cls(page_id, children=children)
            for branch in branch_elements(page):
                node.keys.append(branch.key)
                children.append(branch.child)
        elif page.flags == PageFlag.LEAF:
            node = cls(page_id)
            for leaf in leaf_elements(page):
                node.keys.append(leaf.key)
                node.flags.append(leaf.flags)
                node.values.append(leaf.value)
        else:
            problem = f"unexpected page type (flags: {page.flags:x})"
            raise PageError("bbolt.page-type", f"page {page_id}", problem, offset=page.offset)
        if any(left >= right for left, right in zip(node.keys, node.keys[1:], strict=False)):
            # what is found by halves must be in order, or an edit would make it worse
            raise PageError("bbolt.key-order", f"page {page_id}", "keys do not ascend", offset=page.offset)
        return node

    def sizes(self) -> list[int]:
        """Bytes that each element takes, its row in the element array included."""
        if self.children is not None:
            return [_ELEMENT_SIZE + len(key) for key in self.keys]
        return [_ELEMENT_SIZE + len(key) + len(value) for key, value in zip(self.keys, self.values, strict=True)]


class Tree:
    """A bucket's B+tree.

    Args:
        image: the file it is in.
        root: page id of its root, or the node of an inline bucket's page.
    """

    def __init__(self, image: Image, root: int | Node) -> None:
        self._image = image
        self._root: int | Node = root

    @property
    def dirty(self) -> bool:
        """Whether something was changed."""
        return isinstance(self._root, Node) and self._root.dirty

    def get(self, key: bytes) -> tuple[int, bytes | memoryview] | None:
        """Return flags and value of a key, None when it is not there."""
        leaf = self._path_to(key)[-1]
        place = bisect_left(leaf.keys, key)
        if place == len(leaf.keys) or leaf.keys[place] != key:
            return None
        return leaf.flags[place], leaf.values[place]

    def put(self, key: bytes, flags: int, value: bytes | memoryview) -> None:
        """Set a key."""
        path = self._path_to(key)
        leaf = path[-1]
        place = bisect_left(leaf.keys, key)
        if place < len(leaf.keys) and leaf.keys[place] == key:
            leaf.flags[place], leaf.values[place] = flags, value
        else:
            leaf.keys.insert(place, key)
            leaf.flags.insert(place, flags)
            leaf.values.insert(place, value)
        _mark(path)

    def delete(self, key: bytes) -> bool:
        """Remove a key; return whether it was there."""
        path = self._path_to(key)
        leaf = path[-1]
        place = bisect_left(leaf.keys, key)
        if place == len(leaf.keys) or leaf.keys[place] != key:
            return False
        del leaf.keys[place], leaf.flags[place], leaf.values[place]
        _mark(path)
        return True

    def items(self, *, backwards: bool = False) -> Iterator[Pair]:
        """Yield all pairs in key order, or from the last to the first; nothing may be changed meanwhile.

        Pages are read as they are come to, and not kept.

        Raises:
            PageError: a page is off, or met twice.
        """
        step = -1 if backwards else 1
        seen: set[int] = set()
        pending: list[tuple[int | Node, int]] = [(self._root, 1)]
        while pending:
            place, depth = pending.pop()
            if isinstance(place, int) and place in seen:
                offset = place * self._image.page_size
                raise PageError("bbolt.page-shared", f"page {place}", "multiple references", offset=offset)
            node = place if isinstance(place, Node) else self._read(place, depth)
            seen.add(node.page_id)
            if node.children is None:
                yield from list(zip(node.keys, node.flags, node.values, strict=True))[::step]
            else:
                pending += [(child, depth + 1) for child in node.children[::-step]]

    def inline(self, size_max: int) -> list[Pair] | None:
        """Return the pairs if they fit into an inline bucket of ``size_max`` bytes and none is a bucket."""
        self._prune()
        root = self._root
        if isinstance(root, int) or root.children is not None or any(root.flags):
            return None
        if PAGE_HEADER.size + sum(root.sizes()) > size_max:
            return None
        return list(zip(root.keys, root.flags, root.values, strict=True))

    def write(self, pages: NewPages) -> int:
        """Write changed nodes from the leaves up; return the root's page id."""
        self._prune()
        if isinstance(self._root, int):
            return self._root
        if not self._root.dirty:
            return self._root.page_id
        parts = _spill(self._root, pages)
        while len(parts) > 1:
            root = Node(children=[page_id for _, page_id in parts])
            root.keys = [key for key, _ in parts]
            parts = _write(root, pages)
        return parts[0][1]

    def _path_to(self, key: bytes) -> list[Node]:
        """Return the nodes from the root to the leaf where a key belongs, reading those that were not yet."""
        if isinstance(self._root, int):
            self._root = self._read(self._root, 1)
        path = [self._root]
        while (children := path[-1].children) is not None:
            place = max(bisect_right(path[-1].keys, key) - 1, 0)
            child = children[place]
            if isinstance(child, int):
                child = children[place] = self._read(child, len(path) + 1)
            path.append(child)
        return path

    def _read(self, page_id: int, depth: int) -> Node:
        page = self._image.page(page_id)
        if page_id < 2 or depth > DEPTH_MAX:
            problem = f"deeper than {DEPTH_MAX} levels" if depth > DEPTH_MAX else "is a meta page"
            raise PageError("bbolt.tree-depth", f"page {page_id}", problem, offset=page.offset)
        return Node.read(page, page_id)

    def _prune(self) -> None:
        """Take out nodes that became empty, and levels that no longer branch."""
        if isinstance(self._root, int) or not self._root.dirty:
            return
        _drop_empty(self._root)
        while isinstance(self._root, Node) and self._root.children is not None and len(self._root.children) < 2:
            self._root = self._root.children[0] if self._root.children else _new_leaf()


def pack_inline(pairs: list[Pair]) -> bytes:
    """Return the page of an inline bucket."""
    parts = list(chain.from_iterable((key, value) for key, _, value in pairs))
    return b"".join([PAGE_HEADER.pack(0, PageFlag.LEAF, len(pairs), 0), leaf_table(parts, 0), *parts])


def _new_leaf() -> Node:
    node = Node()
    node.dirty = True
    return node


def _mark(path: list[Node]) -> None:
    for node in path:
        node.dirty = True


def _drop_empty(node: Node) -> bool:
    """Drop empty nodes below; tell whether the node itself is empty.  As deep as the tree, so `DEPTH_MAX` at most."""
    if node.children is None:
        return not node.keys
    kept = [
        place
        for place, child in enumerate(node.children)
        if isinstance(child, int) or not child.dirty or not _drop_empty(child)
    ]
    if len(kept) < len(node.keys):
        node.keys = [node.keys[place] for place in kept]
        node.children = [node.children[place] for place in kept]
    return not node.keys


def _spill(node: Node, pages: NewPages) -> list[tuple[bytes, int]]:
    """Write a changed node and what changed below it; return first key and page id of each page it became."""
    if node.children is not None:
        below: list[tuple[bytes, int]] = []
        for key, child in zip(node.keys, node.children, strict=True):
            if isinstance(child, int):
                below.append((key, child))
            elif not child.dirty:
                below.append((key, child.page_id))
            else:
                below += _spill(child, pages)
        node.keys, node.children = [key for key, _ in below], [page_id for _, page_id in below]
    return _write(node, pages)


def _write(node: Node, pages: NewPages) -> list[tuple[bytes, int]]:
    sizes = node.sizes()
    written = []
    for start, stop in _split(sizes, pages.page_size):
        keys, size = node.keys[start:stop], sum(sizes[start:stop])
        body: list[bytes | memoryview]
        if node.children is None:
            parts = list(chain.from_iterable(zip(keys, node.values[start:stop], strict=True)))
            body = [leaf_table(parts, node.flags[start:stop]), *parts]
            page_id = pages.write(PageFlag.LEAF, len(keys), body, size)
        else:
            children = [child for child in node.children[start:stop] if isinstance(child, int)]
            body = [branch_table(keys, children), *keys]
            page_id = pages.write(PageFlag.BRANCH, len(keys), body, size)
        written.append((keys[0] if keys else b"", page_id))
    return written


def _split(sizes: list[int], page_size: int) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of the pages that a node's elements go to, by upstream's rule."""
    start, count = 0, len(sizes)
    ends = [PAGE_HEADER.size, *accumulate(sizes, initial=PAGE_HEADER.size)][1:]
    while True:
        size = ends[count] - ends[start] + PAGE_HEADER.size
        fits = size < page_size or count - start <= 2 * _KEYS_PER_PAGE_MIN
        if fits and count - start <= COUNT_MAX:
            yield start, count
            return
        room = ends[start] + int(page_size * _FILL_PERCENT) - PAGE_HEADER.size
        # the first element that would go beyond, two on each side at the least
        stop = bisect_right(ends, room, lo=start) - 1
        stop = min(max(stop, start + _KEYS_PER_PAGE_MIN), count - _KEYS_PER_PAGE_MIN, start + COUNT_MAX)
        yield start, stop
        start = stop
