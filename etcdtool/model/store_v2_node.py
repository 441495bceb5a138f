"""What the v2 store is made of, and what it answers: nodes, events, errors, paths.

``etcdserver/api/v2store/{node,event}.go``, ``etcdserver/api/v2error/error.go`` @ v3.4.45.

Nodes know neither their path nor their parent: a path is the chain of names that leads to a node, which is what a GET
by that path answers.  Upstream stores ``Path`` beside it; the two agree in everything etcd writes.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from etcdtool.errors import EtcdtoolError
from etcdtool.model.gotext import ZERO_TIME_NS

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
    "V2Error",
    "clean",
]

KEY_NOT_FOUND = 100
COMPARE_FAILED = 101
NOT_A_FILE = 102
NOT_A_DIRECTORY = 104
NODE_EXISTS = 105
ROOT_READ_ONLY = 107
DIRECTORY_NOT_EMPTY = 108
RAFT_INTERNAL = 300

_MESSAGES = {
    KEY_NOT_FOUND: "Key not found",
    COMPARE_FAILED: "Compare failed",
    NOT_A_FILE: "Not a file",
    NOT_A_DIRECTORY: "Not a directory",
    NODE_EXISTS: "Key already exists",
    ROOT_READ_ONLY: "Root is read only",
    DIRECTORY_NOT_EMPTY: "Directory not empty",
    RAFT_INTERNAL: "Raft Internal Error",
}

INDEX_MAX = (1 << 63) - 1
"""Beyond this an index could not become a revision; etcd itself would count to 2**64."""


class Instant(int):
    """Unix nanoseconds; a type of its own because the store's JSON has them as text."""

    __slots__ = ()


PERMANENT: Final = Instant(ZERO_TIME_NS)

Index = Annotated[int, msgspec.Meta(ge=0, le=INDEX_MAX)]


class Node(
    msgspec.Struct,
    gc=False,
    rename={
        "created_index": "CreatedIndex",
        "modified_index": "ModifiedIndex",
        "expires": "ExpireTime",
        "value": "Value",
        "children": "Children",
    },
):
    """One node of the tree, under the names that the store's JSON gives its fields.

    Attributes:
        created_index, modified_index: v2 indexes.
        expires: its own expiry, or `PERMANENT`.
        value: the value of a file, "" for a directory.
        children: name to node; None for a file.
    """

    created_index: Index = 0
    modified_index: Index = 0
    expires: Instant = PERMANENT
    value: str = ""
    children: dict[str, Node] | None = None


class Event(msgspec.Struct, gc=False):
    """What an operation that succeeded did, as ``v2store.Event`` tells it.

    Attributes:
        action: get, create, set, update, compareAndSwap, delete, compareAndDelete.
        path: the cleaned path, namespace included.
        index: the store's index after it (``X-Etcd-Index``).
        node: the node as it is now.  It may be the live one: read it before the next operation.
            For a removal a node without value that shows the index of the removal.
        previous: the node as it was before, or None.
    """

    action: str
    path: str
    index: int
    node: Node
    previous: Node | None = None


class V2Error(EtcdtoolError):
    """An operation that the store refuses, as ``v2error.Error`` tells it.

    Attributes:
        code: `KEY_NOT_FOUND` and so on; `RAFT_INTERNAL` where upstream has an error of another kind.
        cause: path or comparison, or that error's text.
        index: the store's index, which a refused operation leaves as it is; 0 with `RAFT_INTERNAL`.
    """

    def __init__(self, code: int, cause: str, index: int) -> None:
        super().__init__(f"{_MESSAGES[code]} ({cause})")
        self.code = code
        self.cause = cause
        self.index = index


def clean(path: str) -> str:
    """Return the path as Go's ``path.Clean("/" + path)`` does: rooted, no ``//``, ``.``, ``..`` and no last slash."""
    if path[:1] == "/" and "//" not in path and "/." not in path and path[-1] != "/":
        return path
    names: list[str] = []
    for name in path.split("/"):
        if name == "..":
            del names[-1:]
        elif name not in {"", "."}:
            names.append(name)
    return "/" + "/".join(names)
