"""The v2 store's tree: what each operation does to it and to the index.

Follows ``etcdserver/api/v2store/{store,node,ttl_key_heap}.go`` @ v3.4.45 (the same since 2.3.8).  What differs by
version is the update of a directory: up to 3.4 it sets the TTL and counts an index without touching the node's own
``modifiedIndex``, from 3.5 it fails; `Tree.update` takes the choice as an argument.

Strings are UTF-8 decoded with ``surrogateescape``, so any bytes of a log survive.
"""

from __future__ import annotations

import heapq
from copy import copy
from typing import TYPE_CHECKING, Final

from etcdtool.errors import FormatError
from etcdtool.model.gotext import NANOSECONDS_PER_SECOND
from etcdtool.model.store_v2_node import (
    COMPARE_FAILED,
    DIRECTORY_NOT_EMPTY,
    INDEX_MAX,
    KEY_NOT_FOUND,
    NODE_EXISTS,
    NOT_A_DIRECTORY,
    NOT_A_FILE,
    PERMANENT,
    RAFT_INTERNAL,
    ROOT_READ_ONLY,
    Event,
    Instant,
    Node,
    V2Error,
    clean,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "COMPARE_FAILED",
    "DIRECTORY_NOT_EMPTY",
    "INDEX_MAX",
    "KEY_NOT_FOUND",
    "NODE_EXISTS",
    "NOT_A_DIRECTORY",
    "NOT_A_FILE",
    "PERMANENT",
    "RAFT_INTERNAL",
    "ROOT_READ_ONLY",
    "Event",
    "Instant",
    "Node",
    "Tree",
    "V2Error",
    "clean",
]

_READ_ONLY: Final = frozenset(("/", "/0", "/1"))
_MIN_EXPIRE_TIME_NS = 946_684_800 * NANOSECONDS_PER_SECOND  # 2000-01-01: a create takes an earlier one as permanent
_COMPONENTS_MAX = 5_000  # Go's JSON decoder could not read a deeper tree back from a .snap
_CACHED_DIRECTORIES_MAX = 1 << 16
_STALE_EXPIRIES_MAX = 1 << 10


class Tree:
    """Nodes under a root, the index that counts their changes, and the queue of those that expire.

    Attributes:
        root: the node of ``/``.
        current_index: what ``X-Etcd-Index`` shows.
    """

    __slots__ = ("_directories", "_expiries", "_expiries_limit", "_pushes", "current_index", "root")

    def __init__(self) -> None:
        self.root = Node(children={"0": Node(children={}), "1": Node(children={})})
        self.current_index = 0
        self._directories: dict[str, dict[str, Node]] = {}
        self._expiries: list[tuple[int, int, str, Node]] = []
        self._expiries_limit = _STALE_EXPIRIES_MAX
        self._pushes = 0

    def find(self, path: str) -> Node | None:
        """Return the node at a path, or None."""
        try:
            return self._get(clean(path))
        except V2Error:
            return None

    def get(self, path: str) -> Event:
        """Look a node up; raise `V2Error` 100 or 104."""
        path = clean(path)
        return Event("get", path, self.current_index, self._get(path))

    def create(
        self, path: str, *, directory: bool = False, value: str = "", unique: bool = False, expires: Instant = PERMANENT
    ) -> Event:
        """Create a node that must not exist; ``unique`` appends the next index as a name, in 20 digits."""
        if unique:
            path = f"{path}/{self.current_index + 1:020d}"
        return self._create("create", path, directory, value, expires)

    def set(
        self,
        path: str,
        *,
        directory: bool = False,
        value: str = "",
        expires: Instant = PERMANENT,
        refresh: bool = False,
    ) -> Event:
        """Create a node or replace a file; ``refresh`` keeps the value of a node that must exist."""
        if refresh:
            value = self._get(clean(path)).value
        return self._create("set", path, directory, value, expires)

    def update(
        self,
        path: str,
        *,
        value: str = "",
        expires: Instant = PERMANENT,
        refresh: bool = False,
        directories: bool = True,
    ) -> Event:
        """Give an existing file a new value and TTL; a directory a TTL only, where ``directories`` allows it (3.4)."""
        path = self._writable(path)
        node = self._get(path)
        if node.children is None:
            return self._write("update", path, node, node.value if refresh else value, expires)
        if value:
            raise V2Error(NOT_A_FILE, path, self.current_index)
        if not directories:
            raise V2Error(RAFT_INTERNAL, f"nodePath {path} : Not a file ()", 0)
        previous = copy(node)
        self.current_index += 1
        self._expire(path, node, expires)
        shown = Node(node.created_index, self.current_index, node.expires, "", node.children)
        return Event("update", path, self.current_index, shown, previous)

    def compare_and_swap(
        self,
        path: str,
        *,
        previous_value: str = "",
        previous_index: int = 0,
        value: str = "",
        expires: Instant = PERMANENT,
        refresh: bool = False,
    ) -> Event:
        """Write a file whose value and index are as given; "" and 0 compare nothing."""
        path = self._writable(path)
        node = self._get(path)
        self._compare(path, node, previous_value, previous_index)
        return self._write("compareAndSwap", path, node, node.value if refresh else value, expires)

    def delete(self, path: str, *, directory: bool = False, recursive: bool = False) -> Event:
        """Remove a file, an empty directory if ``directory``, a whole subtree if ``recursive``."""
        path = self._writable(path)
        node = self._get(path)
        if node.children is not None:
            if not (directory or recursive):
                raise V2Error(NOT_A_FILE, path, self.current_index)
            if node.children and not recursive:
                raise V2Error(DIRECTORY_NOT_EMPTY, path, self.current_index)
        return self._remove("delete", path, node)

    def compare_and_delete(self, path: str, *, previous_value: str = "", previous_index: int = 0) -> Event:
        """Remove a file whose value and index are as given."""
        path = clean(path)  # upstream does not ask for a writable path here; the roots are directories anyway
        node = self._get(path)
        self._compare(path, node, previous_value, previous_index)
        return self._remove("compareAndDelete", path, node)

    def delete_expired(self, cutoff_ns: int) -> int:
        """Remove what has expired by then, soonest first, each counting one index; return how many they were.

        Nodes of one and the same nanosecond go in the order in which they got their TTL; upstream's order of these
        is that of Go's maps once a store was recovered.
        """
        removed = 0
        while self._expiries and self._expiries[0][0] <= cutoff_ns:
            entry = heapq.heappop(self._expiries)
            if self._is_due(entry):
                self._remove("expire", entry[2], entry[3])
                removed += 1
        return removed

    def _writable(self, path: str) -> str:
        path = clean(path)
        if path in _READ_ONLY:
            raise V2Error(ROOT_READ_ONLY, "/", self.current_index)
        return path

    def _get(self, path: str) -> Node:
        if path == "/":
            return self.root
        parent, _, name = path.rpartition("/")
        children = self._directories.get(parent)
        if children is not None:
            node = children.get(name)
            if node is None:
                raise V2Error(KEY_NOT_FOUND, path, self.current_index)
            return node
        node = self.root
        names = path.split("/")
        for depth in range(1, len(names)):
            if node.children is None:
                raise V2Error(NOT_A_DIRECTORY, "/".join(names[:depth]), self.current_index)
            child = node.children.get(names[depth])
            if child is None:
                raise V2Error(KEY_NOT_FOUND, "/".join(names[: depth + 1]), self.current_index)
            if depth == len(names) - 1:
                self._remember(parent, node.children)
            node = child
        return node

    def _remember(self, path: str, children: dict[str, Node]) -> None:
        if len(self._directories) >= _CACHED_DIRECTORIES_MAX:
            self._directories.clear()
        self._directories[path] = children

    def _make_directory(self, path: str) -> dict[str, Node]:
        """Return the children of a directory, made with all above it where they are missing ("" is the root)."""
        names = path.split("/")
        if len(names) > _COMPONENTS_MAX:
            raise FormatError("v2 request", f"a path of {len(names)} names, more than etcd could read back")
        children = self.root.children
        assert children is not None
        for depth in range(1, len(names)):
            node = children.get(names[depth])
            if node is None:
                index = self.current_index + 1
                node = children[names[depth]] = Node(index, index, PERMANENT, "", {})
            if node.children is None:
                raise V2Error(NOT_A_DIRECTORY, "/".join(names[: depth + 1]), self.current_index)
            children = node.children
        self._remember(path, children)
        return children

    def _create(self, action: str, path: str, directory: bool, value: str, expires: Instant) -> Event:  # noqa: FBT001  private
        path = clean(path)
        if path in _READ_ONLY:
            raise V2Error(ROOT_READ_ONLY, "/", self.current_index)
        if expires < _MIN_EXPIRE_TIME_NS:
            expires = PERMANENT
        parent, _, name = path.rpartition("/")
        children = self._directories.get(parent)
        if children is None:
            children = self._make_directory(parent)
        previous = children.get(name)
        if previous is not None:
            if action != "set":
                raise V2Error(NODE_EXISTS, path, self.current_index)
            if previous.children is not None:
                raise V2Error(NOT_A_FILE, path, self.current_index)
        self.current_index = index = self.current_index + 1
        node = Node(index, index, expires, "", {}) if directory else Node(index, index, expires, value, None)
        children[name] = node
        if expires != PERMANENT:
            self._push(path, node)
        return Event(action, path, index, node, previous)

    def _compare(self, path: str, node: Node, value: str, index: int) -> None:
        if node.children is not None:
            raise V2Error(NOT_A_FILE, path, self.current_index)
        differences = []
        if value and node.value != value:
            differences.append(f"[{value} != {node.value}]")
        if index and node.modified_index != index:
            differences.append(f"[{index} != {node.modified_index}]")
        if differences:
            raise V2Error(COMPARE_FAILED, " ".join(differences), self.current_index)

    def _write(self, action: str, path: str, node: Node, value: str, expires: Instant) -> Event:
        previous = copy(node)
        self.current_index += 1
        node.value = value
        node.modified_index = self.current_index
        self._expire(path, node, expires)
        return Event(action, path, self.current_index, node, previous)

    def _expire(self, path: str, node: Node, expires: Instant) -> None:
        if node.expires != expires:
            node.expires = expires
            if expires != PERMANENT:
                self._push(path, node)

    def _remove(self, action: str, path: str, node: Node) -> Event:
        parent, _, name = path.rpartition("/")
        children = self._get(parent or "/").children
        assert children is not None
        del children[name]
        if node.children is not None:
            self._directories.clear()
        self.current_index += 1
        shown = Node(node.created_index, self.current_index, PERMANENT, "", None if node.children is None else {})
        return Event(action, path, self.current_index, shown, node)

    def _await(self, expiring: Iterable[tuple[str, Node]]) -> None:
        """Fill the queue of what expires."""
        self._expiries = [(node.expires, count, path, node) for count, (path, node) in enumerate(expiring)]
        heapq.heapify(self._expiries)
        self._pushes = len(self._expiries)
        self._expiries_limit = 2 * self._pushes + _STALE_EXPIRIES_MAX

    def _push(self, path: str, node: Node) -> None:
        # entries of nodes that are gone or got another TTL stay until they come up; kept below twice the live ones
        if len(self._expiries) >= self._expiries_limit:
            self._expiries = [entry for entry in self._expiries if self._is_due(entry)]
            heapq.heapify(self._expiries)
            self._expiries_limit = 2 * len(self._expiries) + _STALE_EXPIRIES_MAX
        self._pushes += 1
        heapq.heappush(self._expiries, (node.expires, self._pushes, path, node))

    def _is_due(self, entry: tuple[int, int, str, Node]) -> bool:
        expires, _, path, node = entry
        return node.expires == expires and self.find(path) is node
